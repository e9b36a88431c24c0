//! The lease machine: examples that read like its use, and laws against an independent model.

use super::*;
use proptest::prelude::*;

const UI: u32 = 991;
const ALARM: u32 = 992;
const OPERATOR: u32 = 1000;
const STRANGER: u32 = 4711;

fn app(name: &str) -> AppId {
    AppId::new(name).unwrap()
}

fn two() -> Participants {
    let apps = BTreeMap::from([(app("pump-ui"), UI), (app("alarm"), ALARM)]);
    Participants::new(Required::new(apps).unwrap(), BTreeSet::from([OPERATOR]))
}

fn one() -> Participants {
    let apps = BTreeMap::from([(app("pump-ui"), UI)]);
    Participants::new(Required::new(apps).unwrap(), BTreeSet::from([OPERATOR]))
}

fn hello(name: &str) -> Vec<u8> {
    let version = Version::new("2.4.0").unwrap();
    FromApp::Hello { v: 1, app: app(name), version }.write()
}

fn idle(lease_s: u32) -> Vec<u8> {
    FromApp::Idle { lease_s: LeaseS::new(lease_s).unwrap() }.write()
}

fn busy() -> Vec<u8> {
    FromApp::Busy { why: Why::new("infusion runs").unwrap() }.write()
}

fn refuse(n: u64) -> Vec<u8> {
    FromApp::Refuse { n, why: Why::new("alarm test").unwrap() }.write()
}

fn ready(n: u64) -> Vec<u8> {
    FromApp::Ready { n }.write()
}

fn hear(all: &mut Participants, peer: PeerId, bytes: &[u8], boot_ms: u64) -> Vec<Action> {
    all.step(Event::Heard { peer, bytes, not_before_boot_ms: boot_ms }, boot_ms)
}

fn connect(all: &mut Participants, peer: PeerId, name: &str, boot_ms: u64) {
    let uid = if name == "alarm" { ALARM } else { UI };
    assert_eq!(all.step(Event::Connected { peer, uid }, boot_ms), []);
    let welcome = ToApp::Welcome { v: 1, lease_s_max: 15 };
    assert_eq!(hear(all, peer, &hello(name), boot_ms), [Action::Send(peer, welcome)]);
}

/// Both connected and idle until 15 s.
fn both_idle() -> Participants {
    let mut all = two();
    connect(&mut all, 1, "pump-ui", 0);
    connect(&mut all, 2, "alarm", 0);
    assert_eq!(hear(&mut all, 1, &idle(15), 0), []);
    assert_eq!(hear(&mut all, 2, &idle(15), 0), []);
    all
}

fn asked(all: &mut Participants, boot_ms: u64) -> u64 {
    let actions = all.step(Event::Prepare { in_s: 10, est_s: 273 }, boot_ms);
    let number = actions.iter().find_map(|action| match action {
        Action::Send(_, ToApp::Prepare { n, in_s: 10, est_s: 273 }) => Some(*n),
        Action::Send(..) | Action::Close(..) | Action::Defer(..) => None,
    });
    number.unwrap()
}

fn both_ready() -> (Participants, u64) {
    let mut all = both_idle();
    let n = asked(&mut all, 1000);
    assert_eq!(hear(&mut all, 1, &ready(n), 1000), []);
    assert_eq!(hear(&mut all, 2, &ready(n), 1000), []);
    assert_eq!(lock(&all, 1000), Some(Lock::Held));
    (all, n)
}

fn lock(all: &Participants, boot_ms: u64) -> Option<Lock> {
    match all.word(boot_ms) {
        Word::Free { lock, .. } => Some(lock),
        Word::InUse(_) | Word::Silent(_) => None,
    }
}

#[test]
fn an_interlock_without_participants_cannot_be_made() {
    assert_eq!(Required::new(BTreeMap::new()), None);
}

