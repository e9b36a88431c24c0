//! One hospital, one manufacturer, one device, and the attacker between device and server.
//!
//! Scenes of one test program share a server and nothing else: each opens repositories of its own.
//! Not here: what the attacker does.
//! Invariant: before the attack the honest parties have done nothing wrong; the device runs its
//! factory image and is enrolled.

use crate::bin::Programs;
use crate::desk::Desk;
use crate::device::Device;
use crate::forged::{Forged, Online};
use crate::hostile::{Answer, Hostile};
use crate::image::{Carrier, Recipe, Release};
use crate::owner::Owner;
use crate::plan::Plan;
use crate::running::Running;
use crate::server::{AT_ONCE, Server};
use anyhow::{Context as _, Result};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{ActFiled, FileAct, ListRollouts};
use patchward_protocol::api::site::{MakePack, MakePackRequest};
use patchward_protocol::approval::Approval;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::Envelope;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::pack::EnrolmentPack;
use patchward_protocol::tuf::custom::Kind;
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

/// A server that several scenes share, and the folder that everything is in.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: Server,
    folder: TempDir,
}

impl Stage {
    /// A server of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub fn own(config: &str) -> Result<Arc<Self>> {
        let folder = tempfile::Builder::new().prefix("patchward-").tempdir()?;
        let programs = Programs::for_tests()?;
        let server = Server::begin(programs, &folder.path().join("server"), config)?;
        Ok(Arc::new(Self { server, folder }))
    }

    /// The server that the tests of this program share while any of them runs.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Arc<Self>> {
        static SHARED: OnceLock<Mutex<Weak<Stage>>> = OnceLock::new();
        let shared = SHARED.get_or_init(Mutex::default);
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stage) = shared.upgrade() {
            return Ok(stage);
        }
        let stage = Self::own(AT_ONCE)?;
        *shared = Arc::downgrade(&stage);
        Ok(stage)
    }

    /// A folder in which everything of this stage is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What a scene begins with.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Names everything of the scene, e.g. `07`.
    pub name: String,
    /// Which installer the device has.
    pub kind: Kind,
    /// Bytes of an image.
    pub size_bytes: usize,
    /// How releases are carried.
    pub carrier: Carrier,
}

impl Cast {
    /// A small tree.
    #[must_use]
    pub fn tree(name: &str) -> Self {
        let carrier = Carrier::Container;
        Self { name: name.to_owned(), kind: Kind::Tree, size_bytes: 20_000, carrier }
    }
}

/// One hospital, one manufacturer, one device, one attacker.
#[derive(Debug)]
pub struct Scene {
    /// The attacker between device and server.
    pub line: Hostile,
    /// The device.
    pub device: Device,
    /// Its device key.
    pub key: PublicKey,
    /// The manufacturer.
    pub family: Owner,
    /// The hospital.
    pub site: Owner,
    /// The site's name.
    pub site_id: SiteId,
    /// What the device left the factory with (seq 1).
    pub factory: Release,
    /// The update (seq 2), published.
    pub next: Release,
    /// The agent, once started.
    pub agent: Option<Running>,
    /// What the scene began with.
    pub cast: Cast,
    /// The server.
    pub stage: Arc<Stage>,
}

