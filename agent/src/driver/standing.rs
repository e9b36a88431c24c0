//! The poll that stands while an update waits: the server answers it as soon as it has news, so that
//! a stop arrives in a second and not with the next poll.
//!
//! It has a connection of its own and runs beside everything else on the one thread: probes, settle
//! time and slot keep their rhythm. Not here: what is done with an answer ([`super::contact`]).
//! Invariant: the word of a standing poll is as old as its question, not as its answer.

use crate::link::error::LinkError;
use crate::link::http::{Client, Response};
use patchward_protocol::api::device::CheckIn;
use patchward_protocol::api::endpoint::Endpoint as _;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::limits::OPEN_VALID_S;
use patchward_protocol::reason::Reason;
use patchward_protocol::receipt::Nonce;
use patchward_protocol::slot::Slot;
use tokio::task::JoinHandle;

/// How long a poll may stand, in seconds: shorter than the half minute after which many proxies and
/// firewalls forget a silent connection, and after which the time in an answer would count as late. Its
/// word is good for 120 s from the question, and must last until the next one was answered as late.
pub const WAIT_S: u32 = 25;
const _: () = assert!(2 * WAIT_S + 20 < OPEN_VALID_S, "a word lasts until the next one");
/// Least time between two questions, in milliseconds.
const AGAIN_MS_MIN: u64 = 1_000;
/// Least time before a poll that stands is given up for one that says something new, in milliseconds.
const SAY_AGAIN_MS_MIN: u64 = 2_000;
/// An answer that came sooner after its question than this did not stand, in milliseconds.
const STOOD_MS_MIN: u64 = 5_000;
/// So many answers in a row may come at once; a server that always answers at once does not let polls
/// stand, and is asked as rarely as it says.
const AT_ONCE_MAX: u32 = 5;
/// How often the other tasks get their turn before an answer counts as not there yet.
const TURNS: u32 = 8;

/// A question to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its number, which rises within a boot.
    pub n: u64,
    /// For the time answer.
    pub nonce: Nonce,
    /// When it was sent, on the boot clock.
    pub boot_ms: u64,
    /// The directive that was heard last.
    pub heard: Option<Sha256Digest>,
    /// How long the server may leave it standing, in seconds; none for an answer at once.
    pub wait_s: Option<u32>,
}

/// What a poll says of the device; a poll that stands does not say it again by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Says {
    /// State of the machine.
    pub state: &'static str,
    /// Why it waits.
    pub reason: Option<Reason>,
    /// The next or open slot.
    pub slot: Option<Slot>,
}

/// The standing poll, and when the next may be sent.
#[derive(Debug)]
pub struct Standing {
    client: Option<Client>,
    out: Option<Out>,
    due_boot_ms: u64,
    at_once: u32,
    use_of: UseOf,
}

/// Whether polls may stand at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UseOf {
    /// While an update waits.
    WhileWaiting,
    /// Never: the agent is not going to stay.
    Never,
}

#[derive(Debug)]
struct Out {
    asked: Asked,
    says: Says,
    task: JoinHandle<(Client, Result<Response, LinkError>)>,
}

impl Drop for Out {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Standing {
    /// Nothing was asked yet; the first question may be sent at `due_boot_ms`.
    #[must_use]
    pub const fn new(client: Client, due_boot_ms: u64) -> Self {
        let use_of = UseOf::Never;
        Self { client: Some(client), out: None, due_boot_ms, at_once: 0, use_of }
    }

    /// From now on polls may stand, or not.
    pub const fn allow(&mut self, use_of: UseOf) {
        self.use_of = use_of;
    }

    /// The server was reached: no need to wait before a poll stands, unless none does there.
    pub fn reached(&mut self, boot_ms: u64) {
        if self.at_once < AT_ONCE_MAX {
            self.due_boot_ms = self.due_boot_ms.min(boot_ms);
        }
    }

    /// Whether a poll stands.
    #[must_use]
    pub const fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// Whether one must be sent: none stands and the next may be, or the one that stands does not say
    /// any more how it is with the device.
    #[must_use]
    pub fn must_be_sent(&self, says: &Says, boot_ms: u64) -> bool {
        match (&self.out, self.use_of) {
            (_, UseOf::Never) => false,
            (None, UseOf::WhileWaiting) => boot_ms >= self.due_boot_ms,
            (Some(out), UseOf::WhileWaiting) => {
                let old = boot_ms >= out.asked.boot_ms.saturating_add(SAY_AGAIN_MS_MIN);
                old && out.says != *says
            }
        }
    }

