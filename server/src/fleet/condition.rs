//! In which condition a device is, in the few words that a hospital counts by: pure.
//!
//! Not here: why it waits (`protocol::why`). Invariant: total; what is unknown is never called good.

use crate::db::outline::Outline;
use patchward_protocol::id::{HardwareId, Seq};
use patchward_protocol::time::Timestamp;

/// A device that was not heard for so long counts as silent, in seconds: 30 days.
pub const SILENT_S: i64 = 30 * 24 * 3600;

/// The condition of a device, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// Something went wrong: a person must look at it.
    Attention,
    /// Updated, and not released for clinical use yet.
    Acceptance,
    /// Not heard for 30 days, or never.
    Silent,
    /// What is installed is not known.
    Unknown,
    /// A newer release is there and nothing is planned on the device.
    Behind,
    /// The update is on the device and waits for its moment.
    Waiting,
    /// The update is under way.
    Updating,
    /// It runs the newest release that fits it.
    Current,
}

/// Releases that a family offers: rank, and hardware that it fits.
pub type Offered = Vec<(Seq, Vec<HardwareId>)>;

impl Condition {
    /// All, the most urgent first.
    pub const ALL: [Self; 8] = [
        Self::Attention,
        Self::Acceptance,
        Self::Silent,
        Self::Unknown,
        Self::Behind,
        Self::Waiting,
        Self::Updating,
        Self::Current,
    ];

    /// The word in links and in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Acceptance => "acceptance",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
            Self::Behind => "behind",
            Self::Waiting => "waiting",
            Self::Updating => "updating",
            Self::Current => "current",
        }
    }

    /// The condition of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|condition| condition.word() == word)
    }

    /// Of a device, given what its family offers.
    #[must_use]
    pub fn judge(device: &Outline, offered: &Offered, at: Timestamp) -> Self {
        let has_agent = device.management == patchward_protocol::api::site::Management::Agent;
        if device.forked {
            return Self::Attention;
        }
        if has_agent {
            match device.state.as_deref() {
                Some("needs-service" | "rolling-back" | "rolled-back" | "abandoned") => {
                    return Self::Attention;
                }
                Some("awaiting-acceptance") => return Self::Acceptance,
                Some(_) | None => {}
            }
            if device.last_seen.is_none_or(|seen| seen.plus_seconds(SILENT_S) < at) {
                return Self::Silent;
            }
            match device.state.as_deref() {
                Some("preparing" | "armed" | "activating" | "restarting" | "trial") => {
                    return Self::Updating;
                }
                Some("approved" | "fetching" | "staged" | "holding") => return Self::Waiting,
                Some(_) | None => {}
            }
        }
        let Some(installed) = &device.installed else { return Self::Unknown };
        match newest(offered, device.hardware.as_ref()) {
            Some(newest) if newest > installed.seq => Self::Behind,
            Some(_) | None => Self::Current,
        }
    }
}

/// The newest release that fits; of a device whose hardware is not known, the newest of all.
#[must_use]
pub fn newest(offered: &Offered, hardware: Option<&HardwareId>) -> Option<Seq> {
    let fits = |fit: &[HardwareId]| hardware.is_none_or(|own| fit.contains(own));
    offered.iter().filter(|(_, fit)| fits(fit)).map(|(seq, _)| *seq).max()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use patchward_protocol::api::site::Management;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::{DeviceId, FamilyId, Version};
    use patchward_protocol::image::ImageRef;

    pub(crate) fn image(seq: u64) -> ImageRef {
        ImageRef {
            family: FamilyId::new("acme.pump").unwrap(),
            version: Version::new(&format!("2.{seq}.0")).unwrap(),
            seq: Seq(seq),
            image_sha256: Sha256Digest::of(&seq.to_be_bytes()),
        }
    }

    pub(crate) fn device(id: &str, seq: Option<u64>, state: Option<&str>) -> Outline {
        Outline {
            device: DeviceId::new(id).unwrap(),
            management: Management::Agent,
            family: FamilyId::new("acme.pump").unwrap(),
            hardware: None,
            installed: seq.map(image),
            state: state.map(str::to_owned),
            reason: None,
            last_seen: Some(Timestamp::from_millis(1_000)),
            forked: false,
        }
    }

    #[test]
    fn what_went_wrong_is_said_before_anything_else() {
        let at = Timestamp::from_millis(2_000);
        let offered: Offered = vec![(Seq(2), Vec::new()), (Seq(3), Vec::new())];
        let of = |device: &Outline| Condition::judge(device, &offered, at);
        assert_eq!(of(&device("a", Some(3), Some("idle"))), Condition::Current);
        assert_eq!(of(&device("a", Some(2), Some("idle"))), Condition::Behind);
        assert_eq!(of(&device("a", Some(2), Some("holding"))), Condition::Waiting);
        assert_eq!(of(&device("a", Some(2), Some("trial"))), Condition::Updating);
        assert_eq!(of(&device("a", Some(2), Some("rolled-back"))), Condition::Attention);
        assert_eq!(of(&device("a", Some(3), Some("awaiting-acceptance"))), Condition::Acceptance);
        let forked = Outline { forked: true, ..device("a", Some(3), Some("idle")) };
        assert_eq!(of(&forked), Condition::Attention);
    }

    #[test]
    fn silence_and_ignorance_are_never_called_current() {
        let late = Timestamp::from_millis(1_000).plus_seconds(SILENT_S + 1);
        let offered: Offered = vec![(Seq(3), Vec::new())];
        let heard = device("a", Some(3), Some("idle"));
        assert_eq!(Condition::judge(&heard, &offered, late), Condition::Silent);
        let never = Outline { last_seen: None, ..heard.clone() };
        assert_eq!(Condition::judge(&never, &offered, late), Condition::Silent);
        let unknown = device("a", None, None);
        let at = Timestamp::from_millis(2_000);
        assert_eq!(Condition::judge(&unknown, &offered, at), Condition::Unknown);
        let by_hand = Outline { management: Management::Manual, last_seen: None, ..heard };
        assert_eq!(Condition::judge(&by_hand, &offered, late), Condition::Current);
    }

    #[test]
    fn a_release_for_other_hardware_makes_nobody_fall_behind() {
        let own = HardwareId::new("pump.rev2").unwrap();
        let offered: Offered = vec![
            (Seq(3), vec![own.clone()]),
            (Seq(9), vec![HardwareId::new("pump.rev3").unwrap()]),
        ];
        assert_eq!(newest(&offered, Some(&own)), Some(Seq(3)));
        assert_eq!(newest(&offered, None), Some(Seq(9)));
    }

    #[test]
    fn a_word_leads_back_to_its_condition() {
        assert!(Condition::ALL.iter().all(|it| Condition::of(it.word()) == Some(*it)));
    }
}
