//! The configuration as it stands in the file, and the way from there to [`Config`].
//!
//! Here are the names of the keys and their defaults. Invariant: every section denies unknown keys.

use super::clinical::RawClinical;
use super::conditions::RawConditions;
use super::{
    Config, ConfigError, Deltas, Health, Identity, Install, SETTING_S_MAX, Settings, SlotSettings,
    SystemClock, TimeSources, Timing, TreeSettings, factory_image,
};
use crate::child::Argv;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, Seq, Version};
use patchward_protocol::limits::DELTA_MEMORY_BYTES;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    state_dir: PathBuf,
    family_root: PathBuf,
    identity: RawIdentity,
    #[serde(default)]
    deltas: RawDeltas,
    unpack_mib_max: Option<u64>,
    factory: Option<RawFactory>,
    #[serde(default)]
    time: RawTime,
    #[serde(default)]
    clinical: RawClinical,
    #[serde(default)]
    conditions: RawConditions,
    install: RawInstall,
    health: RawHealth,
    #[serde(default)]
    settings: RawSettings,
    #[serde(default)]
    timing: RawTiming,
    #[serde(default)]
    ledger: RawLedger,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    family: FamilyId,
    hardware: HardwareId,
    device: DeviceId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFactory {
    version: Version,
    seq: Seq,
    image_sha256: Sha256Digest,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawTime {
    #[serde(default)]
    system_clock: RawSystemClock,
    command: Option<Vec<String>>,
    boot_id_file: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLedger {
    mib_max: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawSystemClock {
    Independent,
    #[default]
    Ignored,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawDeltas {
    #[default]
    On,
    Off,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInstall {
    kind: RawKind,
    root: Option<PathBuf>,
    restart: Option<Vec<String>>,
    restart_limit_s: Option<u64>,
    a: Option<PathBuf>,
    b: Option<PathBuf>,
    spool: Option<PathBuf>,
    boot: Option<Vec<String>>,
    boot_limit_s: Option<u64>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    Tree,
    Slots,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHealth {
    dir: PathBuf,
    check_limit_s: Option<u64>,
    ready_within_s: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    fingerprint: Option<Vec<String>>,
    paths: Option<Vec<PathBuf>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawTiming {
    first_contact_s: Option<u64>,
    poll_s: Option<u64>,
    retry_s: Option<u64>,
    retry_max_s: Option<u64>,
    settle_s: Option<u64>,
    reserve_s: Option<u64>,
    spread_s: Option<u64>,
    gate_every_s: Option<u64>,
    observe_every_s: Option<u64>,
}

const BOOT_ID_FILE: &str = "/proc/sys/kernel/random/boot_id";

/// Finds the lines of keys, for messages.
#[derive(Clone, Copy)]
pub(super) struct Text<'a>(&'a str);

pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
    let raw: RawConfig = toml::from_str(text).map_err(|error| shape(text, &error))?;
    let text = Text(text);
    let RawIdentity { family, hardware, device } = raw.identity;
    let factory =
        raw.factory.map(|raw| factory_image(&family, raw.version, raw.seq, raw.image_sha256));
    let system_clock = match raw.time.system_clock {
        RawSystemClock::Independent => SystemClock::Independent,
        RawSystemClock::Ignored => SystemClock::Ignored,
    };
    Ok(Config {
        state_dir: text.absolute("state_dir", raw.state_dir)?,
        family_root: text.absolute("family_root", raw.family_root)?,
        identity: Identity { family, hardware, device },
        factory,
        time: text.time(system_clock, raw.time.command, raw.time.boot_id_file)?,
        clinical: text.clinical(raw.clinical)?,
        conditions: text.conditions(raw.conditions)?,
        install: text.install(raw.install)?,
        deltas: match raw.deltas {
            RawDeltas::On => Deltas::On,
            RawDeltas::Off => Deltas::Off,
        },
        unpack_bytes_max: text.unpack(raw.unpack_mib_max)?,
        health: text.health(raw.health)?,
        settings: text.settings(raw.settings)?,
        timing: text.timing(&raw.timing)?,
        ledger_bytes_max: text.ledger(&raw.ledger)?,
    })
}

fn shape(text: &str, error: &toml::de::Error) -> ConfigError {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    ConfigError::Shape { line, problem: error.message().to_owned() }
}

impl Text<'_> {
    fn time(
        self,
        system_clock: SystemClock,
        command: Option<Vec<String>>,
        boot_id_file: Option<PathBuf>,
    ) -> Result<TimeSources, ConfigError> {
        let file = boot_id_file.unwrap_or_else(|| PathBuf::from(BOOT_ID_FILE));
        Ok(TimeSources {
            system_clock,
            command: command.map(|argv| self.argv("time.command", argv)).transpose()?,
            boot_id_file: self.absolute("time.boot_id_file", file)?,
        })
    }

    fn ledger(self, raw: &RawLedger) -> Result<u64, ConfigError> {
        let mib = raw.mib_max.unwrap_or(16);
        if !(2..=1024).contains(&mib) {
            return self.rule("ledger.mib_max", "must be from 2 to 1024");
        }
        Ok(mib * 1024 * 1024)
    }

    fn unpack(self, mib_max: Option<u64>) -> Result<u64, ConfigError> {
        match mib_max {
            None => Ok(DELTA_MEMORY_BYTES),
            Some(mib) if (1..=64).contains(&mib) => Ok(mib * 1024 * 1024),
            Some(_) => self.rule("unpack_mib_max", "must be from 1 to 64"),
        }
    }

    fn install(self, raw: RawInstall) -> Result<Install, ConfigError> {
        match raw.kind {
            RawKind::Tree => {
                self.absent("install.a", raw.a.as_ref(), "tree")?;
                self.absent("install.b", raw.b.as_ref(), "tree")?;
                self.absent("install.spool", raw.spool.as_ref(), "tree")?;
                self.absent("install.boot", raw.boot.as_ref(), "tree")?;
                self.absent("install.boot_limit_s", raw.boot_limit_s.as_ref(), "tree")?;
                let restart = self.needed("install.restart", raw.restart)?;
                let limit = ("install.restart_limit_s", raw.restart_limit_s);
                Ok(Install::Tree(TreeSettings {
                    root: self.needed_path("install.root", raw.root)?,
                    restart: self.argv("install.restart", restart)?,
                    restart_limit: self.at_least_1(limit.0, limit.1, 60)?,
                }))
            }
            RawKind::Slots => {
                self.absent("install.root", raw.root.as_ref(), "slots")?;
                self.absent("install.restart", raw.restart.as_ref(), "slots")?;
                self.absent("install.restart_limit_s", raw.restart_limit_s.as_ref(), "slots")?;
                let a = self.needed_path("install.a", raw.a)?;
                let b = self.needed_path("install.b", raw.b)?;
                if a == b {
                    return self.rule("install.b", "must be another place than install.a");
                }
                let spool = self.needed_path("install.spool", raw.spool)?;
                let boot = self.needed("install.boot", raw.boot)?;
                let boot = self.argv("install.boot", boot)?;
                let boot_limit = self.at_least_1("install.boot_limit_s", raw.boot_limit_s, 30)?;
                Ok(Install::Slots(SlotSettings { a, b, spool, boot, boot_limit }))
            }
        }
    }

    fn health(self, raw: RawHealth) -> Result<Health, ConfigError> {
        Ok(Health {
            dir: self.absolute("health.dir", raw.dir)?,
            check_limit: self.at_least_1("health.check_limit_s", raw.check_limit_s, 60)?,
            ready_within: self.seconds("health.ready_within_s", raw.ready_within_s, 120)?,
        })
    }

    fn settings(self, raw: RawSettings) -> Result<Settings, ConfigError> {
        match (raw.fingerprint, raw.paths) {
            (Some(_), Some(_)) => {
                self.rule("settings.paths", "cannot stand beside settings.fingerprint")
            }
            (Some(argv), None) => Ok(Settings::Command(self.argv("settings.fingerprint", argv)?)),
            (None, paths) => {
                let paths = paths.unwrap_or_default().into_iter();
                let paths = paths.map(|path| self.absolute("settings.paths", path));
                Ok(Settings::Paths(paths.collect::<Result<_, _>>()?))
            }
        }
    }

    fn timing(self, raw: &RawTiming) -> Result<Timing, ConfigError> {
        Ok(Timing {
            first_contact: self.seconds("timing.first_contact_s", raw.first_contact_s, 900)?,
            poll: self.at_least_1("timing.poll_s", raw.poll_s, 300)?,
            retry: self.at_least_1("timing.retry_s", raw.retry_s, 5)?,
            retry_max: self.at_least_1("timing.retry_max_s", raw.retry_max_s, 3600)?,
            settle: self.seconds("timing.settle_s", raw.settle_s, 300)?,
            reserve: self.seconds("timing.reserve_s", raw.reserve_s, 120)?,
            spread: self.seconds("timing.spread_s", raw.spread_s, 60)?,
            gate_every: self.at_least_1("timing.gate_every_s", raw.gate_every_s, 10)?,
            observe_every: self.at_least_1("timing.observe_every_s", raw.observe_every_s, 60)?,
        })
    }

    pub(super) fn seconds(
        self,
        key: &'static str,
        given: Option<u64>,
        default_s: u64,
    ) -> Result<Duration, ConfigError> {
        match given.unwrap_or(default_s) {
            s if s > SETTING_S_MAX => self.rule(key, "is at most 2592000 seconds (30 days)"),
            s => Ok(Duration::from_secs(s)),
        }
    }

    pub(super) fn at_least_1(
        self,
        key: &'static str,
        given: Option<u64>,
        default_s: u64,
    ) -> Result<Duration, ConfigError> {
        if given == Some(0) {
            return self.rule(key, "is at least 1 second");
        }
        self.seconds(key, given, default_s)
    }

    pub(super) fn argv(self, key: &'static str, argv: Vec<String>) -> Result<Argv, ConfigError> {
        Argv::new(argv).or_else(|rule| self.rule(key, rule))
    }

    pub(super) fn absolute(self, key: &'static str, path: PathBuf) -> Result<PathBuf, ConfigError> {
        if path.is_absolute() { Ok(path) } else { self.rule(key, "must be an absolute path") }
    }

    pub(super) fn needed<T>(self, key: &'static str, given: Option<T>) -> Result<T, ConfigError> {
        given.map_or_else(|| self.rule(key, "is missing"), Ok)
    }

    fn needed_path(
        self,
        key: &'static str,
        given: Option<PathBuf>,
    ) -> Result<PathBuf, ConfigError> {
        let path = self.needed(key, given)?;
        self.absolute(key, path)
    }

    fn absent<T>(
        self,
        key: &'static str,
        given: Option<&T>,
        kind: &str,
    ) -> Result<(), ConfigError> {
        if given.is_some() {
            return self.rule(key, &format!("does not belong to kind = \"{kind}\""));
        }
        Ok(())
    }

    pub(super) fn rule<T>(self, key: &'static str, rule: &str) -> Result<T, ConfigError> {
        Err(ConfigError::Rule { line: self.line_of(key), key, rule: rule.to_owned() })
    }

    /// The line of a key, or of its section when it is not there.
    fn line_of(self, key: &str) -> usize {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let (mut here, mut found) = ("", 1);
        for (line, number) in self.0.lines().zip(1..) {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                here = header.trim();
                if here == section {
                    found = number;
                }
            } else if here == section
                && line.split_once('=').is_some_and(|(left, _)| left.trim() == name)
            {
                return number;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EXAMPLE, InterlockSource};
    use super::*;

    fn refused(from: &str, to: &str) -> String {
        assert!(EXAMPLE.contains(from), "{from}");
        parse(&EXAMPLE.replacen(from, to, 1)).unwrap_err().to_string()
    }

    fn line(of: &str) -> usize {
        EXAMPLE.lines().position(|line| line.starts_with(of)).unwrap() + 1
    }

    #[test]
    fn the_example_is_read_and_names_every_default() {
        let config = parse(EXAMPLE).unwrap();
        let without: String = EXAMPLE.lines().fold(String::new(), |text, line| {
            let timed = line.split('=').next().is_some_and(|key| key.trim().ends_with("_s"));
            if timed { text } else { text + line + "\n" }
        });
        assert_eq!(parse(&without).unwrap(), config);
        assert!(matches!(config.install, Install::Tree(_)));
    }

    #[test]
    fn the_example_with_slots_is_read() {
        let (head, rest) = EXAMPLE.split_once("kind = \"tree\"").unwrap();
        let (_, rest) = rest.split_once("# kind = \"slots\"").unwrap();
        let (slots, tail) = rest.split_once("[health]").unwrap();
        let slots = slots.replace("\n# ", "\n");
        let text = format!("{head}kind = \"slots\"{slots}[health]{tail}");
        assert!(matches!(parse(&text).unwrap().install, Install::Slots(_)));
    }

    #[test]
    fn an_unknown_key_is_refused_with_line_and_name() {
        let said = refused("probe_limit_s = 5", "probe_limits = 5");
        assert!(said.contains("probe_limits"), "{said}");
        assert!(said.starts_with(&format!("line {}:", line("probe_limit_s"))), "{said}");
        assert!(refused("[health]", "[heath]").contains("heath"));
    }

    #[test]
    fn a_rule_is_told_with_line_and_key() {
        for (from, to, key) in [
            ("state_dir = \"/var", "state_dir = \"var", "state_dir"),
            ("poll_s = 300", "poll_s = 0", "timing.poll_s"),
            ("settle_s = 300", "settle_s = 99999999999", "timing.settle_s"),
            ("probe = [\"/usr", "probe = [\"usr", "clinical.probe"),
            ("probe = [\"/usr/lib/patchward/in-use\"]", "probe = []", "clinical.probe"),
            ("# none_because", "none_because", "clinical.none_because"),
            ("# fingerprint", "fingerprint", "settings.paths"),
            ("unpack_mib_max = 8", "unpack_mib_max = 0", "unpack_mib_max"),
            ("restart = [", "boot = [\"/b\"]\nrestart = [", "install.boot"),
        ] {
            let said = refused(from, to);
            assert!(said.contains(&format!("{key} ")), "{key}: {said}");
            let name = key.rsplit('.').next().unwrap();
            let text = EXAMPLE.replacen(from, to, 1);
            let at = said.split([' ', ':']).nth(1).unwrap().parse::<usize>().unwrap();
            assert!(text.lines().nth(at - 1).unwrap().starts_with(name), "{said}");
        }
    }

    #[test]
    fn a_missing_key_is_told_by_name() {
        assert!(refused("root = \"/opt/pump\"", "").contains("install.root is missing"));
        assert!(refused("hardware = \"infusion-a.rev2\"", "").contains("hardware"));
    }

    #[test]
    fn no_interlock_is_missing_and_never_not_needed() {
        let text = EXAMPLE.replacen("probe = [\"/usr/lib/patchward/in-use\"]", "", 1);
        assert_eq!(parse(&text).unwrap().clinical.interlock, InterlockSource::Missing);
        let empty = text.replacen("# none_because = \"lab", "none_because = \" \" # \"lab", 1);
        assert!(parse(&empty).is_err());
    }

    #[test]
    fn syntax_errors_have_a_line() {
        assert!(parse("state_dir = \n").unwrap_err().to_string().starts_with("line 1:"));
        assert!(parse("").is_err());
    }
}
