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
/// The device that reports an unhealthy result.
pub(crate) const UNWELL: &str = "pump-03";
/// The device that is in use.
pub(crate) const IN_USE: &str = "pump-04";
/// The device that an attacker stands in front of.
pub(crate) const ATTACKED: &str = "pump-08";

/// A family, what its devices run, and what they shall run.
#[derive(Debug)]
pub(crate) struct Product {
    /// Its manufacturer at work.
    pub(crate) maker: Maker,
    /// The image from the factory.
    pub(crate) factory: Release,
    /// The release on its way.
    pub(crate) next: Release,
    /// How the release is built.
    pub(crate) recipe: Recipe,
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
    (0, 0, UNWELL),
    (0, 0, IN_USE),
    (0, 0, "pump-05"),
    (0, 1, "ventilator-01"),
    (0, 1, "ventilator-02"),
    (1, 0, "pump-06"),
    (1, 0, "pump-07"),
    (1, 0, ATTACKED),
    (1, 0, "pump-09"),
    (1, 1, "ventilator-03"),
];

/// The two families: name, kind of image, version from the factory, version to come.
pub(crate) const FAMILIES: [(&str, Kind, &str, &str); 2] = [
    ("acme.infusion-a", Kind::Tree, "2.4.0", "2.4.1"),
    ("acme.ventilator-b", Kind::Slots, "5.0.3", "5.1.0"),
];

/// How the two images of a family are built.
pub(crate) fn recipes(family: &FamilyId, product: usize) -> Result<(Recipe, Recipe)> {
    let (_, kind, old, new) = FAMILIES.get(product).context("a family")?;
    let large = |recipe| Recipe { size_bytes: 400_000, ..recipe };
    let old = large(Recipe::small(family, *kind, old, 11));
    Ok((old, large(Recipe::small(family, *kind, new, 12))))
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
