//! Approvals as a hospital draws them up: named devices, a slot that is open now.
//!
//! Not here: signing and publishing. Invariant: what [`Plan::approval`] makes passes the protocol's own
//! check; a test that wants a wrong one changes it afterwards.

use crate::clock::now;
use crate::image::Release;
use anyhow::{Context as _, Result};
use patchward_protocol::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, ClinicalCondition,
    Conditions, Gates, Need, NeededTime, RollbackTerms, Urgency, Wave,
};
use patchward_protocol::id::{ApprovalId, DeviceId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::slot::Slot;

/// What an approval shall say.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name.
    pub id: String,
    /// Rises with every approval of a site.
    pub serial: u64,
    /// Seconds from now to the start of the slot; negative when it is open already.
    pub start_s: i64,
    /// Length of the slot in seconds.
    pub length_s: i64,
    /// How well devices must know the time.
    pub time: NeededTime,
    /// Whether devices may act without having reached the server shortly before.
    pub offline_ok: bool,
}

impl Plan {
    /// A slot that is open for the next hour.
    #[must_use]
    pub fn open_now(id: &str, serial: u64) -> Self {
        let (start_s, length_s) = (-60, 3600);
        let (time, offline_ok) = (NeededTime::Attested, false);
        Self { id: id.to_owned(), serial, start_s, length_s, time, offline_ok }
    }

    /// The approval of a release for these devices.
    ///
    /// # Errors
    /// When it breaks a rule of the protocol.
    pub fn approval(
        &self,
        site: &SiteId,
        release: &Release,
        devices: &[(DeviceId, PublicKey)],
    ) -> Result<Approval> {
        let firmware = &release.firmware;
        let start = now().whole_second().plus_seconds(self.start_s);
        let issued = start.min(now().whole_second());
        let slot = Slot::new(start, start.plus_seconds(self.length_s)).context("a slot")?;
        let device = |(id, key): &(DeviceId, PublicKey)| ApprovedDevice {
            id: id.clone(),
            key: *key,
            wave: 0,
            slots: vec![slot],
            attended: false,
            pair: None,
        };
        let approval = Approval {
            v: 1,
            id: ApprovalId::new(&self.id).context("an approval id")?,
            site: site.clone(),
            serial: self.serial,
            issued,
            valid_until: slot.end().plus_seconds(3600),
            action: Action::Install,
            urgency: Urgency::Routine,
            state: ApprovalState::Active,
            release: Some(ApprovedRelease {
                family: firmware.family.clone(),
                version: firmware.version.clone(),
                seq: firmware.seq,
                image_sha256: firmware.payload.image_sha256,
                path: release.path.clone(),
                image_length: firmware.payload.image_length,
                dossier_sha256: firmware.docs.dossier.sha256,
            }),
            standing: None,
            devices: devices.iter().map(device).collect(),
            conditions: Conditions {
                clinical_state: ClinicalCondition::Idle,
                settle_s: 0,
                mains: Need::Advisory,
                battery_min: 0,
                acceptance: Need::Advisory,
                time: self.time,
                offline_ok: self.offline_ok,
            },
            waves: vec![Wave {
                n: 0,
                not_before: issued.plus_seconds(-3600),
                soak_s: 0,
                min_updated: 0,
                min_clinical_use_h: 0,
            }],
            gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
            rollback: RollbackTerms { automatic: true, to: firmware.rollback_ok.clone() },
            tz: "Asia/Tokyo".to_owned(),
            supersedes: None,
            snapshot: None,
        };
        approval.check().context("the approval holds")?;
        Ok(approval)
    }
}
