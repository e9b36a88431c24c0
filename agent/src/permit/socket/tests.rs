//! Real sockets, real users, a boot clock that is moved by hand.

use super::*;
use crate::config::{Clinical, Config, EXAMPLE, InterlockSource, Source};
use crate::edge::Clock as _;
use crate::permit::interlock::{Answer, Interlock, Lock as Held};
use crate::samples::Hand;
use patchward_protocol::clinical::participants::Required;
use patchward_protocol::clinical::{AppId, FromApp, LeaseS, Why};
use patchward_protocol::decision::Interlock as Heard;
use patchward_protocol::id::Version;
use patchward_protocol::reason::Reason;
use std::collections::BTreeSet;
use std::time::Duration;

/// A device with the clinical socket, and nothing else that says whether it is in use.
struct Bench {
    folder: tempfile::TempDir,
    settings: SocketSettings,
    lock: Interlock<Hand>,
    clock: Hand,
}

/// An application on the device.
struct App {
    fd: OwnedFd,
}

const APPS: [&str; 2] = ["pump-ui", "alarm"];

impl Bench {
    fn new(apps: &[&str]) -> Self {
        Self::with_user(apps, us())
    }

    fn with_user(apps: &[&str], uid: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let apps = apps.iter().map(|name| (AppId::new(name).unwrap(), uid)).collect();
        let settings = SocketSettings {
            path: folder.path().join("clinical.sock"),
            participants: Required::new(apps).unwrap(),
            operators: BTreeSet::new(),
            same_version: BTreeSet::new(),
        };
        let clock = Hand::default();
        clock.forward(100_000);
        let lock = interlock(&settings, &clock);
        let bench = Self { folder, settings, lock, clock };
        bench.lock.last_said();
        bench
    }

    fn path(&self) -> &Path {
        &self.settings.path
    }

    fn app(&self, name: &str) -> App {
        let app = App::connect(self.path());
        app.say(&hello(name));
        self.lock.last_said();
        assert_eq!(app.heard(), Some(ToApp::Welcome { v: 1, lease_s_max: 15 }));
        app
    }

    /// All applications, connected and idle.
    fn idle(&self, names: &[&str]) -> Vec<App> {
        let apps: Vec<App> = names.iter().map(|name| self.app(name)).collect();
        for app in &apps {
            app.say(&idle(15));
        }
        apps
    }

    async fn ask(&mut self) -> Answer {
        self.lock.ask(None).await
    }

    async fn said(&mut self) -> Heard {
        self.ask().await.interlock()
    }

    /// Asks for the lock while `then` speaks for the applications.
    async fn lock_while(&mut self, mut then: impl FnMut()) -> Result<(), Reason> {
        let mut asked = std::pin::pin!(self.lock.lock(100));
        loop {
            tokio::select! {
                biased;
                done = asked.as_mut() => return done,
                () = tokio::task::yield_now() => then(),
            }
        }
    }

    /// All applications have locked the start of therapy.
    async fn ready(&mut self, apps: &[App]) {
        let done = self.lock_while(|| answer_ready(apps)).await;
        assert_eq!(done, Ok(()));
    }

    /// The agent dies, its socket with it, and another one is started.
    fn restart(&mut self) {
        self.lock = interlock(&self.settings, &self.clock);
        self.clock.forward(1);
        self.lock.last_said();
    }
}

fn interlock(settings: &SocketSettings, clock: &Hand) -> Interlock<Hand> {
    let source = InterlockSource::Asked(vec![Source::Socket(settings.clone())]);
    let clinical = Clinical { interlock: source, ..Config::parse(EXAMPLE).unwrap().clinical };
    Interlock::new(&clinical, Duration::ZERO, clock.clone())
}

impl App {
    fn connect(path: &Path) -> Self {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        connect(&fd, &SocketAddrUnix::new(path).unwrap()).unwrap();
        Self { fd }
    }

    fn say(&self, bytes: &[u8]) {
        // That the agent has hung up is seen by the tests in another way.
        let _sent = send(&self.fd, bytes, SendFlags::NOSIGNAL);
    }

    fn heard(&self) -> Option<ToApp> {
        let mut buffer = [0; 2048];
        match recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((length @ 1.., _)) => Some(ToApp::read(&buffer[..length]).unwrap()),
            Ok(_) | Err(_) => None,
        }
    }

    fn is_shut_out(&self) -> bool {
        let mut buffer = [0; 2048];
        loop {
            match recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((1.., _)) => {}
                Ok((0, _)) | Err(Errno::CONNRESET) => return true,
                Err(_) => return false,
            }
        }
    }
}

