//! `patchward-agent`: reads the command line, sets up the log, ends with a stable exit code.

use patchward_agent::cli::{self, Lang, Log};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let lang = if std::env::args().any(|arg| arg == "ja") { Lang::Ja } else { Lang::En };
    match cli::read(std::env::args_os().skip(1)) {
        Ok(call) => {
            log(call.log);
            match cli::perform(&call) {
                Ok(code) => ExitCode::from(code),
                Err(error) => tell(&error, call.lang),
            }
        }
        Err(error) => tell(&error, lang),
    }
}

fn log(form: Log) {
    let log =
        tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr);
    match form {
        Log::Text => log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        Log::Json => log.json().init(),
    }
}

#[allow(clippy::print_stderr, reason = "the one place where errors are printed")]
fn tell(error: &cli::error::CliError, lang: Lang) -> ExitCode {
    let told = error.told();
    let hint = match lang {
        Lang::En => told.en,
        Lang::Ja => told.ja,
    };
    eprintln!("patchward-agent: {}", patchward_agent::trust::repository::chain(error));
    eprintln!("{}: {hint}", told.code);
    ExitCode::from(told.exit)
}
