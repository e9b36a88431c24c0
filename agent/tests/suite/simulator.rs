//! A device in memory that crashes before and after every single thing it does, and again while it
//! recovers. The real machine, the real order of things (`driver::core`); simulated disk, installer
//! and boot.

use patchward_agent::driver::core::{Core, Disk, Hands, Outcome, Rest};
use patchward_agent::edge::{Content, Failure, Observed};
use patchward_agent::journal::{Journal, PendingEntry};
use patchward_agent::machine::effect::Effect;
use patchward_agent::machine::event::Event;
use patchward_agent::machine::state::{Acceptance, Attempt, Goal, State, Terms};
use patchward_agent::machine::step::Stamp;
use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{ApprovalId, FamilyId, Seq, TargetPath, Version};
use patchward_protocol::image::ImageRef;
use patchward_protocol::ledger::{ApprovalRef, ClinicalState, Fact, Kind, SigningMethod};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::{TimeQuality, Timestamp};
use std::cell::RefCell;
use std::rc::Rc;

/// Latest start of the one slot, on the boot clock.
const START_BY_MS: u64 = 5000;

/// How the device restarts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kin {
    /// A service is restarted; the agent lives on.
    Service,
    /// The whole machine restarts.
    Machine,
}

/// What a crash takes down.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Crash {
    /// The agent only.
    Agent,
    /// The power.
    Power,
}

/// What is wrong with the new image.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Good,
    /// Its health checks fail.
    Sick,
    /// The boot loader falls back to the old one.
    DoesNotBoot,
    /// Good, and a person must accept it.
    NeedsPerson,
    /// Good, but the settings are others afterwards; a person accepts them.
    OtherSettings,
    /// Good, but the settings are others afterwards; a person does not accept that.
    Rejected,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    /// The how many-th thing that is done.
    n: u32,
    after: bool,
    crash: Crash,
}

#[derive(Debug, Clone)]
struct World {
    kin: Kin,
    fate: Fate,
    running: Sha256Digest,
    next: Sha256Digest,
    /// What the application runs; none while it is being restarted.
    service: Option<Sha256Digest>,
    /// After a crash the agent comes back when the latest start has passed.
    late: bool,
    boot_ms: u64,
    way_back: Option<Sha256Digest>,
    staged: Option<Sha256Digest>,
    kept: bool,
    journal: Option<Journal>,
    ledger: Vec<Fact>,
    boot: u32,
    done: u32,
    writes: u32,
    crash: Option<Point>,
    crashed: Option<Crash>,
}

fn old() -> ImageRef {
    image("1.0", 1)
}

fn new() -> ImageRef {
    image("2.0", 2)
}

fn image(version: &str, seq: u64) -> ImageRef {
    ImageRef {
        family: FamilyId::new("acme.pump").unwrap(),
        version: Version::new(version).unwrap(),
        seq: Seq(seq),
        image_sha256: Sha256Digest::of(version.as_bytes()),
    }
}

fn slot() -> Slot {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Slot::new(at("2026-12-05T04:00:00Z"), at("2026-12-05T06:00:00Z")).unwrap()
}

impl World {
    fn new(kin: Kin, fate: Fate) -> Self {
        Self {
            kin,
            fate,
            running: old().image_sha256,
            next: old().image_sha256,
            service: Some(old().image_sha256),
            late: false,
            boot_ms: 1000,
            way_back: None,
            staged: None,
            kept: true,
            journal: None,
            ledger: Vec::new(),
            boot: 1,
            done: 0,
            writes: 0,
            crash: None,
            crashed: None,
        }
    }

    /// One thing that happens wholly or not at all.
    fn atom(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), Failure> {
        let dead = || Failure::new(Reason::PowerLost, "crashed");
        if self.crashed.is_some() {
            return Err(dead());
        }
        self.done += 1;
        let here = self.crash.filter(|point| point.n == self.done);
        if let Some(point) = here
            && !point.after
        {
            self.crashed = Some(point.crash);
            return Err(dead());
        }
        change(self);
        if let Some(point) = here {
            self.crashed = Some(point.crash);
            return Err(dead());
        }
        Ok(())
    }

    fn reboot(&mut self) {
        self.boot += 1;
        self.boot_ms = 1000;
        self.running = self.next;
        self.service = Some(self.next);
        if self.running == new().image_sha256 && self.fate == Fate::DoesNotBoot {
            // The boot loader counts down and falls back.
            self.running = old().image_sha256;
            self.next = old().image_sha256;
        }
        if !self.kept && self.fate != Fate::DoesNotBoot && self.boot > 40 {
            panic!("boots for ever: {self:?}");
        }
    }

