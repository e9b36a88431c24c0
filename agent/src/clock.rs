//! What time it is, and how well that is known: one pure rule, and the machine's clocks.
//!
//! A compromised server could lie about time, to each device differently, so no single source opens
//! a slot. Attested: the server's signed answer and a source that the server does not control agree.
//! Plausible: exactly one source. Unknown: none, or they disagree. Neither source raises a floor: one
//! false answer would stop updates for ever. Not here: asking ([`crate::driver`]).
//! Invariant: a source that is earlier than what offline keys have signed says nothing.

use crate::edge::{Clock, Rng};
use patchward_protocol::decision::ClockAgreement;
use patchward_protocol::limits::TIME_AGREE_S;
use patchward_protocol::time::{TimeQuality, Timestamp};

/// How long an answer is carried on the boot clock, in milliseconds: a day. A quartz is off by some
/// ten seconds in that time.
pub const CARRY_MS_MAX: u64 = 24 * 3600 * 1000;
/// Longest time between question and answer of the server, in milliseconds.
pub const ANSWER_MS_MAX: u64 = 30_000;

/// What a source said, and when on the boot clock it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// The time it said.
    pub utc: Timestamp,
    /// When, in milliseconds since boot.
    pub boot_ms: u64,
}

/// What the device goes by at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources {
    /// The server's signed answer to this device's question.
    pub server: Option<Heard>,
    /// A clock that the server has no say in.
    pub own: Option<Heard>,
    /// The last instant at which both agreed, in this run of the agent.
    pub agreed: Option<Heard>,
}

/// The time, and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The time; none when unknown.
    pub utc: Option<Timestamp>,
    /// How well it is known.
    pub quality: TimeQuality,
    /// Whether the sources contradict each other.
    pub agreement: ClockAgreement,
}

/// The time at `boot_ms` by these sources. `floor` is the newest time that offline keys have signed.
#[must_use]
pub fn judge(sources: &Sources, floor: Timestamp, boot_ms: u64) -> Judged {
    let now = |heard: &Heard| carried(heard, boot_ms).filter(|utc| not_before(*utc, floor));
    let server = sources.server.as_ref().and_then(now);
    let own = sources.own.as_ref().and_then(now);
    let agreed = sources.agreed.as_ref().and_then(now);
    let with_earlier = |utc: Timestamp| agreed.is_none_or(|earlier| agree(utc, earlier));
    let (utc, quality) = match (server, own) {
        (Some(server), Some(own)) if agree(server, own) => (own, TimeQuality::Attested),
        (Some(_), Some(_)) => return DISAGREE,
        (Some(one), None) | (None, Some(one)) => (one, TimeQuality::Plausible),
        (None, None) => {
            let agreement = ClockAgreement::Agree;
            return Judged { utc: None, quality: TimeQuality::Unknown, agreement };
        }
    };
    if with_earlier(utc) {
        Judged { utc: Some(utc), quality, agreement: ClockAgreement::Agree }
    } else {
        DISAGREE
    }
}

const DISAGREE: Judged =
    Judged { utc: None, quality: TimeQuality::Unknown, agreement: ClockAgreement::Disagree };

fn carried(heard: &Heard, boot_ms: u64) -> Option<Timestamp> {
    let passed = boot_ms.checked_sub(heard.boot_ms).filter(|passed| *passed <= CARRY_MS_MAX)?;
    Some(heard.utc.plus_millis(i64::try_from(passed).ok()?))
}

fn not_before(utc: Timestamp, floor: Timestamp) -> bool {
    utc.millis_since(floor) >= -TIME_AGREE_S * 1000
}

fn agree(one: Timestamp, other: Timestamp) -> bool {
    one.millis_since(other).abs() <= TIME_AGREE_S * 1000
}

/// Reads what a time command printed: RFC 3339 in UTC, or whole seconds since 1970.
#[must_use]
pub fn read_printed(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let seconds: i64 = text.parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Timestamp::EPOCH.plus_seconds(seconds))
}

/// The clocks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn boot_ms(&self) -> u64 {
        let (seconds, nanos) = read(rustix::time::ClockId::Boottime);
        u64::try_from(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)).unwrap_or(0)
    }

    fn wall(&self) -> Timestamp {
        let (seconds, nanos) = read(rustix::time::ClockId::Realtime);
        Timestamp::from_millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
    }
}

fn read(clock: rustix::time::ClockId) -> (i64, i64) {
    let time = rustix::time::clock_gettime(clock);
    (time.tv_sec, time.tv_nsec)
}

