//! `repo rotate`: the next root, with other keys, thresholds or a later expiry.
//!
//! It is signed by enough keys of the published root and by enough of its own. When the targets keys
//! change, the targets are drafted anew too, to be signed by the new keys and published with it. Not
//! here: making the server's online keys (they are taken as the server shows them).
//! Invariant: what is not named stays as it is published.

use crate::base::{Against, Base};
use crate::disk::{self, Place, Readers};
use crate::draft::Draft;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::key::MethodWord;
use crate::release::{Life, next};
use crate::repo::{keys, online_role, refused};
use crate::said::Said;
use crate::{login, repository, rules, show};
use patchward_protocol::api::repository::ShowRepository;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{RoleSpec, RootSpec};
use patchward_protocol::tuf::difference::RootDifference;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use serde_json::json;
use std::path::PathBuf;

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;

/// Arguments of `repo rotate`.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// The repository: family:MAKER.NAME or site:NAME
    pub repository: RepositoryId,
    /// All .pub files that sign roots from now on (repeat; default: as published)
    #[arg(long, value_name = "NAME.pub")]
    pub root_key: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "N")]
    pub root_threshold: Option<u64>,
    /// All .pub files that sign targets from now on (repeat; default: as published)
    #[arg(long, value_name = "NAME.pub")]
    pub targets_key: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "N")]
    pub targets_threshold: Option<u64>,
    /// Weakest way in which approvals may be signed (sites)
    #[arg(long, value_enum)]
    pub weakest: Option<MethodWord>,
    /// Days until the root expires
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=1826))]
    pub root_days: i64,
    /// Instant to write as the time of issue (default: now)
    #[arg(long, value_name = "UTC")]
    pub issued: Option<Timestamp>,
    /// Folder for the staged files
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// `repo rotate`.
///
/// # Errors
/// [`Code::RootUnknown`], [`Code::StageRules`], failures of the base, the server and writing.
pub fn rotate(here: &Here, rotate: &Rotate) -> Outcome<Said> {
    let id = &rotate.repository;
    let base = Base::current(here, id, &rotate.against)?;
    let published = base.root_spec().ok_or_else(|| repository::unknown(id))?;
    let (kind, name) = id.parts();
    let server = login::connect(here, &rotate.against.reach)?;
    let online = server.call::<ShowRepository>(&[kind, name], &())?;
    let issued = rotate.issued.unwrap_or(here.at).whole_second();
    let role = |published: &RoleSpec, files: &[PathBuf], threshold: Option<u64>| {
        let keys = if files.is_empty() { published.keys.clone() } else { keys(here, id, files)? };
        Ok(RoleSpec { keys, threshold: threshold.unwrap_or(published.threshold) })
    };
    let spec = RootSpec {
        version: published.version + 1,
        issued,
        expires: issued.plus_seconds(rotate.root_days * DAY_S),
        root: role(&published.root, &rotate.root_key, rotate.root_threshold)?,
        targets: role(&published.targets, &rotate.targets_key, rotate.targets_threshold)?,
        snapshot: online_role(online.snapshot_key),
        timestamp: online_role(online.timestamp_key),
        weakest: rotate.weakest.map_or(published.weakest, |word| Some(word.into())),
        ..published.clone()
    };
    let mut staged = vec![spec.staged().map_err(|error| refused(id, &error))?];
    if spec.targets != published.targets {
        let life = Life { targets_days: None, issued: Some(issued) };
        let targets = next(here, id, &base, &life)?.staged(Role::Targets);
        staged.push(targets.map_err(|error| refused(id, &error))?);
    }
    let paths = write(here, rotate, &base, &staged)?;
    let mut text =
        show::root_difference(here.language, id, &RootDifference::between(Some(&published), &spec));
    let word = here.language.pick("to be signed:", "署名待ち:");
    text.extend(paths.iter().map(|path| format!("{word} {}", path.display())));
    Ok(Said::new(json!({"repository": id, "version": spec.version, "files": paths})).lines(text))
}

fn write(here: &Here, rotate: &Rotate, base: &Base, staged: &[Staged]) -> Outcome<Vec<PathBuf>> {
    if std::fs::symlink_metadata(&rotate.out).is_ok() {
        return Err(Failure::new(Code::FileExists, format!("{} exists", rotate.out.display())));
    }
    let named = staged.iter().map(|one| (rotate.out.join(Draft::file_name(one)), one.to_bytes()));
    let named: Vec<_> = named.collect();
    for (path, bytes) in &named {
        rules::check(here, &Draft::from_bytes(path, bytes)?, base)?;
    }
    disk::make_folder(&rotate.out)?;
    for (path, bytes) in &named {
        disk::write(path, bytes, Readers::Everybody, Place::New)?;
    }
    Ok(named.into_iter().map(|(path, _)| path).collect())
}
