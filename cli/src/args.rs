//! The arguments of every verb, and which function each one runs.
//!
//! Invariant: a verb stands here only when it works.

use crate::base::Against;
use crate::carried;
use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::inventory::{self, edit};
use crate::said::Said;
use crate::server::Reach;
use crate::{
    act, approve, campaign, delegation, delta, devices, hold, key, lint, login, pack, plan, record,
    release, repo, rollout, rotate, sign, stage, why,
};
use clap::{Parser, Subcommand};
use patchward_protocol::api::consent::CampaignState;
use patchward_protocol::id::{FreezeId, PersonId, RepositoryId, SiteId, WindowId};
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
    #[arg(long, global = true, value_name = "en|ja")]
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
    /// Keep a server's API token that an administrator gave out
    Login {
        /// File with the token (asked for when absent)
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// Turn the one-time token of `patchward-server init` into the first administrator's login
    Claim {
        /// File with the one-time token (asked for when absent)
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// Make, list and revoke API tokens
    #[command(subcommand)]
    Token(TokenVerb),
    /// Open a repository, trust one, fetch what is published
    #[command(subcommand)]
    Repo(RepoVerb),
    /// Look at, sign, merge and publish staged files
    #[command(subcommand)]
    Stage(StageVerb),
    /// Prepare a release, or take one back
    #[command(subcommand)]
    Release(ReleaseVerb),
    /// Make, look into, apply and check deltas; what the server built
    #[command(subcommand)]
    Delta(delta::DeltaVerb),
    /// Approve a release for named devices and hours
    Approve(approve::ApproveArgs),
    /// Who may be updated when, and who may not and why; writes nothing
    Plan(Box<plan::PlanArgs>),
    /// Take an approval back
    Withdraw(approve::Withdraw),
    /// Enrolment packs of a site
    #[command(subcommand)]
    Site(SiteVerb),
    /// List the devices of a site
    Devices {
        /// The site
        site: SiteId,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// What the hospital says of itself: wards, devices, rules, windows, freezes, people
    #[command(subcommand)]
    Inventory(InventoryVerb),
    /// Stop, and let go on: holds of the hospital, the manufacturer, the operator
    #[command(subcommand)]
    Hold(HoldVerb),
    /// How far approvals have come; let a halted wave go on
    #[command(subcommand)]
    Rollout(RolloutVerb),
    /// The manufacturer's outer limit: sites in order, percent, pause
    #[command(subcommand)]
    Campaign(CampaignVerb),
    /// Why a device has not been updated yet
    Why(why::Why),
    /// Signed acts of people
    #[command(subcommand)]
    Act(ActVerb),
    /// The record of a site: export it, check an export
    #[command(subcommand)]
    Record(record::RecordVerb),
}

/// `inventory …`
#[derive(Debug, Subcommand)]
pub enum InventoryVerb {
    /// Show it
    Show(inventory::At),
    /// Write it to files: whole (TOML, JSON), or wards and devices (CSV)
    Export(inventory::Export),
    /// Take a changed file back; nothing is half-imported
    Import(inventory::Import),
    /// Make a device without an agent known
    Manual(inventory::Manual),
    /// Change rules of the site or of a ward
    Set(Box<edit::Set>),
    /// When devices may be disturbed
    #[command(subcommand)]
    Windows(WindowsVerb),
    /// Periods without changes
    #[command(subcommand)]
    Freezes(FreezesVerb),
    /// Who signs, by printed name
    #[command(subcommand)]
    People(PeopleVerb),
}

/// `inventory windows …`
#[derive(Debug, Subcommand)]
pub enum WindowsVerb {
    /// Add or change one
    Add(Box<edit::AddWindow>),
    /// Take the windows of a calendar (iCalendar), all or none
    Import(edit::ImportWindows),
    /// Remove one
    Remove {
        /// Its id
        id: WindowId,
        /// Which site
        #[command(flatten)]
        at: inventory::At,
    },
}

/// `inventory freezes …`
#[derive(Debug, Subcommand)]
pub enum FreezesVerb {
    /// Add or change one
    Add(Box<edit::AddFreeze>),
    /// Remove one
    Remove {
        /// Its id
        id: FreezeId,
        /// Which site
        #[command(flatten)]
        at: inventory::At,
    },
}

/// `inventory people …`
#[derive(Debug, Subcommand)]
pub enum PeopleVerb {
    /// Add or change one
    Add(edit::AddPerson),
    /// Remove one
    Remove {
        /// The id that the site's root gives to their keys
        person: PersonId,
        /// Which site
        #[command(flatten)]
        at: inventory::At,
    },
}

/// `hold …`
#[derive(Debug, Subcommand)]
pub enum HoldVerb {
    /// STOP: hold a device, a ward, a release or the whole site; needs no key
    Set(Box<hold::Set>),
    /// List what is held, and by whom
    List(hold::List),
    /// Lift a hold of the hospital by a signature
    Lift(Box<hold::Lift>),
    /// End a hold of the manufacturer or of whoever runs the server
    End(hold::End),
}

/// `rollout …`
#[derive(Debug, Subcommand)]
pub enum RolloutVerb {
    /// One line for each approval in force
    List(rollout::Show),
    /// Waves, counters, gates, and who must be looked at
    Show(rollout::Show),
    /// Let a halted wave go on by a signature
    Resume(Box<rollout::Resume>),
}

/// `campaign …`
#[derive(Debug, Subcommand)]
pub enum CampaignVerb {
    /// Show the campaign of a release
    Show(campaign::Of),
    /// Change which sites go, how many, what share of devices
    Set(Box<campaign::Set>),
    /// Nothing new starts anywhere
    Pause(campaign::Of),
    /// Go on
    Resume(campaign::Of),
}

/// `act …`
#[derive(Debug, Subcommand)]
pub enum ActVerb {
    /// File acts in the record of their site; again is harmless
    File {
        /// The acts
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
}

/// `release …`
#[derive(Debug, Subcommand)]
pub enum ReleaseVerb {
    /// Draft a release from image, dossier, SBOM and notes
    Prepare(Box<release::Prepare>),
    /// Look at an image: what would make deltas large, and what to do about it
    Lint(lint::LintArgs),
    /// Draft that a release is taken back
    Withdraw(release::Withdraw),
}

/// `site …`
#[derive(Debug, Subcommand)]
pub enum SiteVerb {
    /// Make an enrolment pack with a one-time token
    Pack(pack::Pack),
}

/// `token …`
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Make a token; its secret goes into a new file
    New {
        /// What it is for, for people
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// What it covers
        #[command(flatten)]
        scope: login::ScopeWords,
        /// Days until it ends
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=365))]
        life_days: u32,
        /// File for the secret
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// List tokens, without secrets
    List {
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// Revoke a token, at once
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
}

/// `repo …`
#[derive(Debug, Subcommand)]
pub enum RepoVerb {
    /// Open a repository on the server and draft its first root and targets
    Init(Box<repo::Init>),
    /// Draft the next root, with other keys or a later expiry
    Rotate(Box<rotate::Rotate>),
    /// Draft whether the server may list deltas of a family
    Deltas(Box<delegation::Deltas>),
    /// Trust a root that came by a trusted way
    Trust {
        /// The repository: family:MAKER.NAME or site:NAME
        repository: RepositoryId,
        /// Its root.json
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The fingerprint that its owner gave (asked for when absent)
        #[arg(long, value_name = "DIGITS")]
        fingerprint: Option<String>,
    },
    /// Write what is published, verified, to files for a machine without network
    Fetch {
        /// The repository
        repository: RepositoryId,
        /// Folder for N.root.json and N.targets.json
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
}

/// `stage …`
#[derive(Debug, Subcommand)]
pub enum StageVerb {
    /// Show what a staged file changes
    Show {
        /// The staged file
        file: PathBuf,
        /// Folder with the listed files (default: `targets` beside the staged file)
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
        /// A key whose memory is asked what comes back
        #[arg(long, value_name = "NAME.key")]
        key: Option<PathBuf>,
        /// What is published
        #[command(flatten)]
        against: Against,
    },
    /// Sign a staged file
    Sign(Box<sign::Sign>),
    /// Show who signed and who is missing
    Status {
        /// The staged file
        file: PathBuf,
        /// What is published
        #[command(flatten)]
        against: Against,
    },
    /// Take the signatures of other copies into the first file
    Merge {
        /// The file that grows
        into: PathBuf,
        /// Other copies
        #[arg(required = true)]
        from: Vec<PathBuf>,
        /// What is published
        #[command(flatten)]
        against: Against,
    },
    /// Get the open draft of a site from the server, as one file to be signed elsewhere
    Fetch {
        /// The site
        #[arg(long, value_name = "SITE")]
        site: SiteId,
        /// The file to write (default: SITE-vN.draft.json)
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// Hand the signatures of such a file in; the last one publishes
    Submit {
        /// The site
        #[arg(long, value_name = "SITE")]
        site: SiteId,
        /// The signed file
        file: PathBuf,
        /// How to reach the server
        #[command(flatten)]
        reach: Reach,
    },
    /// Upload the new files and publish nothing: another person publishes, e.g. in the console
    Upload {
        /// The staged file
        file: PathBuf,
        /// Folder with the listed files (default: `targets` beside the staged file)
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
        /// What is published
        #[command(flatten)]
        against: Against,
    },
    /// Upload the new files and publish; the first time root and targets together
    Publish {
        /// The staged files
        #[arg(required = true)]
        staged: Vec<PathBuf>,
        /// Folder with the listed files (default: `targets` beside the staged file)
        #[arg(long, value_name = "FOLDER")]
        files: Option<PathBuf>,
        /// What is published
        #[command(flatten)]
        against: Against,
    },
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
        Verb::Login { token_file, reach } => login::login(here, &reach, token_file.as_deref()),
        Verb::Claim { token_file, reach } => login::claim(here, &reach, token_file.as_deref()),
        Verb::Token(verb) => run_token(here, &verb),
        Verb::Repo(verb) => run_repo(here, &verb),
        Verb::Stage(verb) => run_stage(here, &verb),
        Verb::Release(ReleaseVerb::Prepare(prepare)) => release::prepare(here, &prepare),
        Verb::Release(ReleaseVerb::Lint(args)) => lint::lint(here, &args),
        Verb::Release(ReleaseVerb::Withdraw(withdraw)) => release::withdraw(here, &withdraw),
        Verb::Delta(verb) => delta::run(here, &verb),
        Verb::Approve(approve) => approve::approve(here, &approve),
        Verb::Plan(args) => plan::plan(here, &args),
        Verb::Withdraw(withdraw) => approve::withdraw(here, &withdraw),
        Verb::Site(SiteVerb::Pack(pack)) => pack::make(here, &pack),
        Verb::Devices { site, reach } => devices::list(here, &reach, &site),
        Verb::Inventory(verb) => run_inventory(here, &verb),
        Verb::Hold(verb) => run_hold(here, &verb),
        Verb::Rollout(verb) => run_rollout(here, &verb),
        Verb::Campaign(verb) => run_campaign(here, &verb),
        Verb::Why(why) => why::why(here, &why),
        Verb::Record(verb) => record::run(here, &verb),
        Verb::Act(ActVerb::File { files, reach }) => act::file(here, &files, &reach),
    }
}

fn run_inventory(here: &Here, verb: &InventoryVerb) -> Outcome<Said> {
    match verb {
        InventoryVerb::Show(at) => inventory::show(here, at),
        InventoryVerb::Export(export) => inventory::export(here, export),
        InventoryVerb::Import(import) => inventory::import(here, import),
        InventoryVerb::Manual(manual) => inventory::manual(here, manual),
        InventoryVerb::Set(set) => edit::set(here, set),
        InventoryVerb::Windows(WindowsVerb::Import(import)) => edit::import_windows(here, import),
        InventoryVerb::Windows(WindowsVerb::Add(add)) => edit::add_window(here, add),
        InventoryVerb::Windows(WindowsVerb::Remove { id, at }) => edit::remove_window(here, id, at),
        InventoryVerb::Freezes(FreezesVerb::Add(add)) => edit::add_freeze(here, add),
        InventoryVerb::Freezes(FreezesVerb::Remove { id, at }) => edit::remove_freeze(here, id, at),
        InventoryVerb::People(PeopleVerb::Add(add)) => edit::add_person(here, add),
        InventoryVerb::People(PeopleVerb::Remove { person, at }) => {
            edit::remove_person(here, person, at)
        }
    }
}

fn run_hold(here: &Here, verb: &HoldVerb) -> Outcome<Said> {
    match verb {
        HoldVerb::Set(set) => hold::set(here, set),
        HoldVerb::List(list) => hold::list(here, list),
        HoldVerb::Lift(lift) => hold::lift(here, lift),
        HoldVerb::End(end) => hold::end(here, end),
    }
}

fn run_rollout(here: &Here, verb: &RolloutVerb) -> Outcome<Said> {
    match verb {
        RolloutVerb::List(show) => rollout::list(here, show),
        RolloutVerb::Show(show) => rollout::show(here, show),
        RolloutVerb::Resume(resume) => rollout::resume(here, resume),
    }
}

fn run_campaign(here: &Here, verb: &CampaignVerb) -> Outcome<Said> {
    match verb {
        CampaignVerb::Show(of) => campaign::show(here, of),
        CampaignVerb::Set(set) => campaign::set(here, set),
        CampaignVerb::Pause(of) => campaign::turn(here, of, CampaignState::Paused),
        CampaignVerb::Resume(of) => campaign::turn(here, of, CampaignState::Running),
    }
}

fn run_token(here: &Here, verb: &TokenVerb) -> Outcome<Said> {
    match verb {
        TokenVerb::New { label, scope, life_days, out, reach } => {
            login::token_new(here, reach, label, scope, *life_days, out)
        }
        TokenVerb::List { reach } => login::token_list(here, reach),
        TokenVerb::Revoke { id, reach } => login::token_revoke(here, reach, id),
    }
}

fn run_repo(here: &Here, verb: &RepoVerb) -> Outcome<Said> {
    match verb {
        RepoVerb::Init(init) => repo::init(here, init),
        RepoVerb::Rotate(rotate) => rotate::rotate(here, rotate),
        RepoVerb::Deltas(deltas) => delegation::deltas(here, deltas),
        RepoVerb::Trust { repository, root, fingerprint } => {
            repo::trust(here, repository, root, fingerprint.as_deref())
        }
        RepoVerb::Fetch { repository, out, reach } => {
            stage::take_along(&login::connect(here, reach)?, here, repository, out)
        }
    }
}

fn run_stage(here: &Here, verb: &StageVerb) -> Outcome<Said> {
    match verb {
        StageVerb::Show { file, files, key, against } => {
            stage::show(here, file, files.as_deref(), key.as_deref(), against)
        }
        StageVerb::Sign(sign) => sign::sign(here, sign),
        StageVerb::Status { file, against } => stage::status(here, file, against),
        StageVerb::Merge { into, from, against } => stage::merge(here, into, from, against),
        StageVerb::Fetch { site, out, reach } => carried::fetch(here, site, out.as_deref(), reach),
        StageVerb::Submit { site, file, reach } => carried::submit(here, site, file, reach),
        StageVerb::Upload { file, files, against } => {
            stage::upload(here, file, files.as_deref(), against)
        }
        StageVerb::Publish { staged, files, against } => {
            stage::publish(here, staged, files.as_deref(), against)
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_of_all_verbs_fit_together() {
        Args::command().debug_assert();
    }
}
