//! After the story: everything keeps running, and the reader is told where to look.
//!
//! Invariant: at Ctrl-C (or SIGTERM) every process that was started here is ended by its id.

use crate::cast::Cast;
use crate::people;
use anyhow::{Context as _, Result};
use patchward_tests::device::Device;
use tokio::signal::unix::{SignalKind, signal};

/// Says where everything is and waits for Ctrl-C.
pub(crate) fn keep_running(cast: &Cast) -> Result<()> {
    let hospital = cast.hospitals.first().context("a hospital")?;
    let url = cast.server.url()?;
    println!("\nEverything keeps running. Where to look:");
    println!(
        "  server        {url}  (health: {url}/health/ready, interface: {url}/v1/openapi.json)"
    );
    people::told(&url);
    println!("  its log       {}", cast.server.data().with_file_name("server.log").display());
    let devices = hospital.desk.command(["devices", hospital.site.as_str()]);
    println!("  its devices   {}", line_of(&devices));
    for player in cast.players.iter().take(3) {
        println!("  {:<13} {}", player.device.name, line_of(&player.device.command("status")));
    }
    let waiting = cast.players.first().map(|player| &player.device);
    if let Some(device) = waiting {
        println!("  why it waits  {}", line_of(&device.command("why")));
        println!("  say not now   touch {}", marker(device));
    }
    println!("Ctrl-C ends everything.");
    wait()
}

fn marker(device: &Device) -> String {
    device.folder.join("in-use").display().to_string()
}

/// A command as a person would type it.
fn line_of(command: &std::process::Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn wait() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("start waiting")?.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    })
}
