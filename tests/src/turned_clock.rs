//! A device clock that a test can turn: the hospital's time command, gone wrong.
//!
//! Only what the device takes for the time is moved; the boot clock stays right, as on a machine
//! whose clock somebody set.

use crate::device::{Device, script};
use crate::image::put;
use anyhow::Result;
use std::path::PathBuf;

/// A clock that can be turned while an agent runs.
#[derive(Debug, Clone)]
pub struct TurnedClock {
    shift: PathBuf,
}

impl TurnedClock {
    /// Gives a device a clock of its own, which is still right.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn on(device: &Device) -> Result<Self> {
        let clock = Self { shift: device.folder.join("clock-shift") };
        clock.turn(0)?;
        let command = device.folder.join("clock.sh");
        let shift = clock.shift.display();
        script(&command, &format!("#!/bin/sh\nexpr $(date -u +%s) + $(cat '{shift}')\n"))?;
        let line = format!("command = [\"{}\"]", command.display());
        device.reconfigure("system_clock = \"independent\"", &line)?;
        Ok(clock)
    }

    /// Turns the clock to `seconds` from the right time.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn turn(&self, seconds: i64) -> Result<()> {
        put(&self.shift, seconds.to_string().as_bytes())
    }
}