#[test]
fn free_needs_a_live_lease_of_every_required_application() {
    let mut all = two();
    assert_eq!(all.word(0), Word::Silent(app("alarm")));
    connect(&mut all, 1, "pump-ui", 0);
    hear(&mut all, 1, &idle(15), 0);
    assert_eq!(all.word(0), Word::Silent(app("alarm")));
    connect(&mut all, 2, "alarm", 5);
    assert_eq!(all.word(5), Word::Silent(app("alarm")), "connected is not idle");
    hear(&mut all, 2, &idle(10), 5);
    let free = Word::Free { since_boot_ms: 5, until_boot_ms: 10_005, lock: Lock::Open };
    assert_eq!(all.word(5), free);
    assert_eq!(all.word(10_005), Word::Silent(app("alarm")), "silence ends the lease");
}

#[test]
fn two_applications_that_disagree_are_in_use() {
    let mut all = both_idle();
    hear(&mut all, 2, &busy(), 100);
    assert_eq!(all.word(100), Word::InUse(app("alarm")));
    hear(&mut all, 1, &idle(15), 200);
    assert_eq!(all.word(200), Word::InUse(app("alarm")));
}

#[test]
fn every_connection_of_an_application_counts() {
    let mut all = both_idle();
    connect(&mut all, 3, "pump-ui", 10);
    assert_eq!(all.word(10), Word::Silent(app("pump-ui")));
    hear(&mut all, 3, &busy(), 10);
    assert_eq!(all.word(10), Word::InUse(app("pump-ui")));
    all.step(Event::Gone { peer: 3 }, 20);
    assert_eq!(lock(&all, 20), Some(Lock::Open));
    for peer in 4..=6 {
        connect(&mut all, peer, "pump-ui", 30);
    }
    all.step(Event::Connected { peer: 7, uid: UI }, 30);
    let closed = hear(&mut all, 7, &hello("pump-ui"), 30);
    assert_eq!(closed, [Action::Close(7, Closed::TooMany)]);
}

#[test]
fn free_time_begins_anew_after_a_hole() {
    let mut all = one();
    connect(&mut all, 1, "pump-ui", 0);
    for boot_ms in [0, 4_000, 8_000] {
        hear(&mut all, 1, &idle(5), boot_ms);
    }
    assert!(matches!(all.word(8_001), Word::Free { since_boot_ms: 0, .. }));
    hear(&mut all, 1, &idle(5), 13_000);
    assert!(matches!(all.word(13_000), Word::Free { since_boot_ms: 13_000, .. }));
    hear(&mut all, 1, &busy(), 14_000);
    hear(&mut all, 1, &idle(5), 15_000);
    assert!(matches!(all.word(15_000), Word::Free { since_boot_ms: 15_000, .. }));
}

#[test]
fn a_word_that_lay_in_a_queue_gives_no_longer_lease_than_it_is_old() {
    let mut all = one();
    connect(&mut all, 1, "pump-ui", 0);
    let bytes = idle(15);
    all.step(Event::Heard { peer: 1, bytes: &bytes, not_before_boot_ms: 1_000 }, 15_999);
    assert!(matches!(all.word(15_999), Word::Free { until_boot_ms: 16_000, .. }));
    assert_eq!(all.word(16_000), Word::Silent(app("pump-ui")));
    all.step(Event::Heard { peer: 1, bytes: &bytes, not_before_boot_ms: 20_000 }, 60_000);
    assert_eq!(all.word(60_000), Word::Silent(app("pump-ui")));
}

#[test]
fn a_wrong_user_is_shown_the_door_and_changes_nothing() {
    let mut all = both_idle();
    let before = all.clone();
    let closed = all.step(Event::Connected { peer: 9, uid: STRANGER }, 5);
    assert_eq!(closed, [Action::Close(9, Closed::WrongUser)]);
    assert_eq!(hear(&mut all, 9, &hello("pump-ui"), 5), []);
    assert_eq!(all, before);
    // A user that takes part, but as another application.
    all.step(Event::Connected { peer: 10, uid: ALARM }, 5);
    let closed = hear(&mut all, 10, &hello("pump-ui"), 5);
    assert_eq!(closed, [Action::Close(10, Closed::WrongUser)]);
    // An application that is not asked for.
    all.step(Event::Connected { peer: 11, uid: UI }, 5);
    let closed = hear(&mut all, 11, &hello("browser"), 5);
    assert_eq!(closed, [Action::Close(11, Closed::WrongUser)]);
    assert_eq!(all, before);
}

