//! People of the inventory: whose printed names stand beside signatures.
//!
//! Not here: accounts and keys. Invariant: no patient stands here.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Line, Thing, unread};
use crate::console::form::Form;
use crate::console::words::Words;
use patchward_protocol::id::PersonId;
use patchward_protocol::inventory::{Inventory, Person};

/// People who sign or answer for something.
#[derive(Debug)]
pub struct Signers;

impl Thing for Signers {
    const WORD: &'static str = "signer";
    const TEXTS: &'static str = "settings-signer";
    const LIST: &'static str = "people";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/signers";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/signer";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/signer/remove";

    fn lines(_: Words, inventory: &Inventory) -> Vec<Line> {
        let line = |person: &Person| Line {
            id: person.person.to_string(),
            name: person.name.clone(),
            text: person.role.clone(),
        };
        inventory.people.iter().map(line).collect()
    }

    fn values(inventory: &Inventory, id: Option<&str>) -> Option<Form> {
        let Some(id) = id else { return Some(Form::default()) };
        let person = inventory.people.iter().find(|it| it.person.as_str() == id)?;
        let fields = [
            ("person", person.person.to_string()),
            ("name", person.name.clone()),
            ("role", person.role.clone()),
            ("notices_to", person.notices_to.clone().unwrap_or_default()),
        ];
        Some(Form::of(fields.map(|(name, value)| (name.to_owned(), value)).to_vec()))
    }

    fn fields(fields: &Fields<'_>, _: &Inventory) -> Vec<Field> {
        ["person", "name", "role", "notices_to"].map(|name| fields.one(name, Kind::Text)).to_vec()
    }

    fn put(
        w: Words,
        inventory: &mut Inventory,
        id: Option<&str>,
        form: &Form,
    ) -> Result<usize, Vec<Wrong>> {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        let Ok(person) = PersonId::new(&text("person")) else {
            return Err(vec![unread(w, "person", "settings-wrong-id")]);
        };
        let notices_to = form.get("notices_to").map(str::to_owned);
        let person = Person { person, name: text("name"), role: text("role"), notices_to };
        let found = inventory.people.iter().position(|it| Some(it.person.as_str()) == id);
        match found.and_then(|at| Some((at, inventory.people.get_mut(at)?))) {
            Some((at, held)) => {
                *held = person;
                Ok(at)
            }
            None => {
                inventory.people.push(person);
                Ok(inventory.people.len().saturating_sub(1))
            }
        }
    }

    fn remove(inventory: &mut Inventory, id: &str) -> bool {
        let before = inventory.people.len();
        inventory.people.retain(|person| person.person.as_str() != id);
        before != inventory.people.len()
    }
}
