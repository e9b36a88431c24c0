//! Doing what a command line asks for.

use super::error::CliError;
use super::print::{self, Agent};
use super::{Call, Form, HELP, Verb};
use crate::clock::{MachineClock, MachineRng};
use crate::config::Config;
use crate::driver::run::{Ended, Until};
use crate::driver::start::{self, ExampleKeys};
use crate::edge::Clock as _;
use crate::enrol::{self, Wish};
use crate::identity::{Keys, Membership};
use crate::journal::Journal;
use crate::layout::{Layout, Lock};
use crate::ledger;
use crate::local::{Hold, Local, Word};
use crate::stage::windows::Progress;
use crate::status::{ShownUntil, Status};
use patchward_protocol::key::Signer as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often the lock is asked for before another agent is said to run.
const LOCK_TRIES: u8 = 40;
/// Between two of these.
const LOCK_PAUSE: Duration = Duration::from_millis(50);
/// Exit code when `once` did not reach the server.
const UNREACHED: u8 = 6;
/// Exit code when the machine goes down for a restart.
const GOING_DOWN: u8 = 10;

pub(super) fn perform(call: &Call) -> Result<u8, CliError> {
    match &call.verb {
        Verb::Help => print::line(HELP),
        Verb::Version => print::line(concat!("patchward-agent ", env!("CARGO_PKG_VERSION"))),
        Verb::CheckConfig => {
            config(call)?;
            print::line("ok");
        }
        Verb::Enrol { .. } => enrol(call)?,
        Verb::Run => return run(call, Until::Stopped),
        Verb::Once => return run(call, Until::Quiet),
        Verb::Status(form) => status(call, *form)?,
        Verb::Why => {
            let (status, agent) = picture(call)?;
            print::why(&status, agent, call.lang, MachineClock.boot_ms());
        }
        Verb::Slots { next } => print::slots(&picture(call)?.0, *next, call.lang),
        Verb::Hold { by, why } => {
            let hold = Hold { by: by.clone(), why: why.clone() };
            let done = local(call)?.set_hold(&hold);
            done.map_err(|source| disk("setting the hold", source))?;
            print::line(print::sentence(patchward_protocol::reason::Reason::HeldHere, call.lang));
        }
        Verb::LiftHold => {
            local(call)?.lift_hold().map_err(|source| disk("lifting the hold", source))?;
        }
        Verb::Defer { by, minutes } => {
            let done = local(call)?.defer(by, *minutes, MachineClock.boot_ms());
            done.map_err(|source| disk("deferring", source))?;
            print::line(print::sentence(patchward_protocol::reason::Reason::HeldHere, call.lang));
        }
        Verb::Present { by, minutes } => {
            let done = local(call)?.set_present(by, *minutes, MachineClock.boot_ms());
            done.map_err(|source| disk("leaving word for the agent", source))?;
            print::present(by, *minutes, call.lang);
        }
        Verb::Say { by, says } => {
            let word = Word { by: by.clone(), says: *says };
            local(call)?.say(&word).map_err(|source| disk("leaving word for the agent", source))?;
        }
        Verb::VerifyLedger => verify_ledger(call)?,
        Verb::ExportLedger => export_ledger(call)?,
    }
    Ok(0)
}

fn config(call: &Call) -> Result<Config, CliError> {
    Ok(Config::load(&call.config)?)
}

fn disk(during: &str, source: io::Error) -> CliError {
    CliError::Disk { during: during.to_owned(), source }
}

fn layout(call: &Call) -> Result<(Config, Layout), CliError> {
    let config = config(call)?;
    let layout = Layout::new(&config.state_dir);
    Ok((config, layout))
}

/// Where people at the device speak; the folder is made, so that a hold works before anything else.
fn local(call: &Call) -> Result<Local, CliError> {
    let (config, layout) = layout(call)?;
    layout.make().map_err(|source| disk("making the state folder", source))?;
    Ok(Local::new(layout.folder(), &start::boot_id(&config)?))
}

fn locked(layout: &Layout) -> Result<Lock, CliError> {
    layout.make().map_err(|source| disk("making the state folder", source))?;
    // A child that an agent was starting when it was killed holds its lock until it has begun.
    for _ in 0..LOCK_TRIES {
        let lock = layout.lock().map_err(|source| disk("locking the state folder", source))?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    Err(CliError::Running)
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::Machine(error.to_string()))
}

fn rng() -> Result<MachineRng, CliError> {
    MachineRng::begin().map_err(|error| CliError::Machine(error.to_string()))
}

