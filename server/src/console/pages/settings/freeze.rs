//! Freezes: periods without changes.
//!
//! Not here: what follows for a device ([`crate::consent::reach`]). Invariant: a freeze is read in the
//! zone of the site and stored as instants.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Thing, Values, unread};
use crate::console::form::Form;
use crate::console::local;
use crate::console::words::Words;
use patchward_protocol::id::{FamilyId, FreezeId, KindId, WardId};
use patchward_protocol::inventory::{Freeze, FreezeScope, Hardness, Inventory};
use std::collections::BTreeSet;

/// Freezes.
#[derive(Debug)]
pub struct Freezes;

impl Thing for Freezes {
    type One = Freeze;
    const WORD: &'static str = "freeze";
    const TEXTS: &'static str = "settings-freeze";
    const LIST: &'static str = "freezes";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/freezes";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/freeze";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/freeze/remove";

    fn all(inventory: &Inventory) -> &[Freeze] {
        &inventory.freezes
    }

    fn all_mut(inventory: &mut Inventory) -> &mut Vec<Freeze> {
        &mut inventory.freezes
    }

    fn id(freeze: &Freeze) -> &str {
        freeze.id.as_str()
    }

    fn words(w: Words, inventory: &Inventory, freeze: &Freeze) -> (String, String) {
        let instant = |at| w.instant(at, &inventory.tz);
        let (from, to) = (instant(freeze.from), instant(freeze.to));
        let span = w.t2("settings-freeze-span", "from", from.words(), "to", to.words());
        (scope_words(w, inventory, &freeze.scope), format!("{span} · {}", freeze.why))
    }

    fn blank() -> Values {
        vec![("scope", "site".to_owned()), ("hardness", "soft".to_owned())]
    }

    fn values(inventory: &Inventory, freeze: &Freeze) -> Values {
        let hardness = match freeze.hardness {
            Hardness::Hard => "hard",
            Hardness::Soft => "soft",
        };
        vec![
            ("id", freeze.id.to_string()),
            ("from", local::write(freeze.from, &inventory.tz)),
            ("to", local::write(freeze.to, &inventory.tz)),
            ("scope", scope_word(&freeze.scope)),
            ("hardness", hardness.to_owned()),
            ("why", freeze.why.clone()),
        ]
    }

    fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field> {
        let w = fields.w;
        let hardness =
            ["soft", "hard"].map(|it| (it.to_owned(), w.t(&format!("settings-freeze-{it}"))));
        vec![
            fields.one("id", Kind::Text),
            fields.one("why", Kind::Text),
            fields.one("from", Kind::Local),
            fields.one("to", Kind::Local),
            fields.of("scope", Kind::Select, scopes(w, inventory, fields.form)),
            fields.of("hardness", Kind::Select, hardness),
        ]
    }

    fn read(w: Words, inventory: &Inventory, form: &Form) -> Result<Freeze, Vec<Wrong>> {
        let named = form.get("id").and_then(|text| FreezeId::new(text).ok());
        let instant = |name: &str| form.get(name).and_then(|it| local::read(it, &inventory.tz));
        let (from, to) = (instant("from"), instant("to"));
        let scope = form.get("scope").and_then(scope_of);
        let checks = [
            (named.is_some(), "id", "settings-wrong-id"),
            (from.is_some(), "from", "settings-wrong-instant"),
            (to.is_some(), "to", "settings-wrong-instant"),
            (scope.is_some(), "scope", "settings-wrong-choice"),
        ];
        let wrong = checks.iter().filter(|(good, ..)| !good);
        let wrong: Vec<Wrong> = wrong.map(|(_, field, rule)| unread(w, field, rule)).collect();
        let (Some(named), Some(from), Some(to), Some(scope)) = (named, from, to, scope) else {
            return Err(wrong);
        };
        let hardness =
            if form.get("hardness") == Some("hard") { Hardness::Hard } else { Hardness::Soft };
        let why = form.get("why").unwrap_or_default().to_owned();
        Ok(Freeze { id: named, from, to, scope, hardness, why })
    }
}

/// Whom a freeze may concern: the site, its wards, its kinds, and the family that was chosen before.
fn scopes(w: Words, inventory: &Inventory, form: &Form) -> Vec<(String, String)> {
    let mut all = vec![FreezeScope::Site {}];
    all.extend(inventory.wards.iter().map(|it| FreezeScope::Ward { ward: it.id.clone() }));
    let kinds: BTreeSet<&KindId> = inventory.devices.iter().map(|it| &it.kind).collect();
    all.extend(kinds.into_iter().map(|it| FreezeScope::Kind { equipment: it.clone() }));
    let chosen = form.get("scope").and_then(scope_of).filter(|scope| !all.contains(scope));
    all.extend(chosen);
    all.iter().map(|scope| (scope_word(scope), scope_words(w, inventory, scope))).collect()
}

fn scope_word(scope: &FreezeScope) -> String {
    match scope {
        FreezeScope::Site {} => "site".to_owned(),
        FreezeScope::Ward { ward } => format!("ward:{ward}"),
        FreezeScope::Family { family } => format!("family:{family}"),
        FreezeScope::Kind { equipment } => format!("kind:{equipment}"),
    }
}

fn scope_of(word: &str) -> Option<FreezeScope> {
    if word == "site" {
        return Some(FreezeScope::Site {});
    }
    match word.split_once(':')? {
        ("ward", id) => Some(FreezeScope::Ward { ward: WardId::new(id).ok()? }),
        ("family", id) => Some(FreezeScope::Family { family: FamilyId::new(id).ok()? }),
        ("kind", id) => Some(FreezeScope::Kind { equipment: KindId::new(id).ok()? }),
        _ => None,
    }
}

fn scope_words(w: Words, inventory: &Inventory, scope: &FreezeScope) -> String {
    match scope {
        FreezeScope::Site {} => w.t("settings-freeze-site"),
        FreezeScope::Ward { ward } => crate::console::pages::holds::ward_name(w, inventory, ward),
        FreezeScope::Family { family } => family.to_string(),
        FreezeScope::Kind { equipment } => w.t1("settings-freeze-kind", "kind", equipment.as_str()),
    }
}
