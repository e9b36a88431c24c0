//! Set-up and checks behind `cargo xtask`: one command that a contributor and CI both run.
//!
//! For: installing what the checks need, starting the services they use, running all of them and
//! showing what was counted; building the corpus of real software, and measuring over it. Not for: anything a hospital or
//! a manufacturer runs.
//!
//! Invariant: a component that is missing fails with an install hint; nothing is skipped silently.
#![expect(clippy::print_stdout, reason = "a command for people: its output is its purpose")]

mod bench;
mod browser;
mod child;
mod corpus;
mod deny;
mod deploy;
mod needs;
mod place;
mod postgres;
mod python;
mod report;
mod stopwatch;
mod suite;
mod tally;

use anyhow::{Result, bail};
use place::Place;
use std::{path::PathBuf, process::ExitCode};

const USAGE: &str = "\
cargo xtask test [--quick]              every check; --quick: fewer rounds in the long campaigns, no docs
cargo xtask torture                     a whole simulated year of 50 hospitals and 5,000 devices, and every kill of
                                        the agent while it stages; takes minutes
cargo xtask browser [WORD]...           the console in a real Chromium, all of it or tests with these words
cargo xtask screens                     pictures of the console's main pages into docs/guide/screens
cargo xtask deny                        cargo-deny with advisories (asks the RustSec database on the network)
cargo xtask corpus [--dir DIR] [--debs] pairs and root file systems of real software in target/corpus
                   [--relock]           take the two newest releases of each wheel into the lock first
cargo xtask bench delta [--debs]        our deltas against every other tool, over the corpus, into benches/RESULTS.md;
                   [--large]            takes the better part of an hour; with a made pair of 2 GiB as well
                   [--pair NAME]...     only these pairs, only printed
                   [--tool NAME]...     only these tools, only printed
                   [--rounds N]         apply each patch so often
                   [--keep-peers]       take the other tools' figures of the last run on the same images
                   [--quick]            two small pairs with the tools that are there, only printed
cargo xtask bench console               how long pages take with 5,000 devices and 200 hospitals, into benches/RESULTS.md";

/// What one call asks for.
#[derive(Debug, PartialEq, Eq)]
enum Verb {
    Help,
    Test { rounds: suite::Rounds },
    Torture,
    Browser { words: Vec<String> },
    Screens,
    Deny,
    Corpus(corpus::Wanted),
    Bench(bench::Wanted),
    BenchConsole,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments).and_then(run) {
        Ok(code) => code,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<ExitCode> {
    let place = Place::find()?;
    match verb {
        Verb::Help => println!("{USAGE}"),
        Verb::Test { rounds } => return suite::run(&place, rounds),
        Verb::Torture => suite::torture(&place)?,
        Verb::Browser { words } => {
            browser::alone(&place, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Verb::Screens => browser::screens(&place)?,
        Verb::Deny => deny::with_advisories(&place)?,
        Verb::Corpus(wanted) => {
            corpus::build(&place, &wanted)?;
        }
        Verb::Bench(wanted) => bench::delta(&place, &wanted)?,
        Verb::BenchConsole => bench::console(&place)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn parse(arguments: &[String]) -> Result<Verb> {
    let mut rest = arguments.iter().map(String::as_str);
    let verb = rest.next().unwrap_or("help");
    let rest: Vec<&str> = rest.collect();
    match (verb, rest.as_slice()) {
        ("help" | "--help" | "-h", []) => Ok(Verb::Help),
        ("test", []) => Ok(Verb::Test { rounds: suite::Rounds::All }),
        ("test", ["--quick"]) => Ok(Verb::Test { rounds: suite::Rounds::Quick }),
        ("torture", []) => Ok(Verb::Torture),
        ("browser", words) => {
            Ok(Verb::Browser { words: words.iter().copied().map(String::from).collect() })
        }
        ("screens", []) => Ok(Verb::Screens),
        ("deny", []) => Ok(Verb::Deny),
        ("corpus", options) => parse_corpus(options).map(Verb::Corpus),
        ("bench", ["console"]) => Ok(Verb::BenchConsole),
        ("bench", ["delta", options @ ..]) => bench::Wanted::parse(options).map(Verb::Bench),
        _ => bail!("`{}` is not understood\n{USAGE}", arguments.join(" ")),
    }
}

fn parse_corpus(options: &[&str]) -> Result<corpus::Wanted> {
    let mut wanted = corpus::Wanted::default();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match *option {
            "--relock" => wanted.lock = corpus::LockUse::Renew,
            "--debs" => wanted.debs = corpus::Debs::Too,
            "--dir" => match rest.next() {
                Some(folder) => wanted.folder = Some(PathBuf::from(folder)),
                None => bail!("--dir wants a folder\n{USAGE}"),
            },
            other => bail!("`{other}` is not understood\n{USAGE}"),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Verb> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        parse(&words)
    }

    #[test]
    fn nothing_asked_shows_the_usage() {
        assert_eq!(parsed("").unwrap(), Verb::Help);
    }

    #[test]
    fn quick_is_the_only_option_of_test() {
        assert_eq!(parsed("test --quick").unwrap(), Verb::Test { rounds: suite::Rounds::Quick });
        assert!(parsed("test --quack").is_err());
    }

    #[test]
    fn torture_takes_no_options() {
        assert_eq!(parsed("torture").unwrap(), Verb::Torture);
        assert!(parsed("torture --quick").is_err());
    }

    #[test]
    fn the_browser_takes_words_and_the_screens_none() {
        let words = vec!["story".to_owned()];
        assert_eq!(parsed("browser story").unwrap(), Verb::Browser { words });
        assert_eq!(parsed("screens").unwrap(), Verb::Screens);
        assert!(parsed("screens story").is_err());
    }

    #[test]
    fn a_bench_is_named() {
        assert!(matches!(parsed("bench delta --quick").unwrap(), Verb::Bench(_)));
        assert_eq!(parsed("bench console").unwrap(), Verb::BenchConsole);
        assert!(parsed("bench").is_err());
    }

    #[test]
    fn corpus_options_come_in_any_order() {
        let wanted = corpus::Wanted {
            folder: Some(PathBuf::from("elsewhere")),
            lock: corpus::LockUse::Renew,
            debs: corpus::Debs::None,
        };
        assert_eq!(parsed("corpus --dir elsewhere --relock").unwrap(), Verb::Corpus(wanted));
        assert!(parsed("corpus --dir").is_err());
    }
}
