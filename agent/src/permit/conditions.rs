//! What else must hold on this device before an update begins: asked of files and programs.
//!
//! Power comes from [`super::power`], the rest is looked at here. Unknown is a value of its own and
//! counts as not met. Not here: what the hospital's approval asks for (`protocol::decision`).
//! Invariant: only an exact answer is an answer.

use super::power::Power;
use crate::child::{self, After, Argv};
use crate::config::{Check, Condition};
use patchward_protocol::approval::Need;
use patchward_protocol::reason::Reason;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// Most bytes read of a file of the kernel.
const FILE_BYTES_MAX: u64 = 256;

/// Whether a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Met {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It cannot be told, which counts as not.
    Unknown,
}

/// A condition as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is told when it is not met; its code names the condition.
    pub reason: Reason,
    /// Whether an update waits for it.
    pub need: Need,
    /// Whether it is met.
    pub met: Met,
    /// What was found, in English, for `why` and `status`.
    pub value: String,
}

impl Found {
    /// The reason to wait, if it is one.
    #[must_use]
    pub fn blocks(&self) -> Option<Reason> {
        (self.need == Need::Required && self.met != Met::Yes).then_some(self.reason)
    }
}

/// Looks at every condition; `limit` is for each program that is asked.
pub async fn look(conditions: &[Condition], power: Power, limit: Duration) -> Vec<Found> {
    let mut all = Vec::new();
    for condition in conditions {
        let (reason, (met, value)) = match &condition.check {
            Check::Mains => (Reason::MainsUnknown, mains(power)),
            Check::Battery { percent_min } => (Reason::BatteryLow, battery(power, *percent_min)),
            Check::Temperature { file, celsius_min, celsius_max } => {
                (Reason::TemperatureUnfit, temperature(file, *celsius_min, *celsius_max))
            }
            Check::FreeSpace { path, mib_min } => (Reason::FreeSpaceLow, space(path, *mib_min)),
            Check::StorageLife { file, used_percent_max } => {
                (Reason::StorageWorn, life(file, *used_percent_max))
            }
            Check::StorageCommand(argv) => (Reason::StorageWorn, well(argv, limit).await),
            Check::Units { names, systemctl } => {
                (Reason::UnitNotActive, units(names, systemctl, limit).await)
            }
        };
        all.push(Found { reason, need: condition.need, met, value });
    }
    all
}

type Seen = (Met, String);

fn unknown(why: &str) -> Seen {
    (Met::Unknown, why.to_owned())
}

const fn met(is: bool) -> Met {
    if is { Met::Yes } else { Met::No }
}

fn mains(power: Power) -> Seen {
    match power.mains {
        Some(true) => (Met::Yes, "on mains".to_owned()),
        Some(false) => (Met::No, "on battery".to_owned()),
        None => unknown("cannot tell"),
    }
}

fn battery(power: Power, percent_min: u8) -> Seen {
    let Some(percent) = power.battery_percent else { return unknown("cannot tell") };
    (met(percent >= percent_min), format!("{percent} %, at least {percent_min} %"))
}

fn temperature(file: &Path, celsius_min: i32, celsius_max: i32) -> Seen {
    let Some(milli) = text(file).and_then(|text| exact::<i32>(&text)) else {
        return unknown("the sensor cannot be read");
    };
    let (least, most) = (celsius_min.saturating_mul(1000), celsius_max.saturating_mul(1000));
    let value = format!("{} °C, {celsius_min} to {celsius_max} °C", milli / 1000);
    (met((least..=most).contains(&milli)), value)
}

fn space(path: &Path, mib_min: u64) -> Seen {
    let Ok(stat) = rustix::fs::statvfs(path) else { return unknown("cannot tell") };
    let mib = stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024);
    (met(mib >= mib_min), format!("{mib} MiB free, at least {mib_min} MiB"))
}

/// Two numbers like `0x02 0x01`, for the two kinds of memory of an eMMC (JESD84-B51, 7.4.42): n
/// stands for up to 10 n percent used, 0x0b for more than all, 0x00 for not known.
fn life(file: &Path, used_percent_max: u8) -> Seen {
    let Some(text) = text(file) else { return unknown("cannot be read") };
    let step = |word: &str| {
        let digits = word.strip_prefix("0x")?;
        u8::from_str_radix(digits, 16).ok().filter(|step| (1..=0x0b).contains(step))
    };
    let steps: Option<Vec<u8>> = text.split_whitespace().map(step).collect();
    let Some(worst) = steps.and_then(|steps| steps.into_iter().max()) else {
        return unknown("not known");
    };
    let used = worst.saturating_mul(10);
    (met(used <= used_percent_max), format!("up to {used} % used, at most {used_percent_max} %"))
}

async fn well(argv: &Argv, limit: Duration) -> Seen {
    match code(argv, limit).await {
        Some(0) => (Met::Yes, "well".to_owned()),
        Some(1) => (Met::No, "not well".to_owned()),
        Some(_) | None => unknown("no valid answer"),
    }
}

/// `systemctl is-active`: 0 = active, 3 = not; everything else is no answer.
async fn units(names: &[String], systemctl: &Argv, limit: Duration) -> Seen {
    for name in names {
        match code(&systemctl.with(&["is-active", "--quiet", name]), limit).await {
            Some(0) => {}
            Some(3) => return (Met::No, format!("{name} is not active")),
            Some(_) | None => return unknown(&format!("{name} cannot be asked")),
        }
    }
    (Met::Yes, "active".to_owned())
}

