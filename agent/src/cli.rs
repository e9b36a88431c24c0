//! The command line: one verb each, stable exit codes, refusals with a code and a hint in en and ja.
//!
//! `hold` needs no server, no key and no running agent. Not here: doing any of it.
//! Invariant: what a verb prints for machines (`--json`) keeps its shape.

pub mod error;
mod here;
mod print;
mod verbs;

use crate::driver::start::ExampleKeys;
use crate::enrol::Site;
use crate::link::http::PlainHttp;
use crate::local::Says;
use error::CliError;
use lexopt::prelude::{Long, Short, Value};
use patchward_protocol::id::PersonId;
use patchward_protocol::limits::{DEFER_MINUTES_MAX, PRESENT_MINUTES_MAX};
use std::ffi::OsString;
use std::path::PathBuf;

/// Where the configuration is when nothing else is said.
pub const CONFIG_PATH: &str = "/etc/patchward/agent.toml";

/// How long a person counts as present when they do not say, in minutes.
const PRESENT_MINUTES: u32 = 15;

/// How many slots are shown when nothing else is said.
const SLOTS_SHOWN: usize = 5;

/// What `--help` prints.
pub const HELP: &str = "\
patchward-agent: fetches, verifies and installs approved releases on this device

  patchward-agent [--config FILE] VERB

  enrol --pack FILE [--site-root-fingerprint DIGITS] [--replace-site]
                    join a site with an enrolment pack
  run               work until stopped
  once              make one contact, do what can be done now, end
  status [--json]   what runs, what is wanted, what is known
  why [--lang en|ja]
                    why it has not been updated yet
  slots [--next N]  the open and the next N approved slots (default 5)
  hold [--by PERSON] [--why TEXT] | hold --lift
                    not now: stops everything before the point of no return
  defer --minutes N --by PERSON
                    not for so long (at most 1440); hold --lift ends it early
  present --by PERSON [--minutes N]
                    a person is at the device (15 minutes, at most 30)
  accept --by PERSON | reject --by PERSON
                    release the device after an update that waits for it, or do not
  serviced --by PERSON
                    the device was looked after and may go on
  check-config [FILE]
                    read the configuration and say what is wrong
  ledger verify     check every signature and the chain of the device's ledger
  export-ledger     print the device's ledger, one signed entry per line

  --config FILE     default /etc/patchward/agent.toml
  --lang en|ja      language of hints (default en)
  --json-log        log as JSON
  --insecure-demo-keys        accept the public example keys (demonstrations only)
  --insecure-plain-http       speak plain HTTP to other machines

Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 not enrolled, 4 refused as untrusted,
5 another agent runs, 6 no server, 10 the machine is going down for a restart.
";

/// In which language hints are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Japanese.
    Ja,
}

/// A command line that was read.
#[derive(Debug, Clone)]
pub struct Call {
    /// The configuration.
    pub config: PathBuf,
    /// The language.
    pub lang: Lang,
    /// Logs as JSON.
    pub log: Log,
    /// Whether the public example keys are accepted.
    pub example_keys: ExampleKeys,
    /// Whether bytes may travel in the clear.
    pub plain_http: PlainHttp,
    /// The verb.
    pub verb: Verb,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// For whom something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Print how to use it.
    Help,
    /// Print the version.
    Version,
    /// Join a site.
    Enrol {
        /// The pack.
        pack: PathBuf,
        /// Typed fingerprint of the site root.
        fingerprint: Option<String>,
        /// Whether a present site may be replaced.
        site: Site,
    },
    /// Work until stopped.
    Run,
    /// Do what can be done now.
    Once,
    /// What is known.
    Status(Form),
    /// Why not yet.
    Why,
    /// The next slots.
    Slots {
        /// How many.
        next: usize,
    },
    /// Set a hold.
    Hold {
        /// Who.
        by: Option<PersonId>,
        /// Why.
        why: Option<String>,
    },
    /// Lift it.
    LiftHold,
    /// Set a hold with an end.
    Defer {
        /// Who.
        by: PersonId,
        /// For how long, in minutes.
        minutes: u32,
    },
    /// A person is at the device.
    Present {
        /// Who.
        by: PersonId,
        /// For how long, in minutes.
        minutes: u32,
    },
    /// A person's word.
    Say {
        /// Who.
        by: PersonId,
        /// What.
        says: Says,
    },
    /// Read the configuration.
    CheckConfig,
    /// Check the ledger.
    VerifyLedger,
    /// Print the ledger.
    ExportLedger,
}

