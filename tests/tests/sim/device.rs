//! One device: its real machine, journal and ledger; a simulated disk, boot loader, clock and ward.

use crate::hospital::{HOUR, firmware, key_of};
use crate::monitor::CLOCK_OFF_S;
use crate::server::Word;
use patchward_agent::clock::Sources;
use patchward_agent::driver::core::{Core, Disk};
use patchward_agent::edge::{Content, Failure, Observed};
use patchward_agent::journal::{Journal, PendingEntry};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, DeviceId, HoldId, LedgerId, Seq};
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{ApprovalRef, Entry, Fact, Kind, SealedEntry, SigningMethod};
use patchward_protocol::time::{TimeQuality, Timestamp};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The clock that the server has no say in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnClock {
    /// Right, but for so many milliseconds.
    True(i64),
    Missing,
    Is1970,
    Is2040,
    /// Set back by an hour at this instant.
    HourBack(Timestamp),
}

impl OwnClock {
    pub fn reading(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::True(off_ms) => Some(now.plus_millis(off_ms)),
            Self::Missing => None,
            Self::Is1970 => Some(Timestamp::EPOCH.plus_seconds(now.seconds() % (10 * 24 * HOUR))),
            Self::Is2040 => Some(now.plus_seconds(13 * 365 * 24 * HOUR)),
            Self::HourBack(at) if now >= at => Some(now.plus_seconds(-HOUR)),
            Self::HourBack(_) => Some(now),
        }
    }

    /// Whether it tells the true time at this instant.
    pub fn is_true(self, now: Timestamp) -> bool {
        self.reading(now).is_none_or(|at| at.millis_since(now).abs() < CLOCK_OFF_S * 1000)
    }
}

/// What becomes of an image on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Good,
    /// Its health checks fail.
    Sick,
    /// The boot loader falls back.
    DoesNotBoot,
    /// The device does not come back at all.
    Dies,
}

/// Why the device is down, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// The machine restarts.
    Restarts(i64),
    /// The agent alone is killed and started again.
    AgentKilled(i64),
}

/// The ledger, which what delivers it reads as well.
pub type Ledger = Rc<RefCell<Vec<Entry>>>;

/// Journal and ledger.
#[derive(Debug, Default)]
pub struct Drive {
    pub journal: Option<Journal>,
    pub ledger: Ledger,
    pub id: Option<DeviceId>,
}

impl Disk for Drive {
    fn write_journal(&mut self, journal: &Journal) -> Result<(), Failure> {
        self.journal = Some(journal.clone());
        Ok(())
    }

    fn last_seq(&self) -> u64 {
        self.ledger.borrow().len() as u64
    }

    fn append(&mut self, seq: u64, entry: &PendingEntry) -> Result<(), Failure> {
        assert_eq!(seq, self.last_seq() + 1, "the ledger has no gaps");
        self.ledger.borrow_mut().push(Entry {
            v: 1,
            device: self.id.clone().unwrap(),
            ledger_id: LedgerId::from_random([1; 16]),
            seq,
            prev_sha256: None,
            at: entry.at,
            time_quality: entry.quality,
            boot_count: entry.boot_count,
            fact: entry.fact.clone(),
        });
        Ok(())
    }
}

/// What is not on the disk.
#[derive(Clone)]
pub struct Body {
    pub site: usize,
    pub n: usize,
    pub running: Sha256Digest,
    pub next: Sha256Digest,
    pub way_back: Option<Sha256Digest>,
    pub staged: Option<Sha256Digest>,
    pub image_floor: Seq,
    pub boot_n: u64,
    pub booted_at: Timestamp,
    pub clock: OwnClock,
    pub sources: Sources,
    pub floor: Timestamp,
    pub word: Option<(Word, u64)>,
    /// Approvals that it has verified, by their place at the server.
    pub listed: Vec<usize>,
    pub remembered: BTreeSet<HoldId>,
    pub withdrawn: BTreeSet<ApprovalId>,
    pub recalled: Vec<Sha256Digest>,
    pub ledger: Ledger,
    pub delivered: usize,
    pub down: Option<Down>,
    pub dead: bool,
    pub offline: Option<(Timestamp, Timestamp)>,
    /// Percent of its twenty-minute pieces in which it is in use.
    pub in_use_percent: u64,
    /// What the scripts say of images on this device.
    pub fates: BTreeMap<u64, Fate>,
    pub committed_at: Option<Timestamp>,
    pub used_told: u32,
    pub wake_at: Option<Timestamp>,
}

