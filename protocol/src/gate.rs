//! Waves and gates: when a server may say that a wave is open, and when it must stop by itself.
//!
//! One row of [`WaveCounters`] for each (site, approval, image, wave), moved by what devices signed
//! ([`count`]) and by time ([`evaluate`]); nothing is ever scanned. Not here: what a device believes of
//! it (it checks a proof itself: [`crate::proof`]), and people's holds, which devices are told
//! directly. Invariant: a wave is open only after every wave before it has passed, and a halt for a
//! failure ends only by a signed act.

pub mod count;

use crate::act::{Act, Meaning, Subject};
use crate::approval::{Action, Approval, Wave};
use crate::digest::Sha256Digest;
use crate::reason::Reason;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a wave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaveState {
    /// Not yet.
    Planned,
    /// Its devices may go, each in its own slots.
    Open,
    /// Every device has ended one way or another; it is watched.
    Soaking,
    /// The next one may open.
    Passed,
    /// Nothing more starts.
    Halted(Halt),
    /// It will not go on any more.
    Cancelled,
}

/// Why a wave halted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halt {
    /// More devices failed, went back or stayed silent than the gate allows; the last one failed.
    Failed,
    /// The same, and the last one stayed silent.
    Silent,
    /// The settings of a device were others after the update.
    SettingsChanged,
    /// A hold stands on a ward, the site or the release. Ends with the hold.
    Held,
    /// The manufacturer's campaign pauses. Ends with the pause.
    Paused,
}

impl Halt {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Silent => "silent",
            Self::SettingsChanged => "settings-changed",
            Self::Held => "held",
            Self::Paused => "paused",
        }
    }

    /// Whether only a signed act of the site ends it.
    #[must_use]
    pub const fn needs_act(self) -> bool {
        matches!(self, Self::Failed | Self::Silent | Self::SettingsChanged)
    }
}

impl WaveState {
    /// The stable code, without the reason of a halt.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Open => "open",
            Self::Soaking => "soaking",
            Self::Passed => "passed",
            Self::Halted(_) => "halted",
            Self::Cancelled => "cancelled",
        }
    }

    /// Why it halted, where it did.
    #[must_use]
    pub const fn halted_because(self) -> Option<Halt> {
        match self {
            Self::Halted(halt) => Some(halt),
            Self::Planned | Self::Open | Self::Soaking | Self::Passed | Self::Cancelled => None,
        }
    }

    /// From the two codes as they are stored; none when they do not belong together.
    #[must_use]
    pub fn from_codes(state: &str, halted_because: Option<&str>) -> Option<Self> {
        let halts = [Halt::Failed, Halt::Silent, Halt::SettingsChanged, Halt::Held, Halt::Paused];
        match (state, halted_because) {
            ("planned", None) => Some(Self::Planned),
            ("open", None) => Some(Self::Open),
            ("soaking", None) => Some(Self::Soaking),
            ("passed", None) => Some(Self::Passed),
            ("cancelled", None) => Some(Self::Cancelled),
            ("halted", Some(code)) => {
                halts.into_iter().find(|halt| halt.code() == code).map(Self::Halted)
            }
            _ => None,
        }
    }
}

/// One wave of one approval and image, in numbers. A device is in at most one of `running`,
/// `updated`, `failed` and `silent`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaveCounters {
    /// Its number.
    pub wave: u32,
    /// Devices that the approval names for it.
    pub devices: u32,
    /// End of the last slot of any of them.
    pub slots_end: Timestamp,
    /// Devices that were ever activated.
    pub activated: u32,
    /// Devices activated whose outcome is not known yet.
    pub running: u32,
    /// Devices whose new image is committed.
    pub updated: u32,
    /// Devices that failed or went back.
    pub failed: u32,
    /// Devices silent for too long after activation.
    pub silent: u32,
    /// Clinical use of the updated devices together, in seconds.
    pub clinical_use_s: u64,
    /// When it was first opened.
    pub opened_at: Option<Timestamp>,
    /// When the last device committed.
    pub last_committed_at: Option<Timestamp>,
    /// How often it has halted for what devices did.
    pub halts: u64,
    /// Where it stands.
    pub state: WaveState,
}

/// What limits a rollout from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// Waves in which at least one device is reached by a hold on its ward, the site or the release
    /// (a freeze counts; a hold on a single device does not). For a rollback, without holds of
    /// manufacturer and operator.
    pub held_waves: Vec<u32>,
    /// The manufacturer's campaign at this site.
    pub campaign: Campaign,
    /// Whether approval and release still stand.
    pub consent: Consent,
}

/// Whether the manufacturer's campaign has reached the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Campaign {
    /// It has, or there is none.
    Running,
    /// Not yet, or it pauses.
    Paused,
}

/// Whether approval and release still stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Both.
    Stands,
    /// One of them was withdrawn.
    Withdrawn,
}