/// Options before they are put together with the verb.
#[derive(Debug, Default)]
struct Options {
    words: Vec<String>,
    config: Option<PathBuf>,
    ja: bool,
    json_log: bool,
    demo_keys: bool,
    plain_http: bool,
    pack: Option<PathBuf>,
    fingerprint: Option<String>,
    replace_site: bool,
    json: bool,
    lift: bool,
    by: Option<PersonId>,
    why: Option<String>,
    minutes: Option<u32>,
    next: Option<usize>,
    help: bool,
    version: bool,
}

/// Reads a command line.
///
/// # Errors
/// [`CliError::Usage`].
pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Call, CliError> {
    let options = options(args).map_err(|error| CliError::Usage(error.to_string()))?;
    let verb = verb(&options)?;
    let config = match (&verb, options.words.get(1)) {
        (Verb::CheckConfig, Some(file)) => Some(PathBuf::from(file)),
        _other_verbs => options.config,
    };
    Ok(Call {
        config: config.unwrap_or_else(|| PathBuf::from(CONFIG_PATH)),
        lang: if options.ja { Lang::Ja } else { Lang::En },
        log: if options.json_log { Log::Json } else { Log::Text },
        example_keys: if options.demo_keys {
            ExampleKeys::InsecureDemo
        } else {
            ExampleKeys::Refused
        },
        plain_http: if options.plain_http {
            PlainHttp::InsecureAnywhere
        } else {
            PlainHttp::LoopbackOnly
        },
        verb,
    })
}

