//! Plays hostile containers for some minutes, with little memory.
//!
//! `patchward-fuzz SECONDS [SEED [FOLDER]]`: new ends are kept in FOLDER. A panic is a finding: it
//! says the seed of its stretch, and the same seed plays it again.

use anyhow::{Context as _, Result};
use nix::sys::resource::{Resource, setrlimit};
use patchward_fuzz::{Pool, Tally, play};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most memory of the whole process, in bytes.
const MEMORY_BYTES: u64 = 192 * 1024 * 1024;
/// Rounds between two looks at the clock.
const STRETCH: u64 = 5000;

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let seconds = words.next().unwrap_or_else(|| "60".to_owned());
    let seconds = Duration::from_secs(seconds.parse().context("seconds")?);
    let seed = words.next().map_or(Ok(1), |seed| seed.parse::<u64>()).context("seed")?;
    let folder = words.next().map(PathBuf::from);
    setrlimit(Resource::RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES).context("limit memory")?;
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut pool = Pool::made()?.with_folder(&corpus)?;
    let mut tally = Tally::default();
    let begun = now();
    for stretch in 0.. {
        if now().duration_since(begun) >= seconds {
            break;
        }
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(stretch);
        let rounds = std::panic::AssertUnwindSafe(|| play(&mut pool, seed, STRETCH, &mut tally));
        if let Err(panic) = std::panic::catch_unwind(rounds) {
            say(&format!("stretch {stretch} with seed {seed} found something"))?;
            std::panic::resume_unwind(panic);
        }
    }
    let elapsed = now().duration_since(begun).as_secs().max(1);
    say(&format!(
        "{} executions in {elapsed} s, {} a second, {} decoded a window to its end, {} of them \
         counted in places of code, {} ends",
        tally.executions,
        tally.executions / elapsed,
        tally.deep,
        tally.aimed,
        tally.ends.len()
    ))?;
    for (end, count) in &tally.ends {
        say(&format!("{count:>10} {end}"))?;
    }
    folder.map_or(Ok(()), |folder| keep(&pool, &folder))
}

fn keep(pool: &Pool, folder: &Path) -> Result<()> {
    for (name, file) in pool.files.iter().filter(|(name, _)| !name.starts_with("made-")) {
        let path = folder.join(format!("{name}.pwd"));
        let mut out = File::create(&path).with_context(|| format!("make {}", path.display()))?;
        out.write_all(file).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{line}").context("say it")
}

#[expect(clippy::disallowed_methods, reason = "how long to play is the one thing asked of a clock")]
fn now() -> Instant {
    Instant::now()
}
