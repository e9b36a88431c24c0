//! The permit: proof that this device may be disturbed now, for this image.
//!
//! A [`Permit`] comes out of [`Permit::issue`] and nowhere else. It needs a verified approval, a
//! verified image, a decision that says go at this instant, and a live [`Lease`] of the clinical
//! interlock. It cannot be copied, stored or read from bytes, and the installer takes it by value.
//! Not here: what is done with it. Invariant: a permit ends with its lease, on the boot clock.
//!
//! Nobody writes a permit by hand:
//! ```compile_fail,E0451
//! use patchward_agent::permit::Permit;
//! fn forge(real: Permit) -> Permit {
//!     Permit { start_by_boot_ms: u64::MAX, ..real }
//! }
//! ```
//! uses one twice:
//! ```compile_fail,E0277
//! use patchward_agent::permit::Permit;
//! fn twice(permit: &Permit) -> Permit {
//!     Permit::clone(permit)
//! }
//! ```
//! takes one from thin air or from bytes:
//! ```compile_fail,E0277
//! use patchward_agent::permit::Permit;
//! fn bytes<T: for<'a> serde::Deserialize<'a>>() {}
//! fn main() { bytes::<Permit>() }
//! ```
//! ```compile_fail,E0277
//! use patchward_agent::permit::Permit;
//! fn thin_air<T: Default>() {}
//! fn main() { thin_air::<Permit>() }
//! ```
//! or claims a lease that no interlock gave:
//! ```compile_fail,E0451
//! use patchward_agent::permit::Lease;
//! fn forge(real: Lease) -> Lease {
//!     Lease { until_boot_ms: u64::MAX, ..real }
//! }
//! ```
//! The same words without the forgery do compile:
//! ```
//! use patchward_agent::permit::{Lease, Permit};
//! fn look(permit: &Permit, lease: &Lease) -> bool {
//!     permit.start_by_boot_ms() <= lease.until_boot_ms()
//! }
//! ```

pub mod conditions;
#[cfg(test)]
mod golden_consent;
mod idle_file;
pub mod interlock;
pub mod power;
mod probe;
mod socket;
mod watch;

pub use interlock::{Answer, Interlock, Lease, Lock};

use patchward_protocol::approval::Approval;
use patchward_protocol::decision::{
    Admission, Admitted, Decision, Moment, Offer, Own, SignedBy, admit, decide,
};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::{ClinicalState, SigningMethod};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::tuf::lookup::ImageTarget;
use patchward_protocol::verified::Verified;

/// What a permit is issued on.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'a> {
    /// What the device knows of itself.
    pub own: &'a Own,
    /// The approval.
    pub approval: &'a Verified<Approval>,
    /// Digest of its bytes.
    pub approval_sha256: Sha256Digest,
    /// Who signed it, as far as the signatures counted.
    pub signers: &'a [SignedBy],
    /// Weakest signing method that the site root allows.
    pub weakest_allowed: SigningMethod,
    /// The image under the approval's path in the family repository.
    pub image: &'a Verified<ImageTarget>,
    /// What the manufacturer's trusted targets say of the image that runs, if they still list it.
    pub installed: Option<&'a Verified<ImageTarget>>,
}

/// Why there is no permit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPermit {
    /// The approval or the image does not concern this device, or not any more.
    #[error("not for this device: {0}")]
    Never(Reason),
    /// The image runs already.
    #[error("the image runs already")]
    Installed,
    /// The moment is not right; the first reason is the one to show.
    #[error("not now: {0:?}")]
    NotNow(Vec<Reason>),
}

/// Permission to make the write of no return, once and soon.
#[derive(Debug)]
#[must_use = "a permit that is not used was asked for in vain"]
pub struct Permit {
    image: Verified<ImageTarget>,
    approval_sha256: Sha256Digest,
    slot: Slot,
    start_by_boot_ms: u64,
    lease_until_boot_ms: u64,
    lock: Lock,
    clinical_state: ClinicalState,
}

impl Proofs<'_> {
    /// The part of the approval that concerns this device.
    ///
    /// # Errors
    /// [`NoPermit::Never`] or [`NoPermit::Installed`].
    pub fn admit(&self) -> Result<Admitted, NoPermit> {
        let offer = Offer {
            approval: self.approval,
            approval_sha256: self.approval_sha256,
            signers: self.signers,
            weakest_allowed: self.weakest_allowed,
            path: &self.image.path,
            firmware: &self.image.firmware,
            installed: self.installed.map(|image| &image.firmware),
        };
        match admit(self.own, &offer) {
            Admission::Admitted(admitted) => Ok(*admitted),
            Admission::Installed => Err(NoPermit::Installed),
            Admission::Refused(reason) => Err(NoPermit::Never(reason)),
        }
    }
}

