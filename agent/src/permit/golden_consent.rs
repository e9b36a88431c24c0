//! Golden cases of other update systems: what they force, or let run on, and what waits here.
//!
//! docs/GOLDEN_CASES.md names them.

use super::{Interlock, Lock, NoPermit, Permit, Proofs};
use crate::child::Argv;
use crate::config::{Clinical, Config, EXAMPLE, IdleFile, InterlockSource, SocketSettings, Source};
use crate::edge::Clock as _;
use crate::local::Present;
use crate::samples::{self, Hand};
use patchward_protocol::clinical::participants::Required;
use patchward_protocol::clinical::{AppId, FromApp, LeaseS, ToApp, Why};
use patchward_protocol::decision::Interlock as Heard;
use patchward_protocol::id::{PersonId, Version};
use patchward_protocol::ledger::SigningMethod;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv,
    send, socket_with,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// zincati forces the restart after so many postponements.
const ZINCATI_POSTPONES: u64 = 10;
/// snapd overrides a refusal after so many days.
const SNAPD_DAYS: u64 = 14;

fn probe(script: &str) -> Source {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    Source::Probe(Argv::new(argv).unwrap())
}

fn idle_file(folder: &Path) -> Source {
    Source::IdleFile(IdleFile { path: folder.join("idle"), fresh: Duration::from_secs(10) })
}

fn socket(folder: &Path) -> Source {
    let app = AppId::new("pump-ui").unwrap();
    let apps = BTreeMap::from([(app, rustix::process::geteuid().as_raw())]);
    Source::Socket(SocketSettings {
        path: folder.join("clinical.sock"),
        participants: Required::new(apps).unwrap(),
        operators: BTreeSet::new(),
        same_version: BTreeSet::new(),
    })
}

fn interlock(sources: Vec<Source>, clock: &Hand) -> Interlock<Hand> {
    let interlock = InterlockSource::Asked(sources);
    let clinical = Clinical { interlock, ..Config::parse(EXAMPLE).unwrap().clinical };
    Interlock::new(&clinical, Duration::ZERO, clock.clone())
}

/// Asks the gate's question, at a moment that nothing else stands against.
async fn permit(
    lock: &mut Interlock<Hand>,
    clock: &Hand,
    present: Option<&Present>,
) -> Result<Permit, NoPermit> {
    let answer = lock.ask(present).await;
    let image = samples::image(Kind::Tree, 7, b"image", 5);
    let (approval, approval_sha256) = samples::approval(&image);
    let proofs = Proofs {
        own: &samples::own(Kind::Tree),
        approval: &approval,
        approval_sha256,
        signers: &samples::signers(),
        weakest_allowed: SigningMethod::Offline,
        image: &image,
        installed: None,
    };
    Permit::issue(&proofs, &samples::moment(approval_sha256), &answer, clock.boot_ms())
}

async fn waits_for(lock: &mut Interlock<Hand>, clock: &Hand) -> Option<Reason> {
    match permit(lock, clock, None).await {
        Err(NoPermit::NotNow(reasons)) => reasons.first().copied(),
        Err(NoPermit::Never(_) | NoPermit::Installed) | Ok(_) => None,
    }
}

fn touch(folder: &Path, seconds: i64) {
    let path = folder.join("idle");
    let file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    let at = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: at, last_modification: at };
    rustix::fs::futimens(&file, &times).unwrap();
}

fn application(folder: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    connect(&fd, &SocketAddrUnix::new(folder.join("clinical.sock")).unwrap()).unwrap();
    let (app, version) = (AppId::new("pump-ui").unwrap(), Version::new("2.4.0").unwrap());
    say(&fd, &FromApp::Hello { v: 1, app, version });
    fd
}

fn say(fd: &OwnedFd, message: &FromApp) {
    send(fd, &message.write(), SendFlags::NOSIGNAL).unwrap();
}

fn idle() -> FromApp {
    FromApp::Idle { lease_s: LeaseS::new(15).unwrap() }
}

fn busy() -> FromApp {
    FromApp::Busy { why: Why::new("infusion runs").unwrap() }
}

/// zincati proceeds when its check of sessions fails.
#[tokio::test]
async fn zincati_a_check_that_fails_is_in_use_however_it_fails() {
    for script in ["exit 2", "exit 127", "kill -9 $$", "exec /nonexistent/who"] {
        let clock = Hand::default();
        let mut lock = interlock(vec![probe(script)], &clock);
        assert_eq!(waits_for(&mut lock, &clock).await, Some(Reason::InterlockSilent), "{script}");
    }
}

/// zincati forces the restart after ten postponements.
#[tokio::test]
async fn zincati_the_eleventh_postponement_is_as_good_as_the_first() {
    let clock = Hand::default();
    let mut lock = interlock(vec![probe("exit 1")], &clock);
    for _postponed in 0..=ZINCATI_POSTPONES * 2 {
        assert_eq!(waits_for(&mut lock, &clock).await, Some(Reason::InUse));
        clock.forward(DAY_MS);
    }
}

