//! The device at run time: everything the driver holds besides machine, journal and ledger.
//!
//! Not here: what is done with it ([`super::contact`], [`super::gate`], [`super::hands`]).

use super::backoff::{Backoff, millis};
use super::contact::ContactError;
use super::standing::{Asked, Standing};
use crate::clock::{Judged, MachineClock, MachineRng, Sources, judge};
use crate::config::{Config, InterlockSource};
use crate::edge::{Clock as _, Content, Observed};
use crate::holds::Holds;
use crate::identity::{Keys, Membership};
use crate::install::Configured;
use crate::journal::Journal;
use crate::ledger::Room;
use crate::ledger::refusals::Refusal;
use crate::link::http::Client;
use crate::local::Local;
use crate::permit::conditions::Found;
use crate::permit::{Interlock, Permit};
use crate::trust::offers::{ApprovalFiles, Offers, read};
use crate::trust::proofs::ProofFiles;
use crate::trust::repository::Repository;
use crate::usage::Watch;
use patchward_protocol::api::device::CheckInReply;
use patchward_protocol::decision::Own;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::Directive;
use patchward_protocol::id::ApprovalId;
use patchward_protocol::image::ImageRef;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::ClinicalState;
use patchward_protocol::reason::Reason;
use patchward_protocol::time::{TimeQuality, Timestamp};
use patchward_protocol::tuf::lookup::APPROVAL_DIR;
use patchward_protocol::tuf::trusted_set::Expiry;

/// Everything the driver holds besides the machine.
#[derive(Debug)]
pub struct Device {
    /// Configuration.
    pub config: Config,
    /// The site.
    pub membership: Membership,
    /// Keys.
    pub keys: Keys,
    /// Clocks.
    pub clock: MachineClock,
    /// Chance.
    pub rng: MachineRng,
    /// The way to the server.
    pub client: Client,
    /// The site's repository.
    pub site: Repository,
    /// The family's repository.
    pub family: Repository,
    /// Approvals on disk.
    pub approvals: ApprovalFiles,
    /// What the approvals say to this device.
    pub offers: Offers,
    /// What the device knew of itself when they were read.
    pub offers_to: Option<Own>,
    /// What the device goes by to tell the time.
    pub sources: Sources,
    /// The server's last word, and when it was asked for.
    pub word: Option<ServerWord>,
    /// Holds that stand, as told and as remembered.
    pub holds: Holds,
    /// What proves that waves are open.
    pub proofs: ProofFiles,
    /// The poll that stands while an update waits.
    pub standing: Standing,
    /// What the standing poll's answer brought besides the word, until it is taken.
    pub unread: Option<Unread>,
    /// Number of the last poll.
    pub asked_n: u64,
    /// Looks at clinical use.
    pub watch: Watch,
    /// Why the last contact failed, if it did.
    pub contact_failed: Option<Reason>,
    /// The bearer for files, and when it ends on the boot clock.
    pub token: Option<(String, u64)>,
    /// The clinical interlock.
    pub interlock: Interlock<MachineClock>,
    /// The installer.
    pub installer: Configured<MachineClock>,
    /// What people at the device say.
    pub local: Local,
    /// What else must hold on this device, as it was last found.
    pub conditions: Vec<Found>,
    /// End, on the boot clock, of a deferral that could not be written down.
    pub deferred_until_boot_ms: u64,
    /// When applications may be asked again to lock the start of therapy.
    pub lock_again: Again,
    /// The permit between arming and activation.
    pub permit: Option<Permit>,
    /// Why an update waits: every reason of the gate's last word, the first to be shown.
    pub reasons: Vec<Reason>,
    /// When the write of no return was begun, on the boot clock.
    pub activated_boot_ms: Option<u64>,
    /// How long the last update took from there until it was healthy, in milliseconds.
    pub measured_ms: Option<u64>,
    /// Up to where the server said it has the ledger, since the driver last looked.
    pub ledger_stored_seq: Option<u64>,
    /// The server has seen a higher poll number of this device.
    pub replayed: bool,
    /// Refusals that are not in the ledger yet.
    pub refusals: Vec<Refusal>,
    /// When the next contact is due, on the boot clock.
    pub contact_due_ms: u64,
    /// When the next fetch is due, on the boot clock.
    pub fetch_due_ms: u64,
    /// Waits between contacts that fail.
    pub backoff: Backoff,
    /// Random part of a slot's beginning that is left out, in milliseconds.
    pub spread_ms: u64,
    /// What the journal says, for decisions.
    pub known: Known,
}

