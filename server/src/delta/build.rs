//! Builds the pairs of the queue, one after another, each in worker processes of its own.
//!
//! Claim, build, check in a second process, store, offer. What follows an end is decided by
//! [`super::attempt`]. Not here: unpacking and building ([`super::worker`]). Invariant: whatever ends a
//! worker or this program, the pair is tried again by whoever comes next, at most
//! [`super::attempt::TRIES_MAX`] times; and a pair whose claim was lost is never offered.

use super::attempt::{self, Budget, Ended, Next};
use super::child::{CannotStart, Program};
use super::offer::{self, Offered};
use super::order::{Answer, Checked, Container, Order, Step, Used};
use super::survey;
use crate::app::App;
use crate::blobs::{BlobError, Scratch};
use crate::clock::{self, NoChance};
use crate::db::delta::{self as rows, Claim, Outcome, StoredPair};
use crate::db::{Connection, DbError};
use crate::error::{ApiError, Chain};
use patchward_protocol::api::delta::DeltaState;
use patchward_protocol::delta::build::Index;
use patchward_protocol::id::TargetPath;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::{Format, ReleaseState};
use patchward_protocol::tuf::delta_target::{
    DELTA_DIR, DeltaFacts, DeltaFrom, DeltaTarget, DeltaTo,
};
use patchward_protocol::tuf::lookup::{ImageTarget, TargetFile};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A claim ends when whoever builds has not said for so long that it still does, in seconds.
pub const CLAIM_S: i64 = 90;
/// How often that is said, in seconds.
const STILL_BUILDING_S: u64 = 20;
/// When to try again where the fault is not the pair's, in seconds.
const LATER_S: u64 = 60;
/// Bytes that are copied at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Builds pairs.
#[derive(Debug, Clone)]
pub struct Builder {
    app: Arc<App>,
    program: Program,
    name: String,
}

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Nothing waits.
    Idle,
    /// A pair was brought to this state.
    Moved(DeltaState),
    /// A pair was given back or lost: for no fault of its own.
    GivenBack,
}

/// What came of a pair that was worked on.
enum Verdict {
    Offer(Box<DeltaTarget>, Outcome),
    State(DeltaState, Outcome),
    Failed(String),
    Lost,
}

/// What stands in the way of working at all.
#[derive(Debug, thiserror::Error)]
enum Hindrance {
    #[error(transparent)]
    CannotStart(#[from] CannotStart),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Chance(#[from] NoChance),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the program is ending")]
    Ending,
}

impl Builder {
    /// A builder with a name by chance.
    ///
    /// # Errors
    /// [`NoChance`].
    pub fn new(app: &Arc<App>, program: Program) -> Result<Self, NoChance> {
        let name = hex::encode(clock::random::<16>(&*app.rng)?);
        Ok(Self::named(app, program, name))
    }

    /// A builder with this name, which no other has.
    #[must_use]
    pub fn named(app: &Arc<App>, program: Program, name: String) -> Self {
        Self { app: Arc::clone(app), program, name }
    }

