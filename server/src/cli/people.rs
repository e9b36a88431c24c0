//! People of the console, from the command line of whoever runs the server: for the first ones, and for
//! the night in which a phone is lost.
//!
//! Works on the data folder, while the server runs or not; each act is recorded like one of the console.

use super::Place as Folder;
use crate::clock::{Clock as _, SystemClock, SystemRng};
use crate::config::Config;
use crate::db::{self, Connection};
use crate::error::ApiError;
use crate::notify::raise::Rules;
use crate::people::account::Account;
use crate::people::closing;
use crate::people::demo;
use crate::people::invitation::Ticket;
use crate::people::invite::{self, Wish};
use crate::people::name::{LoginName, Printed, Reason};
use crate::people::role::{Grant, Place};
use crate::people::roster::Doer;
use crate::people::session::is_over_tls;
use crate::people::who::Language;
use crate::setup::DataFolder;
use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use patchward_protocol::id::PersonId;

/// People who sign in to the console.
#[derive(Debug, Args)]
pub(super) struct People {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Everybody, with their roles
    List(Folder),
    /// Print a one-time link with which somebody joins, good for 72 hours
    Invite(Invite),
    /// Let an account in no more; its sessions, links and API tokens end at once
    Disable(Disable),
    /// Let a disabled account in again
    Enable(Named),
    /// Take the second factor away (a lost phone) and print a one-time link, good for 72 hours, which sets
    /// up another one together with the password
    ResetSecondFactor(Named),
    /// Print a one-time link with which an account chooses a new password, good for 72 hours
    ResetPassword(Named),
    /// Make an account whose password and second factor everybody knows; works with `serve --demo` only
    InsecureDemo(Demo),
}

#[derive(Debug, Args)]
struct Named {
    #[command(flatten)]
    place: Folder,
    /// The name that the account signs in with
    #[arg(value_name = "LOGIN")]
    login: String,
}

#[derive(Debug, Args)]
struct Disable {
    #[command(flatten)]
    named: Named,
    /// Why, for the record and for the account's places
    #[arg(long, value_name = "WORDS", default_value = "at the command line of the server")]
    reason: String,
}

#[derive(Debug, Args)]
struct Invite {
    #[command(flatten)]
    place: Folder,
    #[command(flatten)]
    wish: Wanted,
}

#[derive(Debug, Args)]
struct Demo {
    #[command(flatten)]
    place: Folder,
    #[command(flatten)]
    wish: Wanted,
    /// The name that the account signs in with
    #[arg(long, value_name = "LOGIN")]
    login: String,
}

#[derive(Debug, Args)]
struct Wanted {
    /// The role: site:ID:ROLE (auditor, viewer, ward, approver, admin), maker:ID:ROLE (viewer,
    /// regulatory, psirt, release, key-holder, admin), or server:operator
    #[arg(long, value_name = "PLACE:ROLE")]
    role: String,
    /// The person of the site's root that it is
    #[arg(long, value_name = "PERSON")]
    person: Option<String>,
    /// Printed name
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Profession in words, e.g. clinical engineer
    #[arg(long, value_name = "WORDS")]
    title: String,
    /// In which language they read
    #[arg(long, value_name = "en|ja", default_value = "ja")]
    language: String,
}

pub(super) fn run(people: &People) -> Result<()> {
    match &people.verb {
        Verb::List(place) => list(place),
        Verb::Invite(asked) => invite(asked),
        Verb::Disable(asked) => disable(asked),
        Verb::Enable(named) => {
            let rules = Rules::of(&named.place.config()?.notify);
            change(named, |conn, doer, account| closing::enable_in(conn, &rules, doer, account))?;
            println!("{} may sign in again", named.login);
            Ok(())
        }
        Verb::ResetSecondFactor(named) => reset_second(named),
        Verb::ResetPassword(named) => reset_password(named),
        Verb::InsecureDemo(asked) => insecure_demo(asked),
    }
}

/// The link of a ticket, as far as the configuration says where the server is.
pub(super) fn link(config: &Config, ticket: &Ticket) -> String {
    let scheme = if is_over_tls(config) { "https" } else { "http" };
    let base = config.public_url.clone();
    let base = base.unwrap_or_else(|| format!("{scheme}://{}", config.listen));
    format!("{}{}", base.trim_end_matches('/'), ticket.path())
}