async fn code(argv: &Argv, limit: Duration) -> Option<i32> {
    child::run(argv, limit, After::KillChildren).await.ok()?.status.code()
}

fn text(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn exact<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.strip_suffix('\n').unwrap_or(text);
    digits.parse().ok().filter(|_| !digits.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    async fn one(check: Check, power: Power) -> Met {
        let limit = Duration::from_secs(20);
        let condition = Condition { check, need: Need::Required };
        let found = look(&[condition], power, limit).await;
        let [found] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(found.blocks().is_none(), found.met == Met::Yes, "{found:?}");
        found.met
    }

    fn file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
        let path = folder.path().join("file");
        crate::journal::write_durably(&path, text.as_bytes()).unwrap();
        path
    }

    fn shell(script: &str) -> Argv {
        Argv::new(vec!["/bin/sh".into(), "-c".into(), script.into(), "sh".into()]).unwrap()
    }

    #[tokio::test]
    async fn power_that_is_not_known_is_not_met() {
        let known = Power { mains: Some(true), battery_percent: Some(30) };
        assert_eq!(one(Check::Mains, known).await, Met::Yes);
        assert_eq!(one(Check::Mains, Power { mains: Some(false), ..known }).await, Met::No);
        assert_eq!(one(Check::Mains, Power::default()).await, Met::Unknown);
        for (percent_min, is) in [(29, Met::Yes), (30, Met::Yes), (31, Met::No)] {
            assert_eq!(one(Check::Battery { percent_min }, known).await, is);
        }
        let percent_min = 0;
        assert_eq!(one(Check::Battery { percent_min }, Power::default()).await, Met::Unknown);
    }

    #[tokio::test]
    async fn temperature_is_met_within_its_bounds_only() {
        let folder = tempfile::tempdir().unwrap();
        for (text, is) in [
            ("41500\n", Met::Yes),
            ("5000", Met::Yes),
            ("60000\n", Met::Yes),
            ("60001\n", Met::No),
            ("4999\n", Met::No),
            ("-20000\n", Met::No),
            ("", Met::Unknown),
            ("warm\n", Met::Unknown),
            ("41500\n41500\n", Met::Unknown),
            ("99999999999\n", Met::Unknown),
        ] {
            let file = file(&folder, text);
            let check = Check::Temperature { file, celsius_min: 5, celsius_max: 60 };
            assert_eq!(one(check, Power::default()).await, is, "{text:?}");
        }
        let gone = folder.path().join("gone");
        let check = Check::Temperature { file: gone, celsius_min: 5, celsius_max: 60 };
        assert_eq!(one(check, Power::default()).await, Met::Unknown);
    }

    #[tokio::test]
    async fn free_space_is_what_the_file_system_says() {
        let path = std::env::temp_dir();
        let check = |path: &Path, mib_min| Check::FreeSpace { path: path.to_owned(), mib_min };
        assert_eq!(one(check(&path, 0), Power::default()).await, Met::Yes);
        assert_eq!(one(check(&path, u64::MAX), Power::default()).await, Met::No);
        let gone = path.join("no-such-folder-anywhere");
        assert_eq!(one(check(&gone, 0), Power::default()).await, Met::Unknown);
    }

    #[tokio::test]
    async fn worn_storage_is_told_from_its_life_time() {
        let folder = tempfile::tempdir().unwrap();
        for (text, is) in [
            ("0x01 0x01\n", Met::Yes),
            ("0x09 0x02\n", Met::Yes),
            ("0x01 0x0a\n", Met::No),
            ("0x0b 0x0b\n", Met::No),
            ("0x00 0x00\n", Met::Unknown),
            ("0x01 0x0c\n", Met::Unknown),
            ("1 1\n", Met::Unknown),
            ("", Met::Unknown),
        ] {
            let check = Check::StorageLife { file: file(&folder, text), used_percent_max: 90 };
            assert_eq!(one(check, Power::default()).await, is, "{text:?}");
        }
        for (script, is) in [
            ("exit 0", Met::Yes),
            ("exit 1", Met::No),
            ("exit 2", Met::Unknown),
            ("kill -9 $$", Met::Unknown),
        ] {
            let check = Check::StorageCommand(shell(script));
            assert_eq!(one(check, Power::default()).await, is, "{script}");
        }
    }

    #[tokio::test]
    async fn every_unit_must_be_active() {
        let asked = "test \"$1 $2\" = 'is-active --quiet' || exit 9; case $3 in pump.service) exit 0;; \
                     alarm.service) exit 3;; *) exit 4;; esac";
        for (names, is) in [
            (vec!["pump.service"], Met::Yes),
            (vec!["pump.service", "alarm.service"], Met::No),
            (vec!["pump.service", "other.service"], Met::Unknown),
        ] {
            let names = names.into_iter().map(str::to_owned).collect();
            let check = Check::Units { names, systemctl: shell(asked) };
            assert_eq!(one(check, Power::default()).await, is);
        }
        let nobody = Argv::new(vec!["/nonexistent/systemctl".into()]).unwrap();
        let check = Check::Units { names: vec!["pump.service".into()], systemctl: nobody };
        assert_eq!(one(check, Power::default()).await, Met::Unknown);
    }

    #[test]
    fn an_advisory_condition_never_blocks() {
        for met in [Met::Yes, Met::No, Met::Unknown] {
            let value = String::new();
            let found = Found { reason: Reason::MainsUnknown, need: Need::Advisory, met, value };
            assert_eq!(found.blocks(), None);
        }
    }
}