impl Permit {
    /// Issues a permit, or says why not.
    ///
    /// What `moment` says of the interlock does not count; `answer` does. `boot_ms` is the boot
    /// clock now, in milliseconds.
    ///
    /// # Errors
    /// [`NoPermit`] with every reason.
    pub fn issue(
        proofs: &Proofs<'_>,
        moment: &Moment,
        answer: &Answer,
        boot_ms: u64,
    ) -> Result<Self, NoPermit> {
        let mut admitted = proofs.admit()?;
        let settle_s = admitted.conditions.settle_s.max(answer.settle_s_min());
        admitted.conditions.settle_s = settle_s;
        let mut moment = moment.clone();
        moment.interlock = answer.interlock();
        let slot = match decide(&admitted, &moment) {
            Decision::Go { slot } => slot,
            Decision::Wait(reasons) => return Err(NoPermit::NotNow(reasons)),
        };
        let silent = || NoPermit::NotNow(vec![Reason::InterlockSilent]);
        let lease = answer.lease().filter(|lease| lease.holds(boot_ms)).ok_or_else(silent)?;
        let spare_ms = spare_ms(slot, &admitted, &moment);
        let spare_ms = spare_ms.ok_or(NoPermit::NotNow(vec![Reason::SlotTooShort]))?;
        Ok(Self {
            image: proofs.image.clone(),
            approval_sha256: proofs.approval_sha256,
            slot,
            start_by_boot_ms: boot_ms.saturating_add(spare_ms),
            lease_until_boot_ms: lease.until_boot_ms(),
            lock: lease.lock(),
            clinical_state: answer.clinical_state(),
        })
    }

    /// The slot in which it was issued.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Latest start with which everything still fits in the slot, on the boot clock, in milliseconds.
    #[must_use]
    pub const fn start_by_boot_ms(&self) -> u64 {
        self.start_by_boot_ms
    }

    /// Whether the start of therapy is locked; without it the permit cannot be used.
    #[must_use]
    pub const fn lock(&self) -> Lock {
        self.lock
    }

    /// What the interlock said.
    #[must_use]
    pub const fn clinical_state(&self) -> ClinicalState {
        self.clinical_state
    }

    /// The image that it is for.
    #[must_use]
    pub const fn image(&self) -> &Verified<ImageTarget> {
        &self.image
    }

    /// The approval that it rests on.
    #[must_use]
    pub const fn approval_sha256(&self) -> Sha256Digest {
        self.approval_sha256
    }

    /// Uses the permit up, immediately before the write of no return.
    ///
    /// # Errors
    /// The reason when it is over at `boot_ms`.
    pub fn use_up(self, boot_ms: u64) -> Result<Verified<ImageTarget>, Reason> {
        if boot_ms > self.start_by_boot_ms {
            return Err(Reason::SlotTooShort);
        }
        if boot_ms >= self.lease_until_boot_ms {
            return Err(Reason::InterlockSilent);
        }
        match self.lock {
            Lock::Held | Lock::NotNeeded => Ok(self.image),
            Lock::Open => Err(Reason::InterlockNotReady),
        }
    }
}

