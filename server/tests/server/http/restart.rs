//! The real program, killed and started again: what it acknowledged is there, once.

use crate::http::device::Device;
use crate::http::house::Door;
use patchward_protocol::api::device::CheckInReply;
use patchward_protocol::api::repository::RepositoryView;
use patchward_protocol::api::site::{DeviceView, LedgerPage};
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::Directive;
use patchward_protocol::ledger::Kind;
use patchward_server::clock::{Clock as _, SystemClock};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_patchward-server"))
}

fn init(data: &Path) -> String {
    let output = program().args(["init", "--data"]).arg(data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("claim token: "));
    line.unwrap().to_owned()
}

fn start(data: &Path) -> (Program, SocketAddr) {
    let mut child = program()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    (Program(child), address)
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let claim = init(&data);
    let (program, address) = start(&data);
    let mut door = Door::claim(address, &claim, SystemClock.now().whole_second());
    door.furnish();
    let mut device = Device::joined(&door, "north", "pump-1", 1);
    (0..6).for_each(|_| drop(device.write(Kind::Held)));
    let mut program = Some(program);
    for upto in 1..=6 {
        let answer = device.report(&door, &device.entries[..upto]);
        assert_eq!(device.receipt(&door, &answer).upto_seq, upto as u64);
        // Killed right after the acknowledgement, which the device may not have received.
        drop(program.take());
        let (again, address) = start(&data);
        program = Some(again);
        door.address = address;
        let answer = device.report(&door, &device.entries[..upto]);
        assert_eq!(device.receipt(&door, &answer).upto_seq, upto as u64);
    }
    let token = door.site_token("north");
    let page: LedgerPage = door.get("/v1/sites/north/devices/pump-1/ledger/0", &token).read();
    assert_eq!(page.entries.len(), 6);
    let devices: Vec<DeviceView> = door.get("/v1/sites/north/devices", &token).read();
    assert!(!devices[0].forked);
}

#[test]
fn an_orderly_end_keeps_last_seen_and_the_numbers_of_polls() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let claim = init(&data);
    let (mut program, address) = start(&data);
    let mut door = Door::claim(address, &claim, SystemClock.now().whole_second());
    door.furnish();
    let device = Device::joined(&door, "north", "pump-1", 1);
    device.check_in(&door, 5, 9);
    let id = i32::try_from(program.0.id()).unwrap();
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert!(program.0.wait().unwrap().success());
    let (_program, address) = start(&data);
    door.address = address;
    let devices: Vec<DeviceView> =
        door.get("/v1/sites/north/devices", &door.site_token("north")).read();
    assert!(devices[0].last_seen.is_some());
    assert_eq!(devices[0].state.as_deref(), Some("idle"));
    assert_eq!(device.ask(&door, 5, 9).code(), "poll_replayed");
    assert_eq!(device.ask(&door, 5, 10).code(), "ok");
}

#[test]
fn an_orderly_end_answers_the_polls_that_stand() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let claim = init(&data);
    let (mut program, address) = start(&data);
    let door = Door::claim(address, &claim, SystemClock.now().whole_second());
    door.furnish();
    let device = Device::joined(&door, "north", "pump-1", 1);
    let token = door.site_token("north");
    let view: RepositoryView = door.get("/v1/repositories/site/north", &door.administrator).read();
    let mut poll = device.poll(1, 1);
    poll.site_timestamp = view.heads.iter().find(|head| head.role == "timestamp").unwrap().version;
    poll.wait_s = Some(60);
    let nothing = canonical::write(&Directive::default()).unwrap();
    poll.directive_sha256 = Some(Sha256Digest::of(&nothing));
    let sealed = device.sealed(&poll);
    let answer = std::thread::scope(|scope| {
        let stands = scope.spawn(|| door.say("/v1/check-in", &sealed));
        // Once it was seen it listens for the end.
        while door.get("/v1/sites/north/devices", &token).read::<Vec<DeviceView>>()[0]
            .last_seen
            .is_none()
        {}
        let id = i32::try_from(program.0.id()).unwrap();
        let id = rustix::process::Pid::from_raw(id).unwrap();
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        stands.join().unwrap()
    });
    let reply: CheckInReply = answer.read();
    assert_eq!(reply.directive, Directive::default());
    assert!(program.0.wait().unwrap().success());
}