#[test]
fn what_is_no_message_ends_the_connection_and_with_it_the_lease() {
    for (bytes, why) in [
        (b"garbage".to_vec(), Closed::NotAMessage),
        (br#"{"type":"FREE"}"#.to_vec(), Closed::NotAMessage),
        (vec![b' '; 2000], Closed::NotAMessage),
        (vec![], Closed::NotAMessage),
        (hello("pump-ui"), Closed::OutOfTurn),
    ] {
        let mut all = both_idle();
        assert_eq!(hear(&mut all, 1, &bytes, 5), [Action::Close(1, why)]);
        assert_eq!(all.word(5), Word::Silent(app("pump-ui")));
    }
    let mut all = one();
    for bytes in [idle(5), busy(), ready(1), refuse(1)] {
        all.step(Event::Connected { peer: 1, uid: UI }, 0);
        assert_eq!(hear(&mut all, 1, &bytes, 0), [Action::Close(1, Closed::OutOfTurn)]);
    }
    all.step(Event::Connected { peer: 2, uid: UI }, 0);
    let other = br#"{"type":"HELLO","v":2,"app":"pump-ui","version":"2.4.0"}"#;
    assert_eq!(hear(&mut all, 2, other, 0), [Action::Close(2, Closed::OtherVersion)]);
}

#[test]
fn floods_and_silent_connections_are_ended() {
    let mut all = both_idle();
    let mut ended = None;
    for count in 1..=100 {
        let actions = hear(&mut all, 1, &idle(15), 7);
        if actions == [Action::Close(1, Closed::Flood)] {
            ended = Some(count);
            break;
        }
    }
    assert_eq!(ended, Some(CLINICAL_BURST_MAX + 1));
    assert_eq!(all.word(7), Word::Silent(app("pump-ui")));
    // A queue that was not read for a while may hold more.
    let bytes = idle(15);
    for _ in 0..60 {
        let event = Event::Heard { peer: 2, bytes: &bytes, not_before_boot_ms: 10 };
        assert_eq!(all.step(event, 5_000), []);
    }
    let mut all = one();
    for peer in 0..16 {
        assert_eq!(all.step(Event::Connected { peer, uid: UI }, 0), []);
    }
    let full = all.step(Event::Connected { peer: 16, uid: UI }, 0);
    assert_eq!(full, [Action::Close(16, Closed::TooMany)]);
    assert_eq!(all.step(Event::Tick, CLINICAL_HELLO_MS_MAX), []);
    assert_eq!(all.step(Event::Tick, CLINICAL_HELLO_MS_MAX + 1).len(), 16);
    assert_eq!(all.word(6_000), Word::Silent(app("pump-ui")));
}

#[test]
fn go_comes_only_after_every_application_said_ready_to_this_question() {
    let mut all = both_idle();
    assert_eq!(all.step(Event::Go, 500), [], "nobody was asked");
    let n = asked(&mut all, 1000);
    hear(&mut all, 1, &ready(n), 1000);
    assert_eq!(lock(&all, 1000), Some(Lock::Open), "the alarm has not answered");
    let released = all.step(Event::Go, 1000);
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|action| matches!(action, Action::Send(_, ToApp::Release { .. }))));
    let (mut all, n) = both_ready();
    let gone = all.step(Event::Go, 1001);
    assert_eq!(gone, [1, 2].map(|peer| Action::Send(peer, ToApp::Go { n })));
    assert_eq!(hear(&mut all, 1, &ready(n), 1002), [], "nothing opens the lock while it begins");
    let released = all.step(Event::Release, 2000);
    assert_eq!(released, [1, 2].map(|peer| Action::Send(peer, ToApp::Release { n })));
    assert_eq!(all.step(Event::Release, 2000), []);
}

