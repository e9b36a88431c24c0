//! A manufacturer with many hospitals, one of them large: devices with ledgers, rollouts under way,
//! holds, releases that wait for an answer.
//!
//! Not here: measuring. Invariant: everything came in by the doors that devices and people use, but
//! that offline keys are in this process.

use super::machine::{Machine, Reached, approval_ref};
use anyhow::{Context as _, Result};
use patchward_protocol::api::consent::{ReadInventory, SetHold, SetHoldRequest, WriteInventory};
use patchward_protocol::api::site::{AddDevice, AddDeviceRequest, Management};
use patchward_protocol::approval::{Approval, Wave};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::directive::HoldTarget;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId, WardId};
use patchward_protocol::image::ImageRef;
use patchward_protocol::inventory::{Attendance, Inventory, InventoryDevice, Person, Usage, Ward};
use patchward_protocol::ledger::ApprovalRef;
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::clock::now;
use patchward_tests::http::Client;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::owner::Owner;
use patchward_tests::plan::Plan;
use patchward_tests::server::Server;
use serde_json::json;
use std::collections::BTreeMap;

/// The large hospital.
pub const BIG: &str = "site-000";
/// The manufacturer.
pub const MAKER: &str = "acme";
/// Wards of the large hospital.
pub const WARDS: usize = 40;
/// The family whose newest release is on its way.
pub const PUMP: &str = "acme.pump";
/// The family whose newest release waits for an answer.
pub const MONITOR: &str = "acme.monitor";
/// The family without agents in the large hospital.
const VENTILATOR: &str = "acme.ventilator";
/// Families without a device anywhere.
const OTHERS: usize = 12;
/// Versions of each family, with their ranks.
const VERSIONS: [(&str, u64); 3] = [("1.0.0", 1), ("2.0.0", 2), ("3.0.0", 3)];
/// Devices of each small hospital: pumps, and one of each other family.
const SMALL: [&str; 5] = [PUMP, PUMP, PUMP, MONITOR, VENTILATOR];
/// Most devices of an approval of the large hospital.
const NAMED_MAX: usize = 1_900;
/// Callers at a time.
const CALLERS: usize = 4;
const DAY_S: i64 = 24 * 3600;

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Devices of the large hospital.
    pub devices: usize,
    /// Hospitals.
    pub sites: usize,
}

/// What pages are asked for, by the word that stands in their paths.
pub type Names = BTreeMap<String, String>;

/// A family's releases, the oldest first.
struct Family {
    id: FamilyId,
    releases: Vec<Release>,
}

/// Who is called, and by what.
struct Desk<'a> {
    client: &'a Client,
    families: &'a [Family],
}

/// Makes it all.
///
/// # Errors
/// When the server refuses anything.
pub fn furnish(server: &Server, size: Size) -> Result<Names> {
    let client = server.administrator()?;
    let families = families(&client)?;
    let desk = Desk { client: &client, families: &families };
    let mut names = desk.large(size.devices)?;
    let numbers: Vec<usize> = (1..size.sites).collect();
    each(&numbers, |n| desk.small(*n))?;
    let newest = desk.release(PUMP, 2)?;
    names.insert("image".to_owned(), newest.firmware.payload.image_sha256.to_string());
    names.insert("small".to_owned(), "site-001".to_owned());
    Ok(names)
}

fn families(client: &Client) -> Result<Vec<Family>> {
    let others = (0..OTHERS).map(|n| format!("acme.other-{n:02}"));
    let names = [PUMP, MONITOR, VENTILATOR].map(str::to_owned).into_iter().chain(others);
    let open = |name: String| -> Result<Family> {
        let id = FamilyId::new(&name).context("a family")?;
        let mut owner = Owner::open(client, &RepositoryId::Family(id.clone()))?;
        let mut releases = Vec::new();
        for (version, seq) in VERSIONS {
            let release = Recipe::small(&id, Kind::Tree, version, seq).release()?;
            owner.add_release(&release)?;
            releases.push(release);
        }
        owner.publish()?;
        Ok(Family { id, releases })
    };
    names.map(open).collect()
}

