//! Holds that the server passes on, and which of them this device remembers.
//!
//! A hold needs no key, so a server can always set one. It must not be able to lift one that the
//! hospital has set: what was heard once stays, over restarts, until an act of the hospital lifts it,
//! signed by a key of the site root's targets role. Holds of the manufacturer, of the operator and
//! freezes end when they are no longer told. Not here: what a hold blocks (`protocol::decision`).
//! Invariant: a remembered hold leaves the book only with a verified act that names it.

use crate::journal::write_durably;
use crate::ledger::refusals::Refusal;
use patchward_protocol::act::{Act, Meaning, Subject};
use patchward_protocol::directive::{Directive, HoldBy, HoldNotice, HoldTarget};
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, HoldId, SiteId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::PublicKey;
use patchward_protocol::limits::HOLD_REASON_CHARS_MAX;
use patchward_protocol::reason::Reason;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Most holds of the hospital that are remembered; more count as long as they are told.
pub const REMEMBERED_MAX: usize = 64;
/// Most lifting acts that are looked at in one directive.
const LIFTS_MAX: usize = 256;

/// What was heard of holds.
#[derive(Debug, Clone)]
pub struct Holds {
    path: PathBuf,
    remembered: Vec<HoldNotice>,
    told: Vec<HoldNotice>,
    memory: Memory,
}

/// Whether what was remembered could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It could.
    Whole,
    /// It could not: that counts as a hold until the server was heard.
    Unreadable,
}

/// Whose acts count.
#[derive(Debug, Clone, Copy)]
pub struct Lifters<'a> {
    /// The site.
    pub site: &'a SiteId,
    /// Keys of the site root's targets role.
    pub keys: &'a [PublicKey],
}

#[derive(Serialize, Deserialize)]
struct File {
    v: u32,
    holds: Vec<HoldNotice>,
}

impl Holds {
    /// Goes on from what is remembered. The refusal says that it could not be read.
    #[must_use]
    pub fn open(path: PathBuf) -> (Self, Option<Refusal>) {
        let read = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<File>(&bytes).map_err(|e| e.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(File { v: 1, holds: Vec::new() })
            }
            Err(error) => Err(error.to_string()),
        };
        let refusal = read.as_ref().err().map(|why| Refusal {
            reason: Reason::HeldStateUnreadable,
            document_sha256: None,
            detail: format!("remembered holds: {why}"),
        });
        let memory = if refusal.is_some() { Memory::Unreadable } else { Memory::Whole };
        let remembered = read.map(|file| file.holds).unwrap_or_default();
        (Self { path, remembered, told: Vec::new(), memory }, refusal)
    }

    /// Whether what was remembered could be read.
    #[must_use]
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// Takes what the server says now. Refusals are lifting acts that do not lift what they name.
    #[must_use]
    pub fn hear(&mut self, directive: &Directive, who: Lifters<'_>) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        let mut lifted = Vec::new();
        for act in directive.lifts.iter().take(LIFTS_MAX) {
            match lifts(act, who) {
                Ok(hold) => lifted.push(hold),
                Err(why) => refusals.extend(self.refuse(act, why)),
            }
        }
        let before = self.remembered.clone();
        self.remembered.retain(|hold| !lifted.contains(&hold.id));
        for hold in directive.holds.iter().filter(|hold| hold.by == HoldBy::Site) {
            self.remember(hold, &lifted);
        }
        self.told.clone_from(&directive.holds);
        if self.remembered != before || self.memory == Memory::Unreadable {
            self.memory = Memory::Whole;
            if let Err(error) = self.write() {
                tracing::error!(%error, "holds could not be remembered");
            }
        }
        refusals
    }

    fn remember(&mut self, hold: &HoldNotice, lifted: &[HoldId]) {
        let known = self.remembered.iter().any(|kept| kept.id == hold.id);
        if known || lifted.contains(&hold.id) || self.remembered.len() >= REMEMBERED_MAX {
            return;
        }
        let reason = hold.reason.chars().take(HOLD_REASON_CHARS_MAX).collect();
        self.remembered.push(HoldNotice { reason, ..hold.clone() });
    }

    /// An act that does not verify is news only if it names a hold that stands here.
    fn refuse(&self, act: &Envelope, why: String) -> Option<Refusal> {
        let claimed: Act = act.insecure_peek().ok()?;
        let Subject::Hold { hold } = claimed.subject else { return None };
        self.remembered.iter().find(|kept| kept.id == hold)?;
        Some(Refusal {
            reason: Reason::LiftUnproven,
            document_sha256: act.payload_sha256().ok(),
            detail: format!("hold {hold}: {why}"),
        })
    }

    fn write(&self) -> io::Result<()> {
        let file = File { v: 1, holds: self.remembered.clone() };
        write_durably(&self.path, &serde_json::to_vec(&file).map_err(io::Error::other)?)
    }

    /// Every hold that stands: what is told, and what is remembered and not told any more.
    pub fn standing(&self) -> impl Iterator<Item = &HoldNotice> {
        let told = |id: &HoldId| self.told.iter().any(|hold| hold.id == *id);
        self.told.iter().chain(self.remembered.iter().filter(move |hold| !told(&hold.id)))
    }

    /// Whether a hold is remembered although nobody tells it any more.
    #[must_use]
    pub fn is_only_remembered(&self, hold: &HoldNotice) -> bool {
        !self.told.iter().any(|told| told.id == hold.id)
    }
}

