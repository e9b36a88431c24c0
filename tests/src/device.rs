//! A real agent on a device of its own: folders, scripts around it, what it runs and records.
//!
//! What a device runs is read from its disk, not from what the agent says: the tree behind `current`
//! is packed again and hashed, the active slot is hashed. Not here: who approves what.
//! Invariant: nothing outside the device's folder is touched.

use crate::bin::Programs;
use crate::clock::until;
use crate::image::{Release, put};
use crate::installed;
use crate::running::{Running, Said, run, succeed};
use anyhow::{Context as _, Result, bail};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{DeviceId, FamilyId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{Entry, Kind as Transition};
use patchward_protocol::pack::EnrolmentPack;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A device with an agent.
#[derive(Debug)]
pub struct Device {
    /// Its name at its site.
    pub name: DeviceId,
    /// Its family.
    pub family: FamilyId,
    /// Which installer it has.
    pub kind: Kind,
    /// Everything of it.
    pub folder: PathBuf,
    /// Its device key, once it is known.
    pub key: Option<PublicKey>,
    program: PathBuf,
    factory: Sha256Digest,
}

impl Device {
    /// Makes a device as it leaves the factory: an image, the family's root, an agent.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn from_factory(
        programs: &Programs,
        folder: &Path,
        name: &str,
        factory: &Release,
        family_root: &[u8],
    ) -> Result<Self> {
        let firmware = &factory.firmware;
        let device = Self {
            name: DeviceId::new(name).context("a device name")?,
            family: firmware.family.clone(),
            kind: firmware.payload.kind,
            folder: folder.to_owned(),
            key: None,
            program: programs.agent(),
            factory: firmware.payload.image_sha256,
        };
        for part in ["state", "health.d", "system"] {
            fs::create_dir_all(folder.join(part)).context("make the device's folders")?;
        }
        put(&folder.join("family.root.json"), family_root)?;
        put(&folder.join("settings.toml"), b"alarm_limit = 120\n")?;
        script(&folder.join("in-use.sh"), &in_use_script(folder))?;
        script(&folder.join("health.d/well"), &health_script(folder, device.kind))?;
        script(&folder.join("restart.sh"), &restart_script(folder))?;
        installed::put_factory(&device.folder, factory)?;
        put(&device.config_file(), device.config(factory).as_bytes())?;
        Ok(device)
    }

    /// Changes a line of the configuration.
    ///
    /// # Errors
    /// When there is no such line.
    pub fn reconfigure(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.config_file()).context("read the configuration")?;
        if !text.contains(from) {
            bail!("no `{from}` in the configuration");
        }
        put(&self.config_file(), text.replace(from, to).as_bytes())
    }

    /// Enrols with a pack.
    ///
    /// # Errors
    /// When the agent refuses.
    pub fn enrol(&self, pack: &EnrolmentPack) -> Result<Said> {
        succeed(&mut self.enrolment(pack)?)
    }

    /// The command that enrols with a pack.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn enrolment(&self, pack: &EnrolmentPack) -> Result<Command> {
        let path = self.folder.join("pack.json");
        put(&path, &serde_json::to_vec(pack).context("write the pack")?)?;
        let mut command = self.command("enrol");
        command.arg("--pack").arg(&path);
        Ok(command)
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self) -> Result<Running> {
        Running::start(self.name.as_str(), &mut self.command("run"), &self.log_file())
    }

    /// A command of the agent.
    #[must_use]
    pub fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.config_file()).arg(verb);
        command
    }

    /// What the agent says of itself.
    ///
    /// # Errors
    /// When it says nothing readable.
    pub fn status(&self) -> Result<Value> {
        let said = succeed(self.command("status").arg("--json"))?;
        serde_json::from_str(&said.out).with_context(|| format!("status: {}", said.out))
    }

    /// Waits until the agent says why it waits, in a line with this word; gives the line.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn why(&self, word: &str) -> Result<String> {
        self.why_with(&[word])
    }

    /// Waits until the agent says why it waits, in a line with all these words; gives the line.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn why_with(&self, words: &[&str]) -> Result<String> {
        let what = format!("{} to say why, with {words:?}", self.name);
        until(&what, PATIENCE, || {
            let said = run(&mut self.command("why"))?.out;
            let all = |line: &&str| words.iter().all(|word| line.contains(word));
            Ok(said.lines().find(all).map(|line| line.trim().to_owned()))
        })
        .with_context(|| self.story())
    }

    /// Waits until the agent says that it waits for one of these reasons.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn why_any(&self, reasons: &[Reason]) -> Result<()> {
        until(&format!("{} to say why: one of {reasons:?}", self.name), PATIENCE, || {
            let said = run(&mut self.command("why"))?.out;
            Ok(reasons.iter().any(|reason| said.contains(reason.code())).then_some(()))
        })
        .with_context(|| self.story())
    }

    /// Digest of the image that runs, computed from the disk.
    ///
    /// # Errors
    /// When what stands there is no whole image.
    pub fn running_image(&self) -> Result<Sha256Digest> {
        installed::digest(&self.folder, self.kind)
    }

    /// Every entry of the ledger, each checked: signature, chain, order.
    ///
    /// # Errors
    /// When the ledger does not verify.
    pub fn ledger(&self) -> Result<Vec<Entry>> {
        crate::ledger::read(&self.folder.join("state"), self.key.as_ref())
    }

    /// The signed entries of a kind, as whoever stored them has them.
    ///
    /// # Errors
    /// When the ledger does not verify.
    pub fn signed(&self, kind: Transition) -> Result<Vec<Envelope>> {
        let entries = crate::ledger::read_signed(&self.folder.join("state"), self.key.as_ref())?;
        let of_kind = entries.into_iter().filter(|(entry, _)| entry.fact.kind == kind);
        Ok(of_kind.map(|(_, envelope)| envelope).collect())
    }

    /// Whether the last step of the ledger is this one.
    ///
    /// # Errors
    /// When the ledger does not verify.
    pub fn has(&self, kind: Transition) -> Result<bool> {
        Ok(self.ledger()?.iter().any(|entry| entry.fact.kind == kind))
    }

    /// Waits until the ledger says that something was refused for this reason.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn refused(&self, reason: Reason) -> Result<Entry> {
        self.noted(Transition::Refused, reason)
    }

    /// Waits until the ledger says that the device waits for this reason.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn held(&self, reason: Reason) -> Result<Entry> {
        self.noted(Transition::Held, reason)
    }

    /// Waits until the ledger says that the device waits for one of these reasons.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn held_for(&self, reasons: &[Reason]) -> Result<Entry> {
        self.noted_any(Transition::Held, reasons)
    }

    /// Waits until the ledger says that something was refused for one of these reasons.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn refused_for(&self, reasons: &[Reason]) -> Result<Entry> {
        self.noted_any(Transition::Refused, reasons)
    }

    /// Waits for an entry of a kind with a reason.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn noted(&self, kind: Transition, reason: Reason) -> Result<Entry> {
        self.noted_any(kind, &[reason])
    }

    /// Waits for an entry of a kind with one of these reasons.
    ///
    /// # Errors
    /// When there is none in time.
    pub fn noted_any(&self, kind: Transition, reasons: &[Reason]) -> Result<Entry> {
        let what = format!("{} to note {kind:?} {reasons:?}", self.name);
        let fits = |entry: &Entry| {
            entry.fact.kind == kind && entry.fact.reason.is_some_and(|r| reasons.contains(&r))
        };
        until(&what, PATIENCE, || Ok(self.ledger()?.into_iter().rev().find(fits)))
            .with_context(|| self.story())
    }

    /// Fails unless the device still runs what it left the factory with, and never began to change.
    ///
    /// # Errors
    /// When anything changed.
    pub fn is_unchanged(&self) -> Result<()> {
        self.still_runs(self.factory)?;
        let begun = self.ledger()?.into_iter().find(|e| e.fact.kind == Transition::Activating);
        match begun {
            Some(entry) => bail!("{} began to change: {entry:?}", self.name),
            None => Ok(()),
        }
    }

    /// Fails unless the device runs this image.
    ///
    /// # Errors
    /// When it runs another.
    pub fn still_runs(&self, image: Sha256Digest) -> Result<()> {
        let now = self.running_image()?;
        if now == image {
            return Ok(());
        }
        bail!("{} runs {now} instead of {image}\n{}", self.name, self.story())
    }

    /// Waits until the ledger says that an image of this digest stays.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn noted_committed(&self, image_sha256: &str) -> Result<()> {
        let done = |entry: &Entry| {
            let image = entry.fact.release.as_ref();
            let names = image.is_some_and(|image| image.image_sha256.to_string() == image_sha256);
            names && entry.fact.kind == Transition::Committed
        };
        until(&format!("{} to commit", self.name), PATIENCE, || {
            Ok(self.ledger()?.iter().any(done).then_some(()))
        })
        .with_context(|| self.story())
    }

    /// Waits until the device runs this release and its ledger says once more that it stays.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn updated_to_again(&self, release: &Release) -> Result<()> {
        let image = release.firmware.payload.image_sha256;
        until(&format!("{} to commit again", self.name), PATIENCE, || {
            let last = self.ledger()?.into_iter().rev().find(|entry| {
                let named = entry.fact.release.as_ref();
                let names = named.is_some_and(|named| named.image_sha256 == image);
                entry.fact.kind == Transition::Committed
                    || (names && entry.fact.kind == Transition::Activating)
            });
            let done = last.is_some_and(|entry| {
                let named = entry.fact.release.as_ref();
                let names = named.is_some_and(|named| named.image_sha256 == image);
                names && entry.fact.kind == Transition::Committed
            });
            Ok(done.then_some(()))
        })
        .with_context(|| self.story())?;
        self.still_runs(image)
    }

    /// Waits until an update has come to an end, and says which.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn ends(&self) -> Result<Transition> {
        let ends = [Transition::Committed, Transition::RolledBack, Transition::NeedsService];
        until(&format!("{} to come to an end", self.name), PATIENCE, || {
            let last = self.ledger()?.into_iter().rev().map(|entry| entry.fact.kind);
            Ok(last.into_iter().find(|kind| ends.contains(kind)))
        })
        .with_context(|| self.story())
    }

    /// Waits until the device runs this release and its ledger says that it stays.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn updated_to(&self, release: &Release) -> Result<()> {
        let image = release.firmware.payload.image_sha256;
        self.noted_committed(&image.to_string())?;
        self.still_runs(image)
    }

    /// How often the interlock was asked.
    #[must_use]
    pub fn times_asked(&self) -> usize {
        fs::read_to_string(self.folder.join("asked")).unwrap_or_default().lines().count()
    }

    /// Waits until the gate has looked `times` more times from now on, without starting anything; for
    /// agents that ask the server rarely.
    ///
    /// # Errors
    /// When it does not, or anything changed.
    pub fn looks_again(&self, times: usize) -> Result<()> {
        let wanted = self.times_asked().saturating_add(times);
        until(&format!("{} to look again", self.name), PATIENCE, || {
            Ok((self.times_asked() >= wanted).then_some(()))
        })
        .with_context(|| self.story())?;
        self.is_unchanged()
    }

    /// Fails unless the agent, running without network, has written its status several times more and
    /// changed nothing.
    ///
    /// # Errors
    /// When anything changed.
    pub fn still_quiet(&self) -> Result<()> {
        let log = || fs::read_to_string(self.log_file()).unwrap_or_default();
        let tries = |log: &str| log.matches("no contact").count();
        let wanted = tries(&log()).saturating_add(3);
        until(&format!("{} to try its server in vain", self.name), PATIENCE, || {
            Ok((tries(&log()) >= wanted).then_some(()))
        })
        .with_context(|| self.story())?;
        self.is_unchanged()
    }

    /// Somebody at the device says something to the agent, e.g. `["accept", "--by", "tanaka"]`.
    ///
    /// # Errors
    /// When the agent refuses.
    pub fn told(&self, words: &[&str]) -> Result<Said> {
        let (verb, rest) = words.split_first().context("a verb")?;
        succeed(self.command(verb).args(rest))
    }

    /// The device is in use from now on, or free.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set_in_use(&self, in_use: InUse) -> Result<()> {
        set_marker(&self.folder.join("in-use"), in_use == InUse::Yes)
    }

    /// New images are unwell from now on, or well.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn set_health(&self, health: Health) -> Result<()> {
        set_marker(&self.folder.join("unwell"), health == Health::Unwell)
    }

    /// Its configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.join("agent.toml")
    }

    /// Its agent's output.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("agent.log")
    }

    /// What happened, for the message of a failing test.
    #[must_use]
    pub fn story(&self) -> String {
        let entries = self.ledger().unwrap_or_default();
        let lines = entries.iter().map(|entry| {
            let fact = &entry.fact;
            let reason = fact.reason.map_or("", Reason::code);
            format!(
                "  {} {:?} {reason} {}",
                entry.seq,
                fact.kind,
                fact.detail.as_deref().unwrap_or("")
            )
        });
        let ledger = lines.collect::<Vec<_>>().join("\n");
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let from = log.lines().count().saturating_sub(40);
        let log: Vec<&str> = log.lines().skip(from).collect();
        format!("ledger of {}:\n{ledger}\nits log:\n{}", self.name, log.join("\n"))
    }

    fn config(&self, factory: &Release) -> String {
        let folder = self.folder.display();
        let firmware = &factory.firmware;
        let install = match self.kind {
            Kind::Tree => format!(
                "kind = \"tree\"\nroot = \"{folder}/system\"\nrestart = [\"{folder}/restart.sh\"]"
            ),
            Kind::Slots => format!(
                "kind = \"slots\"\na = \"{folder}/system/slot-a\"\nb = \"{folder}/system/slot-b\"\n\
                 spool = \"{folder}/system/spool\"\nboot = [\"{folder}/system/boot.sh\"]"
            ),
        };
        format!(
            "state_dir = \"{folder}/state\"\nfamily_root = \"{folder}/family.root.json\"\n\n\
             [identity]\nfamily = \"{}\"\nhardware = \"{}\"\ndevice = \"{}\"\n\n\
             [factory]\nversion = \"{}\"\nseq = {}\nimage_sha256 = \"{}\"\n\n\
             [time]\nsystem_clock = \"independent\"\n\n\
             [clinical]\nprobe = [\"{folder}/in-use.sh\"]\nprobe_every_s = 1\n\n\
             [install]\n{install}\n\n\
             [health]\ndir = \"{folder}/health.d\"\ncheck_limit_s = 10\nready_within_s = 0\n\n\
             [settings]\npaths = [\"{folder}/settings.toml\"]\n\n\
             [timing]\nfirst_contact_s = 0\npoll_s = 1\nretry_s = 1\nretry_max_s = 1\nsettle_s = 0\nreserve_s = 1\nspread_s = 0\n\
             gate_every_s = 1\n",
            self.family,
            crate::image::HARDWARE,
            self.name,
            firmware.version,
            firmware.seq,
            firmware.payload.image_sha256,
        )
    }
}

