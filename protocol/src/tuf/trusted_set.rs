//! What is trusted of one repository: the rules of the TUF client workflow (specification 5.3 to
//! 5.6, version 1.0), without input, output or clock. Modelled on python-tuf's trusted set.
//!
//! Documents come in one order: roots one after another, timestamp, snapshot, targets, then
//! delegated roles as they are needed. Each is checked before anything of it is used: length and
//! digest where they are listed, strict JSON, signatures of enough distinct keys, shape, version,
//! house rules, floors, expiry. Not here: fetching ([`super::refresh`]), what targets mean
//! ([`super::lookup`]), and storing.
//! Invariant: an error leaves the set as it was.

use super::error::TufError;
use super::floors::Floors;
use super::profile::{self, Profile};
use super::role::{Naming, Role};
use super::schema::{
    self, Delegations, Document, Envelope, Freshness, Metafile, Part, Root, Snapshot, Targets,
    TopLevel,
};
use super::threshold::{self, Authority, Signers};
use crate::digest::Sha256Digest;
use crate::limits::ISSUED_AHEAD_S_MAX;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Against which instant expiry is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It is this instant; if a floor knows a later time, that one counts (a clock set back).
    Enforce(Timestamp),
    /// It is this instant, and sources that the owner of the online keys has no say in agree: what
    /// those keys signed for a time further ahead than [`ISSUED_AHEAD_S_MAX`] is refused, and their
    /// floor is forgotten where it was raised so far before. Otherwise a thief of the timestamp key
    /// could let everything else expire until the root is changed.
    Attested(Timestamp),
    /// Staged at this instant, when expiry was judged; since then the approval's `valid_until`
    /// rules. For verifying again, after a restart, what waits for its slot.
    AsStaged(Timestamp),
}

/// Which of two timestamps is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// The one that was offered.
    Offered,
    /// The held one: the offered one has the same version.
    Held,
}

/// A document whose signatures hold, and who signed.
#[derive(Debug, Clone)]
pub(super) struct Signed<T> {
    pub(super) document: Document<T>,
    pub(super) signers: Signers,
}

/// Documents of an earlier refresh, for comparing versions with.
#[derive(Debug, Clone, Default)]
struct Earlier {
    timestamp: Option<Signed<Freshness>>,
    snapshot: Option<Signed<Snapshot>>,
}

/// The trusted documents of one repository.
#[derive(Debug, Clone)]
pub struct TrustedSet {
    profile: Profile,
    expiry: Expiry,
    floors: Floors,
    root: Document<Root>,
    /// There once no more roots are accepted.
    earlier: Option<Earlier>,
    timestamp: Option<Signed<Freshness>>,
    snapshot: Option<Signed<Snapshot>>,
    targets: Option<Signed<Targets>>,
    /// Delegated roles as listed by the snapshot; signatures are checked for each delegator.
    delegated: BTreeMap<String, Document<Targets>>,
}

impl TrustedSet {
    /// Begins with a root that is trusted already: pinned, or the last one of an earlier walk.
    ///
    /// # Errors
    /// When it does not read, is not signed by its own keys, is for another repository, or is
    /// older than the floor.
    pub fn new(
        root: &[u8],
        floors: Floors,
        profile: Profile,
        expiry: Expiry,
    ) -> Result<Self, TufError> {
        let envelope = Envelope::read(&Role::Root, root, profile.charset())?;
        let root: Document<Root> = envelope.typed()?;
        signed_by(&schema::authority(&root.signed, TopLevel::Root)?, &root)?;
        profile.check_root(&root.signed)?;
        not_below(&Role::Root, floors.root_version(), root.signed.version())?;
        let mut floors = floors;
        floors.raise_root(root.signed.version(), profile::issued(&root.signed));
        let (earlier, delegated) = (None, BTreeMap::new());
        let (timestamp, snapshot, targets) = (None, None, None);
        Ok(Self { profile, expiry, floors, root, earlier, timestamp, snapshot, targets, delegated })
    }

    /// Takes the next root: signed by enough keys of the trusted one and by enough of its own.
    ///
    /// # Errors
    /// Any reason not to trust it; nothing but "there is none" ends a root walk well.
    pub fn update_root(&mut self, bytes: &[u8]) -> Result<(), TufError> {
        if self.earlier.is_some() {
            return Err(TufError::OutOfTurn { role: Role::Root });
        }
        let envelope = Envelope::read(&Role::Root, bytes, self.profile.charset())?;
        let old = schema::authority(&self.root.signed, TopLevel::Root)?;
        threshold::verify(&old, envelope.message(), envelope.signatures())?;
        let root: Document<Root> = envelope.typed()?;
        let (expected, found) = (self.next_root_version(), root.signed.version());
        if found != expected {
            return Err(TufError::RootGap { expected, found });
        }
        signed_by(&schema::authority(&root.signed, TopLevel::Root)?, &root)?;
        self.profile.check_root(&root.signed)?;
        self.floors.raise_root(found, profile::issued(&root.signed));
        self.root = root;
        Ok(())
    }