#[test]
fn busy_between_ready_and_go_opens_the_lock() {
    for word in [busy(), refuse(1000), b"?".to_vec()] {
        let (mut all, _) = both_ready();
        hear(&mut all, 2, &word, 1000);
        assert_eq!(lock(&all, 1000), None);
        let sent = all.step(Event::Go, 1000);
        assert!(!sent.iter().any(|action| matches!(action, Action::Send(_, ToApp::Go { .. }))));
    }
}

#[test]
fn ready_does_not_survive_the_death_of_either_side() {
    // The application dies and comes back.
    let (mut all, n) = both_ready();
    all.step(Event::Gone { peer: 1 }, 1001);
    assert_eq!(lock(&all, 1001), None);
    connect(&mut all, 3, "pump-ui", 1002);
    hear(&mut all, 3, &idle(15), 1002);
    let told = hear(&mut all, 3, &ready(n), 1002);
    assert_eq!(
        told,
        [Action::Send(3, ToApp::Release { n })],
        "it was not asked on this connection"
    );
    assert_eq!(lock(&all, 1002), Some(Lock::Open));
    // The agent dies and comes back.
    let mut all = both_idle();
    let again = asked(&mut all, 2000);
    assert_ne!(again, n, "numbers go on after a restart");
    for peer in [1, 2] {
        let told = hear(&mut all, peer, &ready(n), 2000);
        assert_eq!(told, [Action::Send(peer, ToApp::Release { n })]);
    }
    assert_eq!(lock(&all, 2000), Some(Lock::Open));
}

#[test]
fn ready_ends_with_the_lease_and_is_renewed_with_it() {
    let (mut all, n) = both_ready();
    assert_eq!(lock(&all, 14_999), Some(Lock::Held));
    hear(&mut all, 1, &idle(15), 10_000);
    hear(&mut all, 2, &idle(15), 10_000);
    assert_eq!(lock(&all, 24_999), Some(Lock::Held));
    assert_eq!(lock(&all, 25_000), None);
    hear(&mut all, 1, &idle(15), 26_000);
    hear(&mut all, 2, &idle(15), 26_000);
    assert_eq!(lock(&all, 26_000), Some(Lock::Open), "a new lease is not a new lock");
    hear(&mut all, 1, &ready(n), 26_000);
    assert_eq!(lock(&all, 26_000), Some(Lock::Open));
    // Ready without a lease is no lock either.
    let mut all = one();
    connect(&mut all, 1, "pump-ui", 0);
    let n = asked(&mut all, 0);
    assert_eq!(hear(&mut all, 1, &ready(n), 0), [Action::Send(1, ToApp::Release { n })]);
    assert_eq!(all.word(0), Word::Silent(app("pump-ui")));
}

#[test]
fn a_stale_answer_to_an_earlier_question_locks_nothing() {
    let mut all = both_idle();
    let first = asked(&mut all, 1000);
    let second = asked(&mut all, 1000);
    assert!(second > first);
    for peer in [1, 2] {
        let told = hear(&mut all, peer, &ready(first), 1001);
        assert_eq!(told, [Action::Send(peer, ToApp::Release { n: first })]);
    }
    assert_eq!(lock(&all, 1001), Some(Lock::Open));
}

#[test]
fn operators_and_participants_may_defer_and_operators_nothing_else() {
    let by = PersonId::new("tanaka").unwrap();
    let minutes = DeferMinutes::new(30).unwrap();
    let defer = FromApp::Defer { minutes, by: by.clone() }.write();
    let mut all = both_idle();
    let wanted = [Action::Defer(minutes, by)];
    assert_eq!(hear(&mut all, 1, &defer, 5), wanted);
    all.step(Event::Connected { peer: 3, uid: OPERATOR }, 5);
    assert_eq!(hear(&mut all, 3, &defer, 5), wanted);
    assert_eq!(hear(&mut all, 3, &idle(15), 5), [Action::Close(3, Closed::OutOfTurn)]);
    // Before it said who it is, a participant may not.
    all.step(Event::Connected { peer: 4, uid: UI }, 5);
    assert_eq!(hear(&mut all, 4, &defer, 5), [Action::Close(4, Closed::OutOfTurn)]);
}