/// Chance from the kernel.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineRng;

/// The kernel gave no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the kernel gives no random numbers")]
pub struct NoChance(#[source] getrandom::Error);

impl MachineRng {
    /// Checks once that the kernel gives random numbers.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn begin() -> Result<Self, NoChance> {
        fill(&mut [0; 1]).map_err(NoChance)?;
        Ok(Self)
    }
}

impl Rng for MachineRng {
    fn sixteen(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        sure(&mut bytes);
        bytes
    }

    fn thirty_two(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        sure(&mut bytes);
        bytes
    }
}

/// Linux never stops giving random numbers once it has begun, which [`MachineRng::begin`] has seen;
/// should it do so all the same, the agent must not go on with zeros.
#[allow(clippy::panic, reason = "no key and no nonce may ever be made of zeros")]
fn sure(bytes: &mut [u8]) {
    if fill(bytes).is_err() {
        panic!("the kernel stopped giving random numbers");
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where chance comes from the machine")]
fn fill(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn heard(utc: Timestamp, boot_ms: u64) -> Option<Heard> {
        Some(Heard { utc, boot_ms })
    }

    const NOW: &str = "2026-12-05T04:30:00Z";
    const FLOOR: &str = "2026-12-01T00:00:00Z";

    fn quality(server: Option<Heard>, own: Option<Heard>) -> (TimeQuality, ClockAgreement) {
        let judged = judge(&Sources { server, own, agreed: None }, at(FLOOR), 10_000);
        (judged.quality, judged.agreement)
    }

    #[test]
    fn two_sources_that_agree_attest_the_time_and_one_makes_it_plausible() {
        let (now, agree) = (at(NOW), ClockAgreement::Agree);
        let near = now.plus_seconds(120);
        assert_eq!(
            quality(heard(now, 10_000), heard(near, 10_000)),
            (TimeQuality::Attested, agree)
        );
        assert_eq!(quality(heard(now, 10_000), None), (TimeQuality::Plausible, agree));
        assert_eq!(quality(None, heard(now, 10_000)), (TimeQuality::Plausible, agree));
        assert_eq!(quality(None, None), (TimeQuality::Unknown, agree));
    }

    #[test]
    fn sources_that_disagree_leave_the_time_unknown() {
        let disagree = (TimeQuality::Unknown, ClockAgreement::Disagree);
        for wrong in ["2040-01-01T00:00:00Z", "2026-12-05T03:30:00Z", "2026-12-05T04:32:01Z"] {
            assert_eq!(quality(heard(at(NOW), 10_000), heard(at(wrong), 10_000)), disagree);
            assert_eq!(quality(heard(at(wrong), 10_000), heard(at(NOW), 10_000)), disagree);
        }
    }

    #[test]
    fn a_clock_before_what_offline_keys_signed_says_nothing() {
        let dead = heard(at("1970-01-01T00:00:10Z"), 10_000);
        assert_eq!(quality(None, dead).0, TimeQuality::Unknown);
        assert_eq!(quality(heard(at(NOW), 10_000), dead).0, TimeQuality::Plausible);
    }

    #[test]
    fn a_source_that_jumps_away_from_what_was_agreed_is_not_followed() {
        let sources = Sources {
            server: heard(at(NOW).plus_seconds(-3600), 60_000),
            own: heard(at(NOW).plus_seconds(-3600), 60_000),
            agreed: heard(at(NOW), 0),
        };
        assert_eq!(judge(&sources, at(FLOOR), 60_000), DISAGREE);
    }

    #[test]
    fn an_answer_is_carried_on_the_boot_clock_for_a_day() {
        let sources = Sources { server: heard(at(NOW), 0), own: None, agreed: None };
        let later = judge(&sources, at(FLOOR), CARRY_MS_MAX);
        assert_eq!(later.utc, Some(at(NOW).plus_seconds(24 * 3600)));
        assert_eq!(judge(&sources, at(FLOOR), CARRY_MS_MAX + 1).utc, None);
    }

    #[test]
    fn a_time_command_prints_an_instant_or_seconds() {
        assert_eq!(read_printed("2026-12-05T04:30:00Z\n"), Some(at(NOW)));
        assert_eq!(read_printed("1\n"), Some(at("1970-01-01T00:00:01Z")));
        assert_eq!(read_printed("yesterday"), None);
        assert_eq!(read_printed("-5"), None);
    }

    /// What two sources say at a minute of the boot clock, judged there.
    fn judged(server: Option<(&str, u64)>, own: Option<&str>, minute: u64) -> Judged {
        let boot_ms = minute * 60_000;
        let server = server.and_then(|(utc, minute)| heard(at(utc), minute * 60_000));
        let own = own.and_then(|utc| heard(at(utc), boot_ms));
        let agreed = heard(at(NOW), 0);
        judge(&Sources { server, own, agreed }, at(FLOOR), boot_ms)
    }

    #[test]
    fn a_clock_in_1970_or_2040_opens_nothing_however_the_server_talks() {
        for wrong in ["1970-01-01T00:00:00Z", "2040-01-01T00:00:00Z"] {
            let with_server = judged(Some((NOW, 0)), Some(wrong), 0);
            assert_ne!(with_server.quality, TimeQuality::Attested, "{wrong}");
            let lying_along = judged(Some((wrong, 0)), Some(wrong), 0);
            assert_ne!(lying_along.quality, TimeQuality::Attested, "{wrong}");
            let alone = judged(None, Some(wrong), 0);
            assert_eq!(alone.utc, None, "{wrong}");
        }
    }

    #[test]
    fn an_hour_back_inside_a_slot_is_a_contradiction_and_not_an_hour_more() {
        let before = judged(Some(("2026-12-05T05:00:00Z", 30)), Some("2026-12-05T05:00:00Z"), 30);
        assert_eq!(before.quality, TimeQuality::Attested);
        for server in [Some(("2026-12-05T05:00:00Z", 30)), Some(("2026-12-05T04:01:00Z", 31)), None]
        {
            let back = judged(server, Some("2026-12-05T04:01:00Z"), 31);
            assert_eq!((back.utc, back.agreement), (None, ClockAgreement::Disagree), "{server:?}");
        }
    }

    #[test]
    fn a_suspend_of_eight_hours_is_time_that_passed() {
        let resumed = judged(Some((NOW, 0)), Some("2026-12-05T12:30:00Z"), 8 * 60);
        assert_eq!(resumed.quality, TimeQuality::Attested);
        // A clock that slept too says that no time has passed.
        assert_eq!(judged(Some((NOW, 0)), Some(NOW), 8 * 60).agreement, ClockAgreement::Disagree);
    }

    #[test]
    fn a_device_without_a_clock_of_its_own_knows_at_most_what_the_server_says() {
        let judged = judged(Some((NOW, 0)), None, 0);
        assert_eq!((judged.utc, judged.quality), (Some(at(NOW)), TimeQuality::Plausible));
        let sources = Sources::default();
        assert_eq!(judge(&sources, at(FLOOR), 0).quality, TimeQuality::Unknown);
    }

    #[test]
    fn a_server_that_lies_to_each_device_differently_moves_none_that_has_a_clock_of_its_own() {
        for lie_s in (-90_000..=90_000).step_by(37) {
            let (truth, told) = (at(NOW), at(NOW).plus_seconds(lie_s));
            let sources = Sources { server: heard(told, 0), own: heard(truth, 0), agreed: None };
            let judged = judge(&sources, at(FLOOR), 0);
            assert!(judged.utc.is_none_or(|utc| utc == truth), "{lie_s}");
            let near = lie_s.abs() <= TIME_AGREE_S;
            assert_eq!(judged.quality == TimeQuality::Attested, near, "{lie_s}");
        }
    }

    proptest! {
        #[test]
        fn a_lying_server_alone_never_attests_a_time(lie in 0_i64..4_000_000_000, boot_ms in 0_u64..1_000_000) {
            let server = Some(Heard { utc: Timestamp::EPOCH.plus_seconds(lie), boot_ms });
            let judged = judge(&Sources { server, own: None, agreed: None }, at(FLOOR), boot_ms);
            prop_assert!(judged.quality <= TimeQuality::Plausible);
        }

        #[test]
        fn an_attested_time_is_near_the_own_clock(lie in -100_000_i64..100_000) {
            let own = Heard { utc: at(NOW), boot_ms: 0 };
            let server = Heard { utc: at(NOW).plus_seconds(lie), boot_ms: 0 };
            let sources = Sources { server: Some(server), own: Some(own), agreed: None };
            let judged = judge(&sources, at(FLOOR), 0);
            match judged.utc {
                Some(utc) => prop_assert!(utc.millis_since(own.utc).abs() <= TIME_AGREE_S * 1000),
                None => prop_assert_eq!(judged.agreement, ClockAgreement::Disagree),
            }
        }
    }
}