    /// There is no newer root: judges the expiry of the last one, and takes timestamp and snapshot
    /// of an earlier refresh to compare with. Those that the root's keys did not sign (any more)
    /// are dropped, and so are the soft floors of keys that it does not name any more.
    ///
    /// # Errors
    /// [`TufError::Expired`]; [`TufError::HeldUnreadable`] when a held file does not read.
    pub fn end_roots(
        &mut self,
        timestamp: Option<&[u8]>,
        snapshot: Option<&[u8]>,
    ) -> Result<(), TufError> {
        if self.earlier.is_some() {
            return Err(TufError::OutOfTurn { role: Role::Root });
        }
        let for_timestamp = schema::authority(&self.root.signed, TopLevel::Timestamp)?;
        let for_snapshot = schema::authority(&self.root.signed, TopLevel::Snapshot)?;
        let mut floors = self.floors.clone();
        floors.keep_under(&for_timestamp, &for_snapshot);
        if let Expiry::Attested(at) = self.expiry {
            floors.forget_ahead(at.plus_seconds(ISSUED_AHEAD_S_MAX));
        }
        not_expired(&Role::Root, &self.root.signed, self.expiry.judged_at(&floors))?;
        let charset = self.profile.charset();
        let earlier = Earlier {
            timestamp: timestamp.map(|b| held(&for_timestamp, b, charset)).transpose()?.flatten(),
            snapshot: snapshot.map(|b| held(&for_snapshot, b, charset)).transpose()?.flatten(),
        };
        (self.floors, self.earlier) = (floors, Some(earlier));
        Ok(())
    }

    /// Takes a timestamp.
    ///
    /// # Errors
    /// Any reason not to trust it.
    pub fn update_timestamp(&mut self, bytes: &[u8]) -> Result<Adopted, TufError> {
        let role = Role::Timestamp;
        let Some(earlier) = &self.earlier else { return Err(TufError::OutOfTurn { role }) };
        let authority = schema::authority(&self.root.signed, TopLevel::Timestamp)?;
        let offered: Signed<Freshness> = self.checked(&authority, bytes)?;
        let part = &offered.document.signed;
        self.profile.check_timestamp(part)?;
        let listed = snapshot_listing(part)?.version.get();
        not_below(&role, self.floors.timestamp_version(), part.version())?;
        not_below(&Role::Snapshot, self.floors.snapshot_version(), listed)?;
        let now = self.now();
        let (adopted, new) = match &earlier.timestamp {
            Some(held) if held.document.signed.version() == part.version() => {
                (Adopted::Held, held.clone())
            }
            Some(held) => {
                let old = &held.document.signed;
                not_below(&role, old.version(), part.version())?;
                not_below(&Role::Snapshot, snapshot_listing(old)?.version.get(), listed)?;
                (Adopted::Offered, offered)
            }
            None => (Adopted::Offered, offered),
        };
        let part = &new.document.signed;
        not_ahead(&role, part, self.expiry)?;
        not_expired(&role, part, now)?;
        self.floors.raise_timestamp(part.version(), profile::issued(part), &new.signers);
        self.timestamp = Some(new);
        Ok(adopted)
    }

    /// Takes the snapshot that the timestamp lists.
    ///
    /// # Errors
    /// Any reason not to trust it.
    pub fn update_snapshot(&mut self, bytes: &[u8]) -> Result<(), TufError> {
        let role = Role::Snapshot;
        let listing = self.listing(&role)?;
        as_listed(&role, listing, bytes)?;
        let authority = schema::authority(&self.root.signed, TopLevel::Snapshot)?;
        let new: Signed<Snapshot> = self.checked(&authority, bytes)?;
        let part = &new.document.signed;
        is_version(&role, listing, part)?;
        self.profile.check_snapshot(part)?;
        not_below(&role, self.floors.snapshot_version(), part.version())?;
        let targets = part.meta.get("targets.json");
        let targets = targets.ok_or(TufError::NotListed { role: Role::Targets })?;
        not_below(&Role::Targets, self.floors.targets_version(), targets.version.get())?;
        if let Some(held) = self.earlier.as_ref().and_then(|earlier| earlier.snapshot.as_ref()) {
            nothing_older(&held.document.signed, part)?;
        }
        not_expired(&role, part, self.now())?;
        self.floors.raise_snapshot(part.version(), &new.signers);
        self.snapshot = Some(new);
        Ok(())
    }

