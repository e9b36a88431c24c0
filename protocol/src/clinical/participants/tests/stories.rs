//! The lease machine against an independent model, in random stories, and against words nobody meant.

use super::*;
use proptest::prelude::*;

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