/// When something that did not succeed may be tried again: later each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Again {
    /// The instant on the boot clock, in milliseconds.
    pub boot_ms: u64,
    waited_ms: u64,
}

impl Again {
    /// It did not succeed at `boot_ms`: begins with `first_ms`, doubles, up to `most_ms`.
    pub fn wait_longer(&mut self, first_ms: u64, most_ms: u64, boot_ms: u64) {
        self.waited_ms = self.waited_ms.saturating_mul(2).max(first_ms).min(most_ms);
        self.boot_ms = boot_ms.saturating_add(self.waited_ms);
    }
}

/// The server's last word to this device.
#[derive(Debug, Clone)]
pub struct ServerWord {
    /// The word.
    pub directive: Directive,
    /// Digest of its canonical bytes.
    pub sha256: Option<Sha256Digest>,
    /// When it was asked for, on the boot clock.
    pub asked_boot_ms: u64,
}

/// An answer whose word was heard and whose documents were not taken yet.
#[derive(Debug)]
pub struct Unread {
    /// The question.
    pub asked: Asked,
    /// When the answer came, on the boot clock.
    pub boot_ms: u64,
    /// What came.
    pub reply: Result<Box<CheckInReply>, ContactError>,
}

/// What journal, ledger and installer say, for decisions.
#[derive(Debug, Clone)]
pub struct Known {
    /// The journal.
    pub journal: Journal,
    /// What runs; none when it cannot be told.
    pub running: Option<ImageRef>,
    /// Room in the ledger.
    pub room: Room,
    /// Last entry of the ledger.
    pub ledger_seq: u64,
}

impl Device {
    /// The time now.
    #[must_use]
    pub fn judged(&mut self) -> Judged {
        let boot_ms = self.clock.boot_ms();
        let floor = self.site.floors().issued().max(self.family.floors().issued());
        let judged = judge(&self.sources, floor, boot_ms);
        if judged.quality == TimeQuality::Attested
            && let Some(utc) = judged.utc
        {
            self.sources.agreed = Some(crate::clock::Heard { utc, boot_ms });
        }
        judged
    }

    /// Whether the server's time was last heard so long ago.
    #[must_use]
    pub fn wants_time(&self, after_ms: u64) -> bool {
        let boot_ms = self.clock.boot_ms();
        self.sources.server.is_none_or(|heard| boot_ms.saturating_sub(heard.boot_ms) >= after_ms)
    }

    /// The time for judging expiry: as well as it is known, never before what was signed.
    pub fn now(&mut self) -> Timestamp {
        self.judged().utc.unwrap_or(Timestamp::EPOCH)
    }

    /// How expiry is judged now.
    pub fn expiry(&mut self) -> Expiry {
        let judged = self.judged();
        match (judged.quality, judged.utc) {
            (TimeQuality::Attested, Some(utc)) => Expiry::Attested(utc),
            (_, utc) => Expiry::Enforce(utc.unwrap_or(Timestamp::EPOCH)),
        }
    }

    /// The bearer for files, while it is good.
    #[must_use]
    pub fn bearer(&self) -> Option<String> {
        let boot_ms = self.clock.boot_ms();
        self.token.as_ref().filter(|(_, until)| boot_ms < *until).map(|(token, _)| token.clone())
    }

    /// What the device knows of itself.
    #[must_use]
    pub fn own(&self) -> Own {
        let floors = (self.family.floors(), self.site.floors());
        let journal = &self.known.journal;
        Own {
            site: self.membership.site.clone(),
            device: self.membership.device.clone(),
            key: self.keys.device.public(),
            family: self.config.identity.family.clone(),
            hardware: self.config.identity.hardware.clone(),
            kind: self.config.kind(),
            installed: self.known.running.clone(),
            image_floor: floors.0.image_seq(),
            serial_floor: floors.1.approval_serial().max(journal.serial_floor),
            withdrawn: self.withdrawn(),
            spent: journal.spent.clone(),
        }
    }