/// What happens to a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// It opens, for the first time or again.
    Open(u32),
    /// All its devices have ended; it is watched, or watched again because one went back.
    Soak(u32),
    /// The next may open.
    Pass(u32),
    /// A hold or a pause stops it.
    Halt(u32, Halt),
    /// The hold or the pause has ended.
    Release(u32),
    /// A wave before it has not passed any more.
    Close(u32),
    /// It will not go on any more.
    Cancel(u32),
}

impl Move {
    /// The wave that it concerns.
    #[must_use]
    pub const fn wave(self) -> u32 {
        match self {
            Self::Open(wave)
            | Self::Soak(wave)
            | Self::Pass(wave)
            | Self::Halt(wave, _)
            | Self::Release(wave)
            | Self::Close(wave)
            | Self::Cancel(wave) => wave,
        }
    }
}

/// Why a resume does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotResumed {
    /// It is about something else.
    #[error("the act is not about this wave, or does not mean that it may go on")]
    OtherSubject,
    /// It was signed before the last halt.
    #[error("the act was signed for halt {signed_for}, the wave has halted {halts} times")]
    OtherHalt {
        /// The halt that the person had seen.
        signed_for: u64,
        /// How often the wave has halted.
        halts: u64,
    },
    /// The wave does not stand halted for something that a signature ends.
    #[error("the wave does not stand halted because of its devices")]
    NotHalted,
}

impl WaveCounters {
    /// The counters of a wave before anything happened.
    #[must_use]
    pub fn begin(approval: &Approval, wave: u32) -> Self {
        let of_wave = || approval.devices.iter().filter(|device| device.wave == wave);
        let ends = of_wave().filter_map(|device| device.slots.last()).map(|slot| slot.end());
        Self {
            wave,
            devices: u32::try_from(of_wave().count()).unwrap_or(u32::MAX),
            slots_end: ends.max().unwrap_or(approval.issued),
            activated: 0,
            running: 0,
            updated: 0,
            failed: 0,
            silent: 0,
            clinical_use_s: 0,
            opened_at: None,
            last_committed_at: None,
            halts: 0,
            state: WaveState::Planned,
        }
    }

    /// The counters of every wave of an approval.
    #[must_use]
    pub fn of(approval: &Approval) -> Vec<Self> {
        approval.waves.iter().map(|wave| Self::begin(approval, wave.n)).collect()
    }

    /// Carries a move out.
    pub fn take(&mut self, what: Move, at: Timestamp) {
        match what {
            Move::Open(_) => {
                self.opened_at.get_or_insert(at);
                self.state = WaveState::Open;
            }
            Move::Soak(_) => self.state = WaveState::Soaking,
            Move::Pass(_) => self.state = WaveState::Passed,
            Move::Halt(_, halt) => self.state = WaveState::Halted(halt),
            Move::Release(_) | Move::Close(_) => self.state = WaveState::Planned,
            Move::Cancel(_) => self.state = WaveState::Cancelled,
        }
    }

    /// Lets a wave go on that halted for what its devices did. The caller has checked the signature,
    /// and that the person may resume. The wave opens again with the next [`evaluate`].
    ///
    /// # Errors
    /// [`NotResumed`] when the act does not count for this halt.
    pub fn resume(&mut self, approval_sha256: Sha256Digest, act: &Act) -> Result<(), NotResumed> {
        let Subject::Wave { approval_sha256: about, wave, halts } = &act.subject else {
            return Err(NotResumed::OtherSubject);
        };
        let same = *about == approval_sha256 && *wave == self.wave;
        if !same || act.meaning != Meaning::Resumed {
            return Err(NotResumed::OtherSubject);
        }
        if !self.state.halted_because().is_some_and(Halt::needs_act) {
            return Err(NotResumed::NotHalted);
        }
        if *halts != self.halts {
            return Err(NotResumed::OtherHalt { signed_for: *halts, halts: self.halts });
        }
        self.state = WaveState::Planned;
        Ok(())
    }

    /// When its soak ends at the earliest, as far as it is known now.
    #[must_use]
    pub fn soak_until(&self, approval: &Approval) -> Option<Timestamp> {
        let soak_s = terms(approval, self.wave).map_or(0, |wave| wave.soak_s);
        let from = self.last_committed_at.or(self.opened_at)?;
        Some(from.plus_seconds(i64::try_from(soak_s).unwrap_or(i64::MAX)))
    }

    /// Every device has an outcome, or no slot any more. Failed and lost ones hold no place.
    fn has_ended(&self, at: Timestamp) -> bool {
        let outcomes = self.updated.saturating_add(self.failed).saturating_add(self.silent);
        self.running == 0 && (outcomes >= self.devices || at >= self.slots_end)
    }
}

/// Failed and silent devices that a wave may have without halting.
#[must_use]
pub fn failures_allowed(approval: &Approval, wave: u32, devices: u32) -> u32 {
    if wave <= 1 {
        return 0;
    }
    let permille = &approval.gates.halt_permille;
    let nth = usize::try_from(wave).ok().and_then(|n| permille.get(n)).or(permille.last());
    match nth {
        None | Some(0) => 0,
        Some(permille) => {
            let share = u64::from(devices).saturating_mul(u64::from(*permille)) / 1000;
            u32::try_from(share).unwrap_or(u32::MAX).max(1)
        }
    }
}