#[test]
fn people_are_shown_the_worst_word_of_each_application() {
    let mut all = both_idle();
    connect(&mut all, 3, "pump-ui", 0);
    hear(&mut all, 3, &busy(), 0);
    let said: Vec<_> = all.shown(0).into_iter().map(|shown| (shown.said, shown.why)).collect();
    assert_eq!(said, [("idle", None), ("busy", Some(Why::new("infusion runs").unwrap()))]);
    assert_eq!(all.shown(15_000).first().unwrap().said, "silent");
    assert_eq!(two().shown(0).first().unwrap().said, "absent");
}

/// A step of a random story.
#[derive(Debug, Clone)]
enum Happening {
    Connect(u64, u32),
    Say(u64, Words, u64),
    End(u64),
    Ask,
    Go,
    Release,
    Wait(u64),
}

#[derive(Debug, Clone)]
enum Words {
    Hello(&'static str),
    Idle(u32),
    Busy,
    /// The number of the open question, or of the one before.
    Ready(u64),
    Refuse,
    Bytes(Vec<u8>),
}

impl Words {
    fn bytes(&self, numbers: [u64; 2]) -> Vec<u8> {
        match self {
            Self::Hello(name) => hello(name),
            Self::Idle(lease_s) => idle(*lease_s),
            Self::Busy => busy(),
            Self::Ready(back) => ready(numbers[usize::try_from(*back).unwrap()]),
            Self::Refuse => refuse(numbers[0]),
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        3 => prop_oneof![Just("pump-ui"), Just("alarm"), Just("browser")].prop_map(Words::Hello),
        6 => (1_u32..=15).prop_map(Words::Idle),
        1 => Just(Words::Busy),
        4 => (0_u64..2).prop_map(Words::Ready),
        1 => Just(Words::Refuse),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Words::Bytes),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let user =
        prop_oneof![4 => Just(UI), 4 => Just(ALARM), 1 => Just(OPERATOR), 1 => Just(STRANGER)];
    prop_oneof![
        3 => (0_u64..5, user).prop_map(|(peer, uid)| Happening::Connect(peer, uid)),
        12 => (0_u64..5, words(), 0_u64..3_000)
            .prop_map(|(peer, words, age)| Happening::Say(peer, words, age)),
        1 => (0_u64..5).prop_map(Happening::End),
        3 => Just(Happening::Ask),
        2 => Just(Happening::Go),
        1 => Just(Happening::Release),
        3 => (0_u64..6_000).prop_map(Happening::Wait),
    ]
}

/// The same story told by somebody who keeps only the last words of each connection.
#[derive(Debug, Default)]
struct Model {
    peers: BTreeMap<u64, ModelPeer>,
    question: u64,
    open: bool,
}

#[derive(Debug, Default)]
struct ModelPeer {
    app: Option<&'static str>,
    idle_until: u64,
    busy: bool,
    ready_to: u64,
}

impl Model {
    fn end(&mut self, peer: u64) {
        self.peers.remove(&peer);
    }

    fn live(&mut self, happening: &Happening, numbers: [u64; 2], now: u64) {
        match happening {
            Happening::Connect(peer, uid) => {
                if *uid != STRANGER {
                    self.peers.insert(*peer, ModelPeer::default());
                }
            }
            Happening::Say(peer, words, age) => {
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.hears(words, numbers, now - age, now);
                }
            }
            Happening::End(peer) => self.end(*peer),
            Happening::Ask => (self.open, self.question) = (true, u64::MAX),
            Happening::Go | Happening::Release => self.open = false,
            Happening::Wait(_) => {}
        }
    }