/// snapd overrides a refusal after fourteen days.
#[tokio::test]
async fn snapd_a_year_of_refusals_is_not_overridden() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let mut lock = interlock(vec![socket(folder.path())], &clock);
    lock.last_said();
    let app = application(folder.path());
    for day in 0..365 {
        let word = if day % 2 == 0 {
            busy()
        } else {
            FromApp::Refuse { n: day, why: Why::new("theatre").unwrap() }
        };
        say(&app, &word);
        assert_eq!(lock.ask(None).await.interlock(), Heard::InUse, "day {day}");
        if day % SNAPD_DAYS == 1 {
            assert_eq!(waits_for(&mut lock, &clock).await, Some(Reason::InUse), "day {day}");
        }
        assert!(lock.go().is_err());
        clock.forward(DAY_MS);
    }
}

/// RAUC's inhibit files do not stop an installation that has begun.
#[tokio::test]
async fn rauc_what_is_in_use_after_the_last_question_still_stops_the_write() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let mut lock = interlock(vec![idle_file(folder.path())], &clock);
    for stamp in 1..=20 {
        clock.forward(4000);
        touch(folder.path(), stamp);
        lock.last_said();
    }
    let given = permit(&mut lock, &clock, None).await;
    assert_eq!(given.unwrap().lock(), Lock::NotNeeded);
    std::fs::remove_file(folder.path().join("idle")).unwrap();
    assert_eq!(lock.go(), Err(Reason::InterlockSilent));
}

#[tokio::test]
async fn every_source_must_say_free_and_one_that_does_not_is_enough_to_wait() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let marker = folder.path().join("busy");
    let script = format!("test ! -e {}", marker.display());
    let sources =
        vec![probe(&script), socket(folder.path()), idle_file(folder.path()), Source::Manual];
    let mut lock = interlock(sources, &clock);
    let person = PersonId::new("tanaka").unwrap();
    let present = Present { by: person, since_boot_ms: 0, until_boot_ms: 1_800_000 };
    touch(folder.path(), 1);
    lock.last_said();
    let app = application(folder.path());
    touch(folder.path(), 2);
    clock.forward(1000);
    say(&app, &idle());
    let answer = lock.ask(Some(&present)).await;
    // The shortest of all: the idle file counts from the look before, which was at 0.
    assert_eq!(answer.interlock(), Heard::Free { for_s: 0 });
    assert_eq!(answer.lease().unwrap().until_boot_ms(), 10_000);
    // Each of them in turn.
    assert_eq!(lock.ask(None).await.interlock(), Heard::NobodyHere);
    std::fs::File::create(&marker).unwrap();
    assert_eq!(lock.ask(Some(&present)).await.interlock(), Heard::InUse);
    std::fs::remove_file(&marker).unwrap();
    say(&app, &busy());
    assert_eq!(lock.ask(Some(&present)).await.interlock(), Heard::InUse);
    say(&app, &idle());
    assert!(lock.ask(Some(&present)).await.lease().is_some());
    std::fs::remove_file(folder.path().join("idle")).unwrap();
    assert_eq!(lock.ask(Some(&present)).await.interlock(), Heard::Silent);
}

#[tokio::test]
async fn a_permit_without_the_lock_of_the_socket_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    clock.forward(1000);
    let mut lock = interlock(vec![socket(folder.path())], &clock);
    lock.last_said();
    let app = application(folder.path());
    say(&app, &idle());
    // The settle time of the approval passes.
    for _ in 0..14 {
        lock.last_said();
        clock.forward(5_000);
        say(&app, &idle());
        lock.last_said();
    }
    let unlocked = permit(&mut lock, &clock, None).await.unwrap();
    assert_eq!(unlocked.use_up(clock.boot_ms()), Err(Reason::InterlockNotReady));
    let answered = async {
        let mut buffer = [0; 1024];
        loop {
            tokio::task::yield_now().await;
            if let Ok((length @ 1.., _)) = recv(&app, &mut buffer[..], RecvFlags::DONTWAIT)
                && let Ok(ToApp::Prepare { n, .. }) = ToApp::read(&buffer[..length])
            {
                say(&app, &FromApp::Ready { n });
            }
        }
    };
    tokio::select! {
        done = lock.lock(100) => assert_eq!(done, Ok(())),
        () = answered => {}
    }
    let locked = permit(&mut lock, &clock, None).await.unwrap();
    assert_eq!(locked.lock(), Lock::Held);
    assert_eq!(lock.go(), Ok(()));
    assert!(locked.use_up(clock.boot_ms()).is_ok());
}

#[tokio::test]
async fn a_person_who_is_gone_is_nobody() {
    let clock = Hand::default();
    clock.forward(60_000);
    let mut lock = interlock(vec![Source::Manual], &clock);
    let by = PersonId::new("tanaka").unwrap();
    let present = Present { by, since_boot_ms: 0, until_boot_ms: 70_000 };
    let given = permit(&mut lock, &clock, Some(&present)).await.unwrap();
    assert_eq!(given.use_up(69_999).unwrap().firmware.seq.0, 7);
    assert_eq!(waits_for(&mut lock, &clock).await, Some(Reason::NeedsPerson));
    clock.forward(10_000);
    let gone = permit(&mut lock, &clock, Some(&present)).await;
    assert_eq!(gone.unwrap_err(), NoPermit::NotNow(vec![Reason::NeedsPerson]));
}