/// How much later it could still start, in milliseconds.
fn spare_ms(slot: Slot, admitted: &Admitted, moment: &Moment) -> Option<u64> {
    let rest_ms = slot.rest_ms(moment.at?)?;
    let worst_s = admitted.worst_s.max(moment.own_worst_s);
    let need_ms = worst_s.saturating_add(moment.reserve_s).saturating_mul(1000);
    rest_ms.checked_sub(need_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EXAMPLE, InterlockSource, Source};
    use crate::edge::Clock as _;
    use crate::permit::interlock::LEASE_MS;
    use crate::samples::{self, Hand};
    use patchward_protocol::decision::{Held, Interlock as Said};
    use patchward_protocol::tuf::custom::Kind;
    use std::time::Duration;

    async fn answer(source: InterlockSource, settle: Duration, clock: &Hand) -> Answer {
        let mut clinical = Config::parse(EXAMPLE).unwrap().clinical;
        clinical.interlock = source;
        Interlock::new(&clinical, settle, clock.clone()).ask(None).await
    }

    fn not_needed() -> InterlockSource {
        InterlockSource::NoneBecause("bench device".into())
    }

    fn ask(
        answer: &Answer,
        clock: &Hand,
        change: impl FnOnce(&mut Moment),
    ) -> Result<Permit, NoPermit> {
        let image = samples::image(Kind::Tree, 7, b"image", 5);
        let (approval, approval_sha256) = samples::approval(&image);
        let mut moment = samples::moment(approval_sha256);
        change(&mut moment);
        let proofs = Proofs {
            own: &samples::own(Kind::Tree),
            approval: &approval,
            approval_sha256,
            signers: &samples::signers(),
            weakest_allowed: SigningMethod::Offline,
            image: &image,
            installed: None,
        };
        Permit::issue(&proofs, &moment, answer, clock.boot_ms())
    }

    #[tokio::test]
    async fn a_permit_is_issued_and_used_once_in_time() {
        let clock = Hand::default();
        let answer = answer(not_needed(), Duration::ZERO, &clock).await;
        let permit = ask(&answer, &clock, |_| {}).unwrap();
        // Slot until 06:00, now 04:10; worst (3 + 90 * 3) s, reserve 120 s.
        assert_eq!(permit.start_by_boot_ms(), (110 * 60 - 273 - 120) * 1000);
        let image = permit.use_up(LEASE_MS - 1).unwrap();
        assert_eq!(image.firmware.seq.0, 7);
    }

    #[tokio::test]
    async fn a_permit_ends_with_the_lease_and_with_the_slot() {
        let clock = Hand::default();
        let answer = answer(not_needed(), Duration::ZERO, &clock).await;
        let permit = ask(&answer, &clock, |_| {}).unwrap();
        assert_eq!(permit.use_up(LEASE_MS), Err(Reason::InterlockSilent));
        let late = |moment: &mut Moment| {
            moment.at = moment.at.map(|at| at.plus_seconds(110 * 60 - 273 - 120));
        };
        let permit = ask(&answer, &clock, late).unwrap();
        assert_eq!(permit.use_up(1), Err(Reason::SlotTooShort));
        clock.forward(LEASE_MS);
        let stale = ask(&answer, &clock, |_| {});
        assert_eq!(stale.unwrap_err(), NoPermit::NotNow(vec![Reason::InterlockSilent]));
    }

    #[tokio::test]
    async fn what_the_moment_says_of_the_interlock_does_not_count() {
        let clock = Hand::default();
        let missing = answer(InterlockSource::Missing, Duration::ZERO, &clock).await;
        let claimed = |moment: &mut Moment| moment.interlock = Said::Free { for_s: 9999 };
        let refused = ask(&missing, &clock, claimed).unwrap_err();
        assert_eq!(refused, NoPermit::NotNow(vec![Reason::InterlockMissing]));
    }

    #[tokio::test]
    async fn the_longer_of_both_settle_times_counts() {
        let clock = Hand::default();
        let argv = crate::child::Argv::new(vec!["/bin/true".into()]).unwrap();
        let mut clinical = Config::parse(EXAMPLE).unwrap().clinical;
        clinical.interlock = InterlockSource::Asked(vec![Source::Probe(argv)]);
        clinical.probe_every = Duration::from_secs(60);
        let mut lock = Interlock::new(&clinical, Duration::from_secs(120), clock.clone());
        for (forward_ms, free) in [(0, false), (60_000, false), (59_000, false), (1000, true)] {
            clock.forward(forward_ms);
            let answer = lock.ask(None).await;
            assert_eq!(ask(&answer, &clock, |_| {}).is_ok(), free, "after {}", clock.boot_ms());
        }
    }

    #[tokio::test]
    async fn every_reason_against_it_is_told() {
        let clock = Hand::default();
        let answer = answer(not_needed(), Duration::ZERO, &clock).await;
        let refused = ask(&answer, &clock, |moment| {
            moment.held_here = Held::Yes;
            moment.open = None;
            moment.at = None;
        });
        let reasons = vec![Reason::HeldHere, Reason::ClockUnknown, Reason::WaveNotOpen];
        assert_eq!(refused.unwrap_err(), NoPermit::NotNow(reasons));
    }
}
