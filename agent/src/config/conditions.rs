//! The section `[conditions]`: what else must hold on this device before an update begins.
//!
//! Beside what the approval asks for. Not here: looking ([`crate::permit::conditions`]).
//! Invariant: a condition that is written down without saying how much it matters is required.

use super::ConfigError;
use super::raw::Text;
use crate::child::Argv;
use patchward_protocol::approval::Need;
use serde::Deserialize;
use std::path::PathBuf;

/// Where systemd's own program is when nothing else is said.
const SYSTEMCTL: &str = "/usr/bin/systemctl";
/// Most services that may be named.
const UNITS_MAX: usize = 32;

/// Something that must hold, or is only shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What is looked at.
    pub check: Check,
    /// Whether an update waits for it.
    pub need: Need,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The device runs from the mains.
    Mains,
    /// The battery has at least this charge, in percent.
    Battery {
        /// Percent.
        percent_min: u8,
    },
    /// The temperature that a file of the kernel gives, in thousandths of a degree.
    Temperature {
        /// The file.
        file: PathBuf,
        /// Lowest, in degrees Celsius.
        celsius_min: i32,
        /// Highest, in degrees Celsius.
        celsius_max: i32,
    },
    /// Free space.
    FreeSpace {
        /// A path in the file system.
        path: PathBuf,
        /// Least, in MiB.
        mib_min: u64,
    },
    /// How worn an eMMC is, as its `life_time` file says.
    StorageLife {
        /// The file.
        file: PathBuf,
        /// Most, in percent.
        used_percent_max: u8,
    },
    /// A program that says whether the storage is well: exit 0 = well, 1 = not.
    StorageCommand(Argv),
    /// Services that must be active.
    Units {
        /// Their names.
        names: Vec<String>,
        /// The program that is asked: `is-active --quiet NAME`.
        systemctl: Argv,
    },
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConditions {
    mains: Option<RawMains>,
    battery: Option<RawBattery>,
    temperature: Option<RawTemperature>,
    free_space: Option<RawFreeSpace>,
    storage: Option<RawStorage>,
    units: Option<RawUnits>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawNeed {
    #[default]
    Required,
    Advisory,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMains {
    #[serde(default)]
    need: RawNeed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBattery {
    #[serde(default)]
    need: RawNeed,
    percent_min: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTemperature {
    #[serde(default)]
    need: RawNeed,
    file: PathBuf,
    celsius_min: i32,
    celsius_max: i32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFreeSpace {
    #[serde(default)]
    need: RawNeed,
    path: PathBuf,
    mib_min: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStorage {
    #[serde(default)]
    need: RawNeed,
    life_time_file: Option<PathBuf>,
    used_percent_max: Option<u8>,
    command: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnits {
    #[serde(default)]
    need: RawNeed,
    names: Vec<String>,
    systemctl: Option<Vec<String>>,
}

impl Text<'_> {
    pub(super) fn conditions(self, raw: RawConditions) -> Result<Vec<Condition>, ConfigError> {
        let mut all = Vec::new();
        let mut add = |need: RawNeed, check| all.push(Condition { check, need: need.into() });
        if let Some(mains) = raw.mains {
            add(mains.need, Check::Mains);
        }
        if let Some(battery) = raw.battery {
            let percent_min =
                self.percent("conditions.battery.percent_min", battery.percent_min)?;
            add(battery.need, Check::Battery { percent_min });
        }
        if let Some(raw) = raw.temperature {
            let file = self.absolute("conditions.temperature.file", raw.file)?;
            let (celsius_min, celsius_max) = (raw.celsius_min, raw.celsius_max);
            if celsius_min >= celsius_max {
                let rule = "must be above celsius_min";
                return self.rule("conditions.temperature.celsius_max", rule);
            }
            add(raw.need, Check::Temperature { file, celsius_min, celsius_max });
        }
        if let Some(raw) = raw.free_space {
            let path = self.absolute("conditions.free_space.path", raw.path)?;
            add(raw.need, Check::FreeSpace { path, mib_min: raw.mib_min });
        }
        if let Some(raw) = raw.storage {
            add(raw.need, self.storage(raw)?);
        }
        if let Some(raw) = raw.units {
            add(raw.need, self.units(raw)?);
        }
        Ok(all)
    }

    fn storage(self, raw: RawStorage) -> Result<Check, ConfigError> {
        match (raw.life_time_file, raw.command) {
            (Some(file), None) => {
                let key = "conditions.storage.used_percent_max";
                Ok(Check::StorageLife {
                    file: self.absolute("conditions.storage.life_time_file", file)?,
                    used_percent_max: self.percent(key, raw.used_percent_max.unwrap_or(90))?,
                })
            }
            (None, Some(argv)) if raw.used_percent_max.is_none() => {
                Ok(Check::StorageCommand(self.argv("conditions.storage.command", argv)?))
            }
            (Some(_) | None, Some(_)) => {
                self.rule("conditions.storage.command", "stands alone, without life_time_file")
            }
            (None, None) => self.rule("conditions.storage.life_time_file", "is missing"),
        }
    }

    fn units(self, raw: RawUnits) -> Result<Check, ConfigError> {
        let names = raw.names;
        let fits = |name: &String| !name.is_empty() && name.len() <= 255 && !name.starts_with('-');
        if names.is_empty() || names.len() > UNITS_MAX || !names.iter().all(fits) {
            return self.rule("conditions.units.names", "must name 1 to 32 services");
        }
        let systemctl = raw.systemctl.unwrap_or_else(|| vec![SYSTEMCTL.to_owned()]);
        Ok(Check::Units { names, systemctl: self.argv("conditions.units.systemctl", systemctl)? })
    }

    fn percent(self, key: &'static str, percent: u8) -> Result<u8, ConfigError> {
        if percent <= 100 { Ok(percent) } else { self.rule(key, "is from 0 to 100") }
    }
}

impl From<RawNeed> for Need {
    fn from(raw: RawNeed) -> Self {
        match raw {
            RawNeed::Required => Self::Required,
            RawNeed::Advisory => Self::Advisory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, EXAMPLE, InterlockSource, Source};

    fn with(more: &str) -> Result<Config, ConfigError> {
        Config::parse(&format!("{EXAMPLE}\n{more}\n"))
    }

    #[test]
    fn a_condition_is_required_unless_it_says_otherwise() {
        let config = with(
            "[conditions.mains]\n[conditions.battery]\npercent_min = 30\nneed = \"advisory\"\n\
             [conditions.units]\nnames = [\"pump.service\"]",
        );
        let needs: Vec<_> = config.unwrap().conditions.iter().map(|one| one.need).collect();
        assert_eq!(needs, [Need::Required, Need::Advisory, Need::Required]);
        assert_eq!(Config::parse(EXAMPLE).unwrap().conditions, []);
    }

    #[test]
    fn a_condition_that_breaks_a_rule_is_told_with_its_key() {
        for (more, key) in [
            ("[conditions.mains]\nneed = \"perhaps\"", "perhaps"),
            ("[conditions.humidity]", "humidity"),
            ("[conditions.battery]\npercent_min = 101", "conditions.battery.percent_min"),
            (
                "[conditions.temperature]\nfile = \"/t\"\ncelsius_min = 60\ncelsius_max = 5",
                "conditions.temperature.celsius_max",
            ),
            ("[conditions.free_space]\npath = \"x\"\nmib_min = 1", "conditions.free_space.path"),
            ("[conditions.storage]", "conditions.storage.life_time_file"),
            (
                "[conditions.storage]\nlife_time_file = \"/l\"\ncommand = [\"/c\"]",
                "conditions.storage.command",
            ),
            ("[conditions.units]\nnames = []", "conditions.units.names"),
            ("[conditions.units]\nnames = [\"--user\"]", "conditions.units.names"),
        ] {
            let said = with(more).unwrap_err().to_string();
            assert!(said.contains(key), "{more}: {said}");
        }
    }

    #[test]
    fn several_sources_of_the_interlock_may_stand_together_and_none_beside_a_reason() {
        let sources = "idle_file = \"/run/pump/idle\"\nmanual = true\nprobe_limit_s = 5";
        let more = EXAMPLE.replacen("probe_limit_s = 5", sources, 1)
            + "\n[clinical.socket]\npath = \"/run/x/clinical.sock\"\noperators = [0]\n\
               [clinical.socket.participants]\npump-ui = 4711\n";
        let InterlockSource::Asked(sources) = Config::parse(&more).unwrap().clinical.interlock
        else {
            panic!("not asked")
        };
        let [Source::Probe(_), Source::Socket(socket), Source::IdleFile(file), Source::Manual] =
            sources.as_slice()
        else {
            panic!("{sources:?}")
        };
        assert_eq!(socket.participants.apps().len(), 1);
        assert_eq!(file.fresh.as_secs(), 10);
        for (from, to) in [
            ("pump-ui = 4711", ""),
            ("pump-ui = 4711", "\"Pump UI\" = 991"),
            ("pump-ui = 4711", "pump-ui = \"root\""),
            ("/run/x/", "x/"),
            ("operators = [0]\n[", "same_version = [\"alarm\"]\n["),
            ("\nmanual = true", "\nmanual = true\nnone_because = \"laboratory only\""),
            ("\nmanual = true", "\nidle_file_fresh_s = 61"),
        ] {
            assert!(Config::parse(&more.replacen(from, to, 1)).is_err(), "{to}");
        }
    }
}