    fn observed(&self) -> Observed {
        let running = match self.kin {
            Kin::Service => self.service.map_or(Content::Unknown, Content::Image),
            Kin::Machine => Content::Image(self.running),
        };
        Observed { running, next: Content::Image(self.next) }
    }
}

type Shared = Rc<RefCell<World>>;

struct SimDisk(Shared);

impl Disk for SimDisk {
    fn write_journal(&mut self, journal: &Journal) -> Result<(), Failure> {
        let journal = journal.clone();
        self.0.borrow_mut().atom(|world| world.journal = Some(journal))
    }

    fn last_seq(&self) -> u64 {
        self.0.borrow().ledger.len() as u64
    }

    fn append(&mut self, seq: u64, entry: &PendingEntry) -> Result<(), Failure> {
        let fact = entry.fact.clone();
        self.0.borrow_mut().atom(|world| {
            assert_eq!(seq, world.ledger.len() as u64 + 1, "the ledger has no gaps");
            world.ledger.push(fact);
        })
    }
}

struct SimHands(Shared);

impl Hands for SimHands {
    async fn perform(&mut self, effect: &Effect) -> Outcome {
        match self.act(effect) {
            Ok(outcome) => outcome,
            // A crash: nothing that is said now is heard.
            Err(_) => Outcome::GoingDown,
        }
    }

    fn stamp(&mut self) -> Stamp {
        Stamp {
            boot_ms: self.0.borrow().boot_ms,
            utc: Some(slot().start()),
            quality: TimeQuality::Attested,
            boot_count: 0,
        }
    }
}

impl SimHands {
    fn act(&mut self, effect: &Effect) -> Result<Outcome, Failure> {
        let world = &mut *self.0.borrow_mut();
        let event = match effect {
            Effect::Stage { goal } => {
                let digest = goal.image.image_sha256;
                world.atom(|world| world.staged = None)?;
                world.atom(|world| world.staged = Some(digest))?;
                Event::Staged { carried: None, reason: None }
            }
            Effect::AskAgain { .. } => go(world),
            Effect::Arm { .. } => {
                world.atom(|world| world.way_back = Some(world.next))?;
                go(world)
            }
            Effect::Activate { attempt } => {
                let digest = attempt.goal.image.image_sha256;
                assert_eq!(world.staged, Some(digest), "only what is staged is activated");
                assert!(world.way_back.is_some(), "there is a way back");
                assert_eq!(
                    world.ledger.last().map(|fact| fact.kind),
                    Some(Kind::Activating),
                    "the intent is in the ledger first"
                );
                world.atom(|world| {
                    world.next = digest;
                    world.kept = false;
                    world.writes += 1;
                })?;
                Event::Activated
            }
            Effect::Restart { attempt } => return restart(world, attempt),
            Effect::CheckHealth { .. } => match world.fate {
                Fate::Good | Fate::DoesNotBoot | Fate::NeedsPerson => {
                    Event::Healthy { settings_after: None }
                }
                Fate::OtherSettings | Fate::Rejected => {
                    Event::Healthy { settings_after: Some(Sha256Digest::of(b"other settings")) }
                }
                Fate::Sick => {
                    Event::Unhealthy { reason: Reason::HealthFailed, detail: "exit 1".to_owned() }
                }
            },
            Effect::Keep { .. } => {
                world.atom(|world| world.kept = true)?;
                Event::Kept
            }
            Effect::GoBack { attempt } => {
                let back = world.way_back.expect("there is a way back");
                world.atom(|world| {
                    world.next = back;
                    world.kept = true;
                })?;
                if world.observed().running != Content::Image(back) {
                    match restart(world, attempt)? {
                        Outcome::GoingDown => return Ok(Outcome::GoingDown),
                        Outcome::Event(_) => {}
                    }
                }
                Event::WentBack
            }
            Effect::Discard { .. } => {
                world.atom(|world| {
                    if world.staged != Some(world.next) {
                        world.staged = None;
                    }
                })?;
                Event::Discarded
            }
        };
        Ok(Outcome::Event(event))
    }
}