fn enrol(call: &Call) -> Result<(), CliError> {
    let Verb::Enrol { pack, fingerprint, site } = &call.verb else { return Ok(()) };
    let (config, layout) = layout(call)?;
    let _lock = locked(&layout)?;
    let wish = Wish {
        pack: pack.clone(),
        site_root_fingerprint: fingerprint.clone(),
        site: *site,
        example_keys: call.example_keys,
        plain_http: call.plain_http,
    };
    let joined = runtime()?.block_on(enrol::enrol(&config, &layout, &wish, rng()?))?;
    print::joined(&joined, call.lang);
    Ok(())
}

fn run(call: &Call, until: Until) -> Result<u8, CliError> {
    let (config, layout) = layout(call)?;
    let _lock = locked(&layout)?;
    tracing::warn!("network code and installer share one process (one-process mode)");
    if call.example_keys == ExampleKeys::InsecureDemo {
        tracing::warn!("the public example keys are accepted: for demonstrations only");
    }
    let mut config = config;
    if until == Until::Quiet {
        config.timing.first_contact = std::time::Duration::ZERO;
    }
    let mut driver = start::driver(config, &layout, call.example_keys, call.plain_http, rng()?)?;
    let ended = runtime()?.block_on(async {
        let stopped = Arc::new(AtomicBool::new(false));
        listen(&stopped).map_err(|error| CliError::Machine(error.to_string()))?;
        let told = Arc::clone(&stopped);
        driver.run(until, move || told.load(Ordering::Relaxed)).await.map_err(CliError::Installer)
    })?;
    Ok(match ended {
        Ended::Well => 0,
        Ended::Unreached => UNREACHED,
        Ended::GoingDown => GOING_DOWN,
    })
}

/// SIGTERM and SIGINT end the agent between two steps.
fn listen(stopped: &Arc<AtomicBool>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let (mut signals, stopped) = (signal(kind)?, Arc::clone(stopped));
        tokio::spawn(async move {
            signals.recv().await;
            stopped.store(true, Ordering::Relaxed);
        });
    }
    Ok(())
}

fn status(call: &Call, form: Form) -> Result<(), CliError> {
    let (status, agent) = picture(call)?;
    print::status(&status, agent, form, call.lang, MachineClock.boot_ms());
    Ok(())
}

/// The last picture, with what can be said without the agent.
fn picture(call: &Call) -> Result<(Status, Agent), CliError> {
    let (config, layout) = layout(call)?;
    let read = Status::read(&layout.status());
    let mut status =
        read.map_err(|source| disk("reading the status", source))?.ok_or(CliError::NeverRan)?;
    let free = layout.lock().map_err(|source| disk("looking at the lock", source))?;
    let agent = if free.is_none() { Agent::Runs } else { Agent::Stopped };
    let here = Local::new(layout.folder(), &start::boot_id(&config)?);
    let boot_ms = MachineClock.boot_ms();
    status.held_here = here.stopped(boot_ms).is_some();
    status.deferred = here
        .deferral(boot_ms)
        .map(|said| ShownUntil { by: said.by, until_boot_ms: said.until_boot_ms });
    status.present = here
        .present(boot_ms)
        .map(|said| ShownUntil { by: Some(said.by), until_boot_ms: said.until_boot_ms });
    if agent == Agent::Stopped
        && let Ok(Some(journal)) = Journal::read(&layout.journal())
    {
        status.state = journal.state.name().to_owned();
        status.reason = journal.state.reason();
    }
    // While an image is fetched the picture may still be that of the moment before.
    if matches!(status.state.as_str(), "idle" | "approved" | "fetching") {
        status.staging = Progress::of_spool(&config.spool_dir());
    }
    Ok((status, agent))
}

fn verify_ledger(call: &Call) -> Result<(), CliError> {
    let (_config, layout) = layout(call)?;
    let keys = Keys::read(&layout.keys()).map_err(start::StartError::from)?;
    let (chain, count) = ledger::verify(&layout.ledger(), keys.ledger_id, &keys.device.public())?;
    print::verified(&chain, count, call.lang);
    Ok(())
}

fn export_ledger(call: &Call) -> Result<(), CliError> {
    let (_config, layout) = layout(call)?;
    let member = Membership::read(&layout.membership()).map_err(start::StartError::from)?;
    member.ok_or(start::StartError::NotEnrolled)?;
    for envelope in ledger::all(&layout.ledger())? {
        print::line(&serde_json::to_string(&envelope).unwrap_or_default());
    }
    Ok(())
}
