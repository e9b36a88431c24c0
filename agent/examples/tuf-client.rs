//! A client for the public TUF conformance suite (theupdateframework/tuf-conformance), driven by the
//! same code as the agent: `Refresh`, `Search` and the link. It reads any TUF repository
//! (`Profile::Plain`) and is for tests only; a device is bound to its repositories.
//!
//! ```text
//! tuf-client --metadata-dir DIR init TRUSTED_ROOT
//! tuf-client --metadata-dir DIR --metadata-url URL refresh
//! tuf-client --metadata-dir DIR --metadata-url URL --target-name NAME --target-base-url URL
//!            --target-dir DIR download
//! ```

use anyhow::{Context as _, Result, bail};
use lexopt::prelude::*;
use patchward_agent::link::body::Speed;
use patchward_agent::link::http::{Client, Config, PlainHttp};
use patchward_agent::link::tls::ServerTrust;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::limits::DOCUMENT_BYTES_MAX;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::lookup::target_file_name;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::{Answer, Held, Refresh, Step};
use patchward_protocol::tuf::role::encode;
use patchward_protocol::tuf::search::{Listed, Search, SearchStep};
use patchward_protocol::tuf::trusted_set::{Expiry, TrustedSet};
use patchward_protocol::verified::Verified;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use url::Url;

#[derive(Default)]
struct Options {
    metadata_dir: PathBuf,
    metadata_url: String,
    target_dir: PathBuf,
    target_base_url: String,
    target_names: Vec<String>,
    command: String,
    trusted_root: PathBuf,
}

fn main() -> Result<()> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match options.command.as_str() {
        "init" => {
            store_file(&options.metadata_dir.join("root.json"), &fs::read(&options.trusted_root)?)
        }
        "refresh" => runtime.block_on(refresh(&options)).map(|_| ()),
        "download" => runtime.block_on(download(&options)),
        other => bail!("unknown command {other:?}"),
    }
}

fn options() -> Result<Options> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("metadata-dir") => options.metadata_dir = parser.value()?.into(),
            Long("metadata-url") => options.metadata_url = parser.value()?.string()?,
            Long("target-dir") => options.target_dir = parser.value()?.into(),
            Long("target-base-url") => options.target_base_url = parser.value()?.string()?,
            Long("target-name") => options.target_names.push(parser.value()?.string()?),
            Value(value) if options.command.is_empty() => options.command = value.string()?,
            Value(value) => options.trusted_root = value.into(),
            Short(_) | Long(_) => return Err(argument.unexpected().into()),
        }
    }
    Ok(options)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge of the program: the suite fakes this clock"
)]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Timestamp::from_millis(millis)
}

async fn refresh(options: &Options) -> Result<(TrustedSet, Held, Client)> {
    let mut client = client(&options.metadata_url)?;
    let held = load(&options.metadata_dir)?;
    let expiry = Expiry::Enforce(now());
    let mut refresh = Refresh::begin(held, Floors::default(), Profile::Plain, expiry)?;
    let outcome = walk(&mut refresh, &mut client).await;
    store(&options.metadata_dir, refresh.held())?;
    outcome?;
    let (set, held, _) = refresh.finish()?;
    Ok((set, held, client))
}

async fn walk(refresh: &mut Refresh, client: &mut Client) -> Result<()> {
    while let Step::Fetch { file, bytes_max } = refresh.next() {
        refresh.supply(fetch(client, &file, bytes_max).await?)?;
    }
    Ok(())
}

async fn fetch(client: &mut Client, file: &str, bytes_max: usize) -> Result<Answer> {
    let bytes_max = u64::try_from(bytes_max)?;
    let answer = client.get(file, bytes_max, &[]).await.with_context(|| format!("fetch {file}"))?;
    match answer.status {
        200 => Ok(Answer::Bytes(answer.body)),
        404 | 410 => Ok(Answer::NotFound),
        status => bail!("fetch {file}: status {status}"),
    }
}

async fn download(options: &Options) -> Result<()> {
    let (mut set, mut held, mut metadata) = refresh(options).await?;
    let mut files = client(&options.target_base_url)?;
    for name in &options.target_names {
        let found = search(&mut set, &mut held, &mut metadata, name).await;
        store(&options.metadata_dir, &held)?;
        let Some(listed) = found? else { bail!("no target {name:?}") };
        let path = options.target_dir.join(encode(name));
        if fs::read(&path).is_ok_and(|bytes| Sha256Digest::of(&bytes) == listed.sha256) {
            continue;
        }
        let file = target_file_name(name, listed.sha256, set.naming());
        let file = file.split('/').map(encode).collect::<Vec<_>>().join("/");
        let bytes_max = listed.length.min(DOCUMENT_BYTES_MAX);
        let answer = files.get(&file, bytes_max, &[]).await?;
        let length = u64::try_from(answer.body.len())?;
        if answer.status != 200 || length != listed.length {
            bail!("target {name:?}: status {}, {length} bytes", answer.status);
        }
        if Sha256Digest::of(&answer.body) != listed.sha256 {
            bail!("target {name:?} is not the listed file");
        }
        store_file(&path, &answer.body)?;
    }
    Ok(())
}

async fn search(
    set: &mut TrustedSet,
    held: &mut Held,
    client: &mut Client,
    name: &str,
) -> Result<Option<Verified<Listed>>> {
    let mut search = Search::begin(set, held, name)?;
    loop {
        let answer = match search.step() {
            SearchStep::Found(listed) => return Ok(Some(listed.clone())),
            SearchStep::NotFound => return Ok(None),
            SearchStep::Fetch { file, bytes_max } => fetch(client, file, *bytes_max).await?,
        };
        search.supply(set, held, answer)?;
    }
}

fn client(base: &str) -> Result<Client> {
    let trust =
        ServerTrust { authorities_pem: None, spki_sha256: None, not_before: Timestamp::EPOCH };
    let config = Config {
        base: Url::parse(base).with_context(|| format!("address {base:?}"))?,
        trust,
        plain_http: PlainHttp::LoopbackOnly,
        speed: Speed::default(),
    };
    Ok(Client::new(config)?)
}

fn load(dir: &Path) -> Result<Held> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(name) = name.strip_suffix(".json") {
            files.insert(decode(name)?, fs::read(&path)?);
        }
    }
    Ok(Held {
        root: files.remove("root").context("no root.json: run init")?,
        timestamp: files.remove("timestamp"),
        snapshot: files.remove("snapshot"),
        targets: files.remove("targets"),
        delegated: files,
    })
}

fn store(dir: &Path, held: &Held) -> Result<()> {
    let top = [
        ("root", Some(&held.root)),
        ("timestamp", held.timestamp.as_ref()),
        ("snapshot", held.snapshot.as_ref()),
        ("targets", held.targets.as_ref()),
    ];
    for (name, bytes) in top {
        if let Some(bytes) = bytes {
            store_file(&dir.join(format!("{name}.json")), bytes)?;
        }
    }
    for (name, bytes) in &held.delegated {
        store_file(&dir.join(format!("{}.json", encode(name))), bytes)?;
    }
    Ok(())
}

fn store_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let mut file = fs::File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path).with_context(|| format!("write {}", path.display()))
}

/// Undoes [`encode`].
fn decode(name: &str) -> Result<String> {
    let (mut bytes, mut rest) = (Vec::new(), name);
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, after) = after.split_at_checked(2).context("a broken file name")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(String::from_utf8(bytes)?)
}