fn restart(world: &mut World, attempt: &Attempt) -> Result<Outcome, Failure> {
    let late = world.boot_ms > attempt.start_by_boot_ms;
    match world.kin {
        Kin::Service => {
            let disturbs = world.service == Some(old().image_sha256);
            assert!(!(late && disturbs), "what runs is not disturbed late: {world:?}");
            world.atom(|world| world.service = None)?;
            world.atom(|world| world.service = Some(world.next))?;
            Ok(Outcome::Event(Event::Restarted))
        }
        Kin::Machine => {
            let disturbs = world.running == old().image_sha256;
            assert!(!(late && disturbs), "what runs is not disturbed late: {world:?}");
            world.atom(|_| ())?;
            world.crashed = Some(Crash::Power);
            Ok(Outcome::GoingDown)
        }
    }
}

fn go(world: &World) -> Event {
    let acceptance = match world.fate {
        Fate::NeedsPerson => Acceptance::ByPerson,
        Fate::Good | Fate::Sick | Fate::DoesNotBoot | Fate::OtherSettings | Fate::Rejected => {
            Acceptance::ByChecks
        }
    };
    let (from, image_floor) = (Some(old()), new().seq);
    let terms = Terms { from, acceptance, image_floor, settings_before: None, attended_by: None };
    Event::Go {
        slot: slot(),
        // When the first slot is over, the next one is open.
        start_by_boot_ms: START_BY_MS.max(world.boot_ms),
        clinical_state: ClinicalState::Idle,
        terms: Box::new(terms),
    }
}

fn offer(journal: &Journal) -> Option<Goal> {
    let n = journal.attempts_of(new().image_sha256);
    let sha256 = Sha256Digest::of(format!("approval {n}").as_bytes());
    let running_new = journal.installed == Some(new());
    (!running_new && !journal.spent.contains(&sha256) && n == 0).then(|| Goal {
        image: new(),
        path: TargetPath::new("img/pump-2.0.img").unwrap(),
        approval: ApprovalRef {
            sha256,
            id: ApprovalId::new("a-1").unwrap(),
            weakest_method: SigningMethod::Offline,
        },
        serial: u64::from(n) + 1,
        attempts_before: n,
        action: Action::Install,
        spent_key: None,
    })
}

/// What the driver would say next; none when there is nothing to do.
fn next_event(journal: &Journal, world: &World) -> Option<Event> {
    match &journal.state {
        State::Idle => offer(journal).map(|goal| Event::Offered { goal: Box::new(goal) }),
        State::Approved { .. } => Some(Event::FetchDue),
        State::Staged { .. } | State::Holding { .. } => Some(go(world)),
        State::AwaitingAcceptance { .. } if world.fate == Fate::Rejected => {
            Some(Event::Rejected { person: "tanaka".parse().unwrap() })
        }
        State::AwaitingAcceptance { .. } => {
            Some(Event::Accepted { person: "tanaka".parse().unwrap() })
        }
        State::NeedsService { .. } => None,
        state => panic!("the core stopped in {state:?}"),
    }
}

/// Lives from a start to a crash or to rest.
async fn live(shared: &Shared) -> Result<(), Crash> {
    let crashed = |shared: &Shared| shared.borrow().crashed;
    let (journal, observed, boot) = {
        let world = shared.borrow();
        let journal = world.journal.clone().unwrap_or_else(|| Journal::begin(Some(old())));
        (journal, world.observed(), format!("boot-{}", world.boot))
    };
    let (mut core, mut hands) =
        (Core::new(journal, SimDisk(shared.clone())), SimHands(shared.clone()));
    let mut rest = core.recover(&mut hands, observed, &boot).await;
    loop {
        if let Some(crash) = crashed(shared) {
            return Err(crash);
        }
        assert!(matches!(rest, Ok(Rest::Quiet)), "{rest:?}");
        let event = next_event(core.journal(), &shared.borrow());
        let Some(event) = event else { return Ok(()) };
        rest = core.take(&mut hands, event).await;
    }
}

/// Runs a world until it rests, with the crashes that are planned for it; returns the number of
/// things that were done in each life.
async fn run(mut world: World, crashes: &[Point]) -> (World, Vec<u32>) {
    let mut crashes = crashes.iter();
    let mut lives = Vec::new();
    for _ in 0..60 {
        world.crash = crashes.next().copied();
        world.done = 0;
        world.crashed = None;
        let shared = Rc::new(RefCell::new(world));
        let ended = live(&shared).await;
        world = shared.borrow().clone();
        lives.push(world.done);
        match ended {
            Ok(()) => return (world, lives),
            Err(Crash::Agent) if world.late => world.boot_ms = START_BY_MS + 1,
            Err(Crash::Agent) => {}
            Err(Crash::Power) => world.reboot(),
        }
    }
    panic!("never comes to rest: {world:?}");
}

