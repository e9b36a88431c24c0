//! The attacker on the line: a proxy in front of the real server that changes what it likes.
//!
//! Without a script everything passes unchanged. A script sees each request and may answer in the
//! server's place, ask the server and change its answer, send without end, byte by byte, or cut.
//! Not here: what is forged ([`crate::forge`]).
//! Invariant: the proxy holds no keys; what it signs came from a test that says whose keys were stolen.

use crate::clock::pause;
use crate::wire::{Reply, Request};
use anyhow::{Context as _, Result};
use std::{
    io::Write as _,
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Bytes in a piece of an answer.
const PIECE_BYTES: usize = 64 * 1024;

/// What the attacker answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This.
    Reply(Reply),
    /// The head of this, then its body only up to a byte, then the connection is cut.
    CutAt(Reply, usize),
    /// The head of this, then its body one byte at a time with a pause between.
    Drip(Reply, Duration),
    /// A head that claims very much, then bytes without end.
    Endless,
    /// A header of many megabytes.
    HugeHeader,
    /// The connection is closed without a word.
    Nothing,
}

/// What was sent of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Path of the request.
    pub path: String,
    /// Where in the file it began, in bytes.
    pub start: u64,
    /// How much, in bytes.
    pub bytes: u64,
}

/// The server behind the proxy.
#[derive(Debug, Clone)]
pub struct Upstream(String);

impl Upstream {
    /// Asks the real server.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn ask(&self, request: &Request) -> Result<Reply> {
        request.ask(&self.0)
    }
}

/// What a script is: none means "pass it on unchanged".
pub type Script = dyn Fn(&Request, &Upstream) -> Result<Option<Answer>> + Send + Sync;

#[derive(Default)]
struct Shared {
    script: Mutex<Option<Arc<Script>>>,
    asked: Mutex<Vec<Request>>,
    sent: Mutex<Vec<Sent>>,
    pace: Mutex<Duration>,
    over: AtomicBool,
}

/// A running proxy.
pub struct Hostile {
    address: String,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Hostile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hostile({})", self.address)
    }
}

impl Hostile {
    /// Starts a proxy in front of `upstream` (`127.0.0.1:PORT`).
    ///
    /// # Errors
    /// When no port is free.
    pub fn in_front_of(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("listen on a free port")?;
        let address = listener.local_addr().context("learn the port")?.to_string();
        let shared = Arc::new(Shared::default());
        let (inner, upstream) = (Arc::clone(&shared), Upstream(upstream.to_owned()));
        let listening = std::thread::spawn(move || listen(&listener, &inner, &upstream));
        Ok(Self { address, shared, listening: Some(listening) })
    }

    /// Where devices reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, this is done to each request.
    pub fn play(
        &self,
        script: impl Fn(&Request, &Upstream) -> Result<Option<Answer>> + Send + Sync + 'static,
    ) {
        *held(&self.shared.script) = Some(Arc::new(script));
    }

    /// The attack ends: everything passes unchanged.
    pub fn rest(&self) {
        *held(&self.shared.script) = None;
    }

    /// What was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Request> {
        held(&self.shared.asked).clone()
    }

    /// The line is slow from now on: it pauses so long after every 64 KiB of a body.
    pub fn pace(&self, pause: Duration) {
        *held(&self.shared.pace) = pause;
    }

    /// What was sent of bodies so far, in the order of the answers; what is on its way counts.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        held(&self.shared.sent).clone()
    }

    /// How many bytes of bodies were sent for paths with `part` in them.
    #[must_use]
    pub fn sent_for(&self, part: &str) -> u64 {
        let sent = held(&self.shared.sent);
        sent.iter().filter(|sent| sent.path.contains(part)).map(|sent| sent.bytes).sum()
    }

    /// How many requests had a path with `part` in it.
    #[must_use]
    pub fn asked_for(&self, part: &str) -> usize {
        held(&self.shared.asked).iter().filter(|request| request.path.contains(part)).count()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the listening thread, which then sees that it is over.
        let _ = TcpStream::connect(&self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>, upstream: &Upstream) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (shared, upstream) = (Arc::clone(shared), upstream.clone());
        std::thread::spawn(move || {
            // The other side sees a closed connection; a test asserts on what the device did.
            let _ = serve(stream, &shared, &upstream);
        });
    }
}