    fn may_be_free(&self, boot_ms: u64) -> bool {
        ["pump-ui", "alarm"].iter().all(|name| {
            let mut of_app = self.peers.values().filter(|peer| peer.app == Some(name)).peekable();
            of_app.peek().is_some() && of_app.all(|peer| !peer.busy && boot_ms < peer.idle_until)
        })
    }

    fn may_go(&self, boot_ms: u64) -> bool {
        let ready = |peer: &ModelPeer| peer.app.is_none() || peer.ready_to == self.question;
        self.open && self.may_be_free(boot_ms) && self.peers.values().all(ready)
    }
}

impl ModelPeer {
    fn hears(&mut self, words: &Words, numbers: [u64; 2], not_before: u64, now: u64) {
        match words {
            // Whether it is let in is seen from the answer: who is not, is closed.
            Words::Hello(name) => self.app = self.app.or(Some(name)),
            Words::Idle(lease_s) => {
                if self.idle_until <= now {
                    self.ready_to = 0;
                }
                self.idle_until = not_before + u64::from(*lease_s) * 1000;
                self.busy = false;
            }
            Words::Busy | Words::Refuse => (self.busy, self.ready_to) = (true, 0),
            Words::Ready(back) => {
                let n = numbers[usize::try_from(*back).unwrap()];
                if !self.busy && now < self.idle_until {
                    self.ready_to = self.ready_to.max(n);
                }
            }
            Words::Bytes(_) => {}
        }
    }
}

/// Plays a story on both; checks the laws after every step. Returns how often somebody was told to go.
fn play(story: &[Happening]) -> Result<u32, TestCaseError> {
    let (mut all, mut model, mut now) = (two(), Model::default(), 1_000_000_u64);
    let (mut numbers, mut went) = ([0, 0], 0);
    for happening in story {
        if let Happening::Wait(ms) = happening {
            now += ms;
        }
        if matches!(happening, Happening::Connect(peer, _) if model.peers.contains_key(peer)) {
            continue;
        }
        let bytes = match happening {
            Happening::Say(_, words, _) => words.bytes(numbers),
            Happening::Connect(..)
            | Happening::End(_)
            | Happening::Ask
            | Happening::Go
            | Happening::Release
            | Happening::Wait(_) => Vec::new(),
        };
        let could_go = model.may_go(now);
        let actions = all.step(event(happening, &bytes, now), now);
        model.live(happening, numbers, now);
        for action in &actions {
            match action {
                Action::Send(_, ToApp::Prepare { n, .. }) => {
                    if *n != numbers[0] {
                        numbers = [*n, numbers[0]];
                    }
                    model.question = *n;
                }
                Action::Send(_, ToApp::Go { n }) => {
                    prop_assert!(matches!(happening, Happening::Go));
                    prop_assert_eq!(*n, model.question);
                    prop_assert!(could_go, "went without a live lock: {:?}", model);
                    went += 1;
                }
                Action::Close(peer, _) => model.end(*peer),
                Action::Send(..) | Action::Defer(..) => {}
            }
        }
        if let Word::Free { since_boot_ms, until_boot_ms, lock } = all.word(now) {
            prop_assert!(model.may_be_free(now), "free without every lease: {:?}", model);
            prop_assert!(since_boot_ms <= now && now < until_boot_ms);
            prop_assert!(until_boot_ms <= now + 15_000);
            if lock == Lock::Held && model.open {
                prop_assert!(model.may_go(now), "locked without every answer: {:?}", model);
            }
        }
    }
    Ok(went)
}

fn event<'a>(happening: &Happening, bytes: &'a [u8], now: u64) -> Event<'a> {
    match happening {
        Happening::Connect(peer, uid) => Event::Connected { peer: *peer, uid: *uid },
        Happening::Say(peer, _, age) => {
            Event::Heard { peer: *peer, bytes, not_before_boot_ms: now - age }
        }
        Happening::End(peer) => Event::Gone { peer: *peer },
        Happening::Ask => Event::Prepare { in_s: 10, est_s: 100 },
        Happening::Go => Event::Go,
        Happening::Release => Event::Release,
        Happening::Wait(_) => Event::Tick,
    }
}

