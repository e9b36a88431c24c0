//! A device in a test: its two keys, its polls, its ledger.

use crate::http::house::Door;
use crate::http::wire::Answer;
use patchward_protocol::api::device::{
    CheckInReply, EnrolReply, EnrolRequest, Enrolment, LinkCertificate, Poll, ReportReply,
};
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, LedgerId, SiteId};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::ledger::{Entry, Fact, Kind, SealedEntry};
use patchward_protocol::receipt::{Nonce, Receipt};
use patchward_protocol::time::TimeQuality;
use serde_json::json;

/// A device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) site: SiteId,
    pub(crate) device: DeviceId,
    pub(crate) family: FamilyId,
    pub(crate) device_key: SecretKey,
    pub(crate) link_key: SecretKey,
    pub(crate) link_n: u64,
    pub(crate) ledger_id: LedgerId,
    pub(crate) entries: Vec<SealedEntry>,
}

impl Device {
    pub(crate) fn new(site: &str, device: &str, seed: u8) -> Self {
        Self {
            site: SiteId::new(site).unwrap(),
            device: DeviceId::new(device).unwrap(),
            family: FamilyId::new("acme.a").unwrap(),
            device_key: SecretKey::from_seed(&[seed; 32]),
            link_key: SecretKey::from_seed(&[seed ^ 0x80; 32]),
            link_n: 1,
            ledger_id: LedgerId::from_random([seed; 16]),
            entries: Vec::new(),
        }
    }

    /// A device that has joined.
    pub(crate) fn joined(door: &Door, site: &str, device: &str, seed: u8) -> Self {
        let joined = Self::new(site, device, seed);
        let token = door.pack(site).token;
        let reply: EnrolReply = joined.enrol(door, &token).read();
        assert_eq!(reply.fingerprint, joined.device_key.public().fingerprint());
        joined
    }

    pub(crate) fn enrolment(&self, token: &str) -> Enrolment {
        Enrolment {
            v: 1,
            token: token.to_owned(),
            site: self.site.clone(),
            device: self.device.clone(),
            device_key: self.device_key.public(),
            family: self.family.clone(),
            hardware: HardwareId::new("a.rev2").unwrap(),
            installed: None,
            ledger_id: self.ledger_id,
            agent_version: "0.1.0".to_owned(),
        }
    }

    pub(crate) fn certificate(&self) -> LinkCertificate {
        LinkCertificate {
            v: 1,
            site: self.site.clone(),
            device: self.device.clone(),
            link_key: self.link_key.public(),
            n: self.link_n,
        }
    }

    pub(crate) fn request(&self, enrolment: &Enrolment) -> EnrolRequest {
        let (kind, link) = (PayloadType::Enrolment, PayloadType::LinkCertificate);
        EnrolRequest {
            enrolment: Envelope::seal(kind, enrolment, &self.device_key).unwrap(),
            link_certificate: Envelope::seal(link, &self.certificate(), &self.device_key).unwrap(),
        }
    }

    pub(crate) fn enrol(&self, door: &Door, token: &str) -> Answer {
        door.say("/v1/enrol", &self.request(&self.enrolment(token)))
    }

    pub(crate) fn poll(&self, boot_count: u64, n: u64) -> Poll {
        Poll {
            v: 1,
            site: self.site.clone(),
            device: self.device.clone(),
            boot_count,
            n,
            nonce: Nonce::from_random([n.to_le_bytes()[0]; 16]),
            installed: None,
            state: "idle".to_owned(),
            reason: None,
            ledger_seq: 0,
            agent_version: "0.1.0".to_owned(),
            family_timestamp: 0,
            site_timestamp: 0,
            slot: None,
            wait_s: None,
            directive_sha256: None,
        }
    }

    pub(crate) fn sealed(&self, poll: &Poll) -> Envelope {
        Envelope::seal(PayloadType::Poll, poll, &self.link_key).unwrap()
    }

    pub(crate) fn ask(&self, door: &Door, boot_count: u64, n: u64) -> Answer {
        door.say("/v1/check-in", &self.sealed(&self.poll(boot_count, n)))
    }

    pub(crate) fn check_in(&self, door: &Door, boot_count: u64, n: u64) -> CheckInReply {
        self.ask(door, boot_count, n).read()
    }

    /// Writes the next entry.
    pub(crate) fn write(&mut self, kind: Kind) -> SealedEntry {
        let sealed = self.entry_after(self.entries.last().cloned().as_ref(), kind, "as it was");
        self.entries.push(sealed.clone());
        sealed
    }

    /// An entry after another, without keeping it.
    pub(crate) fn entry_after(
        &self,
        before: Option<&SealedEntry>,
        kind: Kind,
        detail: &str,
    ) -> SealedEntry {
        let mut fact = Fact::new(kind);
        fact.detail = Some(detail.to_owned());
        let entry = Entry {
            v: 1,
            device: self.device.clone(),
            ledger_id: self.ledger_id,
            seq: before.map_or(1, |before| before.entry.seq + 1),
            prev_sha256: before.map(|before| before.sha256),
            at: None,
            time_quality: TimeQuality::Unknown,
            boot_count: 1,
            fact,
        };
        SealedEntry::seal(entry, &self.device_key).unwrap()
    }

    pub(crate) fn report(&self, door: &Door, entries: &[SealedEntry]) -> Answer {
        let entries: Vec<_> = entries.iter().map(|sealed| &sealed.envelope).collect();
        let body = json!({ "site": self.site, "device": self.device, "entries": entries });
        door.say("/v1/reports", &body)
    }

    /// Signs and keeps an entry with this fact.
    pub(crate) fn write_fact(&mut self, fact: Fact) -> SealedEntry {
        let before = self.entries.last().cloned();
        let mut sealed = self.entry_after(before.as_ref(), fact.kind, "");
        sealed.entry.fact = fact;
        let sealed = SealedEntry::seal(sealed.entry, &self.device_key).unwrap();
        self.entries.push(sealed.clone());
        sealed
    }

    /// The receipt in an answer, checked with the record key of the server.
    pub(crate) fn receipt(&self, door: &Door, answer: &Answer) -> Receipt {
        let reply: ReportReply = answer.read();
        let server: patchward_protocol::api::operator::ServerView =
            door.get("/v1/server", "").read();
        let opened = reply.receipt.open::<Receipt>(PayloadType::Receipt, &server.record_key);
        let receipt = opened.unwrap().into_inner();
        assert_eq!((&receipt.site, &receipt.device), (&self.site, &self.device));
        assert_eq!(receipt.ledger_id, self.ledger_id);
        receipt
    }
}