    /// Builds for ever.
    pub async fn keep_building(self) {
        loop {
            let wait_s = match self.round().await {
                Ok(Round::Moved(_)) => 0,
                Ok(Round::Idle) => self.app.config.delta.check_s,
                Ok(Round::GivenBack) => LATER_S,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "No delta can be built now");
                    LATER_S
                }
            };
            if wait_s == 0 {
                if let Err(error) = survey::count(&self.app).await {
                    tracing::warn!(error = %Chain(&error), "Deltas cannot be counted");
                }
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(wait_s)) => {}
                () = self.app.desk.rung() => {}
            }
        }
    }

    /// Gives back what this builder has claimed, as if it had not been begun.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn give_back(&self) -> Result<(), DbError> {
        let (name, at) = (self.name.clone(), self.app.clock.now());
        let work = move |conn: &mut Connection| {
            for claimed in rows::claimed(conn, &name)? {
                rows::swap(conn, &claimed, &begun_for_nothing(&claimed, at))?;
            }
            Ok(())
        };
        self.app.db.write(work).await
    }

    /// Takes the pair whose turn it is, if there is one, and works on it to an end.
    ///
    /// # Errors
    /// A failure of ours; the pair waits again then.
    pub async fn round(&self) -> Result<Round, ApiError> {
        let Some(claimed) = self.claim().await? else { return Ok(Round::Idle) };
        let id = claimed.repository.clone();
        let worked = match self.work(&claimed).await {
            Ok(verdict) => self.settle(&claimed, verdict).await.map_err(Hindrance::from),
            Err(hindrance) => Err(hindrance),
        };
        match worked {
            Ok(round) => Ok(round),
            Err(hindrance) => {
                tracing::error!(
                    repository.id = %id, error = %Chain(&hindrance), "A delta has to wait"
                );
                self.give_back().await?;
                Ok(Round::GivenBack)
            }
        }
    }

    async fn claim(&self) -> Result<Option<StoredPair>, DbError> {
        let at = self.app.clock.now();
        if self.app.db.read(move |conn| rows::waiting(conn, at)).await?.is_none() {
            return Ok(None);
        }
        let name = self.name.clone();
        let work = move |conn: &mut Connection| {
            while let Some(first) = rows::waiting(conn, at)? {
                let next = begin(&first, &name, at);
                let is_begun = next.state == DeltaState::Building;
                if rows::swap(conn, &first, &next)? && is_begun {
                    return Ok(Some(next));
                }
            }
            Ok(None)
        };
        self.app.db.write(work).await
    }

    async fn work(&self, claimed: &StoredPair) -> Result<Verdict, Hindrance> {
        let pair = &claimed.pair;
        let Some((from, to)) = self.images(claimed) else {
            return Ok(Verdict::State(DeltaState::Retired, claimed.outcome.clone()));
        };
        let config = &self.app.config.delta;
        let (memory_bytes, time_s, threads) = (config.memory_bytes, config.time_s, config.threads);
        let budget = Budget { memory_bytes, time_s, threads };
        let outcome = Outcome {
            full_bytes: Some(to.length),
            budget_bytes: Some(memory_bytes),
            ..Outcome::default()
        };
        let old_len = from.firmware.payload.image_length;
        let Some(first) = attempt::admitted(old_len, &budget) else {
            let detail = Some("more memory than the budget with any index".to_owned());
            return Ok(Verdict::State(DeltaState::OverBudget, Outcome { detail, ..outcome }));
        };
        let scratch = self.app.blobs.scratch(clock::random(&*self.app.rng)?)?;
        let job = Job { from: &from, to: &to, budget, scratch: &scratch, claimed };
        tracing::info!(
            repository.id = %claimed.repository, delta.from = %pair.from, delta.to = %pair.to,
            delta.tries = claimed.tries, "A delta is being built"
        );
        let (index, bytes, used) = match self.build(&job, first).await? {
            Ok(built) => built,
            Err(Verdict::State(state, missed)) => {
                let outcome = Outcome { detail: missed.detail, ..outcome };
                return Ok(Verdict::State(state, outcome));
            }
            Err(other) => return Ok(other),
        };
        let outcome = Outcome {
            bytes: Some(bytes),
            index: Some(attempt::name(index).to_owned()),
            cpu_ms: Some(used.cpu_ms),
            memory_kib: Some(used.memory_kib),
            ..outcome
        };
        if !attempt::is_worth_it(bytes, to.length, config.worth_permille) {
            return Ok(Verdict::State(DeltaState::TooLarge, outcome));
        }
        let checked = match self.check(&job).await? {
            Ok(checked) => checked,
            Err(verdict) => return Ok(verdict),
        };
        self.store(&job, checked).await?;
        let delta = target(&from, &to, checked).ok_or(Hindrance::Ending)?;
        let outcome =
            Outcome { sha256: Some(checked.sha256), bytes: Some(checked.bytes), ..outcome };
        Ok(Verdict::Offer(Box::new(delta), outcome))
    }

    /// What the current targets say of both images; nothing when there is no more use for the delta.
    fn images(&self, claimed: &StoredPair) -> Option<(ImageTarget, ImageTarget)> {
        let snapshot = self.app.snapshot();
        let current = snapshot.get(&claimed.repository).filter(|current| current.delegated)?;
        let find = |image| {
            let mut releases = current.releases.iter();
            let found = releases.find(|release| release.firmware.payload.image_sha256 == image);
            found.filter(|found| found.firmware.payload.format == Format::Pwd1).cloned()
        };
        let (from, to) = (find(claimed.pair.from)?, find(claimed.pair.to)?);
        (to.firmware.state == ReleaseState::Released).then_some((from, to))
    }

    /// Steps down from index to index until one gives a delta.
    async fn build(
        &self,
        job: &Job<'_>,
        first: Index,
    ) -> Result<Result<(Index, u64, Used), Verdict>, Hindrance> {
        let mut index = first;
        loop {
            let step = Step::Build { index: index.into(), threads: job.budget.threads };
            let old_len = job.from.firmware.payload.image_length;
            let address_bytes = attempt::address_bytes(index, old_len, &job.budget);
            let Some(ended) = self.run(job, step, address_bytes).await? else {
                return Ok(Err(Verdict::Lost));
            };
            match attempt::next(index, ended) {
                Next::Take(Answer::Built { bytes, used }) => return Ok(Ok((index, bytes, used))),
                Next::Take(_) => {
                    let detail = "the worker answered another question".to_owned();
                    return Ok(Err(Verdict::Failed(detail)));
                }
                Next::With(smaller) => index = smaller,
                Next::OverBudget(detail) => {
                    let outcome = Outcome { detail: Some(detail), ..Outcome::default() };
                    return Ok(Err(Verdict::State(DeltaState::OverBudget, outcome)));
                }
                Next::Failed(detail) => return Ok(Err(Verdict::Failed(detail))),
            }
        }
    }

    async fn check(&self, job: &Job<'_>) -> Result<Result<Checked, Verdict>, Hindrance> {
        let address_bytes = attempt::address_bytes(Index::Sampled, 0, &job.budget);
        let Some(ended) = self.run(job, Step::Check, address_bytes).await? else {
            return Ok(Err(Verdict::Lost));
        };
        let detail = match ended {
            Ended::Done(Answer::Checked(checked)) => return Ok(Ok(checked)),
            Ended::Done(_) => "the worker answered another question".to_owned(),
            Ended::Memory => "checking took more memory than it may".to_owned(),
            Ended::Time => "checking took longer than it may".to_owned(),
            Ended::Failed(detail) => detail,
        };
        Ok(Err(Verdict::Failed(detail)))
    }

    /// Runs one step and says meanwhile that the pair is being built; nothing when the claim is lost.
    async fn run(
        &self,
        job: &Job<'_>,
        step: Step,
        address_bytes: u64,
    ) -> Result<Option<Ended<Answer>>, Hindrance> {
        let order = Order {
            step,
            from: self.container(job.from)?,
            to: self.container(job.to)?,
            delta: job.scratch.path().join("delta"),
            scratch: job.scratch.path().to_owned(),
            address_bytes,
            cpu_s: job.budget.time_s.saturating_mul(u64::from(job.budget.threads)),
            asker: std::process::id(),
        };
        let running = self.program.run(&order, Duration::from_secs(job.budget.time_s));
        tokio::pin!(running);
        loop {
            tokio::select! {
                ended = &mut running => return Ok(Some(ended?)),
                () = tokio::time::sleep(Duration::from_secs(STILL_BUILDING_S)) => {
                    if !self.still_building(job.claimed).await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn container(&self, image: &ImageTarget) -> Result<Container, Hindrance> {
        let payload = &image.firmware.payload;
        let damaged = || BlobError::Damaged(image.sha256);
        Ok(Container {
            path: self.app.blobs.path_of(&image.sha256),
            table_sha256: payload.table_sha256.ok_or_else(damaged)?,
            image_sha256: payload.image_sha256,
            image_length: payload.image_length,
        })
    }

    async fn still_building(&self, claimed: &StoredPair) -> Result<bool, DbError> {
        let claim = Claim { by: self.name.clone(), until: until(self.app.clock.now()) };
        let (from, to) = (claimed.clone(), StoredPair { claim: Some(claim), ..claimed.clone() });
        self.app.db.write(move |conn| rows::swap(conn, &from, &to)).await
    }

    /// Puts the checked file into the store, under the digest that was checked and no other.
    async fn store(&self, job: &Job<'_>, checked: Checked) -> Result<(), Hindrance> {
        let (blobs, path) = (self.app.blobs.clone(), job.scratch.path().join("delta"));
        let unique = clock::random(&*self.app.rng)?;
        let copy = move || {
            let mut upload = blobs.begin(checked.sha256, checked.bytes, unique)?;
            let mut file = open(&path)?;
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let read = file.read(&mut piece).map_err(BlobError::io(&path))?;
                match piece.get(..read) {
                    None | Some([]) => return upload.finish(),
                    Some(bytes) => upload.write(bytes)?,
                }
            }
        };
        let stored = tokio::task::spawn_blocking(copy).await.map_err(|_| Hindrance::Ending)?;
        stored.map(drop).map_err(Hindrance::from)
    }

    async fn settle(&self, claimed: &StoredPair, verdict: Verdict) -> Result<Round, ApiError> {
        let at = self.app.clock.now();
        let moved = |state, outcome| StoredPair {
            state,
            claim: None,
            since: at,
            outcome,
            ..claimed.clone()
        };
        let next = match verdict {
            Verdict::Lost => return Ok(Round::GivenBack),
            Verdict::Failed(detail) => {
                let outcome = Outcome { detail: Some(detail), ..claimed.outcome.clone() };
                match attempt::is_tried_again(claimed.tries) {
                    true => moved(DeltaState::Queued, outcome),
                    false => moved(DeltaState::Failed, given_up(outcome)),
                }
            }
            Verdict::State(state, outcome) => moved(state, outcome),
            Verdict::Offer(delta, outcome) => {
                let published = moved(DeltaState::Published, outcome.clone());
                let offered = offer::offer(&self.app, claimed.clone(), published.clone(), *delta);
                match offered.await? {
                    Offered::Listed => {
                        tell(&published);
                        return Ok(Round::Moved(DeltaState::Published));
                    }
                    Offered::Lost => return Ok(Round::GivenBack),
                    Offered::NotWanted => moved(DeltaState::Retired, outcome),
                    Offered::OverQuota => {
                        let detail = Some("more than the quota of the family".to_owned());
                        moved(DeltaState::OverBudget, Outcome { detail, ..outcome })
                    }
                }
            }
        };
        tell(&next);
        let (from, state) = (claimed.clone(), next.state);
        let kept = self.app.db.write(move |conn| rows::swap(conn, &from, &next)).await?;
        Ok(if kept { Round::Moved(state) } else { Round::GivenBack })
    }
}

/// A pair that is worked on.
struct Job<'a> {
    from: &'a ImageTarget,
    to: &'a ImageTarget,
    budget: Budget,
    scratch: &'a Scratch,
    claimed: &'a StoredPair,
}

/// The pair as it is begun, or given up where beginning it ended its builder too often.
fn begin(waiting: &StoredPair, by: &str, at: Timestamp) -> StoredPair {
    if waiting.state == DeltaState::Building && !attempt::is_tried_again(waiting.tries) {
        let detail = Some("whoever built it was gone each time".to_owned());
        let outcome = given_up(Outcome { detail, ..waiting.outcome.clone() });
        let (state, claim) = (DeltaState::Failed, None);
        return StoredPair { state, claim, since: at, outcome, ..waiting.clone() };
    }
    let claim = Some(Claim { by: by.to_owned(), until: until(at) });
    let tries = waiting.tries.saturating_add(1);
    StoredPair { state: DeltaState::Building, tries, claim, since: at, ..waiting.clone() }
}

fn given_up(outcome: Outcome) -> Outcome {
    Outcome { given_up_by: Some(attempt::VERSION.to_owned()), ..outcome }
}

fn begun_for_nothing(claimed: &StoredPair, at: Timestamp) -> StoredPair {
    let (state, tries) = (DeltaState::Queued, claimed.tries.saturating_sub(1));
    StoredPair { state, tries, claim: None, since: at, ..claimed.clone() }
}

fn until(at: Timestamp) -> Timestamp {
    at.plus_seconds(CLAIM_S)
}

fn open(path: &Path) -> Result<File, BlobError> {
    File::open(path).map_err(BlobError::io(path))
}

/// What the list says of a delta; nothing for names that no target can have.
fn target(from: &ImageTarget, to: &ImageTarget, checked: Checked) -> Option<DeltaTarget> {
    let (base, image) = (&from.firmware, &to.firmware);
    let digest = base.payload.image_sha256.to_string();
    let stem = digest.get(..12)?;
    let path =
        TargetPath::new(&format!("{DELTA_DIR}/{}-{}-{stem}.pwd", base.seq, image.seq)).ok()?;
    let facts = DeltaFacts {
        v: 1,
        from: DeltaFrom {
            image_sha256: base.payload.image_sha256,
            length: base.payload.image_length,
            seq: base.seq,
        },
        to: DeltaTo {
            path: to.path.clone(),
            image_sha256: image.payload.image_sha256,
            length: image.payload.image_length,
            seq: image.seq,
        },
        format: Format::Pwd1,
        mem_bytes: checked.mem_bytes,
        table_sha256: checked.table_sha256,
    };
    let file = TargetFile { path, length: checked.bytes, sha256: checked.sha256 };
    Some(DeltaTarget { file, facts })
}

fn tell(pair: &StoredPair) {
    let Outcome { bytes, full_bytes, index, cpu_ms, memory_kib, detail, .. } = &pair.outcome;
    tracing::info!(
        repository.id = %pair.repository, delta.from = %pair.pair.from, delta.to = %pair.pair.to,
        delta.state = ?pair.state, delta.bytes = bytes, delta.full_bytes = full_bytes,
        delta.index = index, delta.cpu_ms = cpu_ms, delta.memory_kib = memory_kib,
        delta.tries = pair.tries, detail = detail, "A delta was worked on"
    );
}