/// What follows at `at`: opens, soaks, passes, halts and cancels, in the order of the waves. Carry
/// each out with [`WaveCounters::take`]; asked again, nothing more follows.
#[must_use]
pub fn evaluate(
    approval: &Approval,
    waves: &[WaveCounters],
    world: &World,
    at: Timestamp,
) -> Vec<Move> {
    let mut moves = Vec::new();
    let mut before = Before::Passed;
    for counters in waves {
        let mut counters = counters.clone();
        while let Some(next) = next_move(approval, &counters, before, world, at) {
            counters.take(next, at);
            moves.push(next);
        }
        if counters.state != WaveState::Passed {
            before = Before::NotPassed;
        }
    }
    moves
}

/// Whether the server may say at this instant that a wave is open; [`evaluate`] must have nothing to add.
///
/// # Errors
/// The reason to show.
pub fn may_go(waves: &[WaveCounters], wave: u32) -> Result<(), Reason> {
    let upto = || waves.iter().filter(|counters| counters.wave <= wave);
    let halts = || upto().filter_map(|counters| counters.state.halted_because());
    if halts().any(Halt::needs_act) {
        return Err(Reason::RolloutHalted);
    }
    if halts().next().is_some() {
        return Err(Reason::HeldByServer);
    }
    let in_order = upto().all(|counters| {
        let passed = counters.state == WaveState::Passed;
        let open = matches!(counters.state, WaveState::Open | WaveState::Soaking);
        passed || (open && counters.wave == wave)
    });
    let known = upto().any(|counters| counters.wave == wave);
    if in_order && known { Ok(()) } else { Err(Reason::WaveNotOpen) }
}

/// Whether all waves before have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Passed,
    NotPassed,
}

fn terms(approval: &Approval, wave: u32) -> Option<&Wave> {
    approval.waves.iter().find(|terms| terms.n == wave)
}

fn next_move(
    approval: &Approval,
    counters: &WaveCounters,
    before: Before,
    world: &World,
    at: Timestamp,
) -> Option<Move> {
    let wave = counters.wave;
    let over = at >= approval.valid_until;
    let block = blocked(approval, wave, world);
    let ended = counters.has_ended(at);
    let cancel = world.consent == Consent::Withdrawn;
    match counters.state {
        WaveState::Passed if enough(approval, counters) => None,
        WaveState::Passed => Some(Move::Soak(wave)),
        WaveState::Cancelled => None,
        WaveState::Planned | WaveState::Open | WaveState::Soaking | WaveState::Halted(_)
            if cancel =>
        {
            Some(Move::Cancel(wave))
        }
        WaveState::Planned | WaveState::Halted(_) if over => Some(Move::Cancel(wave)),
        WaveState::Planned => {
            let due = terms(approval, wave).is_some_and(|terms| at >= terms.not_before);
            let opens = due && before == Before::Passed && block.is_none();
            opens.then_some(Move::Open(wave))
        }
        WaveState::Open | WaveState::Soaking if before == Before::NotPassed => {
            Some(Move::Close(wave))
        }
        WaveState::Open => match block {
            Some(halt) => Some(Move::Halt(wave, halt)),
            None => ended.then_some(Move::Soak(wave)),
        },
        WaveState::Soaking => match block {
            Some(halt) => Some(Move::Halt(wave, halt)),
            None if !ended => Some(Move::Open(wave)),
            None => soaking(approval, counters, at),
        },
        WaveState::Halted(Halt::Held | Halt::Paused) => {
            block.is_none().then_some(Move::Release(wave))
        }
        WaveState::Halted(Halt::Failed | Halt::Silent | Halt::SettingsChanged) => None,
    }
}

fn soaking(approval: &Approval, counters: &WaveCounters, at: Timestamp) -> Option<Move> {
    let until = counters.soak_until(approval).filter(|until| *until <= at)?;
    if enough(approval, counters) {
        return Some(Move::Pass(counters.wave));
    }
    // What is missing can still come, as long as the approval lasts.
    (at >= approval.valid_until.max(until)).then_some(Move::Cancel(counters.wave))
}

/// What the next wave asks of this one. The last wave owes nobody anything.
fn enough(approval: &Approval, counters: &WaveCounters) -> bool {
    terms(approval, counters.wave.saturating_add(1)).is_none_or(|next| {
        let use_s = u64::from(next.min_clinical_use_h).saturating_mul(3600);
        counters.updated >= next.min_updated && counters.clinical_use_s >= use_s
    })
}

fn blocked(approval: &Approval, wave: u32, world: &World) -> Option<Halt> {
    if world.held_waves.contains(&wave) {
        return Some(Halt::Held);
    }
    match (world.campaign, approval.action) {
        (Campaign::Running, _) | (Campaign::Paused, Action::Rollback) => None,
        (Campaign::Paused, Action::Install | Action::Standing) => Some(Halt::Paused),
    }
}
