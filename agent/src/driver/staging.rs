//! Fetching and staging an image: a file that is the image, or a container window by window.
//!
//! A delta can waste bandwidth and never fail an update: whatever goes wrong with one ends in windows
//! from the full file, and its reason goes into the ledger. Not here: what a window must be
//! ([`crate::stage::windows`]) and where it goes (the installer).
//! Invariant: nothing is fetched beyond the next contact; what came by then is kept.

use super::device::Device;
use crate::config::Deltas;
use crate::edge::{Clock as _, Failure};
use crate::installer::Installer as _;
use crate::stage::windows::{Chosen, Next, Table, Windows, choice};
use crate::stage::{Fetch, FetchError, Line, PROGRESS_BYTES_MIN, Pause, Remote};
use hyper::header::{self, HeaderName};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::ledger::Carried;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Format;
use patchward_protocol::tuf::lookup::{ImageTarget, TargetFile};
use patchward_protocol::verified::Verified;
use std::time::Duration;

/// Shortest time that a fetch is given before the driver looks around again, in milliseconds.
const FETCH_MS_MIN: u64 = 15_000;
/// Longest time that a fetch is given before the driver looks around again, in milliseconds.
const FETCH_MS_MAX: u64 = 300_000;

/// How an image came, and why not, or not only, by a delta.
pub(super) type How = (Carried, Option<Reason>);

impl Device {
    /// Fetches what is missing of an image, and stages it.
    pub(super) async fn fetch_and_stage(
        &mut self,
        image: &Verified<ImageTarget>,
    ) -> Result<How, Failure> {
        let Some(set) = self.family.set() else {
            return Err(Failure::new(Reason::NotStagedYet, "the family is not trusted yet"));
        };
        let target = set.target(&image.path).ok_or_else(|| {
            Failure::new(Reason::ReleaseWithdrawn, "the image is not listed any more")
        })?;
        let url_path = self.url_of(&target).unwrap_or_default();
        let payload = &image.firmware.payload;
        match (payload.format, payload.table_sha256) {
            (Format::Pwd1, Some(table_sha256)) => {
                self.stage_windows(image, url_path, table_sha256).await
            }
            (Format::Raw | Format::Tree | Format::Pwd1, _) => {
                self.stage_file(image, &url_path).await
            }
        }
    }

    async fn stage_file(
        &mut self,
        image: &Verified<ImageTarget>,
        url_path: &str,
    ) -> Result<How, Failure> {
        let (bearer, limit) = (self.file_bearer(), self.fetch_limit());
        let headers = headers(bearer.as_deref());
        let mut fetch = Fetch::begin(&self.config.spool_dir(), image).await?;
        let before = fetch.have_bytes();
        let mut line = line(&mut self.client, &headers);
        let fetched = tokio::time::timeout(limit, fetch.run(&mut line, url_path)).await;
        let Ok(download) = fetched else {
            return Err(time_is_up(before, fetch.have_bytes(), image.length));
        };
        self.installer.stage(image, &download?).await?;
        let carried = Carried {
            delta_sha256: None,
            fetched_bytes: image.length,
            full_bytes: image.length,
            windows: 1,
            windows_full: 1,
        };
        Ok((carried, None))
    }

    async fn stage_windows(
        &mut self,
        image: &Verified<ImageTarget>,
        url_path: String,
        table_sha256: Sha256Digest,
    ) -> Result<How, Failure> {
        let remote = Remote { url_path, length: image.length, sha256: image.sha256 };
        let mut fetched = 0;
        let length = image.firmware.payload.image_length;
        let full = self.fetch_head(remote, table_sha256, length, &mut fetched).await?;
        full.fits(image, self.config.unpack_bytes_max)?;
        // Only now is anything changed: a release that this device cannot unpack costs it nothing.
        let place = self.installer.prepare(image).await?;
        let spool = self.config.spool_dir();
        let mut windows = Windows::open(&spool, image, full, place, fetched).await?;
        let staged = self.fill(image, &mut windows).await;
        staged.map(|()| windows.carried()).inspect_err(|failure| {
            if failure.reason == Reason::DiskFull {
                // The device needs the space more than the update does.
                let _left = crate::stage::clear(&spool);
            }
        })
    }