pub struct Device {
    pub core: Option<Core<Drive>>,
    pub body: Body,
}

impl Device {
    pub fn new(site: usize, n: usize, id: DeviceId, clock: OwnClock, now: Timestamp) -> Self {
        let first = firmware(1, &[]).image();
        let ledger = Ledger::default();
        let drive = Drive { journal: None, ledger: ledger.clone(), id: Some(id) };
        let body = Body {
            site,
            n,
            running: first.image_sha256,
            next: first.image_sha256,
            way_back: None,
            staged: None,
            image_floor: Seq(0),
            boot_n: 1,
            booted_at: now,
            clock,
            sources: Sources::default(),
            floor: now,
            word: None,
            listed: vec![],
            remembered: BTreeSet::new(),
            withdrawn: BTreeSet::new(),
            recalled: vec![],
            ledger,
            delivered: 0,
            down: None,
            dead: false,
            offline: None,
            in_use_percent: 0,
            fates: BTreeMap::new(),
            committed_at: None,
            used_told: 0,
            wake_at: None,
        };
        let mut journal = Journal::begin(Some(first));
        journal.boot.id = body.boot_id();
        Self { core: Some(Core::new(journal, drive)), body }
    }
}

impl Body {
    pub fn boot_id(&self) -> String {
        format!("boot-{}", self.boot_n)
    }

    pub fn boot_ms(&self, now: Timestamp) -> u64 {
        u64::try_from(now.millis_since(self.booted_at)).unwrap()
    }

    pub fn observed(&self) -> Observed {
        Observed { running: Content::Image(self.running), next: Content::Image(self.next) }
    }

    pub fn is_offline(&self, now: Timestamp) -> bool {
        self.offline.is_some_and(|(from, until)| from <= now && now < until)
    }

    /// Whether a patient depends on it: the same answer whoever asks.
    pub fn in_use(&self, now: Timestamp) -> bool {
        self.in_use_in(now.seconds() / 1200)
    }

    fn in_use_in(&self, piece: i64) -> bool {
        let seed = (self.site as u64) << 40 ^ (self.n as u64) << 28 ^ piece as u64;
        patchward_tests::chance::Chance::seeded(seed).below(100) < self.in_use_percent
    }

    /// For how long it has been free.
    pub fn free_for_s(&self, now: Timestamp) -> Option<u64> {
        let piece = now.seconds() / 1200;
        if self.in_use_in(piece) {
            return None;
        }
        let mut from = piece;
        while piece - from < 4 && !self.in_use_in(from - 1) {
            from -= 1;
        }
        Some((now.seconds() - from * 1200) as u64)
    }

    pub fn fate(&self, image: &ImageRef) -> Fate {
        self.fates.get(&image.seq.0).copied().unwrap_or(Fate::Good)
    }
}

/// The seal of an entry that somebody else must check.
pub fn seal(site: usize, n: usize, entry: &Entry) -> Option<SealedEntry> {
    let proves = matches!(entry.fact.kind, Kind::Committed | Kind::Used);
    proves.then(|| SealedEntry::seal(entry.clone(), &key_of(site, n)).unwrap())
}

/// An entry that says "committed", by whoever writes it.
pub fn committed_entry(
    device: DeviceId,
    approval_sha256: Sha256Digest,
    id: &ApprovalId,
    image: ImageRef,
    at: Timestamp,
) -> Entry {
    let mut fact = Fact::new(Kind::Committed);
    fact.release = Some(image);
    fact.approval = Some(ApprovalRef {
        sha256: approval_sha256,
        id: id.clone(),
        weakest_method: SigningMethod::Offline,
    });
    Entry {
        v: 1,
        device,
        ledger_id: LedgerId::from_random([1; 16]),
        seq: 9,
        prev_sha256: None,
        at: Some(at),
        time_quality: TimeQuality::Attested,
        boot_count: 1,
        fact,
    }
}