/// An update from the first connection to the end.
fn an_update() -> Vec<Happening> {
    let say = |peer, words| Happening::Say(peer, words, 100);
    vec![
        Happening::Connect(0, UI),
        say(0, Words::Hello("pump-ui")),
        say(0, Words::Idle(15)),
        Happening::Connect(1, ALARM),
        say(1, Words::Hello("alarm")),
        say(1, Words::Idle(15)),
        Happening::Ask,
        say(0, Words::Ready(0)),
        say(1, Words::Ready(0)),
        Happening::Wait(5_000),
        say(0, Words::Idle(15)),
        say(1, Words::Idle(15)),
        Happening::Wait(5_000),
        Happening::Go,
    ]
}

#[test]
fn an_update_in_which_everybody_answers_goes() {
    assert_eq!(play(&an_update()).unwrap(), 2, "both are told");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn never_free_without_every_lease_and_never_gone_without_every_lock(
        begin in prop::collection::vec(0_usize..14, 0..14),
        story in prop::collection::vec(happening(), 1..80),
    ) {
        // An update as it goes, with some of its steps left out, and then anything.
        let mut whole = an_update();
        for leave_out in begin.iter().take(3) {
            whole.remove(leave_out % whole.len());
        }
        whole.extend(story);
        play(&whole)?;
    }

    #[test]
    fn a_boot_clock_that_stands_or_runs_never_makes_an_expired_lease_live(
        lease_s in 1_u32..=15, late_ms in 0_u64..1_000_000,
    ) {
        let mut all = one();
        connect(&mut all, 1, "pump-ui", 0);
        hear(&mut all, 1, &idle(lease_s), 0);
        let over = u64::from(lease_s) * 1000 + late_ms;
        all.step(Event::Tick, over);
        prop_assert_eq!(all.word(over), Word::Silent(app("pump-ui")));
    }
}

/// A row of numbers that is the same in every run.
struct Row(u64);

impl Row {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(most).unwrap()).unwrap()
    }
}

#[test]
fn a_hundred_thousand_messages_that_nobody_meant_never_make_the_device_free() {
    let mut row = Row(0x9e37_79b9_7f4a_7c15);
    let samples = [hello("pump-ui"), idle(15), busy(), ready(1), refuse(1)];
    let mut all = one();
    let (mut peer, mut exact) = (0, 0);
    for now in 0..100_000_u64 {
        if !all.step(Event::Connected { peer, uid: UI }, now).is_empty() || all.peers.is_empty() {
            peer += 1;
            all = one();
            continue;
        }
        let mut bytes = samples[row.below(samples.len())].clone();
        if row.below(3) == 0 {
            bytes = (0..row.below(64)).map(|_| row.next().to_le_bytes()[0]).collect();
        }
        for _ in 0..=row.below(3) {
            let at = row.below(bytes.len().max(1));
            match (row.below(4), bytes.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << row.below(8),
                (1, Some(_)) => bytes.truncate(at),
                (2, _) => bytes.insert(at.min(bytes.len()), row.next().to_le_bytes()[0]),
                (_, _) => bytes.extend_from_slice(b"}"),
            }
        }
        if FromApp::read(&bytes).is_ok() {
            // The change happened to leave a message whole (a letter of a text).
            exact += 1;
            continue;
        }
        let known = row.below(2) == 0;
        if known {
            hear(&mut all, peer, &samples[0], now);
            hear(&mut all, peer, &samples[1], now);
        }
        let closed = hear(&mut all, peer, &bytes, now);
        assert_eq!(closed, [Action::Close(peer, Closed::NotAMessage)], "{bytes:?}");
        assert_eq!(all.word(now), Word::Silent(app("pump-ui")), "{bytes:?}");
        peer += 1;
    }
    assert!(exact < 20_000, "only {exact} were not messages");
}