fn list(place: &Folder) -> Result<()> {
    let everybody = work(place, |conn, _| {
        let mut lines = Vec::new();
        for account in db::account::all(conn)? {
            let roles = db::grant::of(conn, account.id)?;
            let roles = roles.iter().map(|role| format!("{}:{}", role.place(), role.word()));
            let roles: Vec<_> = roles.collect();
            let state = match (account.disabled, &account.second) {
                (Some(_), _) => "disabled",
                (None, None) => "no second factor yet",
                (None, Some(_)) => "enabled",
            };
            let Account { login, name, title, .. } = &account;
            lines.push(format!("{login}\t{state}\t{name} ({title})\t{}", roles.join(" ")));
        }
        Ok(lines)
    })?;
    everybody.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn invite(asked: &Invite) -> Result<()> {
    let wish = asked.wish.read()?;
    let (ticket, id) = invite::draw(&SystemRng)?;
    let digest = ticket.digest();
    work(&asked.place, move |conn, doer| Ok(invite::store(conn, doer, wish, (id, digest))?))?;
    println!("{}", link(&asked.place.config()?, &ticket));
    Ok(())
}

fn disable(asked: &Disable) -> Result<()> {
    let named = &asked.named;
    let rules = Rules::of(&named.place.config()?.notify);
    let why = Reason::read(&asked.reason).map_err(|code| anyhow!(code.en()))?;
    change(named, |conn, doer, account| closing::disable_in(conn, &rules, doer, (account, &why)))?;
    println!("{} is disabled; its sessions, links and API tokens have ended", named.login);
    Ok(())
}

fn reset_second(named: &Named) -> Result<()> {
    let config = named.place.config()?;
    let rules = Rules::of(&config.notify);
    let (ticket, id) = invite::draw(&SystemRng)?;
    let digest = ticket.digest();
    change(named, move |conn, doer, account| {
        closing::reset_second_in(conn, &rules, doer, account, (id, digest))
    })?;
    println!("{}", link(&config, &ticket));
    Ok(())
}

fn reset_password(named: &Named) -> Result<()> {
    let (ticket, id) = invite::draw(&SystemRng)?;
    let digest = ticket.digest();
    change(named, move |conn, doer, account| {
        Ok(invite::store_password(conn, doer, account, (id, digest))?)
    })?;
    println!("{}", link(&named.place.config()?, &ticket));
    Ok(())
}

fn insecure_demo(asked: &Demo) -> Result<()> {
    let wish = asked.wish.read()?;
    let vault = DataFolder::new(&asked.place.data).vault()?;
    let login = LoginName::read(&asked.login).map_err(|code| anyhow!(code.en()))?;
    work(&asked.place, |conn, doer| demo::make(conn, (&vault, &SystemRng), doer, &login, &wish))?;
    println!("login: {login}");
    println!("password: {}", demo::PASSWORD);
    println!("secret of one-time codes: {}", demo::SECRET);
    println!("code now: {}", demo::code(SystemClock.now()));
    Ok(())
}

fn change(
    named: &Named,
    act: impl FnOnce(&mut Connection, &Doer, &Account) -> Result<(), ApiError>,
) -> Result<()> {
    let login = LoginName::read(&named.login).map_err(|code| anyhow!(code.en()))?;
    work(&named.place, |conn, doer| {
        let account = db::account::find_login(conn, &login)?;
        let missing = || ApiError::of(patchward_protocol::api::error::ErrorCode::NotFound);
        act(conn, doer, &account.ok_or_else(missing)?)
    })
    .with_context(|| format!("nothing was changed for {login}"))
}

fn work<T>(
    place: &Folder,
    act: impl FnOnce(&mut Connection, &Doer) -> Result<T, ApiError>,
) -> Result<T> {
    let database = DataFolder::new(&place.data).database(&place.config()?)?;
    db::check(&database).context("the database is not of this program")?;
    let doer = Doer::operator(SystemClock.now());
    let done = db::once(&database, |conn| act(conn, &doer));
    done.map_err(|error| match &error {
        ApiError::Refused { code, .. } => anyhow!("{} ({})", code.en(), code.code()),
        ApiError::NotDrafted(_) | ApiError::Failed(_) => anyhow!(error),
    })
}

impl Wanted {
    fn read(&self) -> Result<Wish> {
        let role = self
            .role
            .rsplit_once(':')
            .and_then(|(place, role)| Place::of(place).and_then(|place| Grant::of(&place, role)));
        let grant = role.with_context(|| format!("{:?} is no role; see --help", self.role))?;
        let printed = |text: &str| Printed::read(text).map_err(|code| anyhow!(code.en()));
        let person = self.person.as_deref().map(PersonId::new).transpose()?;
        let language = Language::of(&self.language).context("--language is en or ja")?;
        Ok(Wish {
            grant,
            person,
            name: printed(&self.name)?,
            title: printed(&self.title)?,
            language,
        })
    }
}