/// Old or new, whole, and the ledger explains it.
fn judge(world: &World, crashes: &[Point]) {
    let say =
        || format!("{crashes:?}\n{:?}", world.ledger.iter().map(|f| f.kind).collect::<Vec<_>>());
    let Observed { running, next } = world.observed();
    assert_eq!(running, next, "what runs is what would run next: {}", say());
    assert!(world.kept, "nothing is left on trial: {}", say());
    let count = |kind| world.ledger.iter().filter(|fact| fact.kind == kind).count();
    let activations = count(Kind::Activating);
    let ends = count(Kind::Committed) + count(Kind::RolledBack) + count(Kind::NeedsService);
    assert_eq!(activations, ends, "every activation has exactly one end: {}", say());
    assert!(world.writes as usize <= activations, "no write without its entry: {}", say());
    let last = world
        .ledger
        .iter()
        .rev()
        .map(|fact| fact.kind)
        .find(|kind| matches!(kind, Kind::Committed | Kind::RolledBack | Kind::NeedsService));
    if running == Content::Image(new().image_sha256) {
        assert_eq!(last, Some(Kind::Committed), "{}", say());
        assert!(!matches!(world.fate, Fate::Sick | Fate::Rejected), "{}", say());
    } else {
        assert_eq!(running, Content::Image(old().image_sha256), "{}", say());
        assert_ne!(last, Some(Kind::Committed), "{}", say());
    }
    let installed = world.journal.as_ref().and_then(|journal| journal.installed.clone());
    assert_eq!(
        installed.map(|image| Content::Image(image.image_sha256)),
        Some(running),
        "{}",
        say()
    );
}

fn in_runtime(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future);
}

const KINS: [Kin; 2] = [Kin::Service, Kin::Machine];
const FATES: [Fate; 6] = [
    Fate::Good,
    Fate::Sick,
    Fate::DoesNotBoot,
    Fate::NeedsPerson,
    Fate::OtherSettings,
    Fate::Rejected,
];

fn points(things: u32) -> impl Iterator<Item = Point> {
    (1..=things).flat_map(|n| {
        [false, true].into_iter().flat_map(move |after| {
            [Crash::Agent, Crash::Power].map(|crash| Point { n, after, crash })
        })
    })
}

#[test]
fn an_update_without_a_crash_ends_as_its_image_deserves() {
    in_runtime(async {
        for kin in KINS {
            for fate in FATES {
                let (world, _) = run(World::new(kin, fate), &[]).await;
                if kin == Kin::Machine || fate != Fate::DoesNotBoot {
                    judge(&world, &[]);
                }
                let stays = match fate {
                    Fate::Good | Fate::NeedsPerson | Fate::OtherSettings => new(),
                    Fate::DoesNotBoot if kin == Kin::Service => new(),
                    Fate::Sick | Fate::DoesNotBoot | Fate::Rejected => old(),
                };
                assert_eq!(world.observed().running, Content::Image(stays.image_sha256));
                assert_eq!(world.writes, 1);
            }
        }
    });
}

/// Every kind of device with every image, coming back from a crash in time and too late.
fn worlds() -> Vec<World> {
    let all = KINS.into_iter().flat_map(|kin| FATES.map(|fate| World::new(kin, fate)));
    let real = all.filter(|w| w.kin == Kin::Machine || w.fate != Fate::DoesNotBoot);
    real.flat_map(|world| [false, true].map(|late| World { late, ..world.clone() })).collect()
}

#[test]
fn a_crash_at_any_point_and_again_during_recovery_leaves_the_old_or_the_new_version_whole() {
    in_runtime(async {
        let mut runs = 0_u64;
        for begin in worlds() {
            let deep = !begin.late && matches!(begin.fate, Fate::Good | Fate::Sick);
            let (_, lives) = run(begin.clone(), &[]).await;
            for first in points(lives[0]) {
                let (world, lives) = run(begin.clone(), &[first]).await;
                judge(&world, &[first]);
                for second in points(lives[1]) {
                    let crashes = [first, second];
                    let (world, lives) = run(begin.clone(), &crashes).await;
                    judge(&world, &crashes);
                    runs += 1;
                    let third = lives.get(2).filter(|_| deep).map_or(0, |things| *things);
                    for third in points(third).filter(|point| point.n % 16 == first.n % 16) {
                        let crashes = [first, second, third];
                        let (world, _) = run(begin.clone(), &crashes).await;
                        judge(&world, &crashes);
                        runs += 1;
                    }
                }
            }
        }
        assert!(runs > 5_000, "only {runs} runs");
    });
}
