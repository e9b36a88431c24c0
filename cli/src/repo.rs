//! `repo init|trust|fetch`: opening a repository, and knowing whose it is.
//!
//! `init` asks the server to open the repository and to make its online keys, and drafts the first
//! root and the first, empty targets from `.pub` files; people then sign both. Not here: signing and
//! publishing ([`crate::sign`], [`crate::stage`]).
//! Invariant: both drafts or none are written.

use crate::base::Base;
use crate::disk::{self, Place, Readers};
use crate::draft::Draft;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::public_file::PublicFile;
use crate::said::Said;
use crate::server::{Reach, Server};
use crate::{delegation, key, login, repository, rules, show};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::repository::{
    OpenRepository, OpenRepositoryRequest, Reading, RepositoryView, ShowRepository,
};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::PublicKey;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::build::{KeySpec, RoleSpec, RootSpec, TargetsSpec};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::schema::Method;
use patchward_protocol::tuf::stage::Staged;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Seconds of a day.
const DAY_S: i64 = 24 * 3600;

/// Arguments of `repo init`.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The repository: family:MAKER.NAME or site:NAME
    pub repository: RepositoryId,
    /// Name for people, in English
    #[arg(long, value_name = "TEXT")]
    pub title_en: String,
    /// Name for people, in Japanese
    #[arg(long, value_name = "TEXT")]
    pub title_ja: String,
    /// Only holders of a token may read it (a site always)
    #[arg(long)]
    pub restricted: bool,
    /// A .pub file that signs roots (repeat)
    #[arg(long, value_name = "NAME.pub", required = true)]
    pub root_key: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub root_threshold: u64,
    /// A .pub file that signs targets: releases, or approvals (repeat)
    #[arg(long, value_name = "NAME.pub", required = true)]
    pub targets_key: Vec<PathBuf>,
    /// How many of them must sign
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub targets_threshold: u64,
    /// Weakest way in which approvals may be signed (sites; default offline)
    #[arg(long, value_enum)]
    pub weakest: Option<key::MethodWord>,
    /// Public key of a time source of the hospital, 64 hexadecimal digits (sites; repeat)
    #[arg(long, value_name = "HEX")]
    pub time_key: Vec<PublicKey>,
    /// Days until the root expires
    #[arg(long, default_value_t = 730, value_parser = clap::value_parser!(i64).range(1..=1826))]
    pub root_days: i64,
    /// Days until the targets expire (default: family 365, site 90)
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=730))]
    pub targets_days: Option<i64>,
    /// Instant to write as the time of issue (default: now)
    #[arg(long, value_name = "UTC")]
    pub issued: Option<Timestamp>,
    /// Folder for root-v1.stage.json and targets-v1.stage.json
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `repo init`.
///
/// # Errors
/// [`Code::StageRules`], [`Code::FileExists`], [`Code::ServerRefused`] and their likes.
pub fn init(here: &Here, init: &Init) -> Outcome<Said> {
    let root_keys = keys(here, &init.repository, &init.root_key)?;
    let targets_keys = keys(here, &init.repository, &init.targets_key)?;
    if matches!(init.repository, RepositoryId::Family(_))
        && (init.weakest.is_some() || !init.time_key.is_empty())
    {
        let what = "--weakest and --time-key are for sites";
        return Err(Failure::new(Code::ValueBad, what));
    }
    let paths = ["root-v1.stage.json", "targets-v1.stage.json"].map(|name| init.out.join(name));
    for path in &paths {
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(Failure::new(Code::FileExists, format!("{} exists", path.display())));
        }
    }
    let issued = init.issued.unwrap_or(here.at).whole_second();
    let spec = |online: &RepositoryView| RootSpec {
        repository: init.repository.clone(),
        version: 1,
        issued,
        expires: issued.plus_seconds(init.root_days * DAY_S),
        root: RoleSpec { keys: root_keys.clone(), threshold: init.root_threshold },
        targets: RoleSpec { keys: targets_keys.clone(), threshold: init.targets_threshold },
        snapshot: online_role(online.snapshot_key),
        timestamp: online_role(online.timestamp_key),
        weakest: init.weakest.map(Into::into),
        time_keys: init.time_key.clone(),
    };
    let server = login::connect(here, &init.reach)?;
    let view = open(&server, init)?;
    let root = spec(&view).staged().map_err(|error| refused(&init.repository, &error))?;
    let days = match init.repository {
        RepositoryId::Family(_) => 365,
        RepositoryId::Site(_) => 90,
    };
    let targets = TargetsSpec {
        repository: init.repository.clone(),
        version: 1,
        issued,
        expires: issued.plus_seconds(init.targets_days.unwrap_or(days) * DAY_S),
        targets: BTreeMap::new(),
        delegations: view
            .deltas_key
            .filter(|_| !is_site(&init.repository))
            .map(patchward_protocol::draft::changes::to_server)
            .into_iter()
            .collect(),
    };
    let summary =
        (!is_site(&init.repository)).then(|| delegation::summary(here.language, &targets));
    let delegated = !targets.delegations.is_empty();
    let targets = targets.staged(Role::Targets);
    let targets = targets.map_err(|error| refused(&init.repository, &error))?;
    write_both(here, &paths, &root, &targets)?;
    Ok(Said::new(json!({
        "repository": init.repository, "files": paths,
        "snapshot_key": view.snapshot_key, "timestamp_key": view.timestamp_key,
        "delegated": delegated,
    }))
    .lines(show::root_words(here.language, &spec(&view)))
    .lines(summary)
    .lines(paths.iter().map(|path| {
        format!("{} {}", here.language.pick("to be signed:", "署名待ち:"), path.display())
    })))
}