fn answer_ready(apps: &[App]) {
    for app in apps {
        if let Some(ToApp::Prepare { n, .. }) = app.heard() {
            app.say(&FromApp::Ready { n }.write());
        }
    }
}

fn hello(name: &str) -> Vec<u8> {
    let version = Version::new("2.4.0").unwrap();
    FromApp::Hello { v: 1, app: AppId::new(name).unwrap(), version }.write()
}

fn idle(lease_s: u32) -> Vec<u8> {
    FromApp::Idle { lease_s: LeaseS::new(lease_s).unwrap() }.write()
}

fn busy() -> Vec<u8> {
    FromApp::Busy { why: Why::new("infusion runs").unwrap() }.write()
}

#[tokio::test]
async fn an_idle_device_locks_and_goes_and_is_released() {
    let mut bench = Bench::new(&APPS);
    let apps = bench.idle(&APPS);
    let answer = bench.ask().await;
    assert_eq!(answer.interlock(), Heard::Free { for_s: 0 });
    let lease = answer.lease().unwrap();
    assert_eq!((lease.until_boot_ms(), lease.lock()), (115_000, Held::Open));
    bench.ready(&apps).await;
    assert_eq!(bench.ask().await.lease().unwrap().lock(), Held::Held);
    assert_eq!(bench.lock.go(), Ok(()));
    let told: Vec<_> = apps.iter().map(App::heard).collect();
    assert!(told.iter().all(|said| matches!(said, Some(ToApp::Go { .. }))), "{told:?}");
    bench.lock.release();
    assert!(apps.iter().all(|app| matches!(app.heard(), Some(ToApp::Release { .. }))));
}

#[tokio::test]
async fn without_every_application_there_is_no_lease() {
    let mut bench = Bench::new(&APPS);
    assert_eq!(bench.said().await, Heard::Silent);
    let _one = bench.idle(&["pump-ui"]);
    assert_eq!(bench.said().await, Heard::Silent);
    assert_eq!(bench.lock_while(|| {}).await, Err(Reason::InterlockSilent));
    assert_eq!(bench.lock.go(), Err(Reason::InterlockSilent));
}

#[tokio::test]
async fn two_applications_that_disagree_are_in_use() {
    let mut bench = Bench::new(&APPS);
    let apps = bench.idle(&APPS);
    apps[1].say(&busy());
    assert_eq!(bench.said().await, Heard::InUse);
    assert_eq!(bench.lock_while(|| {}).await, Err(Reason::InUse));
    assert_eq!(bench.lock.go(), Err(Reason::InUse));
}

#[tokio::test]
async fn garbage_and_oversize_end_the_connection_and_the_lease() {
    let oversize = vec![b' '; 4000];
    let mut almost = idle(15);
    almost.resize(1025, b' ');
    for bytes in [b"garbage".as_slice(), b"\0", b"{}", &[0xff; 100], &oversize, &almost] {
        let mut bench = Bench::new(&["pump-ui"]);
        let apps = bench.idle(&["pump-ui"]);
        assert!(matches!(bench.said().await, Heard::Free { .. }));
        apps[0].say(bytes);
        assert_eq!(bench.said().await, Heard::Silent);
        assert!(apps[0].is_shut_out());
    }
    // The longest message that is allowed.
    let bench = &mut Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    let mut longest = idle(15);
    longest.resize(1024, b' ');
    apps[0].say(&longest);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
}