    /// Takes the top-level targets that the snapshot lists.
    ///
    /// # Errors
    /// Any reason not to trust them.
    pub fn update_targets(&mut self, bytes: &[u8]) -> Result<(), TufError> {
        let role = Role::Targets;
        let listing = self.listing(&role)?;
        as_listed(&role, listing, bytes)?;
        let authority = schema::authority(&self.root.signed, TopLevel::Targets)?;
        let new: Signed<Targets> = self.checked(&authority, bytes)?;
        let part = &new.document.signed;
        is_version(&role, listing, part)?;
        self.profile.check_targets(&role, part)?;
        not_below(&role, self.floors.targets_version(), part.version())?;
        not_expired(&role, part, self.now())?;
        self.floors.raise_targets(part.version(), profile::issued(part));
        self.targets = Some(new);
        Ok(())
    }

    /// Takes a delegated role that the snapshot lists, under these delegations.
    ///
    /// # Errors
    /// Any reason not to trust it. It concerns this role alone: the rest stays trusted.
    pub fn update_delegated(
        &mut self,
        delegations: &Delegations,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), TufError> {
        let role = Role::Delegated(name.to_owned());
        let listing = self.listing(&role)?;
        as_listed(&role, listing, bytes)?;
        let authority = schema::delegated_authority(delegations, name)?;
        let new: Signed<Targets> = self.checked(&authority, bytes)?;
        let part = &new.document.signed;
        is_version(&role, listing, part)?;
        self.profile.check_targets(&role, part)?;
        not_expired(&role, part, self.now())?;
        self.delegated.insert(name.to_owned(), new.document);
        Ok(())
    }

    /// A delegated role that was taken before, if these delegations trust it too.
    ///
    /// # Errors
    /// [`TufError::SignatureThreshold`] when another delegator's keys signed it.
    pub fn delegated(
        &self,
        delegations: &Delegations,
        name: &str,
    ) -> Result<Option<&Document<Targets>>, TufError> {
        let Some(document) = self.delegated.get(name) else { return Ok(None) };
        signed_by(&schema::delegated_authority(delegations, name)?, document)?;
        Ok(Some(document))
    }

    /// What the timestamp says of the snapshot, or the snapshot of another role.
    ///
    /// # Errors
    /// [`TufError::OutOfTurn`] before that document is trusted; [`TufError::NotListed`].
    pub fn listing(&self, role: &Role) -> Result<&Metafile, TufError> {
        let out_of_turn = || TufError::OutOfTurn { role: role.clone() };
        match role {
            Role::Root | Role::Timestamp => Err(out_of_turn()),
            Role::Snapshot => {
                let timestamp = self.timestamp.as_ref().ok_or_else(out_of_turn)?;
                snapshot_listing(&timestamp.document.signed)
            }
            Role::Targets | Role::Delegated(_) => {
                let snapshot = self.snapshot.as_ref().ok_or_else(out_of_turn)?;
                let listing = snapshot.document.signed.meta.get(&role.meta_name());
                listing.ok_or_else(|| TufError::NotListed { role: role.clone() })
            }
        }
    }

    /// The version that the next root must have.
    #[must_use]
    pub fn next_root_version(&self) -> u64 {
        self.root.signed.version().saturating_add(1)
    }

    /// How files are named.
    #[must_use]
    pub const fn naming(&self) -> Naming {
        Profile::naming(&self.root.signed)
    }

    /// The rules that hold.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The floors, raised by everything that is trusted.
    #[must_use]
    pub const fn floors(&self) -> &Floors {
        &self.floors
    }

    /// The trusted root.
    #[must_use]
    pub const fn root(&self) -> &Document<Root> {
        &self.root
    }

    /// The trusted timestamp.
    #[must_use]
    pub fn timestamp(&self) -> Option<&Document<Freshness>> {
        self.timestamp.as_ref().map(|signed| &signed.document)
    }

