//! The devices of a site as people look for them: what the hospital wrote down, what the devices said,
//! and in which condition each is.
//!
//! Not here: pages. Invariant: only devices of the site that was asked for; what is newer in memory
//! counts.

use super::condition::{Condition, Offered};
use super::table::{FleetTable, Words};
use crate::app::App;
use crate::db::outline::{self, Outline};
use crate::db::{Connection, DbError, answer};
use crate::error::ApiError;
use crate::lifecycle::{self, Stage};
use crate::notify::answer::{Answer, Given};
use crate::publish::current::Snapshot;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::inventory::{Inventory, InventoryDevice};
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::ReleaseState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A device with everything that lists say of it.
#[derive(Debug, Clone)]
pub struct Member {
    /// What it said.
    pub outline: Outline,
    /// What the hospital wrote down.
    pub listed: Option<InventoryDevice>,
    /// Its condition.
    pub condition: Condition,
    /// The site put its update off and does something else meanwhile.
    pub compensated: bool,
    /// Its family is supported no more.
    pub unsupported: bool,
}

/// All devices of a site, by id.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The devices.
    pub members: Vec<Member>,
    /// Devices of the inventory that never enrolled and were not added.
    pub unheard: Vec<InventoryDevice>,
}

/// What a roster is made of beside the devices.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// What families offer.
    pub offered: HashMap<FamilyId, Offered>,
    /// The newest image of each family.
    pub newest: HashMap<FamilyId, Sha256Digest>,
    /// Families whose update the site put off, with a compensating control, until later.
    pub put_off: HashSet<FamilyId>,
    /// Families that are supported no more.
    pub ended: HashSet<FamilyId>,
}

impl Roster {
    /// Reads the roster of a site.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn of(app: &App, site: &SiteId, inventory: &Inventory) -> Result<Self, ApiError> {
        let (at, named, snapshot) = (app.clock.now(), site.clone(), app.snapshot());
        let read = app.db.read(move |conn| {
            let outlines = outline::of_site(conn, &named)?;
            let families: BTreeSet<_> = outlines.iter().map(|it| it.family.clone()).collect();
            let ground = Ground::read(conn, &snapshot, &named, &families, at)?;
            Ok::<_, DbError>((outlines, ground))
        });
        let (mut outlines, ground) = read.await?;
        for outline in &mut outlines {
            overlay(&app.fleet, site, outline);
        }
        Ok(Self::join(outlines, inventory, &ground, at))
    }

    /// Reads one device of a site alone, exactly as it stands in the whole roster.
    ///
    /// # Errors
    /// A failure of ours.
    pub async fn member(
        app: &App,
        site: &SiteId,
        inventory: &Inventory,
        device: &DeviceId,
    ) -> Result<Option<Member>, ApiError> {
        let (at, named, snapshot) = (app.clock.now(), site.clone(), app.snapshot());
        let id = device.clone();
        let read = app.db.read(move |conn| {
            let Some(outline) = outline::find(conn, &named, &id)? else { return Ok(None) };
            let families = BTreeSet::from([outline.family.clone()]);
            let ground = Ground::read(conn, &snapshot, &named, &families, at)?;
            Ok::<_, DbError>(Some((outline, ground)))
        });
        let Some((mut outline, ground)) = read.await? else { return Ok(None) };
        overlay(&app.fleet, site, &mut outline);
        Ok(Some(Member::of(outline, inventory.device(device), &ground, at)))
    }

    /// Joins what devices said with what the hospital wrote down.
    #[must_use]
    pub fn join(
        outlines: Vec<Outline>,
        inventory: &Inventory,
        ground: &Ground,
        at: Timestamp,
    ) -> Self {
        let mut listed: BTreeMap<&DeviceId, &InventoryDevice> =
            inventory.devices.iter().map(|device| (&device.id, device)).collect();
        let member = |outline: Outline| {
            let listed = listed.remove(&outline.device);
            Member::of(outline, listed, ground, at)
        };
        let members = outlines.into_iter().map(member).collect();
        Self { members, unheard: listed.into_values().cloned().collect() }
    }

    /// How many devices are in a condition.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Member) -> bool) -> usize {
        self.members.iter().filter(|member| is(member)).count()
    }

    /// The families of the devices, with how many there are of each.
    #[must_use]
    pub fn families(&self) -> BTreeMap<FamilyId, usize> {
        let mut families: BTreeMap<FamilyId, usize> = BTreeMap::new();
        for member in &self.members {
            let count = families.entry(member.outline.family.clone()).or_default();
            *count = count.saturating_add(1);
        }
        families
    }
}

impl Member {
    /// What a device said, with what the hospital wrote down of it.
    fn of(
        outline: Outline,
        listed: Option<&InventoryDevice>,
        ground: &Ground,
        at: Timestamp,
    ) -> Self {
        let none = Offered::new();
        let offered = ground.offered.get(&outline.family).unwrap_or(&none);
        let condition = Condition::judge(&outline, offered, at);
        let waits = matches!(condition, Condition::Behind | Condition::Waiting);
        Self {
            listed: listed.cloned(),
            condition,
            compensated: waits && ground.put_off.contains(&outline.family),
            unsupported: ground.ended.contains(&outline.family),
            outline,
        }
    }
}