#[tokio::test]
async fn a_flood_ends_the_connection_and_costs_no_more_than_a_look() {
    let mut bench = Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    let mut sent = 0;
    while sent < 10_000
        && send(&apps[0].fd, &idle(15), SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok()
    {
        sent += 1;
    }
    assert!(sent > 20, "only {sent}");
    assert_eq!(bench.said().await, Heard::Silent);
    assert!(apps[0].is_shut_out());
}

#[tokio::test]
async fn a_flood_of_connections_does_not_shut_out_who_is_there() {
    let mut bench = Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    let mut crowd = Vec::new();
    for _ in 0..10 {
        crowd.extend((0..10).map(|_| App::connect(bench.path())));
        assert!(matches!(bench.said().await, Heard::Free { .. }));
    }
    assert!(crowd.iter().filter(|app| app.is_shut_out()).count() >= 80);
    // Who says nothing is shut out after a while, and there is room again.
    bench.clock.forward(6_000);
    apps[0].say(&idle(15));
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    assert!(crowd.iter().all(App::is_shut_out));
    let _more = bench.app("pump-ui");
}

#[tokio::test]
async fn a_wrong_user_is_shut_out() {
    let mut bench = Bench::with_user(&["pump-ui"], us() + 1);
    let app = App::connect(bench.path());
    app.say(&hello("pump-ui"));
    app.say(&idle(15));
    assert_eq!(bench.said().await, Heard::Silent);
    assert!(app.is_shut_out());
}

#[tokio::test]
async fn a_lease_ends_on_the_boot_clock_even_when_the_queue_is_read_late() {
    let mut bench = Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    bench.clock.forward(14_999);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    bench.clock.forward(1);
    assert_eq!(bench.said().await, Heard::Silent);
    // Said right after the last look, read much later: nobody knows how old it is.
    apps[0].say(&idle(15));
    bench.clock.forward(15_000);
    assert_eq!(bench.said().await, Heard::Silent);
    // After a suspend of the machine the boot clock has gone on.
    apps[0].say(&idle(15));
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    bench.clock.forward(3_600_000);
    assert_eq!(bench.said().await, Heard::Silent);
}

#[tokio::test]
async fn a_word_that_was_said_before_the_connection_was_accepted_is_as_old_as_it_may_be() {
    let mut bench = Bench::new(&["pump-ui"]);
    let app = App::connect(bench.path());
    app.say(&hello("pump-ui"));
    app.say(&idle(15));
    // The agent does something else for a while; the application may have hung since.
    bench.clock.forward(15_000);
    assert_eq!(bench.said().await, Heard::Silent);
    assert_eq!(bench.lock.go(), Err(Reason::InterlockSilent));
    app.say(&idle(15));
    assert!(matches!(bench.said().await, Heard::Free { .. }));
}

#[tokio::test]
async fn the_death_of_an_application_at_any_message_means_not_now() {
    // Before hello; after hello; idle; asked; ready; after go.
    for point in 0..6 {
        let mut bench = Bench::new(&APPS);
        let mut other = bench.idle(&["alarm"]);
        match point {
            0 => drop(App::connect(bench.path())),
            1 => drop(bench.app("pump-ui")),
            2 => drop(bench.idle(&["pump-ui"])),
            _ => {
                other.insert(0, bench.idle(&["pump-ui"]).remove(0));
                assert!(matches!(bench.said().await, Heard::Free { .. }));
            }
        }
        if point == 3 {
            let mut apps = Some(other);
            assert!(apps.is_some());
            let done = bench.lock_while(|| {
                // It dies with the question in its queue.
                apps = None;
            });
            assert_eq!(done.await, Err(Reason::InterlockSilent));
            continue;
        }
        if point >= 4 {
            bench.ready(&other).await;
            if point == 5 {
                assert_eq!(bench.lock.go(), Ok(()));
            }
            drop(other.remove(0));
        }
        assert_eq!(bench.said().await, Heard::Silent, "{point}");
        assert_eq!(bench.lock.go(), Err(Reason::InterlockSilent), "{point}");
    }
}

#[tokio::test]
async fn the_death_of_the_agent_at_any_message_means_not_now() {
    for point in 0..3 {
        let mut bench = Bench::new(&["pump-ui"]);
        let apps = bench.idle(&["pump-ui"]);
        assert!(matches!(bench.said().await, Heard::Free { .. }));
        if point >= 1 {
            bench.ready(&apps).await;
        }
        if point == 2 {
            assert_eq!(bench.lock.go(), Ok(()));
        }
        bench.restart();
        assert!(apps[0].is_shut_out(), "the lock ends with the closed socket");
        assert_eq!(bench.said().await, Heard::Silent);
        assert_eq!(bench.lock.go(), Err(Reason::InterlockSilent));
        let again = bench.idle(&["pump-ui"]);
        assert_eq!(bench.said().await, Heard::Free { for_s: 0 }, "it has to settle anew");
        assert_eq!(bench.lock.go(), Err(Reason::InterlockNotReady), "and to lock anew");
        bench.ready(&again).await;
        assert_eq!(bench.lock.go(), Ok(()));
    }
}

#[tokio::test]
async fn an_application_that_answers_nothing_is_not_waited_for_for_ever() {
    let mut bench = Bench::new(&APPS);
    let apps = bench.idle(&APPS);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
    let clock = bench.clock.clone();
    let done = bench.lock_while(|| {
        answer_ready(&apps[..1]);
        if clock.boot_ms() < 110_000 {
            clock.forward(100);
        }
    });
    assert_eq!(done.await, Err(Reason::InterlockNotReady));
    assert_eq!(bench.clock.boot_ms(), 110_000);
    assert!(matches!(apps[0].heard(), Some(ToApp::Release { .. })), "who had locked is told");
}

#[tokio::test]
async fn refuse_and_busy_end_the_question_at_once() {
    for refuse in [true, false] {
        let mut bench = Bench::new(&APPS);
        let apps = bench.idle(&APPS);
        assert!(matches!(bench.said().await, Heard::Free { .. }));
        let done = bench.lock_while(|| {
            answer_ready(&apps[..1]);
            if let Some(ToApp::Prepare { n, .. }) = apps[1].heard() {
                let why = Why::new("bolus").unwrap();
                apps[1].say(&if refuse { FromApp::Refuse { n, why }.write() } else { busy() });
            }
        });
        assert_eq!(done.await, Err(Reason::InUse));
        assert!(matches!(apps[0].heard(), Some(ToApp::Release { .. })));
        assert_eq!(bench.said().await, Heard::InUse);
    }
}

#[tokio::test]
async fn busy_between_ready_and_go_stops_the_write() {
    for last in [busy(), b"nonsense".to_vec()] {
        let mut bench = Bench::new(&APPS);
        let apps = bench.idle(&APPS);
        assert!(matches!(bench.said().await, Heard::Free { .. }));
        bench.ready(&apps).await;
        assert_eq!(bench.ask().await.lease().unwrap().lock(), Held::Held);
        // After the gate's last look, before the write.
        apps[1].say(&last);
        assert!(bench.lock.go().is_err());
        assert!(!matches!(apps[0].heard(), Some(ToApp::Go { .. })));
    }
    let mut bench = Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    bench.said().await;
    bench.ready(&apps).await;
    bench.clock.forward(15_000);
    assert_eq!(bench.lock.go(), Err(Reason::InterlockSilent), "the lease ran out in between");
}

#[tokio::test]
async fn a_stranger_at_the_path_is_never_removed_and_a_dead_socket_of_ours_is() {
    let bench = Bench::new(&["pump-ui"]);
    let taken = Socket::open(&bench.settings);
    assert!(matches!(taken, Err(OpenSocket::Taken(_))), "another agent listens");
    let mode = std::fs::symlink_metadata(bench.path()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o660);
    let Bench { folder, settings, lock, .. } = bench;
    drop(lock);
    assert!(!settings.path.exists(), "it goes with the agent");
    // An agent that was killed leaves its socket behind.
    let flags = SocketFlags::CLOEXEC;
    let dead = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&dead, &SocketAddrUnix::new(&settings.path).unwrap()).unwrap();
    drop(dead);
    drop(Socket::open(&settings).unwrap());
    // Not a socket.
    std::fs::File::create(&settings.path).unwrap();
    assert!(matches!(Socket::open(&settings), Err(OpenSocket::NotOurs(_))));
    assert!(settings.path.exists());
    std::fs::remove_file(&settings.path).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &settings.path).unwrap();
    assert!(matches!(Socket::open(&settings), Err(OpenSocket::NotOurs(_))));
    std::fs::remove_file(&settings.path).unwrap();
    // A folder that others may write is no place for it.
    let mode = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(folder.path(), mode).unwrap();
    assert!(matches!(Socket::open(&settings), Err(OpenSocket::OpenFolder(_))));
}

