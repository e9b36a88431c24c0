//! `patchward`: reads arguments, clock, chance and language once, runs one verb, says what came of it.

use clap::Parser as _;
use patchward_cli::args::{Args, run};
use patchward_cli::error::{Code, Failure};
use patchward_cli::here::{ExampleKeys, Here, Language, NoChance, Watcher};
use patchward_cli::said::{Form, print_failure};
use patchward_protocol::time::Timestamp;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let surroundings = Surroundings::read();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error, &surroundings),
    };
    let form = if args.global.json { Form::Json } else { Form::Lines };
    let here = surroundings.here(&args);
    match run(&here, args) {
        Ok(said) => {
            said.print(form);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            print_failure(&failure, here.language, form);
            ExitCode::from(failure.code.exit())
        }
    }
}

/// `--help` and `--version` are answers; everything else is a failure with a code.
fn usage(error: &clap::Error, surroundings: &Surroundings) -> ExitCode {
    if !error.use_stderr() {
        // A closed pipe is no reason to fail.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // The arguments did not read as a whole; these two are looked for by themselves.
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let asked = |language: &str| {
        words.windows(2).any(|pair| pair == ["--lang", language])
            || words.contains(&format!("--lang={language}"))
    };
    let language = match (asked("ja"), asked("en")) {
        (true, false) => Language::Ja,
        (false, true) => Language::En,
        (true, true) | (false, false) => surroundings.language(),
    };
    let form = if words.iter().any(|word| word == "--json") { Form::Json } else { Form::Lines };
    let text = error.render().to_string();
    let text = text.trim().trim_start_matches("error: ");
    print_failure(&Failure::new(Code::Usage, text), language, form);
    ExitCode::from(Code::Usage.exit())
}

/// What the environment says.
struct Surroundings {
    lang: Option<String>,
    config_home: Option<PathBuf>,
    home: Option<PathBuf>,
    at: Timestamp,
}

impl Surroundings {
    #[allow(clippy::disallowed_methods, reason = "the one place that asks environment and clock")]
    fn read() -> Self {
        let path = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let lang = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since.ok().and_then(|since| i64::try_from(since.as_millis()).ok());
        Self {
            lang,
            config_home: path("XDG_CONFIG_HOME").filter(|path| path.is_absolute()),
            home: path("HOME"),
            at: Timestamp::from_millis(millis.unwrap_or(0)),
        }
    }

    fn language(&self) -> Language {
        let japanese = self.lang.as_deref().is_some_and(|lang| lang.starts_with("ja"));
        if japanese { Language::Ja } else { Language::En }
    }

    fn here(self, args: &Args) -> Here {
        let language = args.global.lang.unwrap_or_else(|| self.language());
        let folder = self.config_home.or_else(|| self.home.map(|home| home.join(".config")));
        let folder = folder.unwrap_or_else(|| PathBuf::from(".")).join("patchward");
        let example_keys = match args.global.insecure_demo_keys {
            true => ExampleKeys::InsecureAllowed,
            false => ExampleKeys::Refused,
        };
        Here {
            at: self.at,
            random,
            config_dir: args.global.config_dir.clone().unwrap_or(folder),
            language,
            example_keys,
            clock,
            watcher: match std::io::stderr().is_terminal() && !args.global.json {
                true => Watcher::Terminal,
                false => Watcher::Nobody,
            },
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place that asks the system for chance")]
fn random(bytes: &mut [u8]) -> Result<(), NoChance> {
    getrandom::fill(bytes).map_err(|_| NoChance)
}

#[allow(clippy::disallowed_methods, reason = "the one place that asks the clock that never jumps")]
fn clock() -> Duration {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed()
}
