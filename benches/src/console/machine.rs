//! A device that only says what a device says: it joins, reports its signed ledger and asks for news.
//!
//! Not here: an agent; nothing is installed. Invariant: keys, chain and signatures are real, so that the
//! server stores and shows what it would of a true device.

use anyhow::{Context as _, Result};
use patchward_protocol::api::device::{
    CheckIn, Enrol, EnrolRequest, Enrolment, LinkCertificate, Poll, Report, ReportRequest,
};
use patchward_protocol::api::site::{MakePack, MakePackRequest};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, LedgerId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{
    ApprovalRef, Carried, Entry, Fact, Kind, SealedEntry, SigningMethod,
};
use patchward_protocol::reason::Reason;
use patchward_protocol::receipt::Nonce;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_tests::forge::Key;
use patchward_tests::http::Client;
use patchward_tests::image::HARDWARE;

/// How far an update has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// The device heard of the approval.
    Approved,
    /// The image lies ready and the device waits.
    Waiting,
    /// The new image checks itself.
    Trial,
    /// The new image stays, and was used.
    Done,
    /// It went back.
    RolledBack,
}

/// A device.
#[derive(Debug)]
pub struct Machine {
    site: SiteId,
    /// Its name.
    pub device: DeviceId,
    key: Key,
    link: Key,
    ledger_id: LedgerId,
    seq: u64,
    head: Option<Sha256Digest>,
    waiting: Vec<Envelope>,
}

impl Machine {
    /// Joins a site with a pack made for it.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn join(
        desk: &Client,
        (site, device, family): (&SiteId, &DeviceId, &FamilyId),
        installed: &ImageRef,
    ) -> Result<Self> {
        let named = |role: &str| Key::named(&format!("{site} {device} {role}"));
        let (key, link) = (named("device"), named("link"));
        let name = Sha256Digest::of(format!("{site} {device}").as_bytes());
        let ledger_id = LedgerId::from_random(*name.as_bytes().first_chunk().context("16 bytes")?);
        let pack = MakePackRequest { families: vec![family.clone()], device: None, life_s: 3600 };
        let pack = desk.must::<MakePack>(&[site.as_str()], &pack)?;
        let enrolment = Enrolment {
            v: 1,
            token: pack.token,
            site: site.clone(),
            device: device.clone(),
            device_key: key.public(),
            family: family.clone(),
            hardware: HardwareId::new(HARDWARE)?,
            installed: Some(installed.clone()),
            ledger_id,
            agent_version: "0.1.0".to_owned(),
        };
        let certificate = LinkCertificate {
            v: 1,
            site: site.clone(),
            device: device.clone(),
            link_key: link.public(),
            n: 1,
        };
        let seal = |kind, value: &LinkCertificate| Envelope::seal(kind, value, key.secret());
        let request = EnrolRequest {
            enrolment: Envelope::seal(PayloadType::Enrolment, &enrolment, key.secret())?,
            link_certificate: seal(PayloadType::LinkCertificate, &certificate)?,
        };
        desk.must::<Enrol>(&[], &request)?;
        let (site, device) = (site.clone(), device.clone());
        let mut machine =
            Self { site, device, key, link, ledger_id, seq: 0, head: None, waiting: Vec::new() };
        machine.write(Fact::new(Kind::Enrolled), patchward_tests::clock::now())?;
        Ok(machine)
    }

    /// The key that approvals name.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.key.public()
    }

    /// Writes an update into its ledger, as far as it came.
    ///
    /// # Errors
    /// When an entry cannot be signed.
    pub fn update(
        &mut self,
        (from, to): (&ImageRef, &ImageRef),
        approval: &ApprovalRef,
        reached: Reached,
        begun: Timestamp,
    ) -> Result<()> {
        for (minute, kind) in (0_i64..).zip(steps(reached)) {
            let mut fact = Fact::new(*kind);
            fact.release = Some(to.clone());
            fact.from = (*kind != Kind::Approved).then(|| from.clone());
            fact.approval = Some(approval.clone());
            if *kind == Kind::Held {
                fact.reason = Some(Reason::SlotNotOpen);
            } else if *kind == Kind::RollingBack {
                fact.reason = Some(Reason::HealthFailed);
            } else if *kind == Kind::Used {
                fact.clinical_use_s = Some(26 * 3600);
            } else if *kind == Kind::Staged {
                fact.carried = Some(Carried {
                    delta_sha256: None,
                    fetched_bytes: 20_900,
                    full_bytes: 20_900,
                    windows: 1,
                    windows_full: 1,
                });
            }
            self.write(fact, begun.plus_seconds(minute.saturating_mul(60)))?;
        }
        Ok(())
    }

    /// Delivers what it wrote.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn deliver(&mut self, client: &Client) -> Result<()> {
        let entries = std::mem::take(&mut self.waiting);
        let (site, device) = (self.site.clone(), self.device.clone());
        let body = ReportRequest { site, device, entries, log_size_seen: None };
        client.must::<Report>(&[], &body).map(|_| ())
    }

    /// Asks for news and says how it stands.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn ask(
        &self,
        client: &Client,
        n: u64,
        (installed, state, reason): (&ImageRef, &str, Option<Reason>),
    ) -> Result<()> {
        let poll = Poll {
            v: 1,
            site: self.site.clone(),
            device: self.device.clone(),
            boot_count: 1,
            n,
            nonce: Nonce::from_random([7; 16]),
            installed: Some(installed.clone()),
            state: state.to_owned(),
            reason,
            ledger_seq: self.seq,
            agent_version: "0.1.0".to_owned(),
            family_timestamp: 0,
            site_timestamp: 0,
            slot: None,
            wait_s: None,
            directive_sha256: None,
        };
        let sealed = Envelope::seal(PayloadType::Poll, &poll, self.link.secret())?;
        client.must::<CheckIn>(&[], &sealed).map(|_| ())
    }

    fn write(&mut self, fact: Fact, at: Timestamp) -> Result<()> {
        let entry = Entry {
            v: 1,
            device: self.device.clone(),
            ledger_id: self.ledger_id,
            seq: self.seq.saturating_add(1),
            prev_sha256: self.head,
            at: Some(at),
            time_quality: TimeQuality::Attested,
            boot_count: 1,
            fact,
        };
        let sealed = SealedEntry::seal(entry, self.key.secret())?;
        (self.seq, self.head) = (self.seq.saturating_add(1), Some(sealed.sha256));
        self.waiting.push(sealed.envelope);
        Ok(())
    }
}

/// An approval as ledgers name it.
///
/// # Errors
/// When the name is none.
pub fn approval_ref(id: &str, sha256: Sha256Digest) -> Result<ApprovalRef> {
    let id = id.parse().context("an approval id")?;
    Ok(ApprovalRef { sha256, id, weakest_method: SigningMethod::Offline })
}

const fn steps(reached: Reached) -> &'static [Kind] {
    use Kind::{
        Activating, Approved, Armed, Committed, Held, Preparing, Restarting, RolledBack,
        RollingBack, Staged, Trial, Used,
    };
    match reached {
        Reached::Approved => &[Approved],
        Reached::Waiting => &[Approved, Staged, Held],
        Reached::Trial => {
            &[Approved, Staged, Held, Preparing, Armed, Activating, Restarting, Trial]
        }
        Reached::Done => &[
            Approved, Staged, Held, Preparing, Armed, Activating, Restarting, Trial, Committed,
            Used,
        ],
        Reached::RolledBack => &[
            Approved,
            Staged,
            Held,
            Preparing,
            Armed,
            Activating,
            Restarting,
            Trial,
            RollingBack,
            RolledBack,
        ],
    }
}
