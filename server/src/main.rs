//! `patchward-server`: reads the command line and says what went wrong, with all its causes.

use clap::Parser as _;
use patchward_server::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the one place where an end is explained")]
            {
                eprintln!("patchward-server: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
