//! The agent's configuration: one TOML file, owned by root.
//!
//! Read once, at start. Unknown keys are errors that name line and key: a misspelt safety setting
//! must not pass as its default. The server's address is not here; it comes with the enrolment pack.
//! Not here: doing anything with it. Invariant: a [`Config`] has passed every check of this file.

mod clinical;
mod conditions;
mod raw;

pub use clinical::{Clinical, IdleFile, InterlockSource, SocketSettings, Source};
pub use conditions::{Check, Condition};

use crate::child::Argv;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, Seq, Version};
use patchward_protocol::image::ImageRef;
use patchward_protocol::tuf::custom::Kind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most bytes of a configuration file.
pub const CONFIG_BYTES_MAX: u64 = 64 * 1024;
/// Longest time that any setting may name, in seconds.
pub const SETTING_S_MAX: u64 = 30 * 24 * 3600;

/// An annotated configuration with every key.
pub const EXAMPLE: &str = include_str!("config/example.toml");

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Journal, ledger, keys, trusted metadata.
    pub state_dir: PathBuf,
    /// First root of the family repository, installed by the manufacturer.
    pub family_root: PathBuf,
    /// Who the device is.
    pub identity: Identity,
    /// The image it left the factory with.
    pub factory: Option<ImageRef>,
    /// Which clocks count.
    pub time: TimeSources,
    /// How it is known whether the device is in use.
    pub clinical: Clinical,
    /// What else must hold on this device before an update begins.
    pub conditions: Vec<Condition>,
    /// How images are installed.
    pub install: Install,
    /// Whether images may come by deltas.
    pub deltas: Deltas,
    /// Most memory that unpacking an image may claim, in bytes.
    pub unpack_bytes_max: u64,
    /// How a new image is checked.
    pub health: Health,
    /// Which settings an update must not change.
    pub settings: Settings,
    /// Times of the agent.
    pub timing: Timing,
    /// Most bytes of the ledger.
    pub ledger_bytes_max: u64,
}

/// Who the device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its family.
    pub family: FamilyId,
    /// Its hardware.
    pub hardware: HardwareId,
    /// Its id at its site.
    pub device: DeviceId,
}

/// Which clocks count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSources {
    /// The system's clock.
    pub system_clock: SystemClock,
    /// Prints the time of the hospital's own time service; counts instead of the system's clock.
    pub command: Option<Argv>,
    /// File with the kernel's boot id.
    pub boot_id_file: PathBuf,
}

/// Whether the system's clock counts as a source of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemClock {
    /// A battery or the hospital's own time service keeps it; the server has no say in it.
    Independent,
    /// It says nothing.
    Ignored,
}

/// Whether images may come by deltas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deltas {
    /// Where there is one.
    On,
    /// Never: full images only.
    Off,
}

/// How images are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// Versioned folders and a link.
    Tree(TreeSettings),
    /// Two images and a boot loader.
    Slots(SlotSettings),
}

/// Settings of the tree installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSettings {
    /// Holds `versions/`, `current` and `spool/`.
    pub root: PathBuf,
    /// Makes the version behind `current` run.
    pub restart: Argv,
    /// Its time limit.
    pub restart_limit: Duration,
}

/// Settings of the slots installer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotSettings {
    /// Slot A: a block device or a file.
    pub a: PathBuf,
    /// Slot B.
    pub b: PathBuf,
    /// Where downloads are kept.
    pub spool: PathBuf,
    /// The boot adapter; verbs are its last arguments.
    pub boot: Argv,
    /// Its time limit.
    pub boot_limit: Duration,
}

/// How a new image is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Folder of executables that must all exit 0.
    pub dir: PathBuf,
    /// Time limit of one check.
    pub check_limit: Duration,
    /// A failing check is asked again until this much time has passed.
    pub ready_within: Duration,
}

/// Which settings an update must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// The output of a command.
    Command(Argv),
    /// Files and folders; an empty list watches nothing.
    Paths(Vec<PathBuf>),
}

/// Times of the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The first contact is at a random moment within this time.
    pub first_contact: Duration,
    /// Time between polls while the server does not say.
    pub poll: Duration,
    /// First wait after a failed contact.
    pub retry: Duration,
    /// Longest wait after a failed contact.
    pub retry_max: Duration,
    /// Least time without a break that the device must have been free.
    pub settle: Duration,
    /// Kept free at the end of a slot.
    pub reserve: Duration,
    /// Random start within this first part of a slot.
    pub spread: Duration,
    /// Time between two looks at slot, conditions and interlock while an update waits.
    pub gate_every: Duration,
    /// Time between two looks at the interlock while nothing waits, to count hours of clinical use.
    pub observe_every: Duration,
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is over the limit.
    #[error("the configuration {path} has more than {CONFIG_BYTES_MAX} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not TOML of this shape: syntax, unknown or missing key, wrong kind of value.
    #[error("line {line}: {problem}")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// What is wrong, with the key.
        problem: String,
    },
    /// A value breaks a rule.
    #[error("line {line}: {key} {rule}")]
    Rule {
        /// Line, from 1; of the section when the key is missing.
        line: usize,
        /// Dotted name of the key.
        key: &'static str,
        /// What it must be.
        rule: String,
    },
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and key at fault.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        use std::io::Read as _;
        let failed = |source| ConfigError::Open { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut text = String::new();
        file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > CONFIG_BYTES_MAX {
            return Err(ConfigError::TooLong { path: path.to_owned() });
        }
        Self::parse(&text)
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and key at fault.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        raw::parse(text)
    }

    /// Which kind of image this device takes.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.install {
            Install::Tree(_) => Kind::Tree,
            Install::Slots(_) => Kind::Slots,
        }
    }

    /// Where downloads are kept.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        match &self.install {
            Install::Tree(tree) => tree.root.join("spool"),
            Install::Slots(slots) => slots.spool.clone(),
        }
    }
}

/// The factory image, as the rest of the agent names images.
fn factory_image(
    family: &FamilyId,
    version: Version,
    seq: Seq,
    image_sha256: Sha256Digest,
) -> ImageRef {
    ImageRef { family: family.clone(), version, seq, image_sha256 }
}
