//! People of the inventory: whose printed names stand beside signatures.
//!
//! Not here: accounts and keys. Invariant: no patient stands here.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Thing, Values, unread};
use crate::console::form::Form;
use crate::console::words::Words;
use patchward_protocol::id::PersonId;
use patchward_protocol::inventory::{Inventory, Person};

/// People who sign or answer for something.
#[derive(Debug)]
pub struct Signers;

impl Thing for Signers {
    type One = Person;
    const WORD: &'static str = "signer";
    const TEXTS: &'static str = "settings-signer";
    const LIST: &'static str = "people";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/signers";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/signer";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/signer/remove";

    fn all(inventory: &Inventory) -> &[Person] {
        &inventory.people
    }

    fn all_mut(inventory: &mut Inventory) -> &mut Vec<Person> {
        &mut inventory.people
    }

    fn id(person: &Person) -> &str {
        person.person.as_str()
    }

    fn words(_: Words, _: &Inventory, person: &Person) -> (String, String) {
        (person.name.clone(), person.role.clone())
    }

    fn values(_: &Inventory, person: &Person) -> Values {
        vec![
            ("person", person.person.to_string()),
            ("name", person.name.clone()),
            ("role", person.role.clone()),
            ("notices_to", person.notices_to.clone().unwrap_or_default()),
        ]
    }

    fn fields(fields: &Fields<'_>, _: &Inventory) -> Vec<Field> {
        ["person", "name", "role", "notices_to"].map(|name| fields.one(name, Kind::Text)).to_vec()
    }

    fn read(w: Words, _: &Inventory, form: &Form) -> Result<Person, Vec<Wrong>> {
        let text = |name: &str| form.get(name).unwrap_or_default().to_owned();
        let Ok(person) = PersonId::new(&text("person")) else {
            return Err(vec![unread(w, "person", "settings-wrong-id")]);
        };
        let notices_to = form.get("notices_to").map(str::to_owned);
        Ok(Person { person, name: text("name"), role: text("role"), notices_to })
    }
}
