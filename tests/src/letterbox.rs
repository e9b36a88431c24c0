//! A letterbox for webhooks: listens on loopback and keeps the bodies that arrive.
//!
//! Not here: checking their signatures (the server's own tests do). Invariant: it ends with its owner.

use crate::clock::until;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a letter may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// How long a sender may take to say something.
const READ: Duration = Duration::from_secs(10);
/// Longest letter in bytes.
const LETTER_BYTES_MAX: u64 = 64 * 1024;

/// A letterbox.
#[derive(Debug)]
pub struct Letterbox {
    address: SocketAddr,
    letters: Arc<Mutex<Vec<Value>>>,
    closed: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Letterbox {
    /// Opens one on a free port.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("open a letterbox")?;
        let address = listener.local_addr()?;
        let letters: Arc<Mutex<Vec<Value>>> = Arc::default();
        let closed = Arc::new(AtomicBool::new(false));
        let (kept, over) = (Arc::clone(&letters), Arc::clone(&closed));
        let keeper = std::thread::spawn(move || {
            for arrived in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // What is no letter is the sender's fault; the test will miss it and say so.
                if let Some(letter) = arrived.ok().and_then(|stream| receive(&stream).ok()) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                }
            }
        });
        Ok(Self { address, letters, closed, keeper: Some(keeper) })
    }

    /// Where letters go.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/patchward", self.address)
    }

    /// Waits for a letter of which `look` finds what it looks for.
    ///
    /// # Errors
    /// When none comes.
    pub fn letter<T>(&self, what: &str, look: impl Fn(&Value) -> Option<T>) -> Result<T> {
        until(what, PATIENCE, || {
            let letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(letters.iter().find_map(&look))
        })
    }
}

impl Drop for Letterbox {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the keeper, who then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

fn receive(mut stream: &TcpStream) -> Result<Value> {
    stream.set_read_timeout(Some(READ))?;
    let mut reader = BufReader::new(stream);
    let mut length = 0_u64;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(said) = line.strip_prefix("content-length:") {
            length = said.trim().parse()?;
        }
    }
    let mut body = Vec::new();
    reader.take(length.min(LETTER_BYTES_MAX)).read_to_end(&mut body)?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
    serde_json::from_slice(&body).context("a letter in JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_is_posted_arrives() {
        let letterbox = Letterbox::open().unwrap();
        ureq::post(&letterbox.url()).send(r#"{"code":"7"}"#).unwrap();
        let code = letterbox.letter("a code", |letter| {
            letter.get("code").and_then(Value::as_str).map(str::to_owned)
        });
        assert_eq!(code.unwrap(), "7");
    }
}
