//! The log: sentences with dotted fields, for people or as JSON, on standard error.
//!
//! Not here: what is logged. Invariant: standard output stays for what a command answers.

use crate::config::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;

/// Starts the log. A second call changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    // Only a test, which starts several servers, calls this twice; the first log serves them all.
    let _ = match log.format {
        LogFormat::Human => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