    fn withdrawn(&self) -> Vec<ApprovalId> {
        let Some(set) = self.site.set() else { return Vec::new() };
        let id = |name: &str| ApprovalId::new(name.trim_end_matches(".json")).ok();
        let files = set.files(APPROVAL_DIR);
        let ids = files.iter().filter_map(|file| id(file.path.parts().1));
        ids.filter(|id| self.site.floors().is_withdrawn(id)).collect()
    }

    /// Reads the approvals again if the device has become another since: after a change of what runs.
    pub fn read_offers_if_changed(&mut self) {
        if self.offers_to.as_ref() != Some(&self.own()) {
            self.read_offers();
        }
    }

    /// Reads the approvals again: after news, after a start.
    pub fn read_offers(&mut self) {
        let own = self.own();
        self.offers_to = Some(own.clone());
        let (Some(site), Some(family)) = (self.site.set(), self.family.set()) else {
            self.offers = Offers::default();
            return;
        };
        self.offers = read(site, family, &self.approvals, &own);
        for offered in &self.offers.admitted {
            self.proofs.check_all(offered, &self.membership.device);
        }
        let withdrawn = self.offers.withdrawn.clone();
        let kept = self.site.change_floors(|floors| {
            for (id, until) in withdrawn {
                floors.withdraw(id, until);
            }
        });
        if let Err(error) = kept {
            tracing::error!(%error, "withdrawn approvals could not be remembered");
        }
        self.refuse_offers(&own);
    }

    /// What was refused, except approvals whose work is done.
    fn refuse_offers(&mut self, own: &Own) {
        let done = |refusal: &Refusal| {
            let digest = refusal.document_sha256;
            let spent = digest.is_some_and(|digest| own.spent.contains(&digest));
            let current = self.known.journal.state.attempt().is_some();
            let committed = refusal.reason == Reason::NotNewer;
            (spent && (current || self.newest_is_installed())) || committed
        };
        let news: Vec<_> = self
            .offers
            .refused
            .iter()
            .map(|(_, refusal)| refusal)
            .filter(|refusal| !done(refusal))
            .cloned()
            .collect();
        self.refusals.extend(news);
    }

    fn newest_is_installed(&self) -> bool {
        self.known.running == self.known.journal.installed
            && self.known.journal.attempts.last().is_some_and(|tries| {
                let running = self.known.running.as_ref();
                running.is_some_and(|image| image.image_sha256 == tries.image_sha256)
            })
    }

    /// Whether this image runs.
    #[must_use]
    pub fn runs(&self, image: &ImageRef) -> bool {
        self.known.running.as_ref() == Some(image)
    }

    /// Whether the interlock can tell clinical use at all.
    #[must_use]
    pub const fn tells_use(&self) -> bool {
        match self.config.clinical.interlock {
            InterlockSource::Asked(_) => true,
            InterlockSource::NoneBecause(_) | InterlockSource::Missing => false,
        }
    }

    /// Looks at the interlock for hours of use, if nobody did so lately.
    pub async fn look_at_use(&mut self) {
        let boot_ms = self.clock.boot_ms();
        if self.watch.is_due(boot_ms, millis(self.config.timing.observe_every)) {
            let present = self.local.present(boot_ms);
            let said = self.interlock.ask(present.as_ref()).await.clinical_state();
            self.note_use(said);
        }
    }

    /// The interlock was asked.
    pub fn note_use(&mut self, said: ClinicalState) {
        let gap = self.config.timing.observe_every.saturating_mul(2);
        let gap = gap.saturating_add(self.config.clinical.probe_limit);
        self.watch.saw(said, self.clock.boot_ms(), millis(gap));
    }

    /// Takes note of journal, ledger and installer.
    pub fn learn(&mut self, journal: &Journal, observed: Observed, room: Room, ledger_seq: u64) {
        let running = match observed.running {
            Content::Image(digest) => journal.known(digest),
            Content::Unknown => None,
        };
        self.known = Known { journal: journal.clone(), running, room, ledger_seq };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_succeed_is_tried_again_later_each_time_up_to_a_longest_wait() {
        let mut again = Again::default();
        let mut waits = Vec::new();
        for _ in 0..5 {
            again.wait_longer(5_000, 30_000, 100);
            waits.push(again.boot_ms - 100);
        }
        assert_eq!(waits, [5_000, 10_000, 20_000, 30_000, 30_000]);
        assert_eq!(Again::default().boot_ms, 0);
    }
}