/// `repo trust`: pins a root that came by a trusted way.
///
/// # Errors
/// [`Code::NotConfirmed`] when the fingerprint is not the expected one; [`Code::RootDiffers`].
pub fn trust(
    here: &Here,
    id: &RepositoryId,
    file: &Path,
    fingerprint: Option<&str>,
) -> Outcome<Said> {
    let bytes_max = u64::try_from(patchward_protocol::limits::ROOT_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = disk::read(file, bytes_max)?;
    let set = repository::from_root(here, id, &bytes)?;
    let shown = set.root().sha256().fingerprint();
    here.tell(&format!(
        "{id} {} {shown}",
        here.language.pick("root fingerprint", "ルートの照合コード")
    ));
    let question = here
        .language
        .pick("Type the fingerprint that its owner gave you", "管理者から聞いた照合コードを入力");
    let typed = fingerprint.map(str::to_owned).or_else(|| here.ask_line(question));
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    if typed.as_deref().map(digits) != Some(digits(&shown)) {
        let what = "the fingerprint is not the one of this root: nothing is trusted";
        return Err(Failure::new(Code::NotConfirmed, what));
    }
    repository::pin(here, id, bytes)?;
    let version = set.root().signed.version;
    Ok(Said::new(json!({"repository": id, "version": version, "fingerprint": shown})).line(
        format!(
            "{} {id} ({} {version})",
            here.language.pick("trusted:", "信頼しました:"),
            here.language.pick("root version", "ルートの版")
        ),
    ))
}

fn open(server: &Server, init: &Init) -> Outcome<RepositoryView> {
    let (kind, name) = init.repository.parts();
    let reading = match (&init.repository, init.restricted) {
        (RepositoryId::Site(_), _) | (RepositoryId::Family(_), true) => Reading::Restricted,
        (RepositoryId::Family(_), false) => Reading::Public,
    };
    let (title_en, title_ja) = (init.title_en.clone(), init.title_ja.clone());
    let request = OpenRepositoryRequest { title_en, title_ja, reading };
    match server.call::<OpenRepository>(&[kind, name], &request) {
        Err(failure) if says(&failure, ErrorCode::RepositoryExists) => {
            let view = server.call::<ShowRepository>(&[kind, name], &())?;
            if view.heads.is_empty() { Ok(view) } else { Err(failure) }
        }
        other => other,
    }
}

fn says(failure: &Failure, code: ErrorCode) -> bool {
    failure.server.as_ref().is_some_and(|problem| problem.code == code)
}

const fn is_site(id: &RepositoryId) -> bool {
    matches!(id, RepositoryId::Site(_))
}

/// Keys as a root lists them, from `.pub` files.
///
/// # Errors
/// [`Code::PublicFileBad`] and [`Code::ExampleKeys`].
pub fn keys(here: &Here, id: &RepositoryId, files: &[PathBuf]) -> Outcome<Vec<KeySpec>> {
    files
        .iter()
        .map(|path| {
            let file = PublicFile::read(path)?;
            key::refuse_example(here, &file.public)?;
            let method: Option<Method> = is_site(id).then_some(file.method);
            Ok(KeySpec { public: file.public, person: Some(file.person), method })
        })
        .collect()
}

/// A role whose one key the server holds.
#[must_use]
pub fn online_role(public: PublicKey) -> RoleSpec {
    let key = KeySpec { public, person: None, method: None };
    RoleSpec { keys: vec![key], threshold: 1 }
}

/// The failure for a document that a device would refuse for its form.
#[must_use]
pub fn refused(id: &RepositoryId, error: &TufError) -> Failure {
    Failure::because(Code::StageRules, id, error)
}

fn write_both(here: &Here, paths: &[PathBuf; 2], root: &Staged, targets: &Staged) -> Outcome<()> {
    let [root_path, targets_path] = paths;
    let draft = Draft::from_bytes(root_path, &root.to_bytes())?;
    rules::check(here, &draft, &Base::default())?;
    if let Some(folder) = root_path.parent() {
        disk::make_folder(folder)?;
    }
    disk::write(root_path, &root.to_bytes(), Readers::Everybody, Place::New)?;
    let second = disk::write(targets_path, &targets.to_bytes(), Readers::Everybody, Place::New);
    if second.is_err() {
        // Half a pair is worse than none; the failure that is reported is the second write's.
        let _ = std::fs::remove_file(root_path);
    }
    second
}
