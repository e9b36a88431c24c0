//! A wrong clock for one process: a small library that is loaded before the C library.
//!
//! Only the wall clock is moved; the boot clock stays right, as on a machine whose clock somebody set.
//! Invariant: without a C compiler this fails with a hint; no test passes with an unmoved clock.

use crate::bin::workspace;
use crate::image::put;
use crate::running::succeed;
use anyhow::{Context as _, Result};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A clock that can be turned while a process runs.
#[derive(Debug, Clone)]
pub struct TurnedClock {
    library: PathBuf,
    shift: PathBuf,
}

impl TurnedClock {
    /// Builds the library into `folder`; the clock is still right.
    ///
    /// # Errors
    /// When there is no C compiler.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let source = workspace()?.join("tests/shim/clock.c");
        let (library, shift) = (folder.join("clock.so"), folder.join("clock-shift"));
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl");
        succeed(&mut compiler).context("needs a C compiler: apt-get install gcc")?;
        let clock = Self { library, shift };
        clock.turn(0)?;
        Ok(clock)
    }

    /// Turns the clock to `seconds` from the right time.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn turn(&self, seconds: i64) -> Result<()> {
        put(&self.shift, seconds.to_string().as_bytes())
    }

    /// Makes a command see this clock.
    pub fn show(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("PATCHWARD_CLOCK_SHIFT", &self.shift);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_clock_shows_another_year() {
        let folder = tempfile::tempdir().unwrap();
        let clock = TurnedClock::in_folder(folder.path()).unwrap();
        clock.turn(20 * 365 * 24 * 3600).unwrap();
        let mut date = Command::new("date");
        clock.show(date.args(["-u", "+%Y"]));
        let year: i64 = succeed(&mut date).unwrap().out.trim().parse().unwrap();
        let right = crate::clock::now().to_string();
        assert!(year > right.get(..4).unwrap().parse::<i64>().unwrap() + 18, "{year}");
    }
}