#[tokio::test]
async fn a_socket_that_cannot_be_opened_is_in_use_until_it_can() {
    let mut bench = Bench::new(&["pump-ui"]);
    let path = bench.settings.path.clone();
    drop(interlock(&bench.settings, &bench.clock));
    bench.lock = Interlock::new(
        &Config::parse(EXAMPLE).unwrap().clinical,
        Duration::ZERO,
        bench.clock.clone(),
    );
    std::fs::File::create(&path).unwrap();
    bench.restart();
    let answer = bench.ask().await;
    assert_eq!(answer.interlock(), Heard::Silent);
    assert!(answer.detail().contains("not a socket"), "{}", answer.detail());
    std::fs::remove_file(&path).unwrap();
    bench.clock.forward(5_000);
    bench.lock.last_said();
    let _apps = bench.idle(&["pump-ui"]);
    assert!(matches!(bench.said().await, Heard::Free { .. }));
}

#[tokio::test]
async fn a_deferral_comes_through_the_socket() {
    let mut bench = Bench::new(&["pump-ui"]);
    let apps = bench.idle(&["pump-ui"]);
    apps[0].say(br#"{"type":"DEFER","minutes":30,"by":"tanaka"}"#);
    let deferred = bench.lock.take_deferred();
    let [(minutes, by)] = deferred.as_slice() else { panic!("{deferred:?}") };
    assert_eq!((minutes.get(), by.as_str()), (30, "tanaka"));
    assert_eq!(bench.lock.take_deferred(), []);
}
