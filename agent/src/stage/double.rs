//! A server of files for the tests of fetching: it misbehaves in every way it can, by a script, and
//! counts what it sends.

use crate::link::body::Speed;
use crate::link::http::{Client, Config, PlainHttp};
use crate::link::tls::ServerTrust;
use crate::storage;
use patchward_protocol::time::Timestamp;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Bytes sent at once; between two pieces the client works.
const PIECE_BYTES: usize = 24 * 1024;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Serves what is asked for, honestly.
    Serve,
    /// Serves it and cuts the connection after so many bytes of the body.
    Cut(usize),
    /// Sends the whole of another file, though a range is asked for.
    Whole(Vec<u8>),
    /// Sends the whole file, though a range is asked for.
    NoRanges,
    /// Says that a range of another place follows.
    Elsewhere,
    /// A head, as it stands, and nothing else.
    Head(&'static str),
    /// Closes without a word.
    Hang,
}

/// A server on this machine.
pub(crate) struct Server {
    port: u16,
    state: Rc<State>,
}

struct State {
    files: BTreeMap<String, Vec<u8>>,
    script: RefCell<std::vec::IntoIter<Act>>,
    asked: RefCell<Vec<String>>,
    sent: Cell<u64>,
    watch: RefCell<Option<Box<dyn FnMut()>>>,
}

/// Serves these files by this script; when the script is over, honestly. It runs on the local set.
pub(crate) async fn serve(files: &[(&str, &[u8])], script: Vec<Act>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
    let state = Rc::new(State {
        files: files.collect(),
        script: RefCell::new(script.into_iter()),
        asked: RefCell::default(),
        sent: Cell::new(0),
        watch: RefCell::default(),
    });
    let serving = Rc::clone(&state);
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serving.one(stream).await;
        }
    });
    Server { port, state }
}

impl Server {
    /// A client of it.
    pub(crate) fn client(&self) -> Client {
        Client::new(Config {
            base: format!("http://127.0.0.1:{}", self.port).parse().unwrap(),
            trust: ServerTrust {
                authorities_pem: None,
                spki_sha256: None,
                not_before: Timestamp::EPOCH,
            },
            plain_http: PlainHttp::LoopbackOnly,
            speed: Speed::default(),
        })
        .unwrap()
    }

    /// The heads of all requests so far, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.borrow().clone()
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.state.sent.get()
    }

    /// Called between two pieces of a body.
    pub(crate) fn watch(&self, look: impl FnMut() + 'static) {
        *self.state.watch.borrow_mut() = Some(Box::new(look));
    }
}

impl State {
    async fn one(&self, mut stream: TcpStream) {
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                break;
            }
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        let request = request.to_lowercase();
        let act = self.script.borrow_mut().next().unwrap_or(Act::Serve);
        self.asked.borrow_mut().push(request.clone());
        let (head, body) = self.answer(&path, &request, act);
        // The client may have gone: that is its right.
        if stream.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        for piece in body.chunks(PIECE_BYTES) {
            if stream.write_all(piece).await.is_err() {
                return;
            }
            self.sent.set(self.sent.get() + storage::length(piece));
            tokio::task::yield_now().await;
            if let Some(look) = self.watch.borrow_mut().as_mut() {
                look();
            }
        }
    }

    fn answer(&self, path: &str, request: &str, act: Act) -> (String, Vec<u8>) {
        let Some(file) = self.files.get(path) else {
            return (head("404 Not Found", 0, ""), Vec::new());
        };
        let range = range(request, file.len());
        let part = |range: Range<usize>| {
            let Range { start, end } = range;
            let line = format!("content-range: bytes {start}-{}/{}\r\n", end - 1, file.len());
            (head("206 Partial", end - start, &line), file[start..end].to_vec())
        };
        let whole = |file: &[u8]| (head("200 OK", file.len(), ""), file.to_vec());
        let honest = || range.clone().map_or_else(|| whole(file), part);
        match act {
            Act::Serve => honest(),
            Act::Cut(after) => {
                let (head, mut body) = honest();
                body.truncate(after);
                (head, body)
            }
            Act::Whole(other) => whole(&other),
            Act::NoRanges => whole(file),
            Act::Elsewhere => {
                let Range { start, end } = range.unwrap_or(0..file.len());
                let line = format!("content-range: bytes {}-{end}/{}\r\n", start + 1, file.len());
                (head("206 Partial", end - start, &line), file[start..end].to_vec())
            }
            Act::Head(text) => (head(text, 0, ""), Vec::new()),
            Act::Hang => (String::new(), Vec::new()),
        }
    }
}

fn head(status: &str, length: usize, line: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{line}\r\n")
}

fn range(request: &str, length: usize) -> Option<Range<usize>> {
    let (_, rest) = request.split_once("range: bytes=")?;
    let (from, rest) = rest.split_once('-')?;
    let (from, last) = (from.parse().ok()?, rest.lines().next()?.trim().parse::<usize>());
    Some(from..last.map_or(length, |last| last + 1).min(length))
}

/// Runs a test with servers on one thread.
pub(crate) fn local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}