    /// Brings all windows to their place, and has it read back. Windows that turn out wrong are
    /// fetched once more.
    async fn fill(
        &mut self,
        image: &Verified<ImageTarget>,
        windows: &mut Windows,
    ) -> Result<(), Failure> {
        self.fill_by_delta(image, windows).await?;
        self.fill_by_full(windows).await?;
        let Err(failure) = self.installer.seal(image).await else { return Ok(()) };
        let is_other = matches!(
            failure.reason,
            Reason::ImageMismatch | Reason::DownloadMismatch | Reason::TreeMalformed
        );
        if !is_other || windows.forget_faults().await? == 0 {
            return Err(failure);
        }
        tracing::warn!(failure = failure.chain(), "windows are wrong and come again");
        self.fill_by_full(windows).await?;
        self.installer.seal(image).await
    }

    async fn fill_by_full(&mut self, windows: &mut Windows) -> Result<(), Failure> {
        let (bearer, limit) = (self.file_bearer(), self.fetch_limit());
        let headers = headers(bearer.as_deref());
        let before = windows.progress().fetched_bytes;
        let mut line = line(&mut self.client, &headers);
        let Ok(done) = tokio::time::timeout(limit, windows.by_full(&mut line)).await else {
            let now = windows.progress();
            return Err(time_is_up(before, now.fetched_bytes, now.full_bytes));
        };
        Ok(done?)
    }

    /// As far as a delta goes. Nothing of a delta is an error, but the line or the disk may be.
    async fn fill_by_delta(
        &mut self,
        image: &Verified<ImageTarget>,
        windows: &mut Windows,
    ) -> Result<(), Failure> {
        if windows.next() == Next::Choose {
            match self.choose_delta(image).await {
                Ok(chosen) => windows.choose(chosen),
                Err(reason) => windows.refuse(Some(reason)),
            }
        }
        let Next::Delta(chosen) = windows.next() else { return Ok(()) };
        if !windows.tries_delta()? {
            windows.refuse(Some(Reason::DeltaUnfetched));
            return Ok(());
        }
        let before = windows.progress().fetched_bytes;
        let tried = self.try_delta(&chosen, windows).await;
        let fetched = windows.progress().fetched_bytes;
        // A server that sends the same bytes again and again brings nothing.
        let most = chosen.remote().length.saturating_mul(2);
        let most = most.saturating_add(windows.full().header().head_len());
        if fetched >= before.saturating_add(PROGRESS_BYTES_MIN) && fetched <= most {
            windows.delta_comes()?;
        }
        windows.refuse(tried?);
        Ok(())
    }

    async fn choose_delta(&mut self, image: &ImageTarget) -> Result<Chosen, Reason> {
        if self.config.deltas == Deltas::Off {
            return Err(Reason::DeltaOff);
        }
        let observed = self.installer.observe().await.map_err(|failure| {
            tracing::warn!(failure = failure.chain(), "what runs is not known");
            Reason::DeltaBaseUnknown
        })?;
        let bearer = self.file_bearer();
        let headers = headers(bearer.as_deref());
        let (limit, family) = (self.fetch_limit(), &mut self.family);
        let deltas = tokio::time::timeout(limit, family.deltas(&mut self.client, &headers)).await;
        let deltas = deltas.map_err(|_elapsed| Reason::DeltaUnfetched)??;
        let most = self.config.unpack_bytes_max;
        let best = choice::choose(&deltas, image, observed.running, most)?;
        let url_path = self.url_of(&best.file).ok_or(Reason::DeltaNone)?;
        Ok(choice::chosen(best, url_path))
    }