/// Whether a patient depends on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    /// One does.
    Yes,
    /// None does.
    No,
}

/// How new images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Their checks pass.
    Well,
    /// Their checks fail; the image from the factory passes.
    Unwell,
}

/// Writes an executable script.
///
/// # Errors
/// When the disk refuses.
pub fn script(path: &Path, text: &str) -> Result<()> {
    put(path, text.as_bytes())?;
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).with_context(|| format!("make {} run", path.display()))
}

fn in_use_script(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "#!/bin/sh\necho asked >> '{folder}/asked'\n\
         if [ -e '{folder}/in-use' ]; then exit 1; fi\nexit 0\n"
    )
}

/// Fails while the marker is there and something else than the image from the factory runs.
fn health_script(folder: &Path, kind: Kind) -> String {
    let folder = folder.display();
    let running = match kind {
        Kind::Tree => format!("cat '{folder}/system/current/version'"),
        Kind::Slots => format!("cat '{folder}/system/active'"),
    };
    format!(
        "#!/bin/sh\n[ -e '{folder}/unwell' ] || exit 0\n\
         [ \"$({running})\" = \"$(cat '{folder}/factory-mark')\" ] && exit 0\n\
         echo 'the pump does not answer'\nexit 1\n"
    )
}

fn restart_script(folder: &Path) -> String {
    format!("#!/bin/sh\necho restarted >> '{}/restarts'\nexit 0\n", folder.display())
}

fn set_marker(path: &Path, wanted: bool) -> Result<()> {
    if wanted {
        return put(path, b"");
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