impl Scene {
    /// Sets up everything on the shared server, with the update published and not approved.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn begin(name: &str) -> Result<Self> {
        Self::on(Stage::shared()?, Cast::tree(name))
    }

    /// Sets up everything on a given server.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn on(stage: Arc<Stage>, cast: Cast) -> Result<Self> {
        let name = &cast.name;
        let family = FamilyId::new(&format!("acme.a{name}")).context("a family")?;
        let site_id = SiteId::new(&format!("hospital-{name}")).context("a site")?;
        let administrator = stage.server.administrator()?;
        let (family_id, repository) =
            (RepositoryId::Family(family.clone()), RepositoryId::Site(site_id.clone()));
        let mut maker = Owner::open(&administrator, &family_id)?;
        let hospital = Owner::open(&administrator, &repository)?;
        let release = |version, seq| {
            let recipe = Recipe::small(&family, cast.kind, version, seq);
            Recipe { size_bytes: cast.size_bytes, carrier: cast.carrier, ..recipe }.release()
        };
        let (factory, next) = (release("1.0.0", 1)?, release("2.0.0", 2)?);
        maker.add_release(&factory)?;
        maker.add_release(&next)?;
        let root = maker.root_file()?;
        maker.publish()?;
        let line = Hostile::in_front_of(stage.server.address()?)?;
        let programs = Programs::for_tests()?;
        let folder = stage.folder().join(format!("device-{name}"));
        let mut device =
            Device::from_factory(programs, &folder, &format!("pump-{name}"), &factory, &root)?;
        let pack = pack_for(&stage.server, &site_id, &family, &line.url())?;
        device.enrol(&pack)?;
        let key = device_key(&stage.server, &site_id, &device.name)?;
        device.key = Some(key);
        let (family, site, agent) = (maker, hospital, None);
        Ok(Self { line, device, key, family, site, site_id, factory, next, agent, cast, stage })
    }

    /// The hospital approves the update for the device, in a slot that is open now.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn approve(&mut self) -> Result<Sha256Digest> {
        self.approve_as(&Plan::open_now("first", 1))
    }

    /// The hospital approves the update for the device as planned.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn approve_as(&mut self, plan: &Plan) -> Result<Sha256Digest> {
        let next = self.next.clone();
        self.approve_release(plan, &next)
    }

    /// The hospital approves a release for the device as planned.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn approve_release(&mut self, plan: &Plan, release: &Release) -> Result<Sha256Digest> {
        let device = (self.device.name.clone(), self.key);
        let approval = plan.approval(&self.site_id, release, &[device])?;
        let digest = self.site.add_approval(&approval)?;
        self.site.publish()?;
        Ok(digest)
    }

    /// One more device of the site, on the same line.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn another(&self, name: &str) -> Result<Device> {
        self.another_with(name, &self.factory)
    }

    /// One more device of the site that left the factory with the update.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn running_the_update(&self, name: &str) -> Result<Device> {
        self.another_with(name, &self.next)
    }

    /// One more device of the site, on a line of its own.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn another_behind(&self, line: &Hostile, name: &str) -> Result<Device> {
        self.another_at(&line.url(), name, &self.factory)
    }

    fn another_with(&self, name: &str, factory: &Release) -> Result<Device> {
        self.another_at(&self.line.url(), name, factory)
    }

    fn another_at(&self, url: &str, name: &str, factory: &Release) -> Result<Device> {
        let server = &self.stage.server;
        let root = self.family.root_file()?;
        let folder = self.stage.folder().join(format!("device-{}-{name}", self.cast.name));
        let name = format!("{name}-{}", self.cast.name);
        let programs = Programs::for_tests()?;
        let mut device = Device::from_factory(programs, &folder, &name, factory, &root)?;
        let family = self.device.family.clone();
        device.enrol(&pack_for(server, &self.site_id, &family, url)?)?;
        device.key = Some(device_key(server, &self.site_id, &device.name)?);
        Ok(device)
    }

    /// An approval of a release for devices of this scene, not yet published; what the test changes of
    /// it is signed.
    ///
    /// # Errors
    /// When it breaks a rule of the protocol.
    pub fn draw_up(&self, plan: &Plan, release: &Release, devices: &[&Device]) -> Result<Approval> {
        let named: Result<Vec<_>> = devices
            .iter()
            .map(|device| Ok((device.name.clone(), device.key.context("an enrolled device")?)))
            .collect();
        plan.approval(&self.site_id, release, &named?)
    }

    /// The hospital signs and publishes an approval.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn publish(&mut self, approval: &Approval) -> Result<Sha256Digest> {
        let digest = self.site.add_approval(approval)?;
        self.site.publish()?;
        Ok(digest)
    }

    /// So many more devices of the site, enrolled; one approval names them all, in a slot that is open.
    ///
    /// # Errors
    /// When an honest step fails.
    pub fn approved_fleet(&mut self, count: usize) -> Result<Vec<Device>> {
        let server = &self.stage.server;
        let (family, url) = (self.device.family.clone(), server.url()?);
        let root = self.family.root_file()?;
        let mut devices = Vec::new();
        let mut named = Vec::new();
        for n in 0..count {
            let name = format!("pump-{n:03}");
            let folder = self.stage.folder().join("devices").join(&name);
            let programs = Programs::for_tests()?;
            let mut device = Device::from_factory(programs, &folder, &name, &self.factory, &root)?;
            device.enrol(&pack_for(server, &self.site_id, &family, &url)?)?;
            let key = device_key(server, &self.site_id, &device.name)?;
            device.key = Some(key);
            named.push((device.name.clone(), key));
            devices.push(device);
        }
        let approval = Plan::open_now("all", 1).approval(&self.site_id, &self.next, &named)?;
        self.site.add_approval(&approval)?;
        self.site.publish()?;
        Ok(devices)
    }

    /// A desk of somebody at the hospital who has no key: the command line with a token.
    ///
    /// # Errors
    /// When the server refuses the token.
    pub fn desk(&self) -> Result<Desk> {
        let folder = self.stage.folder().join(format!("desk-{}", self.cast.name));
        let desk = Desk::new(Programs::for_tests()?, &folder)?;
        let site = patchward_protocol::api::token::Scope::Site { site: self.site_id.clone() };
        let token = self.stage.server.token_for(site)?;
        desk.enter("login", &self.stage.server.url()?, &token)?;
        Ok(desk)
    }

    /// Files a signed act with the server.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn file(&self, act: &Envelope) -> Result<ActFiled> {
        self.stage.server.administrator()?.must::<FileAct>(&[self.site_id.as_str()], act)
    }

    /// The hospital lifts a hold of its own by a signature.
    ///
    /// # Errors
    /// When the server refuses it.
    pub fn lift(&self, hold: &str) -> Result<ActFiled> {
        let hold = hold.parse().context("a hold's id")?;
        self.file(&self.site.act(Subject::Hold { hold }, Meaning::HoldLifted, 0)?)
    }

    /// While `work` is under way, a person at the hospital lets every wave go on that halts: for
    /// campaigns in which devices fail on purpose, each for itself.
    pub fn letting_go_on<T>(&self, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let person = scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    // A server that cannot be asked now is asked again.
                    let _ = self.resume_what_halted();
                    crate::clock::pause(std::time::Duration::from_millis(250));
                }
            });
            let done = work();
            over.store(true, Ordering::SeqCst);
            let _ = person.join();
            done
        })
    }

    fn resume_what_halted(&self) -> Result<()> {
        let client = self.stage.server.administrator()?;
        for rollout in client.must::<ListRollouts>(&[self.site_id.as_str()], &())? {
            for wave in rollout.waves.iter().filter(|wave| wave.state == "halted") {
                let approval_sha256 = rollout.approval_sha256;
                let subject = Subject::Wave { approval_sha256, wave: wave.wave, halts: wave.halts };
                self.file(&self.site.act(subject, Meaning::Resumed, 0)?)?;
            }
        }
        Ok(())
    }

    /// Starts the agent.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<()> {
        self.agent = Some(self.device.start()?);
        Ok(())
    }

    /// Kills the agent.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.agent.take().map_or(Ok(()), |mut agent| agent.kill())
    }

    /// The attacker shows these repositories.
    pub fn show(&self, forged: Vec<Forged>) {
        self.line.play(move |request, upstream| {
            forged.iter().try_fold(None, |found: Option<Answer>, one| {
                if found.is_some() { Ok(found) } else { one.answer(request, upstream) }
            })
        });
    }

    /// The online keys of both repositories: whoever owns the server has them.
    ///
    /// # Errors
    /// When they are not where they should be.
    pub fn steal_online(&self) -> Result<(Online, Online)> {
        let server = &self.stage.server;
        Ok((server.steal_online(&self.family.id)?, server.steal_online(&self.site.id)?))
    }

    /// The attack ends; both owners publish anew, beyond whatever versions were forged.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn recover(&mut self) -> Result<()> {
        self.line.rest();
        for _ in 0..3 {
            self.family.publish()?;
            self.site.publish()?;
        }
        Ok(())
    }

    /// Waits until the device has asked for news `times` more times from now.
    ///
    /// # Errors
    /// When it does not.
    pub fn asks_again(&self, times: usize) -> Result<()> {
        let wanted = self.line.asked_for("/v1/check-in").saturating_add(times);
        crate::clock::until("the device to ask for news again", crate::device::PATIENCE, || {
            Ok((self.line.asked_for("/v1/check-in") >= wanted).then_some(()))
        })
        .with_context(|| self.device.story())
    }

    /// Fails unless the device asked again and changed nothing.
    ///
    /// # Errors
    /// When anything changed.
    pub fn nothing_changes(&self) -> Result<()> {
        self.asks_again(2)?;
        self.device.is_unchanged()
    }

    /// A place for files of this scene.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn place(&self, name: &str) -> Result<PathBuf> {
        let path = self.stage.folder().join(format!("{}-{name}", self.cast.name));
        std::fs::create_dir_all(&path).context("make a folder")?;
        Ok(path)
    }
}

