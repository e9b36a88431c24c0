//! Who plays: two families, two hospitals, twelve devices, one attacker.
//!
//! Invariant: each device is a process of its own, with folders of its own.

use anyhow::{Context as _, Result};
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::device::Device;
use patchward_tests::hospital::Hospital;
use patchward_tests::hostile::Hostile;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::maker::Maker;
use patchward_tests::running::Running;
use patchward_tests::server::Server;

/// Names of the two hospitals.
pub(crate) const HOSPITALS: [&str; 2] = ["city-hospital", "lakeside-clinic"];
/// The device on the bench, which goes first and finds a fault.
pub(crate) const BENCH: &str = "pump-03";
/// The device that is in use.
pub(crate) const IN_USE: &str = "pump-07";
/// The ward that is stopped in the middle.
pub(crate) const STOPPED: &str = "icu";
/// The device that an attacker stands in front of.
pub(crate) const ATTACKED: &str = "pump-08";

/// The device on whose line the bytes of deltas are spoilt.
pub(crate) const SPOILT: &str = "pump-06";

/// A family, what its devices run, and what they shall run.
#[derive(Debug)]
pub(crate) struct Product {
    /// Its manufacturer at work.
    pub(crate) maker: Maker,
    /// The image from the factory.
    pub(crate) factory: Release,
    /// How it is built; released too, so that a hospital may go back to it.
    pub(crate) first: Recipe,
    /// The release that devices shall run.
    pub(crate) next: Release,
    /// How it is built.
    pub(crate) recipe: Recipe,
    /// The release before it, in which the bench finds a fault; none where the first one is good.
    pub(crate) faulty: Option<Recipe>,
}

/// A device, where it is, and its agent.
#[derive(Debug)]
pub(crate) struct Player {
    /// Which hospital.
    pub(crate) hospital: usize,
    /// Which product.
    pub(crate) product: usize,
    /// The device.
    pub(crate) device: Device,
    /// Its agent, once started.
    pub(crate) agent: Option<Running>,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Cast {
    /// The devices. Dropped before the server that they ask.
    pub(crate) players: Vec<Player>,
    /// The attacker.
    pub(crate) attacker: Hostile,
    /// A line that spoils bytes of deltas.
    pub(crate) noise: Hostile,
    /// The products: pumps (trees) and ventilators (slots).
    pub(crate) products: Vec<Product>,
    /// The hospitals.
    pub(crate) hospitals: Vec<Hospital>,
    /// The server.
    pub(crate) server: Server,
}

/// A place for a device: hospital, product, name.
pub(crate) const PLACES: [(usize, usize, &str); 12] = [
    (0, 0, "pump-01"),
    (0, 0, "pump-02"),
    (0, 0, BENCH),
    (0, 0, "pump-04"),
    (0, 0, "pump-05"),
    (0, 1, "ventilator-01"),
    (0, 1, "ventilator-02"),
    (1, 0, SPOILT),
    (1, 0, IN_USE),
    (1, 0, ATTACKED),
    (1, 0, "pump-09"),
    (1, 1, "ventilator-03"),
];

/// Wards of the first hospital, as its spreadsheet has them: how many devices each keeps in service.
pub(crate) const WARDS: &str = "\u{feff}\
id,name_en,name_ja,min_in_service,max_parallel,windows,staff_on_site
5-east,Fifth floor east,5階東病棟,infusion-pump=1,1,,
icu,Intensive care,集中治療室,infusion-pump=1;ventilator=1,1,,
";

/// Devices of the first hospital, as its spreadsheet has them.
pub(crate) const DEVICES: &str = "\u{feff}\
id,ward,kind,pair,usage,attended,udi,serial_number
pump-01,5-east,infusion-pump,,in-service,unattended,,SN-0001
pump-02,5-east,infusion-pump,,in-service,unattended,,SN-0002
pump-03,,infusion-pump,,bench,unattended,,SN-0003
pump-04,icu,infusion-pump,,in-service,unattended,,SN-0004
pump-05,icu,infusion-pump,,in-service,unattended,,SN-0005
ventilator-01,icu,ventilator,ventilator-02,in-service,unattended,,SN-0101
ventilator-02,icu,ventilator,ventilator-01,in-service,unattended,,SN-0102
";

/// The two families: name, kind of image, version from the factory, versions to come.
pub(crate) const FAMILIES: [(&str, Kind, &str, &[&str]); 2] = [
    ("acme.infusion-a", Kind::Tree, "2.4.0", &["2.4.1", "2.4.2"]),
    ("acme.ventilator-b", Kind::Slots, "5.0.3", &["5.1.0"]),
];

/// Length of an image, about.
const IMAGE_BYTES: usize = 6 * 1024 * 1024;
/// Of so many parts of an image, one changes with the version.
const OWN_EVERY: usize = 48;

/// How the images of a family are built, from the factory on.
pub(crate) fn recipes(family: &FamilyId, product: usize) -> Result<Vec<Recipe>> {
    let (_, kind, old, new) = FAMILIES.get(product).context("a family")?;
    let versions = std::iter::once(old).chain(new.iter());
    let recipe = |(seq, version): (u64, &&str)| Recipe {
        size_bytes: IMAGE_BYTES,
        own_every: OWN_EVERY,
        ..Recipe::small(family, *kind, version, seq)
    };
    Ok((11..).zip(versions).map(recipe).collect())
}

impl Cast {
    /// A player by the device's name.
    pub(crate) fn player(&self, name: &str) -> Result<&Player> {
        let found = self.players.iter().find(|player| player.device.name.as_str() == name);
        found.with_context(|| format!("no device {name}"))
    }

    /// What a player shall run.
    pub(crate) fn next(&self, player: &Player) -> Result<&Release> {
        self.products.get(player.product).map(|product| &product.next).context("its product")
    }

    /// What a player ran when it left the factory.
    pub(crate) fn factory(&self, player: &Player) -> Result<&Release> {
        self.products.get(player.product).map(|product| &product.factory).context("its product")
    }
}