fn options(args: impl IntoIterator<Item = OsString>) -> Result<Options, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Value(word) => options.words.push(word.to_string_lossy().into_owned()),
            Short('h') | Long("help") => options.help = true,
            Short('V') | Long("version") => options.version = true,
            Short('c') | Long("config") => options.config = Some(parser.value()?.into()),
            Long("lang") => {
                options.ja = match parser.value()?.to_string_lossy().as_ref() {
                    "ja" => true,
                    "en" => false,
                    other => return Err(format!("--lang is en or ja, not {other:?}").into()),
                };
            }
            Long("json-log") => options.json_log = true,
            Long("insecure-demo-keys") => options.demo_keys = true,
            Long("insecure-plain-http") => options.plain_http = true,
            Long("pack") => options.pack = Some(parser.value()?.into()),
            Long("site-root-fingerprint") => {
                options.fingerprint = Some(parser.value()?.to_string_lossy().into_owned());
            }
            Long("replace-site") => options.replace_site = true,
            Long("json") => options.json = true,
            Long("next") => {
                let text = parser.value()?.to_string_lossy().into_owned();
                let next = text.parse().map_err(|_| "--next is a whole number")?;
                options.next = Some(next);
            }
            Long("lift") => options.lift = true,
            Long("by") => {
                let text = parser.value()?.to_string_lossy().into_owned();
                options.by = Some(PersonId::new(&text).map_err(|error| error.to_string())?);
            }
            Long("why") => options.why = Some(parser.value()?.to_string_lossy().into_owned()),
            Long("minutes") => {
                let text = parser.value()?.to_string_lossy().into_owned();
                let minutes = text.parse().map_err(|_| "--minutes is a whole number")?;
                options.minutes = Some(minutes);
            }
            other @ (Short(_) | Long(_)) => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn verb(options: &Options) -> Result<Verb, CliError> {
    let usage = |what: &str| Err(CliError::Usage(what.to_owned()));
    if options.help {
        return Ok(Verb::Help);
    }
    if options.version {
        return Ok(Verb::Version);
    }
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let by = || options.by.clone().ok_or_else(|| CliError::Usage("--by PERSON is needed".into()));
    Ok(match words.as_slice() {
        ["enrol"] => {
            let pack = options.pack.clone();
            let pack = pack.ok_or_else(|| CliError::Usage("--pack FILE is needed".into()))?;
            let site = if options.replace_site { Site::Replace } else { Site::Keep };
            Verb::Enrol { pack, fingerprint: options.fingerprint.clone(), site }
        }
        ["run"] => Verb::Run,
        ["once"] => Verb::Once,
        ["status"] => Verb::Status(if options.json { Form::Json } else { Form::Text }),
        ["why"] => Verb::Why,
        ["slots"] => Verb::Slots { next: options.next.unwrap_or(SLOTS_SHOWN) },
        ["hold"] if options.lift => Verb::LiftHold,
        ["hold"] => Verb::Hold { by: options.by.clone(), why: options.why.clone() },
        ["defer"] => {
            let minutes = options.minutes.unwrap_or(0);
            if !(1..=DEFER_MINUTES_MAX).contains(&minutes) {
                return usage("--minutes from 1 to 1440 is needed");
            }
            Verb::Defer { by: by()?, minutes }
        }
        ["present"] => {
            let minutes = options.minutes.unwrap_or(PRESENT_MINUTES);
            if !(1..=PRESENT_MINUTES_MAX).contains(&minutes) {
                return usage("--minutes is from 1 to 30");
            }
            Verb::Present { by: by()?, minutes }
        }
        ["accept"] => Verb::Say { by: by()?, says: Says::Accept },
        ["reject"] => Verb::Say { by: by()?, says: Says::Reject },
        ["serviced"] => Verb::Say { by: by()?, says: Says::Serviced },
        ["check-config"] | ["check-config", _] => Verb::CheckConfig,
        ["ledger", "verify"] => Verb::VerifyLedger,
        ["export-ledger"] => Verb::ExportLedger,
        [] => return usage("a verb is needed"),
        other => return usage(&format!("there is no verb {:?}", other.join(" "))),
    })
}

/// Does what was asked for; returns the exit code.
///
/// # Errors
/// [`CliError`], which knows its code, its exit code and its hints.
pub fn perform(call: &Call) -> Result<u8, CliError> {
    verbs::perform(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Result<Call, CliError> {
        read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn verbs_and_options_are_read() {
        let hold = call("hold --by tanaka --why in-use --config /tmp/a.toml").unwrap();
        assert_eq!(hold.config, PathBuf::from("/tmp/a.toml"));
        assert!(matches!(hold.verb, Verb::Hold { by: Some(_), why: Some(_) }));
        assert_eq!(call("hold --lift").unwrap().verb, Verb::LiftHold);
        assert_eq!(call("status --json").unwrap().verb, Verb::Status(Form::Json));
        assert_eq!(call("check-config /x").unwrap().config, PathBuf::from("/x"));
        assert_eq!(call("ledger verify").unwrap().verb, Verb::VerifyLedger);
        assert_eq!(call("run").unwrap().example_keys, ExampleKeys::Refused);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let by = PersonId::new("tanaka").unwrap();
        let present = Verb::Present { by: by.clone(), minutes: 15 };
        assert_eq!(call("present --by tanaka").unwrap().verb, present);
        let defer = Verb::Defer { by, minutes: 1440 };
        assert_eq!(call("defer --by tanaka --minutes 1440").unwrap().verb, defer);
        for line in [
            "present",
            "present --by tanaka --minutes 31",
            "defer --by tanaka",
            "defer --minutes 5",
            "defer --by tanaka --minutes 1441",
            "defer --by tanaka --minutes -5",
            "defer --by tanaka --minutes soon",
        ] {
            assert!(matches!(call(line), Err(CliError::Usage(_))), "{line}");
        }
        for line in ["", "fly", "accept", "enrol", "run --force", "hold --by A!", "why --lang de"] {
            assert!(matches!(call(line), Err(CliError::Usage(_))), "{line}");
        }
    }
}