impl Desk<'_> {
    fn release(&self, family: &str, index: usize) -> Result<&Release> {
        let found = self.families.iter().find(|it| it.id.as_str() == family);
        found.and_then(|it| it.releases.get(index)).context("a release")
    }

    fn image(&self, family: &str, index: usize) -> Result<ImageRef> {
        let firmware = &self.release(family, index)?.firmware;
        Ok(ImageRef {
            family: firmware.family.clone(),
            version: firmware.version.clone(),
            seq: firmware.seq,
            image_sha256: firmware.payload.image_sha256,
        })
    }

    /// A device that was updated once, long ago.
    fn joined(&self, site: &SiteId, name: &str, family: &str) -> Result<Machine> {
        let device = DeviceId::new(name).context("a device")?;
        let id = FamilyId::new(family).context("a family")?;
        let (first, second) = (self.image(family, 0)?, self.image(family, 1)?);
        let mut machine = Machine::join(self.client, (site, &device, &id), &first)?;
        let long_ago = approval_ref("2025-spring", Sha256Digest::of(b"long ago"))?;
        let begun = now().plus_seconds(-200 * DAY_S);
        machine.update((&first, &second), &long_ago, Reached::Done, begun)?;
        machine.deliver(self.client)?;
        Ok(machine)
    }

    /// The large hospital: of ten devices eight are pumps, two monitors; one in fifty has no agent.
    fn large(&self, count: usize) -> Result<Names> {
        let site = SiteId::new(BIG).context("a site")?;
        let mut owner = Owner::open(self.client, &RepositoryId::Site(site.clone()))?;
        let numbers: Vec<usize> = (0..count).collect();
        let joined = each(&numbers, |n| {
            let family = if n % 10 < 8 { PUMP } else { MONITOR };
            if n % 50 == 49 {
                return self.by_hand(&site, &name(*n)).map(|()| None);
            }
            self.joined(&site, &name(*n), family).map(Some)
        })?;
        self.inventory(&site, count)?;
        let (mut pumps, mut monitors) = (Vec::new(), Vec::new());
        for (n, machine) in joined.into_iter().enumerate() {
            let Some(machine) = machine else { continue };
            if n % 10 < 8 { pumps.push(machine) } else { monitors.push(machine) }
        }
        let half = (pumps.len() / 2).min(NAMED_MAX);
        let later = pumps.split_off(half);
        let running = self.approval(&site, ("pump-first-half", 1), &pumps, plan_of)?;
        let planned: Vec<Machine> = later.into_iter().take(NAMED_MAX).collect();
        let next = self.approval(&site, ("pump-second-half", 2), &planned, |_| 0)?;
        let sha256 = owner.add_approval(&running)?;
        owner.add_approval(&next)?;
        owner.publish()?;
        let reference = approval_ref(running.id.as_str(), sha256)?;
        let placed: Vec<(usize, Machine)> = pumps.into_iter().enumerate().collect();
        self.run(placed, PUMP, Some(&reference))?;
        self.run(planned.into_iter().enumerate().collect(), PUMP, None)?;
        self.run(monitors.into_iter().enumerate().collect(), MONITOR, None)?;
        let hold = self.holds(&site)?;
        let pairs = [
            ("approval", sha256.to_string()),
            ("approval-id", running.id.to_string()),
            ("hold", hold),
            ("device", name(1)),
            ("back", name(2)),
            ("hand", name(49)),
        ];
        Ok(pairs.into_iter().map(|(word, value)| (word.to_owned(), value)).collect())
    }

    /// Devices of a rollout at its stages; without an approval they only ask for news.
    fn run(
        &self,
        machines: Vec<(usize, Machine)>,
        family: &str,
        approval: Option<&ApprovalRef>,
    ) -> Result<()> {
        let (old, new) = (self.image(family, 1)?, self.image(family, 2)?);
        let machines: Vec<_> = machines.into_iter().map(std::sync::Mutex::new).collect();
        each(&machines, |machine| {
            let mut machine = machine.lock().map_err(|_| anyhow::anyhow!("a panic"))?;
            let (n, machine) = &mut *machine;
            let said = match approval {
                None => (&old, "idle", None),
                Some(approval) => {
                    let reached = reached(*n);
                    let begun = now().plus_seconds(-DAY_S);
                    machine.update((&old, &new), approval, reached, begun)?;
                    machine.deliver(self.client)?;
                    match reached {
                        Reached::Approved => (&old, "fetching", None),
                        Reached::Waiting => (&old, "holding", Some(Reason::SlotNotOpen)),
                        Reached::Trial => (&new, "trial", None),
                        Reached::Done => (&new, "idle", None),
                        Reached::RolledBack => (&old, "rolled-back", None),
                    }
                }
            };
            machine.ask(self.client, 1, said)
        })
        .map(|_| ())
    }

    fn by_hand(&self, site: &SiteId, device: &str) -> Result<()> {
        let request = AddDeviceRequest {
            device: DeviceId::new(device).context("a device")?,
            management: Management::Manual,
            family: FamilyId::new(VENTILATOR).context("a family")?,
            hardware: None,
        };
        self.client.must::<AddDevice>(&[site.as_str()], &request).map(|_| ())
    }

    fn approval(
        &self,
        site: &SiteId,
        (id, serial): (&str, u64),
        machines: &[Machine],
        wave_of: impl Fn(usize) -> u32,
    ) -> Result<Approval> {
        let devices: Vec<_> =
            machines.iter().map(|machine| (machine.device.clone(), machine.public())).collect();
        let release = self.release(PUMP, 2)?;
        let mut approval = Plan::open_now(id, serial).approval(site, release, &devices)?;
        let start = approval.issued.whole_second();
        approval.valid_until = start.plus_seconds(29 * DAY_S);
        let first = approval.waves.first().context("a wave")?.not_before;
        let mut last = 0;
        for (n, device) in approval.devices.iter_mut().enumerate() {
            device.wave = wave_of(n);
            last = last.max(device.wave);
            let night = i64::try_from(n % 6).context("a number")?;
            let nights = (0_i64..3).map(|again| {
                let day = night.saturating_add(again.saturating_mul(7));
                let from = start.plus_seconds(day.saturating_mul(DAY_S));
                Slot::new(from, from.plus_seconds(2 * 3600)).context("a slot")
            });
            device.slots = nights.collect::<Result<_>>()?;
        }
        let wave = |n: u32| Wave {
            n,
            not_before: first,
            soak_s: 3600,
            min_updated: u32::from(n > 0),
            min_clinical_use_h: 0,
        };
        approval.waves = (0..=last).map(wave).collect();
        approval.gates.halt_permille = vec![100];
        approval.check().context("the approval holds")?;
        Ok(approval)
    }

    fn inventory(&self, site: &SiteId, devices: usize) -> Result<()> {
        let mut inventory = self.client.must::<ReadInventory>(&[site.as_str()], &())?;
        self.say(&mut inventory, devices)?;
        self.client.must::<WriteInventory>(&[site.as_str()], &inventory).map(|_| ())
    }

    fn say(&self, inventory: &mut Inventory, devices: usize) -> Result<()> {
        let days = json!(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]);
        let window = |n: usize| {
            json!({
                "id": format!("night-{n}"), "name_en": format!("Night {n}"), "name_ja": format!("夜間{n}"),
                "rule": { "kind": "weekly", "days": days, "start": format!("{:02}:00", n), "minutes": 120 },
            })
        };
        let read = |value| serde_json::from_value(value).context("a window");
        inventory.windows = (1..=4).map(|n| read(window(n))).collect::<Result<_>>()?;
        for n in 0..WARDS {
            let window = format!("night-{}", (n % 4).saturating_add(1));
            inventory.wards.push(Ward {
                id: ward(n)?,
                name_en: format!("Ward {n}"),
                name_ja: format!("第{n}病棟"),
                min_in_service: vec![],
                max_parallel: Some(10),
                windows: vec![window.parse().context("a window")?],
                staff_on_site: vec![],
            });
        }
        for n in 0..devices {
            inventory.devices.push(InventoryDevice {
                id: name(n).parse().context("a device")?,
                ward: Some(ward(n % WARDS)?),
                kind: if n % 10 < 8 { "infusion-pump" } else { "monitor" }
                    .parse()
                    .context("a kind")?,
                pair: None,
                usage: if n % 97 == 0 { Usage::Spare } else { Usage::InService },
                attended: Attendance::Unattended,
                udi: Some(format!("(01)04912345678904(21){n:08}")),
                serial_number: Some(format!("SN{n:08}")),
            });
        }
        for person in ["tanaka", "sato", "suzuki"] {
            inventory.people.push(Person {
                person: person.parse().context("a person")?,
                name: person.to_owned(),
                role: "臨床工学技士".to_owned(),
                notices_to: None,
            });
        }
        Ok(())
    }

    /// Some devices are held; gives the last hold.
    fn holds(&self, site: &SiteId) -> Result<String> {
        let mut last = String::new();
        for n in 0..5 {
            let request = SetHoldRequest {
                target: HoldTarget::Device { device: name(n).parse().context("a device")? },
                reason: "Alarm while infusing".to_owned(),
                owner: "ME center".to_owned(),
                review_at: None,
            };
            let hold = self.client.must::<SetHold>(&[site.as_str()], &request)?;
            last = hold.id.to_string();
        }
        Ok(last)
    }

    /// A hospital of five devices; every other one has approved the release that is on its way.
    fn small(&self, n: usize) -> Result<()> {
        let site = SiteId::new(&format!("site-{n:03}")).context("a site")?;
        let mut owner = Owner::open(self.client, &RepositoryId::Site(site.clone()))?;
        let mut pumps = Vec::new();
        for (m, family) in SMALL.iter().enumerate() {
            let machine = self.joined(&site, &name(m), family)?;
            let old = self.image(family, 1)?;
            machine.ask(self.client, 1, (&old, "idle", None))?;
            if *family == PUMP {
                pumps.push(machine);
            }
        }
        if n.is_multiple_of(2) {
            let wave_of = |n: usize| u32::from(n > 0);
            let approval = self.approval(&site, ("pump-all", 1), &pumps, wave_of)?;
            owner.add_approval(&approval)?;
            owner.publish()?;
        }
        Ok(())
    }
}

/// Wave of the `n`th device of the rollout that runs.
fn plan_of(n: usize) -> u32 {
    match n {
        0..20 => 0,
        20..320 => 1,
        _ => 2,
    }
}

/// How far the `n`th device of the rollout that runs has come.
const fn reached(n: usize) -> Reached {
    match n {
        2 | 40 => Reached::RolledBack,
        0..220 => Reached::Done,
        220..240 => Reached::Trial,
        240..1_200 => Reached::Waiting,
        _ => Reached::Approved,
    }
}

fn name(n: usize) -> String {
    format!("dev-{n:05}")
}

fn ward(n: usize) -> Result<WardId> {
    format!("ward-{n:02}").parse().context("a ward")
}

/// Does something with each, a few at a time, and keeps the order.
fn each<T: Sync, R: Send>(all: &[T], does: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let does = &does;
    let share = all.len().div_ceil(CALLERS).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = all
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(does).collect::<Result<Vec<R>>>()))
            .collect();
        let mut done = Vec::new();
        for thread in threads {
            done.extend(thread.join().map_err(|_| anyhow::anyhow!("a panic"))??);
        }
        Ok(done)
    })
}
