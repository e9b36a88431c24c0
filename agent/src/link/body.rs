//! Reading a body with a limit on its length and a floor under its speed.
//!
//! Invariant: reading ends: each window brings at least so many bytes, and there are at most so many.

use super::error::LinkError;
use super::limits::{SPEED_BYTES_PER_S_MIN, SPEED_WINDOW_S};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use std::pin::pin;
use std::time::Duration;

/// How fast a body must come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// Length of a window, in seconds.
    pub window_s: u64,
    /// Fewest bytes in each whole window.
    pub window_bytes_min: u64,
}

impl Default for Speed {
    fn default() -> Self {
        let window_bytes_min = SPEED_WINDOW_S.saturating_mul(SPEED_BYTES_PER_S_MIN);
        Self { window_s: SPEED_WINDOW_S, window_bytes_min }
    }
}

/// Reads a body piece by piece into `take`; returns how many bytes came.
///
/// # Errors
/// [`LinkError::TooLong`], [`LinkError::TooSlow`], [`LinkError::Http`] and what `take` returns.
pub async fn read(
    mut body: Incoming,
    bytes_max: u64,
    speed: Speed,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<u64, LinkError> {
    if body.size_hint().lower() > bytes_max {
        return Err(LinkError::TooLong { bytes_max });
    }
    let window = || tokio::time::sleep(Duration::from_secs(speed.window_s));
    let (mut total, mut in_window) = (0_u64, 0_u64);
    let mut end = pin!(window());
    loop {
        tokio::select! {
            biased;
            () = &mut end => {
                if in_window < speed.window_bytes_min {
                    let (bytes_min, seconds) = (speed.window_bytes_min, speed.window_s);
                    return Err(LinkError::TooSlow { bytes_min, seconds });
                }
                in_window = 0;
                end.set(window());
            }
            frame = body.frame() => {
                let Some(frame) = frame else { return Ok(total) };
                let piece: Bytes = frame
                    .map_err(LinkError::from_hyper)?
                    .into_data()
                    .unwrap_or_default();
                let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                total = total.saturating_add(length);
                in_window = in_window.saturating_add(length);
                if total > bytes_max {
                    return Err(LinkError::TooLong { bytes_max });
                }
                take(&piece).map_err(LinkError::Take)?;
            }
        }
    }
}
