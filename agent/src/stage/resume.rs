//! A signed file on its way: asked for by ranges, resumed where it broke, given up for now when
//! nothing comes.
//!
//! Not here: what is done with the bytes ([`Taker`]). Invariant: it ends; each resume brings
//! something or counts towards [`RESUMES_MAX`].

use super::{FetchError, PROGRESS_BYTES_MIN, RESUMES_MAX};
use crate::link::error::LinkError;
use crate::link::http::{Client, Download, From, Piece};
use hyper::header::HeaderName;
use patchward_protocol::digest::Sha256Digest;
use std::io;
use std::ops::Range;
use std::time::Duration;

/// Pauses between resumes that brought nothing: each twice as long as the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for Pause {
    fn default() -> Self {
        Self { first: Duration::from_millis(250), longest: Duration::from_secs(15) }
    }
}

/// The way to the server for one file.
#[derive(Debug)]
pub struct Line<'a> {
    /// The server.
    pub client: &'a mut Client,
    /// What every request carries.
    pub headers: &'a [(HeaderName, &'a str)],
    /// Pauses between resumes.
    pub pause: Pause,
}

/// A signed file at the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Path below the server's address.
    pub url_path: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest; names it to the server as well.
    pub sha256: Sha256Digest,
}

/// Whether the rest of an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// It is.
    More,
    /// Everything that was asked for has come.
    Enough,
}

/// What a taker misses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing more.
    Nothing,
    /// These bytes next. Their beginning rises with what comes.
    Bytes(Range<u64>),
    /// It did some work instead, and wants to be asked again when others had their turn.
    AskAgain,
}

/// Who takes the bytes of a file.
pub(super) trait Taker {
    /// What is missing next.
    fn missing(&mut self) -> Result<Missing, FetchError>;

    /// Takes a piece. The first may begin at 0 though a later byte was asked for.
    fn take(&mut self, piece: Piece<'_>) -> Result<Want, FetchError>;

    /// The server has no such bytes (416).
    fn out_of_range(&mut self) -> Result<(), FetchError>;
}

impl Line<'_> {
    /// Fetches what `taker` misses. When the future is dropped, what came is kept: call it again.
    pub(super) async fn bring(
        &mut self,
        remote: &Remote,
        taker: &mut impl Taker,
    ) -> Result<(), FetchError> {
        let mut next = missing(taker).await?;
        let mut mark = next.as_ref().map_or(0, |range| range.start);
        let (mut idle, mut pause) = (0, self.pause.first);
        while let Some(asked) = next {
            let last = self.ask(remote, &asked, taker).await?;
            next = missing(taker).await?;
            let Some(now) = &next else { break };
            let enough = mark.saturating_add(PROGRESS_BYTES_MIN);
            if now.start >= asked.end || now.start >= enough {
                (idle, mark, pause) = (0, now.start, self.pause.first);
                continue;
            }
            idle += 1;
            mark = mark.min(now.start);
            if idle >= RESUMES_MAX {
                return Err(FetchError::NoProgress(last));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.pause.longest);
        }
        Ok(())
    }

    /// Asks once; returns a fault of the line that is worth another try.
    async fn ask(
        &mut self,
        remote: &Remote,
        asked: &Range<u64>,
        taker: &mut impl Taker,
    ) -> Result<Option<LinkError>, FetchError> {
        let etag = format!("\"{}\"", remote.sha256);
        let end = (asked.end < remote.length).then_some(asked.end);
        let from = From { byte: asked.start, end, if_etag: Some(&etag) };
        let (mut fault, mut enough) = (None, false);
        let came = self
            .client
            .get_range(&remote.url_path, from, remote.length, self.headers, |piece| {
                match taker.take(piece) {
                    Ok(Want::More) => return Ok(()),
                    Ok(Want::Enough) => enough = true,
                    Err(error) => fault = Some(error),
                }
                Err(io::Error::other("no more of it is wanted"))
            })
            .await;
        match (fault, came) {
            (Some(error), _) => Err(error),
            (None, _) if enough => Ok(None),
            (None, Err(error)) => after_fault(error).map(Some),
            (None, Ok(download)) => after_answer(&download, taker).map(|()| None),
        }
    }
}

async fn missing(taker: &mut impl Taker) -> Result<Option<Range<u64>>, FetchError> {
    loop {
        match taker.missing()? {
            Missing::Nothing => return Ok(None),
            Missing::Bytes(range) => return Ok(Some(range)),
            Missing::AskAgain => tokio::task::yield_now().await,
        }
    }
}

fn after_answer(download: &Download, taker: &mut impl Taker) -> Result<(), FetchError> {
    match download.status {
        200 | 206 | 500..=502 | 504..=599 => Ok(()),
        416 => taker.out_of_range(),
        status @ (429 | 503) => Err(FetchError::Later { status, after_s: download.retry_after_s }),
        status => Err(FetchError::Refused { status }),
    }
}

/// Which faults of the line are worth another try.
fn after_fault(error: LinkError) -> Result<LinkError, FetchError> {
    let worth_it = matches!(
        error,
        LinkError::Connect { .. }
            | LinkError::Timeout { .. }
            | LinkError::TooSlow { .. }
            | LinkError::WrongRange { .. }
            | LinkError::Http(_)
    );
    if worth_it {
        return Ok(error);
    }
    if matches!(error, LinkError::TooLong { .. }) {
        return Err(FetchError::Mismatch("it is longer"));
    }
    Err(FetchError::Link(error))
}