    /// The trusted snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Option<&Document<Snapshot>> {
        self.snapshot.as_ref().map(|signed| &signed.document)
    }

    /// The trusted top-level targets.
    #[must_use]
    pub fn targets(&self) -> Option<&Document<Targets>> {
        self.targets.as_ref().map(|signed| &signed.document)
    }

    /// Who signed the top-level targets.
    #[must_use]
    pub fn targets_signers(&self) -> Option<&Signers> {
        self.targets.as_ref().map(|signed| &signed.signers)
    }

    /// Who may sign for a top-level role.
    ///
    /// # Errors
    /// [`TufError::UnknownRole`] (Plain only; a Patchward root names all four).
    pub fn authority(&self, role: TopLevel) -> Result<Authority, TufError> {
        schema::authority(&self.root.signed, role)
    }

    fn now(&self) -> Timestamp {
        self.expiry.judged_at(&self.floors)
    }

    /// Strict JSON, then signatures, then shape: in this order.
    fn checked<T: Part>(&self, by: &Authority, bytes: &[u8]) -> Result<Signed<T>, TufError> {
        let envelope = Envelope::read(&by.role, bytes, self.profile.charset())?;
        let signers = threshold::verify(by, envelope.message(), envelope.signatures())?;
        Ok(Signed { document: envelope.typed()?, signers })
    }
}

impl Expiry {
    /// The instant that counts, given what the floors know.
    #[must_use]
    pub fn judged_at(self, floors: &Floors) -> Timestamp {
        match self {
            Self::Enforce(at) | Self::Attested(at) => at.max(floors.newest_time()),
            Self::AsStaged(at) => at,
        }
    }
}

/// Length and digest, where the listing gives them; checked before the bytes are parsed.
///
/// # Errors
/// [`TufError::LengthMismatch`] or [`TufError::HashMismatch`].
pub fn as_listed(role: &Role, listing: &Metafile, bytes: &[u8]) -> Result<(), TufError> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if let Some(expected) = listing.length.filter(|expected| *expected != found) {
        return Err(TufError::LengthMismatch { name: role.to_string(), expected, found });
    }
    let Some(hashes) = &listing.hashes else { return Ok(()) };
    let expected = schema::listed_sha256(hashes);
    let expected = expected.ok_or_else(|| TufError::NotListed { role: role.clone() })?;
    let found = Sha256Digest::of(bytes);
    if expected != found {
        return Err(TufError::HashMismatch { name: role.to_string(), expected, found });
    }
    Ok(())
}

fn signed_by<T>(authority: &Authority, document: &Document<T>) -> Result<Signers, TufError> {
    threshold::verify(authority, document.message(), document.signatures())
}

/// A document of an earlier refresh; none if the current root's keys did not sign it.
fn held<T: Part>(
    authority: &Authority,
    bytes: &[u8],
    charset: crate::canonical::Charset,
) -> Result<Option<Signed<T>>, TufError> {
    let role = &authority.role;
    let document: Document<T> = Envelope::read(role, bytes, charset)
        .and_then(Envelope::typed)
        .map_err(|error| error.if_held(role))?;
    Ok(signed_by(authority, &document).ok().map(|signers| Signed { document, signers }))
}

fn snapshot_listing(timestamp: &Freshness) -> Result<&Metafile, TufError> {
    let missing = || TufError::NotListed { role: Role::Snapshot };
    match timestamp.meta.len() {
        1 => timestamp.meta.get("snapshot.json").ok_or_else(missing),
        _ => Err(missing()),
    }
}

fn not_below(role: &Role, held: u64, offered: u64) -> Result<(), TufError> {
    if offered < held {
        return Err(TufError::Rollback { role: role.clone(), held, offered });
    }
    Ok(())
}

/// No role may leave the snapshot, and none may go back (TUF specification 5.5.5).
fn nothing_older(held: &Snapshot, offered: &Snapshot) -> Result<(), TufError> {
    for (name, old) in &held.meta {
        let role = Role::named(name.strip_suffix(".json").unwrap_or(name));
        let new = offered.meta.get(name);
        let new = new.ok_or_else(|| TufError::RoleRemoved { name: role.to_string() })?;
        not_below(&role, old.version.get(), new.version.get())?;
    }
    Ok(())
}

fn is_version(role: &Role, listing: &Metafile, part: &impl Part) -> Result<(), TufError> {
    let (expected, found) = (listing.version.get(), part.version());
    if expected != found {
        return Err(TufError::VersionMismatch { role: role.clone(), expected, found });
    }
    Ok(())
}

fn not_ahead(role: &Role, part: &impl Part, expiry: Expiry) -> Result<(), TufError> {
    let (Expiry::Attested(at), Some(issued)) = (expiry, profile::issued(part)) else {
        return Ok(());
    };
    if issued > at.plus_seconds(ISSUED_AHEAD_S_MAX) {
        return Err(TufError::AheadOfTime { role: role.clone(), issued, at });
    }
    Ok(())
}

fn not_expired(role: &Role, part: &impl Part, at: Timestamp) -> Result<(), TufError> {
    let expires = part.expires();
    if at >= expires {
        return Err(TufError::Expired { role: role.clone(), expires, at });
    }
    Ok(())
}