/// Whether a hold concerns this device and what it wants. What cannot be told here (wards are not
/// known on a device) concerns it.
#[must_use]
pub fn concerns(hold: &HoldNotice, own: &DeviceId, wanted: Option<&ImageRef>) -> bool {
    match &hold.target {
        HoldTarget::Device { device } => device == own,
        HoldTarget::Ward { .. } | HoldTarget::Site => true,
        HoldTarget::Release { family, image_sha256 } => wanted
            .is_none_or(|wanted| wanted.family == *family && wanted.image_sha256 == *image_sha256),
    }
}

/// Which hold an act lifts.
fn lifts(act: &Envelope, who: Lifters<'_>) -> Result<HoldId, String> {
    let checked = act.verify_any(PayloadType::Act, who.keys).map_err(|error| error.to_string())?;
    let act = act.open::<Act>(PayloadType::Act, &checked.1).map_err(|error| error.to_string())?;
    let act = act.into_inner();
    if act.v != 1 || act.site != *who.site || act.meaning != Meaning::HoldLifted {
        return Err("the act is of another site or means something else".into());
    }
    match act.subject {
        Subject::Hold { hold } => Ok(hold),
        Subject::Approval { .. } | Subject::Wave { .. } | Subject::Device { .. } => {
            Err("the act names no hold".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::id::PersonId;
    use patchward_protocol::key::{SecretKey, Signer as _};
    use patchward_protocol::time::Timestamp;

    fn site() -> SiteId {
        SiteId::new("north").unwrap()
    }

    fn key(n: u8) -> SecretKey {
        SecretKey::from_seed(&[n; 32])
    }

    fn id(name: &str) -> HoldId {
        HoldId::new(name).unwrap()
    }

    fn notice(name: &str, by: HoldBy) -> HoldNotice {
        let reason = "alarm seen".to_owned();
        HoldNotice {
            id: id(name),
            target: HoldTarget::Site,
            by,
            reason,
            review_at: Timestamp::EPOCH,
        }
    }

    fn says(holds: &[HoldNotice], lifts: Vec<Envelope>) -> Directive {
        Directive { open: vec![], holds: holds.to_vec(), lifts }
    }

    fn act(hold: &str, site: SiteId, meaning: Meaning, by: &SecretKey) -> Envelope {
        let act = Act {
            v: 1,
            site,
            subject: Subject::Hold { hold: id(hold) },
            person: PersonId::new("tanaka").unwrap(),
            name: "Tanaka".into(),
            role: "clinical engineer".into(),
            meaning,
            reason: "looked at".into(),
            at: Timestamp::EPOCH,
            tz: "Asia/Tokyo".into(),
            compensating: None,
            log_size: None,
            log_root: None,
        };
        Envelope::seal(PayloadType::Act, &act, by).unwrap()
    }

    fn standing(holds: &Holds) -> Vec<&str> {
        holds.standing().map(|hold| hold.id.as_str()).collect()
    }

    fn hear(holds: &mut Holds, directive: &Directive) -> Vec<Reason> {
        let (site, keys) = (site(), [key(1).public(), key(2).public()]);
        let refused = holds.hear(directive, Lifters { site: &site, keys: &keys });
        refused.into_iter().map(|refusal| refusal.reason).collect()
    }

    #[test]
    fn a_hold_of_the_hospital_outlives_silence_and_restart_until_its_own_act_lifts_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holds.json");
        let mut holds = Holds::open(path.clone()).0;
        let all = [notice("h-1", HoldBy::Site), notice("m-1", HoldBy::Maker)];
        assert_eq!(hear(&mut holds, &says(&all, vec![])), []);
        assert_eq!(standing(&holds), ["h-1", "m-1"]);
        // The server says nothing any more: the manufacturer's hold ends, the hospital's does not.
        assert_eq!(hear(&mut holds, &says(&[], vec![])), []);
        assert_eq!(standing(&holds), ["h-1"]);
        let mut holds = Holds::open(path.clone()).0;
        assert_eq!(standing(&holds), ["h-1"]);
        let north = act("h-1", site(), Meaning::HoldLifted, &key(2));
        assert_eq!(hear(&mut holds, &says(&[], vec![north])), []);
        assert_eq!(standing(&holds), [""; 0]);
        assert_eq!(standing(&Holds::open(path).0), [""; 0]);
    }

    #[test]
    fn forged_foreign_and_other_acts_lift_nothing_and_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut holds = Holds::open(folder.path().join("holds.json")).0;
        hear(&mut holds, &says(&[notice("h-1", HoldBy::Site)], vec![]));
        let south = SiteId::new("south").unwrap();
        for bad in [
            act("h-1", site(), Meaning::HoldLifted, &key(9)),
            act("h-1", south, Meaning::HoldLifted, &key(1)),
            act("h-1", site(), Meaning::Acknowledged, &key(1)),
        ] {
            assert_eq!(hear(&mut holds, &says(&[], vec![bad])), [Reason::LiftUnproven]);
            assert_eq!(standing(&holds), ["h-1"]);
        }
        let other = act("h-2", site(), Meaning::HoldLifted, &key(1));
        assert_eq!(hear(&mut holds, &says(&[], vec![other])), []);
        assert_eq!(standing(&holds), ["h-1"]);
    }

    #[test]
    fn a_lifted_hold_that_is_still_told_stands_and_ends_when_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut holds = Holds::open(folder.path().join("holds.json")).0;
        let hold = [notice("h-1", HoldBy::Site)];
        let lift = || vec![act("h-1", site(), Meaning::HoldLifted, &key(1))];
        hear(&mut holds, &says(&hold, vec![]));
        hear(&mut holds, &says(&hold, lift()));
        assert_eq!(standing(&holds), ["h-1"], "anyone may hold");
        hear(&mut holds, &says(&[], lift()));
        assert_eq!(standing(&holds), [""; 0]);
    }

    #[test]
    fn a_flood_of_holds_pushes_no_remembered_one_out_and_a_spoilt_memory_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holds.json");
        let mut holds = Holds::open(path.clone()).0;
        hear(&mut holds, &says(&[notice("h-real", HoldBy::Site)], vec![]));
        let flood: Vec<_> = (0..500).map(|n| notice(&format!("h-{n}"), HoldBy::Site)).collect();
        hear(&mut holds, &says(&flood, vec![]));
        hear(&mut holds, &says(&[], vec![]));
        assert_eq!(holds.standing().count(), REMEMBERED_MAX);
        assert!(standing(&holds).contains(&"h-real"));
        write_durably(&path, b"{").unwrap();
        let (holds, refusal) = Holds::open(path);
        assert_eq!(refusal.unwrap().reason, Reason::HeldStateUnreadable);
        assert_eq!(holds.memory(), Memory::Unreadable);
    }
}
