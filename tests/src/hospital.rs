//! A hospital at work with the command line: keys, repository, packs, approvals.
//!
//! Invariant: every approval is signed by two people of three, each saying name, role and reason.

use crate::bin::Programs;
use crate::clock::now;
use crate::desk::{Desk, Hierarchy, Signing, Title, number, text};
use crate::running::Said;
use anyhow::{Context as _, Result};
use patchward_protocol::id::{FamilyId, RepositoryId, SiteId};
use patchward_protocol::pack::EnrolmentPack;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A hospital.
#[derive(Debug)]
pub struct Hospital {
    /// Its desk.
    pub desk: Desk,
    /// Its name.
    pub site: SiteId,
    /// Its keys.
    pub keys: Hierarchy,
    /// Its first root.
    pub root: PathBuf,
}

/// What a hospital wants to permit.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The approval's name.
    pub id: String,
    /// Family of the release.
    pub family: FamilyId,
    /// Its version.
    pub version: String,
    /// Names of the devices.
    pub devices: Vec<String>,
    /// Seconds from now to the start of the slot.
    pub start_s: i64,
    /// Length of the slot in seconds.
    pub length_s: i64,
}

impl Hospital {
    /// Makes keys, opens the site's repository with them and publishes its first documents.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin(
        programs: &Programs,
        folder: &Path,
        server: (&str, &str),
        site: &SiteId,
    ) -> Result<Self> {
        let desk = Desk::new(programs, folder)?;
        desk.enter("login", server.0, server.1)?;
        let keys = desk.make_hierarchy()?;
        let id = RepositoryId::Site(site.clone());
        let root = desk.open_repository(&id, &keys)?;
        Ok(Self { desk, site: site.clone(), keys, root })
    }

    /// A hospital under a title, whose people sign in the page of the console; its root permits that,
    /// or even that the server keeps their keys.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin_at_the_console(
        programs: &Programs,
        folder: &Path,
        server: (&str, &str),
        (site, title, weakest): (&SiteId, &Title, Signing),
    ) -> Result<Self> {
        let desk = Desk::new(programs, folder)?;
        desk.enter("login", server.0, server.1)?;
        let keys = desk.make_hierarchy_as(Signing::Console)?;
        let id = RepositoryId::Site(site.clone());
        let root = desk.open_repository_as(&id, &keys, (title, weakest))?;
        Ok(Self { desk, site: site.clone(), keys, root })
    }

    /// Puts another first person's public key into the root, and has root and targets signed and published.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn replace_first_key(&self, public: &Path) -> Result<()> {
        let (id, out) = (RepositoryId::Site(self.site.clone()), self.desk.place("second-root"));
        let mut command = self.desk.command(["repo", "rotate", &id.to_string(), "--targets-key"]);
        command.arg(public);
        for key in self.keys.targets.iter().skip(1) {
            command.arg("--targets-key").arg(&key.public);
        }
        let said = self.desk.say(command.arg("--out").arg(&out))?;
        let files = said.get("files").and_then(Value::as_array).context("two staged files")?;
        let mut files = files.iter().filter_map(Value::as_str).map(PathBuf::from);
        let (root, targets) = files.next().zip(files.next()).context("two staged files")?;
        for key in self.keys.root.iter().take(2) {
            self.desk.sign(&root, key, 2, &[])?;
        }
        let beside = root.to_string_lossy().into_owned();
        for key in self.keys.targets.iter().skip(1) {
            self.desk.sign(&targets, key, 2, &["--root", &beside])?;
        }
        self.desk.publish(&[&root, &targets]).map(|_| ())
    }

    /// Trusts a family's first root, whose fingerprint its manufacturer told by a trusted way.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn trust(&self, family: &FamilyId, root: &Path) -> Result<()> {
        self.desk.trust(&RepositoryId::Family(family.clone()), root)
    }

    /// Makes an enrolment pack for a family.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn pack(&self, family: &FamilyId, name: &str) -> Result<EnrolmentPack> {
        let out = self.desk.place(&format!("{name}.pack.json"));
        let mut command = self.desk.command(["site", "pack", self.site.as_str()]);
        command.args(["--family", family.as_str(), "--out"]).arg(&out);
        self.desk.say(&mut command)?;
        let bytes = std::fs::read(&out).context("read the pack")?;
        EnrolmentPack::read(&bytes).context("the pack reads")
    }

    /// Draws up an approval, has it signed by two people and publishes it.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn approve(&self, wish: &Wish) -> Result<Value> {
        let said = self.draft(wish)?;
        self.sign_and_publish(&said, &[])?;
        Ok(said)
    }

    /// Orders devices back to an older release: each signer names what stands in for the patch meanwhile.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn order_back(&self, wish: &Wish, control: &str) -> Result<Value> {
        let said = self.draft_with(wish, &["--rollback"])?;
        let due = now().whole_second().plus_seconds(7 * 24 * 3600).to_string();
        let meanwhile = ["--control", control, "--owner", "IT security", "--due", &due];
        self.sign_and_publish(&said, &meanwhile)?;
        Ok(said)
    }

    /// Draws up an order to go back that nobody has signed yet.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn draft_back(&self, wish: &Wish) -> Result<Value> {
        self.draft_with(wish, &["--rollback"])
    }

    /// The first signer tries to sign a draft, saying who and why and nothing else.
    ///
    /// # Errors
    /// When the command line cannot be started.
    pub fn sign_attempt(&self, drafted: &Value) -> Result<Said> {
        let key = self.keys.targets.first().context("a targets key")?;
        let (staged, version) =
            (PathBuf::from(text(drafted, "staged")?), number(drafted, "version")?);
        let words = words(&key.person, "臨床工学技士");
        self.desk.attempt(&mut self.desk.signing(&staged, key, version, &words))
    }

    /// Draws up an approval that nobody has signed yet.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn draft(&self, wish: &Wish) -> Result<Value> {
        self.draft_with(wish, &[])
    }

    fn draft_with(&self, wish: &Wish, more: &[&str]) -> Result<Value> {
        let start = now().whole_second().plus_seconds(wish.start_s);
        let slot = format!("{start}/{}", start.plus_seconds(wish.length_s));
        let out = self.desk.place(&format!("approval-{}", wish.id));
        let mut command = self.desk.command(["approve", "--site", self.site.as_str()]);
        command.args(["--family", wish.family.as_str(), "--release", &wish.version]);
        command.args(["--id", &wish.id, "--slot", &slot, "--settle-s", "0"]);
        for device in &wish.devices {
            command.args(["--device", device]);
        }
        self.desk.say(command.args(more).arg("--out").arg(&out))
    }

    /// Takes an approval back: drafted, signed by two people, published.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn withdraw(&self, id: &str) -> Result<()> {
        let out = self.desk.place(&format!("withdrawal-{id}"));
        let mut command = self.desk.command(["withdraw", "--site", self.site.as_str(), id]);
        let said = self.desk.say(command.arg("--out").arg(&out))?;
        self.sign_and_publish(&said, &[])
    }

    /// Says of itself what stands in two tables: wards and devices.
    ///
    /// # Errors
    /// When the command line refuses a row.
    pub fn describe(&self, wards: &str, devices: &str) -> Result<()> {
        for (name, table) in [("wards.csv", wards), ("devices.csv", devices)] {
            let file = self.desk.place(name);
            crate::image::put(&file, table.as_bytes())?;
            let mut command = self.desk.command(["inventory", "import"]);
            command.arg(&file).args(["--site", self.site.as_str()]);
            self.desk.say(&mut command)?;
        }
        Ok(())
    }

    /// Changes the inventory, e.g. `["set", "--reserve-s", "1"]`.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn inventory(&self, words: &[&str]) -> Result<Value> {
        let mut command = self.desk.command(["inventory"]);
        self.desk.say(command.args(words).args(["--site", self.site.as_str()]))
    }

    /// Who would be updated when, by the planner; changes nothing.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn plan(&self, family: &FamilyId, version: &str, more: &[&str]) -> Result<Value> {
        let mut command = self.desk.command(["plan", "--site", self.site.as_str(), "--family"]);
        self.desk.say(command.args([family.as_str(), "--release", version]).args(more))
    }

    /// Draws up an approval from the inventory by the planner, has it signed by two people and
    /// publishes it.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn approve_planned(
        &self,
        id: &str,
        family: &FamilyId,
        version: &str,
        more: &[&str],
    ) -> Result<Value> {
        let out = self.desk.place(&format!("approval-{id}"));
        let mut command = self.desk.command(["approve", "--site", self.site.as_str(), "--family"]);
        command.args([family.as_str(), "--release", version, "--id", id, "--settle-s", "0"]);
        let said = self.desk.say(command.args(more).arg("--out").arg(&out))?;
        self.sign_and_publish(&said, &[])?;
        Ok(said)
    }

    /// Writes the whole record to a file, and checks the file without the server.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn export_and_verify(&self, name: &str) -> Result<Value> {
        let file = self.desk.place(name);
        let mut export = self.desk.command(["record", "export", "--site", self.site.as_str()]);
        self.desk.say(export.arg("--out").arg(&file))?;
        self.desk.say(&mut self.verifying(&file))
    }

    /// The command that checks a record as an auditor does: without server or login.
    #[must_use]
    pub fn verifying(&self, file: &Path) -> Command {
        let mut command = self.desk.command(["record", "verify"]);
        command.arg(file);
        command
    }

    /// Two people sign a draft, saying name, role, reason and what `more` adds; then it is published.
    fn sign_and_publish(&self, said: &Value, more: &[&str]) -> Result<()> {
        let (staged, version) = (PathBuf::from(text(said, "staged")?), number(said, "version")?);
        for (key, role) in self.keys.targets.iter().zip(["臨床工学技士", "医療機器安全管理責任者"])
        {
            let words = [&words(&key.person, role)[..], more].concat();
            self.desk.sign(&staged, key, version, &words)?;
        }
        self.desk.publish(&[&staged]).map(|_| ())
    }

    /// STOP: holds the whole site, or what `scope` says of it (`["--ward", "icu"]`); gives the hold's id.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn hold(&self, scope: &[&str]) -> Result<String> {
        self.desk.hold(self.site.as_str(), scope)
    }

    /// Lifts a hold of the hospital by a signature.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn lift(&self, id: &str) -> Result<Value> {
        let key = self.keys.targets.first().context("a targets key")?;
        let mut command = self.desk.command(["hold", "lift", id, "--site", self.site.as_str()]);
        self.desk.with_key(&mut command, key).args(words(&key.person, "臨床工学技士"));
        self.desk.say(&mut command)
    }

    /// How the rollout of an approval stands, as the server says it.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn rollout(&self, approval: &str) -> Result<Value> {
        let site = self.site.as_str();
        let mut command = self.desk.command(["rollout", "show", "--site", site, "--approval"]);
        let said = self.desk.say(command.arg(approval))?;
        said.get(0).cloned().with_context(|| format!("no rollout of {approval}: {said}"))
    }

    /// State of a wave, e.g. `halted`.
    ///
    /// # Errors
    /// When there is no such wave.
    pub fn wave_state(&self, approval: &str, wave: usize) -> Result<String> {
        let rollout = self.rollout(approval)?;
        let wave = rollout.get("waves").and_then(|waves| waves.get(wave));
        Ok(text(wave.with_context(|| format!("no such wave: {rollout}"))?, "state")?.to_owned())
    }

    /// Lets a halted wave go on by a signature.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn resume(&self, approval: &str, wave: u32) -> Result<Value> {
        let key = self.keys.targets.first().context("a targets key")?;
        let (site, wave) = (self.site.as_str(), wave.to_string());
        let mut command = self.desk.command(["rollout", "resume", "--site", site, "--approval"]);
        command.args([approval, "--wave", &wave, "--yes-wave", &wave]);
        self.desk.with_key(&mut command, key).args(words(&key.person, "医療安全管理責任者"));
        self.desk.say(&mut command)
    }
}

/// Name, role and reason of a signature.
#[must_use]
pub fn words<'a>(person: &'a str, role: &'a str) -> [&'a str; 6] {
    ["--name", person, "--role", role, "--reason", "Closes CVE-2026-1234"]
}
