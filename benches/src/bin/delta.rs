//! Deltas of real images: ours against every other tool, in one run.
//!
//! `cargo xtask bench delta` calls it with the corpus and with what the tools need. Prints the tables,
//! and writes them with a chart where it is told to. Fails when one of our own deltas does.
#![allow(clippy::print_stdout, reason = "a measurement is read")]

use anyhow::{Context as _, Result, bail, ensure};
use patchward_benches::delta::page::{self, Surroundings};
use patchward_benches::delta::pair::{self, Pair};
use patchward_benches::delta::summary::Summary;
use patchward_benches::delta::tool::Tool;
use patchward_benches::delta::trial::{Bench, Rounds, Trial};
use patchward_benches::delta::{chart, measure, ours};
use patchward_protocol::digest::Sha256Hasher;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

const USAGE: &str = "\
delta --corpus DIR --work DIR [--python INTERPRETER] [--page FILE] [--pair NAME]...
      [--rounds N]      apply each patch so often (3)
      [--quick]         pydicom and a small made pair, one round, with the tools that are there
      [--large]         a made pair of 2 GiB as well, ours by sampled hashes only
      [--tool NAME]...  only these tools, of: suffix sampled bsdiff hdiff xdelta zstd-from ostree casync zchunk zstd
      [--keep-peers]    take the other tools' figures of the last run on the same images";
/// Images up to this length are cheap enough to build several times.
const SMALL_BYTES: u64 = 24 << 20;
/// How often.
const BUILDS: u32 = 3;
const APPLIES: u32 = 3;
const MADE_MIB: u64 = 3;
const LARGE: &str = "made-2g";
const LARGE_MIB: u64 = 2048;
/// Seed of the made pairs.
const SEED: u64 = 16;

fn main() -> Result<()> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match words.split_first() {
        Some((verb, rest)) if verb == measure::VERB => measure::measured(rest),
        Some((verb, rest)) if verb == ours::BUILD => ours::build(rest),
        Some((verb, rest)) if verb == ours::APPLY => ours::apply(rest),
        _ => compare(&Wanted::read(&words)?),
    }
}

/// What one call asks for.
#[derive(Default)]
struct Wanted {
    corpus: PathBuf,
    work: PathBuf,
    python: Option<PathBuf>,
    page: Option<PathBuf>,
    pairs: Vec<String>,
    tools: Vec<Tool>,
    rounds: Option<u32>,
    quick: bool,
    large: bool,
    keep_peers: bool,
}

impl Wanted {
    fn read(words: &[OsString]) -> Result<Self> {
        let mut wanted = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let mut value = || {
                rest.next().with_context(|| format!("{} wants a value\n{USAGE}", word.display()))
            };
            match word.to_str().unwrap_or_default() {
                "--corpus" => wanted.corpus = value()?.into(),
                "--work" => wanted.work = value()?.into(),
                "--python" => wanted.python = Some(value()?.into()),
                "--page" => wanted.page = Some(value()?.into()),
                "--pair" => wanted.pairs.push(value()?.to_string_lossy().into_owned()),
                "--rounds" => {
                    wanted.rounds = Some(value()?.to_string_lossy().parse().context("--rounds")?)
                }
                "--tool" => {
                    let name = value()?.to_string_lossy().into_owned();
                    let tool = serde_json::from_value(name.into()).context("no such tool")?;
                    wanted.tools.push(tool);
                }
                "--quick" => wanted.quick = true,
                "--large" => wanted.large = true,
                "--keep-peers" => wanted.keep_peers = true,
                _ => bail!("`{}` is not understood\n{USAGE}", word.display()),
            }
        }
        ensure!(!wanted.corpus.as_os_str().is_empty(), "--corpus is wanted\n{USAGE}");
        ensure!(!wanted.work.as_os_str().is_empty(), "--work is wanted\n{USAGE}");
        Ok(wanted)
    }
}

fn compare(wanted: &Wanted) -> Result<()> {
    let work = std::path::absolute(&wanted.work).context("name the working folder")?;
    fs::create_dir_all(&work).with_context(|| format!("make {}", work.display()))?;
    let corpus = fs::canonicalize(&wanted.corpus)
        .with_context(|| format!("find {}", wanted.corpus.display()))?;
    let mut pairs = pair::of_corpus(&corpus)?;
    if wanted.quick {
        pairs.retain(|pair| pair.name.starts_with("pydicom"));
        pairs.push(pair::make(&work, "made", MADE_MIB, SEED)?);
    }
    pairs.retain(|pair| wanted.pairs.is_empty() || wanted.pairs.contains(&pair.name));
    if wanted.large {
        pairs.push(pair::make(&work, LARGE, LARGE_MIB, SEED)?);
    }
    ensure!(!pairs.is_empty(), "no such pair");
    pairs.sort_by_key(|pair| pair.lengths().unwrap_or_default());
    let python = wanted.python.as_ref().map(std::path::absolute).transpose();
    let python = python.context("name the interpreter")?;
    let kept = kept(&work, wanted.keep_peers)?;
    let rounds = wanted.rounds.unwrap_or(if wanted.quick { 1 } else { APPLIES });
    let bench = Bench {
        work: &work,
        python: python.as_deref(),
        rounds: Rounds { apply: rounds, build: BUILDS.min(rounds), small_bytes: SMALL_BYTES },
        say: &|line| println!("{line}"),
    };
    let mut found: BTreeMap<String, Vec<Trial>> = BTreeMap::new();
    for pair in &pairs {
        let key = digests(pair)?;
        let turn = |tool: Tool| wanted.tools.is_empty() || wanted.tools.contains(&tool);
        let mut before = kept.get(&key).cloned().unwrap_or_default();
        before.retain(|trial| !trial.tool.is_ours() || !turn(trial.tool));
        let missing = tools(pair, wanted.quick).into_iter().filter(|tool| turn(*tool));
        let missing = missing.filter(|tool| !before.iter().any(|trial| trial.tool == *tool));
        let mut trials = bench.try_all(pair, &missing.collect::<Vec<_>>())?;
        trials.extend(before);
        found.insert(key, trials);
        keep(&work, &kept, &found)?;
    }
    for made in pairs.iter().filter(|pair| pair.old.starts_with(&work)) {
        for file in [&made.old, &made.new] {
            fs::remove_file(file).with_context(|| format!("remove {}", file.display()))?;
        }
    }
    report(wanted, &corpus, &found.into_values().flatten().collect::<Vec<_>>())
}

