//! What the server double says of consent: inventory, holds, acts, rollouts, campaigns.
//!
//! It keeps what it is given and compares revisions; who may do what is the real server's business.

use patchward_protocol::act::{Act, Subject};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::envelope::Envelope;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Consent {
    pub(crate) inventory: Option<Value>,
    pub(crate) holds: Vec<Value>,
    pub(crate) rollouts: Vec<Value>,
    pub(crate) acts: Vec<Act>,
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) campaigns: BTreeMap<String, Value>,
    pub(crate) added: Vec<Value>,
    /// Acts are refused.
    pub(crate) refuses_acts: bool,
    /// Somebody else writes first, every time.
    pub(crate) overtaken: bool,
}

impl Consent {
    pub(crate) fn answer(
        &mut self,
        method: &str,
        parts: &[&str],
        body: &[u8],
    ) -> Result<Vec<u8>, ErrorCode> {
        let value = || serde_json::from_slice::<Value>(body).unwrap();
        let reply = match (method, parts) {
            ("GET", ["v1", "sites", _, "inventory"]) => {
                self.inventory.clone().ok_or(ErrorCode::NotFound)?
            }
            ("PUT", ["v1", "sites", _, "inventory"]) => self.write_inventory(value())?,
            ("POST", ["v1", "sites", _, "devices"]) => self.add(value()),
            ("GET", ["v1", "sites", _, "holds"]) => json!(self.holds),
            ("POST", ["v1", "sites", _, "holds"]) => self.hold("site", &value()),
            ("POST", ["v1", "families", _, "holds"]) => self.hold("maker", &value()),
            ("POST", ["v1", "holds"]) => self.hold("operator", &value()),
            ("DELETE", ["v1", "families", _, "holds", id] | ["v1", "holds", id]) => self.end(id)?,
            ("POST", ["v1", "sites", _, "acts"]) => self.file(body)?,
            ("GET", ["v1", "sites", _, "rollouts"]) => json!(self.rollouts),
            ("GET", ["v1", "families", _, "campaigns", image]) => self.campaign(image),
            ("PUT", ["v1", "families", _, "campaigns", image]) => {
                self.write_campaign(image, value())?
            }
            ("GET", ["v1", "sites", _, "devices", device, "why"]) => json!({
                "device": device, "state": "holding", "reason": "in_use",
                "en": "It is in use on a patient.", "ja": "患者に使用中です。",
                "last_seen": "2026-11-22T07:00:00Z", "image": null, "unapproved": ["acme.infusion-a"],
            }),
            _ => return Err(ErrorCode::NotFound),
        };
        Ok(serde_json::to_vec(&reply).unwrap())
    }

    fn write_inventory(&mut self, mut new: Value) -> Result<Value, ErrorCode> {
        let held = self.inventory.as_ref().map_or(0, |held| held["revision"].as_u64().unwrap());
        if self.overtaken || new["revision"].as_u64() != Some(held) {
            return Err(ErrorCode::InventoryConflict);
        }
        new["revision"] = json!(held + 1);
        self.inventory = Some(new.clone());
        Ok(new)
    }

    fn add(&mut self, new: Value) -> Value {
        self.added.push(new.clone());
        json!({
            "device": new["device"], "management": new["management"], "family": new["family"],
            "hardware": new["hardware"], "device_key": null, "fingerprint": null, "installed": null,
            "state": null, "reason": null, "last_seen": null, "ledger_id": null, "ledger_seq": 0,
            "forked": false,
        })
    }

    fn hold(&mut self, by: &str, request: &Value) -> Value {
        let or = |field: &str, otherwise: Value| match request[field].is_null() {
            true => otherwise,
            false => request[field].clone(),
        };
        let review_at = or("review_at", json!("2026-11-25T08:00:00Z"));
        let target = or("target", json!({"scope": "site"}));
        let hold = json!({
            "id": format!("h-{}", self.holds.len() + 1), "target": target, "by": by,
            "set_by": "nurse station 3", "reason": request["reason"], "owner": request["owner"],
            "set_at": "2026-11-22T08:00:00Z", "review_at": review_at, "overdue": false,
            "lifted_at": null, "devices": 3,
        });
        self.holds.push(hold.clone());
        hold
    }

    fn end(&mut self, id: &str) -> Result<Value, ErrorCode> {
        let hold = self.holds.iter_mut().find(|hold| hold["id"] == id);
        let hold = hold.ok_or(ErrorCode::HoldUnknown)?;
        hold["lifted_at"] = json!("2026-11-22T09:00:00Z");
        Ok(hold.clone())
    }

    fn file(&mut self, body: &[u8]) -> Result<Value, ErrorCode> {
        if self.refuses_acts {
            return Err(ErrorCode::ActRefused);
        }
        let envelope: Envelope = serde_json::from_slice(body).unwrap();
        if let Some(index) = self.envelopes.iter().position(|held| *held == envelope) {
            return Ok(json!({"record_index": index}));
        }
        let act: Act = envelope.insecure_peek().unwrap();
        if let Subject::Hold { hold } = &act.subject {
            self.end(hold.as_str())?;
        }
        self.acts.push(act);
        self.envelopes.push(envelope);
        Ok(json!({"record_index": self.acts.len() - 1}))
    }

    fn campaign(&self, image: &str) -> Value {
        let none = json!({
            "revision": 0, "state": "running", "sites": [], "sites_open": 0, "percent": 100,
        });
        self.campaigns.get(image).cloned().unwrap_or(none)
    }

    fn write_campaign(&mut self, image: &str, mut new: Value) -> Result<Value, ErrorCode> {
        let held = self.campaign(image)["revision"].as_u64().unwrap();
        if self.overtaken || new["revision"].as_u64() != Some(held) {
            return Err(ErrorCode::CampaignConflict);
        }
        new["revision"] = json!(held + 1);
        self.campaigns.insert(image.to_owned(), new.clone());
        Ok(new)
    }
}
