//! Why a device got no slot, is left out or may not go back, and why no plan was made: each code of the
//! planner and the checker with its own text and what varies in it.
//!
//! Not here: the codes (`protocol::plan`, `protocol::check`, `protocol::draft`).
//! Invariant: no code lacks its text in either language (a test).

use super::super::holds::ward_name;
use crate::console::words::Words;
use crate::error::Chain;
use fluent_bundle::FluentValue;
use patchward_protocol::check::Violation;
use patchward_protocol::draft::BadDraft;
use patchward_protocol::draft::left_out::Left;
use patchward_protocol::id::DeviceId;
use patchward_protocol::inventory::{Inventory, InventoryDevice};
use patchward_protocol::plan::{BadAsk, Unplaced};
use patchward_protocol::time::Timestamp;

/// Why a device got no slot.
#[must_use]
pub(in crate::console) fn unplaced(w: Words, inventory: &Inventory, unplaced: &Unplaced) -> String {
    let device = inventory.device(&unplaced.device);
    let ward = device.and_then(|device| device.ward.as_ref());
    let min = device.and_then(|device| minimum(inventory, device));
    let partner = device.and_then(|device| device.pair.as_ref());
    let kind = device.map(|device| device.kind.to_string());
    let mut variables = vec![
        ("ward", said(ward.map_or_else(|| w.t("plans-no-ward"), |id| ward_name(w, inventory, id)))),
        ("min", min.unwrap_or(1).into()),
        ("kind", said(kind.unwrap_or_default())),
        ("partner", said(partner.map(DeviceId::to_string).unwrap_or_default())),
    ];
    let id = format!("plans-unplaced-{}", unplaced.reason.code());
    match (&unplaced.freeze, unplaced.until) {
        (Some(freeze), Some(until)) => {
            let why = inventory.freezes.iter().find(|known| known.id == *freeze);
            let why = why.map_or_else(|| freeze.to_string(), |known| known.why.clone());
            variables.push(("freeze", said(why)));
            variables.push(("until", said(w.instant(until, &inventory.tz).words().to_owned())));
            let with_end = format!("{id}-until");
            w.say(if w.has(&with_end) { &with_end } else { &id }, &variables)
        }
        _ => w.say(&id, &variables),
    }
}

/// Why a device is left out, or may not go back.
#[must_use]
pub(in crate::console) fn left(w: Words, left: &Left) -> String {
    let about = left.about.clone().unwrap_or_default();
    w.t1(&format!("plans-left-{}", left.reason.code()), "about", about)
}

/// Which rule a plan breaks.
#[must_use]
pub(in crate::console) fn rule(w: Words, broken: &Violation) -> String {
    w.t1(&format!("plans-rule-{}", broken.rule.code()), "detail", broken.detail.as_str())
}

/// Why nothing was drafted, in a sentence.
#[must_use]
pub(in crate::console) fn draft(w: Words, tz: &str, why: &BadDraft) -> String {
    let at = |at: &Timestamp| said(w.instant(*at, tz).words().to_owned());
    let variables: Vec<(&str, FluentValue<'static>)> = match why {
        BadDraft::Ward { ward, .. } | BadDraft::Ask(BadAsk::Ward { ward }) => {
            vec![("ward", said(ward.to_string()))]
        }
        BadDraft::Ask(BadAsk::Device { device }) => vec![("device", said(device.to_string()))],
        BadDraft::Ask(BadAsk::Span { now, until }) => vec![("from", at(now)), ("until", at(until))],
        BadDraft::Approval { id, source } => {
            vec![("approval", said(id.to_string())), ("detail", said(Chain(source).to_string()))]
        }
        BadDraft::TooLong { id, bytes, bytes_max } => vec![
            ("approval", said(id.to_string())),
            ("bytes", (*bytes).into()),
            ("most", (*bytes_max).into()),
        ],
        BadDraft::Taken(id) | BadDraft::NotListed(id) => vec![("approval", said(id.to_string()))],
        BadDraft::Name(name) => vec![("name", said(name.clone()))],
        BadDraft::IssuedBefore { issued, published } => {
            vec![("from", at(issued)), ("until", at(published))]
        }
        BadDraft::Tuf(source) => vec![("detail", said(Chain(source).to_string()))],
        BadDraft::NoInventory(_)
        | BadDraft::AnyHours
        | BadDraft::NobodyWanted { .. }
        | BadDraft::NobodyPlaced { .. }
        | BadDraft::Ask(BadAsk::Window(_))
        | BadDraft::Violates(_) => Vec::new(),
    };
    if let BadDraft::NobodyWanted { left, .. } = why
        && left.is_empty()
    {
        return w.t("plans-draft-nobody_chosen");
    }
    w.say(&format!("plans-draft-{}", why.code()), &variables)
}