/// Which tools are tried on a pair.
fn tools(pair: &Pair, quick: bool) -> Vec<Tool> {
    let mut tools = Tool::ALL.to_vec();
    if pair.name == LARGE {
        // A suffix array of it takes 13 GB, and so would most of the other tools.
        tools.retain(|tool| *tool == Tool::Sampled);
    }
    if quick {
        let there = |tool: &Tool| {
            tool.program().is_none_or(|program| {
                let asked =
                    measure::Line::new("sh").words(["-c", "command -v \"$1\"", "sh", program]);
                *tool == Tool::Hdiff || asked.run(Path::new(".")).is_ok()
            })
        };
        tools.retain(there);
    }
    tools
}

fn report(wanted: &Wanted, corpus: &Path, trials: &[Trial]) -> Result<()> {
    let summary = Summary::new(trials);
    let mut around = surroundings(wanted, corpus);
    if let Some(page) = &wanted.page {
        let chart = page.with_file_name("delta.svg");
        write(&chart, &chart::drawn(&summary))?;
        around.chart = chart.file_name().map(|name| name.to_string_lossy().into_owned());
    }
    let section = page::section(&summary, &around);
    println!("\n{section}");
    if let Some(page) = &wanted.page {
        let held = fs::read_to_string(page).with_context(|| format!("read {}", page.display()))?;
        write(page, &page::placed(&held, &section))?;
        println!("wrote {}", page.display());
    }
    let faults = trials.iter().filter(|trial| trial.tool.is_ours() && trial.fault.is_some());
    let faults: Vec<&str> = faults.map(|trial| trial.pair.as_str()).collect();
    ensure!(faults.is_empty(), "our own delta failed on {}", faults.join(", "));
    Ok(())
}

/// The machine in general words, the lock of the corpus, the versions of the tools.
fn surroundings(wanted: &Wanted, corpus: &Path) -> Surroundings {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let rounds = wanted.rounds.unwrap_or(if wanted.quick { 1 } else { APPLIES });
    let peers = if wanted.keep_peers {
        " The other tools' figures are of an earlier run on the same images."
    } else {
        ""
    };
    let machine = format!(
        "Machine: {processors} processors of {}, shared with other work; every tool on one thread. Patches are applied {rounds} \
         times, those of images up to 24 MiB built {} times, larger ones once.{peers}",
        std::env::consts::ARCH,
        BUILDS.min(rounds),
    );
    let sums = fs::read_to_string(corpus.join("SHA256SUMS")).unwrap_or_default();
    let origin = sums.lines().filter_map(|line| line.strip_prefix("# "));
    let corpus = format!("`cargo xtask corpus`, {}.", origin.collect::<Vec<_>>().join(", "));
    let names = ["bsdiff", "xdelta3", "zstd", "ostree", "casync", "zchunk"];
    let query =
        measure::Line::new("dpkg-query").words(["--show", "--showformat=${Package} ${Version}\\n"]);
    let packages = query.words(names).run(Path::new(".")).unwrap_or_default();
    let hdiff = wanted.python.as_ref().and_then(|python| {
        let script = "import importlib.metadata as m; print('hdiffpatch', m.version('hdiffpatch'))";
        measure::Line::new(python).words(["-c", script]).run(Path::new(".")).ok()
    });
    let tools: Vec<&str> =
        packages.lines().chain(hdiff.as_deref().unwrap_or_default().lines()).collect();
    Surroundings { machine, corpus, tools: format!("{}.", tools.join(", ")), chart: None }
}

const KEPT: &str = "figures.json";
type Kept = BTreeMap<String, Vec<Trial>>;

fn kept(work: &Path, keep_peers: bool) -> Result<Kept> {
    match fs::read(work.join(KEPT)) {
        Ok(bytes) if keep_peers => serde_json::from_slice(&bytes).context("read the last figures"),
        _ => Ok(Kept::new()),
    }
}

fn keep(work: &Path, before: &Kept, found: &Kept) -> Result<()> {
    let mut all = before.clone();
    all.extend(found.clone());
    write(&work.join(KEPT), &serde_json::to_string_pretty(&all).context("keep the figures")?)
}

/// What a pair is, whatever it is called.
fn digests(pair: &Pair) -> Result<String> {
    let mut text = format!("{} ", pair.name);
    for path in [&pair.old, &pair.new] {
        let mut file = fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
        let (mut hasher, mut piece) = (Sha256Hasher::new(), vec![0; 1 << 18]);
        loop {
            let count =
                file.read(&mut piece).with_context(|| format!("read {}", path.display()))?;
            if count == 0 {
                break;
            }
            hasher.update(piece.get(..count).unwrap_or_default());
        }
        text.push_str(&hasher.finish().to_string());
    }
    Ok(text)
}

#[expect(clippy::disallowed_methods, reason = "figures can be measured again")]
fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
