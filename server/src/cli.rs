//! The command line of the server. The only module that prints.
//!
//! Not here: what the verbs do. Invariant: what a program reads (the address, the token, the OpenAPI
//! document) goes to standard output, one thing a line; everything else to standard error.
#![allow(clippy::print_stdout, reason = "the answer of a command")]

mod people;

use crate::app::Mode;
use crate::clock::{Clock as _, SystemClock, SystemRng};
use crate::config::{Config, Network};
use crate::delta::order::ORDER_BYTES_MAX;
use crate::delta::{child, worker};
use crate::rollout::recount;
use crate::setup::DataFolder;
use crate::{db, logging, openapi, serve, tls};
use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The Patchward server: stores and serves what manufacturers and hospitals have signed.
#[derive(Debug, Parser)]
#[command(name = "patchward-server", version)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a data folder with new keys; prints the one-time token of the first administrator
    Init(Place),
    /// Run
    Serve(Serve),
    /// Bring the database to this program's schema
    Migrate(Place),
    /// Read the configuration and say what is wrong with it
    CheckConfig(Place),
    /// Compare the counters of waves with what devices signed; ends with 1 when they differ
    Recount(Place),
    /// People who sign in to the console: list, invite, disable, reset
    People(people::People),
    /// Print the OpenAPI document
    Openapi,
    /// Build or check one delta: started by the server itself, told by standard input
    #[command(name = child::VERB, hide = true)]
    DeltaWorker,
}

#[derive(Debug, Args)]
struct Place {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The configuration; without it `server.toml` in the data folder, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address and port to listen on, over the configuration; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Plain HTTP beyond this machine: what is sent can be read and changed on the way
    #[arg(long)]
    insecure_plain_http: bool,
    /// A network of proxies of your own, over the configuration: from there the last address of
    /// X-Forwarded-For counts as the visitor's, from elsewhere none; may be repeated
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<Network>,
    /// Let in the public example keys: for demonstrations only
    #[arg(long)]
    demo: bool,
}

/// Does what the command line asks.
///
/// # Errors
/// Whatever went wrong, with its causes.
pub fn run(cli: Cli) -> Result<()> {
    match cli.verb {
        Verb::Init(place) => init(&place),
        Verb::Serve(serve) => run_server(serve),
        Verb::Migrate(place) => migrate(&place),
        Verb::CheckConfig(place) => check_config(&place),
        Verb::Recount(place) => recount(&place),
        Verb::People(people) => people::run(&people),
        Verb::Openapi => {
            println!("{}", openapi::text());
            Ok(())
        }
        Verb::DeltaWorker => delta_worker(),
    }
}

fn delta_worker() -> Result<()> {
    let mut text = Vec::new();
    let most = u64::try_from(ORDER_BYTES_MAX).unwrap_or(u64::MAX);
    std::io::stdin().take(most).read_to_end(&mut text).context("the order cannot be read")?;
    let order = serde_json::from_slice(&text).context("the order does not read")?;
    println!("{}", serde_json::to_string(&worker::run(&order))?);
    Ok(())
}

fn init(place: &Place) -> Result<()> {
    let folder = DataFolder::new(&place.data);
    let config = place.config()?;
    let (token, link) =
        folder.init(&config, &SystemClock, &SystemRng).context("the data folder was not made")?;
    println!("data folder: {}", place.data.display());
    println!("claim token: {}", token.reveal());
    println!("It makes the first administrator, once, within 7 days, and is not shown again:");
    println!("  patchward-server serve --data {}", place.data.display());
    println!("  patchward claim --server URL");
    println!("first person: {}", people::link(&config, &link));
    println!(
        "Open it in a browser to sign in to the console as whoever runs this server; once, within 7 days."
    );
    Ok(())
}

fn run_server(serve: Serve) -> Result<()> {
    let mut config = serve.place.config()?;
    config.listen = serve.listen.unwrap_or(config.listen);
    config.insecure_plain_http |= serve.insecure_plain_http;
    config.proxy.trusted.extend(serve.trusted_proxy);
    config.check().context("the configuration is not right")?;
    logging::start(&config.log);
    let mode = if serve.demo { Mode::InsecureDemo } else { Mode::Production };
    if mode == Mode::InsecureDemo {
        tracing::warn!("Example keys are let in: this server is for demonstrations only");
    }
    if config.tls.is_none() && !config.listen.ip().is_loopback() {
        tracing::warn!("insecure_plain_http: what is sent can be read and changed on the way");
    }
    let folder = DataFolder::new(&serve.place.data);
    let parts = folder
        .open(config, mode, Arc::new(SystemClock), Arc::new(SystemRng))
        .context("the data folder cannot be used")?;
    serve::serve(parts, |url| println!("listening on {url}")).context("the server ended")
}

fn migrate(place: &Place) -> Result<()> {
    let database = DataFolder::new(&place.data).database(&place.config()?)?;
    let applied = db::migrate(&database).context("the database was not migrated")?;
    for name in &applied {
        println!("applied {name}");
    }
    if applied.is_empty() {
        println!("nothing to do");
    }
    Ok(())
}

fn recount(place: &Place) -> Result<()> {
    let database = DataFolder::new(&place.data).database(&place.config()?)?;
    db::check(&database).context("the database is not of this program")?;
    let found = recount::offline(&database, SystemClock.now()).context("nothing was compared")?;
    for difference in &found {
        let recount::Difference { key, wave, counted, signed } = difference;
        println!(
            "{} approval {} wave {wave}: counted {counted:?}, signed {signed:?}",
            key.site, key.approval
        );
    }
    match found.len() {
        0 => {
            println!("every counter is what devices signed");
            Ok(())
        }
        number => anyhow::bail!("{number} waves are not what devices signed"),
    }
}

fn check_config(place: &Place) -> Result<()> {
    let config = place.config()?;
    if let Some(tls) = &config.tls {
        tls::server_config(tls).context("[tls] is not right")?;
    }
    DataFolder::new(&place.data).database(&config).context("postgres_url_file is not right")?;
    println!("the configuration is right");
    Ok(())
}

impl Place {
    fn config(&self) -> Result<Config> {
        let beside = self.data.join("server.toml");
        let path = match &self.config {
            Some(path) => path,
            None if beside.is_file() => &beside,
            None => return Ok(Config::default()),
        };
        Config::read(path).context("the configuration is not right")
    }
}