impl Ground {
    /// What counts at a site for devices of these families.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn read(
        conn: &mut Connection,
        snapshot: &Snapshot,
        site: &SiteId,
        families: &BTreeSet<FamilyId>,
        at: Timestamp,
    ) -> Result<Self, DbError> {
        let mut ground = Self::of(snapshot, families);
        ground.judge_answers(&answer::of_site(conn, site)?, at);
        let said = lifecycle::current(conn)?.into_iter();
        let ended = said.filter(|(_, said)| said.lifecycle.stage(at) == Stage::Ended);
        ground.ended.extend(ended.map(|(family, _)| family));
        Ok(ground)
    }

    /// What these families offer.
    #[must_use]
    pub fn of(snapshot: &Snapshot, families: &BTreeSet<FamilyId>) -> Self {
        let mut ground = Self::default();
        for family in families {
            let Some(current) = snapshot.get(&RepositoryId::Family(family.clone())) else {
                continue;
            };
            let offered = current.images.values().filter(|it| it.state == ReleaseState::Released);
            let newest = offered.clone().max_by_key(|it| it.seq);
            if let Some(newest) = newest {
                ground.newest.insert(family.clone(), newest.payload.image_sha256);
            }
            let ranks = offered.map(|firmware| (firmware.seq, firmware.hw.clone()));
            ground.offered.insert(family.clone(), ranks.collect());
        }
        ground
    }

    /// Which families the site's last answer puts off.
    pub fn judge_answers(&mut self, given: &[Given], at: Timestamp) {
        for answer in given {
            if self.newest.get(&answer.family) != Some(&answer.image_sha256) {
                continue;
            }
            match &answer.answer {
                Answer::Deferred { until, .. } if *until > at => {
                    self.put_off.insert(answer.family.clone());
                }
                Answer::Deferred { .. } | Answer::Declined => {
                    self.put_off.remove(&answer.family);
                }
                Answer::Acknowledged => {}
            }
        }
    }
}

/// Puts what is newer in memory into what was read; gives what the device last said.
pub fn overlay(fleet: &FleetTable, site: &SiteId, outline: &mut Outline) -> Option<Arc<Words>> {
    let (words, seen) = fleet.said(site, &outline.device)?;
    if let Some(seen) = seen {
        outline.installed.clone_from(&words.installed);
        outline.state.clone_from(&words.state);
        outline.reason = words.reason;
        outline.last_seen = Some(seen);
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::{device, image};
    use super::*;
    use crate::notify::answer::Signature;
    use crate::notify::subject::NoticeId;
    use crate::people::who::AccountId;
    use patchward_protocol::id::{KindId, Seq};
    use patchward_protocol::inventory::{Attendance, Usage};

    fn listed(id: &str) -> InventoryDevice {
        InventoryDevice {
            id: DeviceId::new(id).unwrap(),
            ward: None,
            kind: KindId::new("pump").unwrap(),
            pair: None,
            usage: Usage::InService,
            attended: Attendance::Unattended,
            udi: None,
            serial_number: None,
        }
    }

    fn given(answer: Answer, at: i64) -> Given {
        Given {
            id: NoticeId::digest("x"),
            site: SiteId::new("north").unwrap(),
            family: image(3).family,
            image_sha256: image(3).image_sha256,
            answer,
            reason: "no spare".to_owned(),
            by: Signature {
                name: "Tanaka".to_owned(),
                title: "engineer".to_owned(),
                account: AccountId(1),
            },
            at: Timestamp::from_millis(at),
        }
    }

    fn ground() -> Ground {
        let family = image(3).family;
        Ground {
            offered: HashMap::from([(family.clone(), vec![(Seq(3), Vec::new())])]),
            newest: HashMap::from([(family, image(3).image_sha256)]),
            ..Ground::default()
        }
    }

    #[test]
    fn devices_that_were_written_down_and_never_came_are_shown_apart() {
        let mut inventory = Inventory::empty(SiteId::new("north").unwrap(), "Asia/Tokyo");
        inventory.devices = vec![listed("a"), listed("z")];
        let at = Timestamp::from_millis(2_000);
        let outlines = vec![device("a", Some(3), Some("idle")), device("b", Some(3), None)];
        let roster = Roster::join(outlines, &inventory, &ground(), at);
        let placed: Vec<_> = roster.members.iter().map(|it| it.listed.is_some()).collect();
        assert_eq!(placed, [true, false]);
        assert_eq!(roster.unheard, [listed("z")]);
        assert_eq!(roster.count(|it| it.condition == Condition::Current), 2);
    }

    #[test]
    fn an_update_that_is_put_off_counts_as_compensated_until_its_day() {
        let at = Timestamp::from_millis(2_000);
        let inventory = Inventory::empty(SiteId::new("north").unwrap(), "Asia/Tokyo");
        let put_off = |until: i64| Answer::Deferred {
            until: Timestamp::from_millis(until),
            control: "isolated".to_owned(),
        };
        for (answers, compensated) in [
            (vec![given(put_off(9_000), 1)], 1),
            (vec![given(put_off(1_500), 1)], 0),
            (vec![given(put_off(9_000), 1), given(Answer::Declined, 2)], 0),
            (vec![given(put_off(9_000), 1), given(Answer::Acknowledged, 2)], 1),
        ] {
            let mut ground = ground();
            ground.judge_answers(&answers, at);
            let outlines = vec![device("a", Some(2), Some("idle")), device("b", Some(3), None)];
            let roster = Roster::join(outlines, &inventory, &ground, at);
            assert_eq!(roster.count(|it| it.compensated), compensated, "{answers:?}");
        }
    }
}