    /// Windows by this delta; a reason says why it is not used any further.
    async fn try_delta(
        &mut self,
        chosen: &Chosen,
        windows: &mut Windows,
    ) -> Result<Option<Reason>, Failure> {
        let base = match self.installer.base(chosen.from_sha256, chosen.from_length).await {
            Ok(base) => base,
            Err(failure) => {
                tracing::warn!(failure = failure.chain(), "the old image cannot be read");
                return Ok(Some(Reason::DeltaBaseUnknown));
            }
        };
        let (mut fetched, full) = (0, *windows.full().header());
        let (remote, table) = (chosen.remote(), chosen.table_sha256);
        let head = self.fetch_head(remote, table, full.new.length, &mut fetched).await;
        windows.count_fetched(fetched);
        let delta = match head {
            Ok(delta) => delta,
            Err(Unfetched::Error(error)) => return refused(error),
            Err(error) => return Err(error.into()),
        };
        if let Err(reason) = choice::agrees(&delta, chosen, &full, self.config.unpack_bytes_max) {
            return Ok(Some(reason));
        }
        let (bearer, limit) = (self.file_bearer(), self.fetch_limit());
        let headers = headers(bearer.as_deref());
        let before = windows.progress().fetched_bytes;
        let mut line = line(&mut self.client, &headers);
        let brought = windows.by_delta(&mut line, &delta, base);
        match tokio::time::timeout(limit, brought).await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => refused(error),
            Err(_elapsed) => {
                let now = windows.progress();
                Err(time_is_up(before, now.fetched_bytes, delta.remote().length))
            }
        }
    }

    async fn fetch_head(
        &mut self,
        remote: Remote,
        signed: Sha256Digest,
        new_length: u64,
        fetched: &mut u64,
    ) -> Result<Table, Unfetched> {
        let (bearer, limit) = (self.file_bearer(), self.fetch_limit());
        let headers = headers(bearer.as_deref());
        let spool = self.config.spool_dir();
        let length = remote.length;
        let made = std::fs::create_dir_all(&spool);
        made.map_err(|e| Unfetched::Disk(Failure::of_disk("making the spool", e)))?;
        let mut line = line(&mut self.client, &headers);
        let head = Table::fetch(&spool, &mut line, remote, signed, new_length, fetched);
        match tokio::time::timeout(limit, head).await {
            Ok(head) => head.map_err(Unfetched::Error),
            Err(_elapsed) => Err(Unfetched::TimeIsUp(time_is_up(0, *fetched, length))),
        }
    }

    fn url_of(&self, target: &TargetFile) -> Option<String> {
        let (kind, name) = self.family.id().parts();
        let file = self.family.set()?.file_of(target);
        Some(format!("/tuf/{kind}/{name}/targets/{file}"))
    }

    fn file_bearer(&self) -> Option<String> {
        self.bearer().map(|token| format!("Bearer {token}"))
    }

    fn fetch_limit(&self) -> Duration {
        let due = self.contact_due_ms.saturating_sub(self.clock.boot_ms());
        Duration::from_millis(due.clamp(FETCH_MS_MIN, FETCH_MS_MAX))
    }
}

/// Why a head is not here.
enum Unfetched {
    Error(FetchError),
    Disk(Failure),
    TimeIsUp(Failure),
}

impl From<Unfetched> for Failure {
    fn from(unfetched: Unfetched) -> Self {
        match unfetched {
            Unfetched::Error(error) => error.into(),
            Unfetched::Disk(failure) | Unfetched::TimeIsUp(failure) => failure,
        }
    }
}

/// The reason not to use a delta any further, unless the error says nothing of it.
fn refused(error: FetchError) -> Result<Option<Reason>, Failure> {
    let Some(reason) = choice::refusal(&error) else { return Err(error.into()) };
    tracing::warn!(%error, code = reason.code(), "the delta is refused");
    Ok(Some(reason))
}

fn headers(bearer: Option<&str>) -> Vec<(HeaderName, &str)> {
    bearer.into_iter().map(|value| (header::AUTHORIZATION, value)).collect()
}

fn line<'a>(
    client: &'a mut crate::link::http::Client,
    headers: &'a [(HeaderName, &'a str)],
) -> Line<'a> {
    Line { client, headers, pause: Pause::default() }
}

/// It is time to look around. That something came is progress, and no news.
fn time_is_up(before: u64, now: u64, of: u64) -> Failure {
    let reason = if now > before { Reason::NotStagedYet } else { Reason::ServerUnreachable };
    Failure::new(reason, format!("fetched {now} of {of} bytes so far"))
}
