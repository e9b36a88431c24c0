//! The program itself: made, started, asked, ended.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_patchward-server"));
    command.stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn initialised() -> (tempfile::TempDir, String) {
    let outer = tempfile::tempdir().unwrap();
    let data = path(&outer.path().join("data")).to_owned();
    let made = run(&["init", "--data", &data]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(
        text(&made.stdout).lines().filter(|line| line.starts_with("claim token: pw_")).count(),
        1
    );
    (outer, data)
}

struct Served(Child, String);

impl Served {
    fn start(data: &str) -> Self {
        let mut command = program();
        command.args(["serve", "--data", data, "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self(child, address)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, signal).unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_new_server_is_ready_and_ends_well_on_either_signal() {
    let (_outer, data) = initialised();
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let mut served = Served::start(&data);
        assert!(served.get("/health/live").starts_with("HTTP/1.1 200"));
        assert!(served.get("/health/ready").contains("\"ready\":true"));
        served.signal(signal);
        assert!(served.0.wait().unwrap().success());
    }
}

/// Sends a request on a connection of its own; the body may come later.
fn begin(address: &str, head: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{head} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn finish(mut stream: TcpStream, rest: &str) -> String {
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn requests_under_way_are_finished_when_the_server_ends() {
    let outer = tempfile::tempdir().unwrap();
    let data = path(&outer.path().join("data")).to_owned();
    let made = text(&run(&["init", "--data", &data]).stdout);
    let claim = made.lines().find_map(|line| line.strip_prefix("claim token: ")).unwrap();
    let mut served = Served::start(&data);
    let close = "connection: close\r\n";
    let answer = finish(begin(&served.1, "POST /v1/claim", claim), &format!("{close}\r\n"));
    let token = answer.split('"').find(|word| word.starts_with("pw_")).unwrap().to_owned();
    let body = r#"{"title_en":"a","title_ja":"a","reading":"public"}"#;
    let open = begin(&served.1, "POST /v1/repositories/family/acme.pump", &token);
    let rest = format!("{close}content-length: {}\r\n\r\n{body}", body.len());
    assert!(finish(open, &rest).starts_with("HTTP/1.1 200"));
    let digest = patchward_protocol::digest::Sha256Digest::of(b"0123456789");
    let upload = format!("PUT /v1/repositories/family/acme.pump/blobs/{digest}");
    let mut upload = begin(&served.1, &upload, &token);
    upload.write_all(b"content-length: 10\r\nexpect: 100-continue\r\n\r\n").unwrap();
    // The server has begun with this request when it asks for the body.
    let mut asked = [0; 25];
    upload.read_exact(&mut asked).unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    upload.write_all(b"01234").unwrap();
    served.signal(rustix::process::Signal::TERM);
    wait_until_refused(&served.1);
    let answer = finish(upload, "56789");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(served.0.wait().unwrap().success());
}

/// The server takes no more connections: it has begun to end.
fn wait_until_refused(address: &str) {
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn init_never_touches_a_folder_that_holds_something() {
    let (_outer, data) = initialised();
    let again = run(&["init", "--data", &data]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("is not empty"));
}

#[test]
fn a_server_without_init_or_with_a_wrong_configuration_says_what_to_do() {
    let outer = tempfile::tempdir().unwrap();
    let missing = path(&outer.path().join("none")).to_owned();
    let told = text(&run(&["serve", "--data", &missing]).stderr);
    assert!(told.contains("patchward-server init"), "{told}");
    let config = outer.path().join("server.toml");
    std::fs::write(&config, "listen = \"127.0.0.1:0\"\npol_s = 3\n").unwrap();
    let refused = run(&["check-config", "--data", &missing, "--config", path(&config)]);
    let told = text(&refused.stderr);
    assert!(!refused.status.success());
    assert!(told.contains("line 2") && told.contains("pol_s"), "{told}");
    std::fs::write(&config, "listen = \"0.0.0.0:0\"\n").unwrap();
    let told = text(&run(&["check-config", "--data", &missing, "--config", path(&config)]).stderr);
    assert!(told.contains("insecure_plain_http"), "{told}");
}

#[test]
fn an_address_in_use_is_told() {
    let (_outer, data) = initialised();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let told = text(&run(&["serve", "--data", &data, "--listen", &address]).stderr);
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[test]
fn the_counters_of_waves_are_compared_from_the_command_line() {
    let (_outer, data) = initialised();
    let compared = run(&["recount", "--data", &data]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    assert_eq!(text(&compared.stdout), "every counter is what devices signed\n");
}

#[test]
fn people_are_seen_to_at_the_command_line_while_the_server_runs() {
    let (_outer, data) = initialised();
    let _served = Served::start(&data);
    let people = |words: &[&str]| run(&[&["people"], words, &["--data", &data]].concat());
    let role = ["--role", "site:city:ward", "--name", "田中 由紀", "--title", "看護師"];
    let invited = people(&[["invite"].as_slice(), &role].concat());
    assert!(text(&invited.stdout).contains("/console/claim/"), "{}", text(&invited.stderr));
    let demo = people(&[["insecure-demo", "--login", "nurse"].as_slice(), &role].concat());
    assert!(demo.status.success(), "{}", text(&demo.stderr));
    let listed = || text(&people(&["list"]).stdout);
    assert!(
        listed().starts_with("nurse\tenabled\t田中 由紀 (看護師)\tsite:city:ward"),
        "{}",
        listed()
    );
    let link = people(&["reset-password", "nurse"]);
    assert!(text(&link.stdout).contains("/console/claim/"), "{}", text(&link.stderr));
    assert!(people(&["reset-second-factor", "nurse"]).status.success());
    assert!(listed().contains("no second factor yet"));
    assert!(people(&["disable", "nurse"]).status.success());
    assert!(listed().contains("disabled"));
    assert!(people(&["enable", "nurse"]).status.success());
    let nobody = people(&["disable", "nobody"]);
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("not_found"));
    let wrong = people(&["invite", "--role", "site:city:king", "--name", "x", "--title", "x"]);
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("is no role"));
}