/// How many of its kind its ward must keep in service.
fn minimum(inventory: &Inventory, device: &InventoryDevice) -> Option<u32> {
    let ward = inventory.ward(device.ward.as_ref()?)?;
    Some(ward.min_in_service.iter().find(|min| min.kind == device.kind)?.count)
}

fn said(text: String) -> FluentValue<'static> {
    FluentValue::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::who::Language;
    use patchward_protocol::check::Broken;
    use patchward_protocol::draft::left_out::LeftOut;
    use patchward_protocol::id::{FreezeId, SiteId};
    use patchward_protocol::plan::Reason;

    #[test]
    fn every_code_of_planner_and_checker_has_its_text_in_both_languages() {
        let mut ids: Vec<String> = Vec::new();
        ids.extend(Reason::ALL.iter().map(|it| format!("plans-unplaced-{}", it.code())));
        ids.extend(LeftOut::ALL.iter().map(|it| format!("plans-left-{}", it.code())));
        ids.extend(Broken::ALL.iter().map(|it| format!("plans-rule-{}", it.code())));
        ids.extend(BadDraft::CODES.iter().map(|code| format!("plans-draft-{code}")));
        for language in Language::ALL {
            let w = Words::of(language);
            for id in &ids {
                assert!(w.has(id), "{id} is missing in {}", language.tag());
            }
        }
    }

    #[test]
    fn a_reason_names_ward_minimum_partner_and_the_end_of_a_freeze() {
        let device = || DeviceId::new("pump-01").unwrap();
        let inventory = Inventory::read(
            br#"{"v":1,"site":"city-hospital","revision":1,"tz":"Asia/Tokyo",
                "wards":[{"id":"icu","name_en":"Intensive care","name_ja":"\u96c6\u4e2d\u6cbb\u7642\u5ba4",
                          "min_in_service":[{"kind":"pump","count":3}]}],
                "devices":[{"id":"pump-01","ward":"icu","kind":"pump","pair":"pump-02"},
                           {"id":"pump-02","ward":"icu","kind":"pump","pair":"pump-01"}],
                "freezes":[{"id":"audit","why":"Inspection","scope":{"kind":"site"},"hardness":"hard",
                            "from":"2026-12-01T00:00:00Z","to":"2026-12-04T15:00:00Z"}]}"#,
        );
        let inventory = inventory.unwrap_or_else(|bad| panic!("{:?}", bad.problems));
        for language in Language::ALL {
            let w = Words::of(language);
            for reason in Reason::ALL {
                let mut one = Unplaced::new(device(), *reason);
                let text = unplaced(w, &inventory, &one);
                assert!(!text.contains('⟦') && !text.contains('{'), "{text}");
                one.freeze = Some(FreezeId::new("audit").unwrap());
                one.until = Some("2026-12-04T15:00:00Z".parse().unwrap());
                let text = unplaced(w, &inventory, &one);
                assert_eq!(text.contains("Inspection"), *reason == Reason::Frozen, "{text}");
            }
            for reason in LeftOut::ALL {
                let text = left(w, &Left::new(device(), *reason).about("2.4.1"));
                assert!(!text.contains('⟦'), "{text}");
            }
        }
        let en = |reason| {
            unplaced(Words::of(Language::En), &inventory, &Unplaced::new(device(), reason))
        };
        assert!(en(Reason::NeedsLoaner).contains("Intensive care must keep 3 of pump in service"));
        assert!(en(Reason::PartnerOut).contains("Its partner pump-02 is out of service"));
    }

    #[test]
    fn every_refusal_of_a_draft_is_a_sentence_in_both_languages() {
        let site = || SiteId::new("city-hospital").unwrap();
        let all = [
            BadDraft::NoInventory(site()),
            BadDraft::AnyHours,
            BadDraft::NobodyWanted { site: site(), left: Vec::new() },
            BadDraft::NobodyPlaced { site: site(), unplaced: Vec::new(), left: Vec::new() },
            BadDraft::Name("??".to_owned()),
            BadDraft::Violates(Vec::new()),
        ];
        for why in &all {
            assert!(BadDraft::CODES.contains(&why.code()), "{}", why.code());
            for language in Language::ALL {
                let text = draft(Words::of(language), "Asia/Tokyo", why);
                assert!(!text.contains('⟦') && !text.is_empty(), "{text}");
            }
        }
    }
}