/// An enrolment pack whose address is that of the attacker's line.
///
/// # Errors
/// When the server refuses.
pub fn pack_for(
    server: &Server,
    site: &SiteId,
    family: &FamilyId,
    url: &str,
) -> Result<EnrolmentPack> {
    let request = MakePackRequest { families: vec![family.clone()], device: None, life_s: 3600 };
    let site_token =
        server.token_for(patchward_protocol::api::token::Scope::Site { site: site.clone() })?;
    let client = server.client()?.with_token(&site_token);
    let mut pack = client.must::<MakePack>(&[site.as_str()], &request)?;
    pack.url = url.to_owned();
    Ok(pack)
}

/// The device key that the server has for a device.
///
/// # Errors
/// When it is not enrolled.
pub fn device_key(server: &Server, site: &SiteId, device: &DeviceId) -> Result<PublicKey> {
    let site_token =
        server.token_for(patchward_protocol::api::token::Scope::Site { site: site.clone() })?;
    let client = server.client()?.with_token(&site_token);
    let devices =
        client.must::<patchward_protocol::api::site::ListDevices>(&[site.as_str()], &())?;
    let found = devices.into_iter().find(|view| view.device == *device);
    found.and_then(|view| view.device_key).with_context(|| format!("{device} is not enrolled"))
}
