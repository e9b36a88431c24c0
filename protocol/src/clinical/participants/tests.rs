//! The lease machine: examples that read like its use; its laws stand in [`stories`].

mod stories;

use super::*;

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