    /// Sends a poll that may stand, in place of one that does. `spare` is a client to copy when this
    /// one's was lost.
    pub fn send(
        &mut self,
        (asked, says): (Asked, Says),
        json: Vec<u8>,
        bytes_max: u64,
        spare: &Client,
    ) {
        let mut client = self.client.take().unwrap_or_else(|| spare.another());
        let task = tokio::spawn(async move {
            let answer = client.post_json(CheckIn::PATH, json, None, bytes_max).await;
            (client, answer)
        });
        self.out = Some(Out { asked, says, task });
    }

    /// The answer, if it has come by now.
    pub async fn take(&mut self) -> Option<(Asked, Result<Response, LinkError>)> {
        self.out.as_ref()?;
        for _turn in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let mut out = self.out.take_if(|out| out.task.is_finished())?;
        // A task that was lost is asked again like one that was not answered.
        let (client, answer) = (&mut out.task).await.ok()?;
        self.client = Some(client);
        Some((out.asked, answer))
    }

    /// An answer was taken at `boot_ms`: when the next question may be sent. `contact_due_boot_ms` is
    /// when the server wants to be asked by those whose polls do not stand.
    pub fn answered(&mut self, asked: &Asked, boot_ms: u64, contact_due_boot_ms: u64) {
        let stood = boot_ms.saturating_sub(asked.boot_ms) >= STOOD_MS_MIN;
        self.at_once = if stood { 0 } else { self.at_once.saturating_add(1) };
        self.due_boot_ms = if self.at_once >= AT_ONCE_MAX {
            contact_due_boot_ms
        } else {
            boot_ms.max(asked.boot_ms.saturating_add(AGAIN_MS_MIN))
        };
    }

    /// No answer came, or none that counts.
    pub const fn failed(&mut self, contact_due_boot_ms: u64) {
        self.due_boot_ms = contact_due_boot_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::body::Speed;
    use crate::link::http::{Config, PlainHttp};
    use crate::link::tls::ServerTrust;
    use patchward_protocol::time::Timestamp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn asked(boot_ms: u64) -> Asked {
        let nonce = Nonce::from_random([7; 16]);
        Asked { n: boot_ms, nonce, boot_ms, heard: None, wait_s: Some(WAIT_S) }
    }

    fn says(reason: Option<Reason>) -> Says {
        Says { state: "holding", reason, slot: None }
    }

    fn client(port: u16) -> Client {
        let trust =
            ServerTrust { authorities_pem: None, spki_sha256: None, not_before: Timestamp::EPOCH };
        let base = format!("http://127.0.0.1:{port}").parse().unwrap();
        let plain_http = PlainHttp::LoopbackOnly;
        Client::new(Config { base, trust, plain_http, speed: Speed::default() }).unwrap()
    }

    #[test]
    fn a_server_that_never_lets_a_poll_stand_is_asked_as_rarely_as_it_says() {
        let mut standing = Standing::new(client(9), 0);
        assert!(!standing.must_be_sent(&says(None), 10_000), "not before it is allowed");
        standing.allow(UseOf::WhileWaiting);
        let (mut boot_ms, mut questions) = (10_000, 0);
        while boot_ms < 10_000 + 3_600_000 {
            if standing.must_be_sent(&says(None), boot_ms) {
                questions += 1;
                standing.answered(&asked(boot_ms), boot_ms + 10, boot_ms + 300_000);
            }
            boot_ms += 250;
        }
        assert!((12..=20).contains(&questions), "{questions} in an hour");
        standing.answered(&asked(boot_ms), boot_ms + 40_000, boot_ms + 300_000);
        assert!(
            standing.must_be_sent(&says(None), boot_ms + 40_000),
            "one that stands is asked again at once"
        );
    }

    #[tokio::test]
    async fn an_answer_is_taken_when_it_has_come_and_nobody_waits_for_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let mut stream = listener.accept().await.unwrap().0;
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            told.await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(answer).await.unwrap();
            stream
        });
        let spare = client(port);
        let mut standing = Standing::new(client(port), 0);
        standing.allow(UseOf::WhileWaiting);
        standing.send((asked(5), says(None)), b"{}".to_vec(), 100, &spare);
        assert!(standing.take().await.is_none());
        assert!(standing.is_out());
        assert!(!standing.must_be_sent(&says(None), 60_000), "one stands");
        let other = says(Some(Reason::InUse));
        assert!(!standing.must_be_sent(&other, 1_000), "not at every change");
        assert!(standing.must_be_sent(&other, 60_000), "what it says is not true any more");
        tell.send(()).unwrap();
        let _stream = server.await.unwrap();
        let mut answer = None;
        for _turn in 0..10_000 {
            answer = standing.take().await;
            if answer.is_some() {
                break;
            }
        }
        let (question, answer) = answer.unwrap();
        assert_eq!((question, answer.unwrap().body), (asked(5), b"{}".to_vec()));
        assert!(!standing.is_out());
    }
}