fn serve(mut stream: TcpStream, shared: &Shared, upstream: &Upstream) -> Result<()> {
    let Some(request) = Request::read(&mut stream)? else { return Ok(()) };
    held(&shared.asked).push(request.clone());
    let script = held(&shared.script).clone();
    let scripted = match script {
        Some(script) => script(&request, upstream)?,
        None => None,
    };
    let answer = match scripted {
        Some(answer) => answer,
        None => Answer::Reply(upstream.ask(&request)?),
    };
    send(&mut stream, &answer, &request, shared)
}

fn send(stream: &mut TcpStream, answer: &Answer, request: &Request, shared: &Shared) -> Result<()> {
    match answer {
        Answer::Reply(reply) => {
            let claimed = claimed_length(reply, request);
            stream.write_all(reply.head(claimed).as_bytes()).context("send the head")?;
            body(stream, (reply, &reply.body), request, shared)
        }
        Answer::CutAt(reply, at) => {
            stream.write_all(reply.head(reply.body.len()).as_bytes()).context("send the head")?;
            let part = reply.body.get(..*at).unwrap_or(&reply.body);
            body(stream, (reply, part), request, shared)
        }
        Answer::Drip(reply, every) => {
            stream.write_all(reply.head(reply.body.len()).as_bytes()).context("send the head")?;
            for byte in &reply.body {
                if shared.over.load(Ordering::SeqCst) {
                    break;
                }
                stream.write_all(std::slice::from_ref(byte)).context("send a byte")?;
                pause(*every);
            }
            Ok(())
        }
        Answer::Endless => {
            let reply = Reply::new(200, Vec::new());
            stream.write_all(reply.head(1 << 50).as_bytes()).context("send the head")?;
            let piece = vec![b' '; PIECE_BYTES];
            while !shared.over.load(Ordering::SeqCst) {
                stream.write_all(&piece).context("send on and on")?;
            }
            Ok(())
        }
        Answer::HugeHeader => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-much: ").context("begin the header")?;
            let piece = vec![b'a'; PIECE_BYTES];
            for _ in 0..1024 {
                stream.write_all(&piece).context("send more header")?;
            }
            Ok(())
        }
        Answer::Nothing => Ok(()),
    }
}

/// Sends a body, or its beginning, piece by piece, counting what has gone.
fn body(
    stream: &mut TcpStream,
    (reply, body): (&Reply, &[u8]),
    request: &Request,
    shared: &Shared,
) -> Result<()> {
    let start = reply.first_byte();
    let place = {
        let mut sent = held(&shared.sent);
        sent.push(Sent { path: request.path.clone(), start, bytes: 0 });
        sent.len().saturating_sub(1)
    };
    let pace = *held(&shared.pace);
    for piece in body.chunks(PIECE_BYTES) {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        stream.write_all(piece).context("send the body")?;
        if let Some(sent) = held(&shared.sent).get_mut(place) {
            let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            sent.bytes = sent.bytes.saturating_add(length);
        }
        if !pace.is_zero() {
            pause(pace);
        }
    }
    Ok(())
}

/// A reply to HEAD has no body but keeps the length that the server claimed.
fn claimed_length(reply: &Reply, request: &Request) -> usize {
    let own = reply.headers.iter().find(|(name, _)| name == "content-length");
    let own = own.and_then(|(_, value)| value.parse().ok());
    if request.method == "HEAD" { own.unwrap_or(0) } else { reply.body.len() }
}
