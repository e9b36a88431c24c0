//! The arguments of every verb, and which function each one runs.
//!
//! Invariant: a verb stands here only when it works.

use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::key;
use crate::said::Said;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Patches for medical devices: the manufacturer signs what may run, the hospital signs when.
#[derive(Debug, Parser)]
#[command(name = "patchward", version, propagate_version = true)]
pub struct Args {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options of every verb.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Speak this language (default: from LANG)
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Language>,
    /// Answer with one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Where logins and trusted roots are kept
    #[arg(long, global = true, value_name = "FOLDER")]
    pub config_dir: Option<PathBuf>,
    /// Accept the public example keys: for demonstrations only
    #[arg(long, global = true)]
    pub insecure_demo_keys: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make, import and show signing keys
    #[command(subcommand)]
    Key(KeyVerb),
}

/// `key …`
#[derive(Debug, Subcommand)]
pub enum KeyVerb {
    /// Make a key: NAME.key (secret, encrypted) and NAME.pub
    New(key::Owner),
    /// Bring in an Ed25519 key from any PKCS#8 PEM, encrypted anew
    Import {
        /// The PEM to bring in
        from: PathBuf,
        /// File with the passphrase of that PEM
        #[arg(long, value_name = "FILE")]
        from_passphrase_file: Option<PathBuf>,
        /// Whose it is and where it goes
        #[command(flatten)]
        owner: key::Owner,
    },
    /// Show whose key it is and its fingerprint
    Show {
        /// The .key or .pub file
        key: PathBuf,
    },
}

/// Runs a verb.
///
/// # Errors
/// Whatever the verb fails with.
pub fn run(here: &Here, args: Args) -> Outcome<Said> {
    match args.verb {
        Verb::Key(verb) => run_key(here, &verb),
    }
}

fn run_key(here: &Here, verb: &KeyVerb) -> Outcome<Said> {
    match verb {
        KeyVerb::New(owner) => key::new(here, owner),
        KeyVerb::Import { from, from_passphrase_file, owner } => {
            key::import(here, from, from_passphrase_file.as_deref(), owner)
        }
        KeyVerb::Show { key } => key::show(here, key),
    }
}
