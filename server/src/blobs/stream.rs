//! Blobs as streams: pieces to a client and pieces from one, in constant memory.
//!
//! File calls block, so they run on the blocking threads; one piece is read ahead while another is
//! sent. Invariant: per stream at most three pieces are in memory.

use super::dir::{Blob, BlobError, Upload};
use actix_web::web::{Bytes, block};
use futures_util::stream::{self, Stream, StreamExt as _};
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

/// Bytes read at once.
const PIECE_BYTES: u64 = 512 * 1024;
/// Bytes of an upload that are written at once.
const WRITE_BYTES: usize = 512 * 1024;

type Reading = Pin<Box<dyn Future<Output = Result<Bytes, BlobError>>>>;

/// The bytes of `range` of a blob, in order.
pub fn pieces(blob: Blob, range: Range<u64>) -> impl Stream<Item = Result<Bytes, BlobError>> {
    let first = begin(&blob, &range);
    stream::unfold((blob, first), |(blob, reading)| async move {
        let (reading, rest) = reading?;
        // Begun before this piece is sent: the disk works while the network does.
        let piece = reading.await;
        let next = if piece.is_ok() { begin(&blob, &rest) } else { None };
        Some((piece, (blob, next)))
    })
}

fn begin(blob: &Blob, range: &Range<u64>) -> Option<(Reading, Range<u64>)> {
    if range.is_empty() {
        return None;
    }
    let end = range.end.min(range.start.saturating_add(PIECE_BYTES));
    let length = usize::try_from(end - range.start).ok()?;
    let (blob, offset) = (blob.clone(), range.start);
    let reading = block(move || blob.read_at(offset, length));
    let reading = async move {
        // The pool refuses only while the program ends.
        reading.await.map_err(|_| BlobError::Stalled)?.map(Bytes::from)
    };
    Some((Box::pin(reading), end..range.end))
}

/// Takes an upload from a client; returns its length. A client that sends nothing for `idle` is
/// given up.
///
/// # Errors
/// [`BlobError`]; nothing is left then.
pub async fn receive<E>(
    mut upload: Upload,
    body: impl Stream<Item = Result<Bytes, E>>,
    idle: Duration,
) -> Result<u64, BlobError> {
    let mut body = std::pin::pin!(body);
    let mut waiting: Vec<u8> = Vec::new();
    loop {
        let next = tokio::time::timeout(idle, body.next()).await;
        let next = next.map_err(|_| BlobError::Stalled)?;
        if let Some(piece) = &next {
            waiting.extend_from_slice(piece.as_ref().map_err(|_| BlobError::Stalled)?);
        }
        if waiting.len() >= WRITE_BYTES || (next.is_none() && !waiting.is_empty()) {
            let bytes = std::mem::take(&mut waiting);
            upload = block(move || upload.write(&bytes).map(|()| upload))
                .await
                .map_err(|_| BlobError::Stalled)??;
        }
        if next.is_none() {
            return block(move || upload.finish()).await.map_err(|_| BlobError::Stalled)?;
        }
    }
}
