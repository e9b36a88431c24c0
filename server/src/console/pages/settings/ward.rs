//! Wards: names, how many devices must stay in service, windows, staff.
//!
//! Not here: where devices stand (a table). Invariant: a ward reads from the form exactly as from a row
//! of a table.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Line, Thing};
use crate::console::form::Form;
use crate::console::words::Words;
use patchward_protocol::inventory::csv::WARD_COLUMNS;
use patchward_protocol::inventory::{Inventory, Ward};

/// Wards.
#[derive(Debug)]
pub struct Wards;

impl Thing for Wards {
    const WORD: &'static str = "ward";
    const TEXTS: &'static str = "settings-ward";
    const LIST: &'static str = "wards";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/wards";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/ward";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/ward/remove";

    fn lines(w: Words, inventory: &Inventory) -> Vec<Line> {
        let line = |ward: &Ward| {
            let devices = inventory.devices.iter().filter(|it| it.ward.as_ref() == Some(&ward.id));
            let min = ward.min_in_service.iter().map(|it| format!("{} {}", it.kind, it.count));
            let min = min.collect::<Vec<_>>().join(", ");
            let devices = w.t1("settings-ward-devices", "n", devices.count());
            let min = if min.is_empty() {
                w.t("settings-ward-no-min")
            } else {
                w.t1("settings-ward-min", "min", min)
            };
            Line {
                id: ward.id.to_string(),
                name: w.pick(&ward.name_en, &ward.name_ja).to_owned(),
                text: format!("{devices} · {min}"),
            }
        };
        inventory.wards.iter().map(line).collect()
    }

    fn values(inventory: &Inventory, id: Option<&str>) -> Option<Form> {
        let cells = match id {
            Some(id) => inventory.wards.iter().find(|ward| ward.id.as_str() == id)?.cells(),
            None => Vec::new(),
        };
        let mut fields = Vec::new();
        for (name, cell) in WARD_COLUMNS.iter().zip(cells) {
            match *name {
                "windows" => {
                    let windows = cell.split(';').filter(|part| !part.is_empty());
                    fields.extend(windows.map(|it| ("windows".to_owned(), it.to_owned())));
                }
                "min_in_service" | "staff_on_site" => {
                    fields.push(((*name).to_owned(), cell.replace(';', "\n")));
                }
                _ => fields.push(((*name).to_owned(), cell)),
            }
        }
        Some(Form::of(fields))
    }

    fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field> {
        let w = fields.w;
        let windows = inventory.windows.iter().map(|window| {
            (window.id.to_string(), w.pick(&window.name_en, &window.name_ja).to_owned())
        });
        vec![
            fields.one("id", Kind::Text),
            fields.one("name_en", Kind::Text),
            fields.one("name_ja", Kind::Text),
            fields.one("min_in_service", Kind::Area),
            fields.one("max_parallel", Kind::Number),
            fields.of("windows", Kind::Checks, windows),
            fields.one("staff_on_site", Kind::Area),
        ]
    }

    fn put(
        w: Words,
        inventory: &mut Inventory,
        id: Option<&str>,
        form: &Form,
    ) -> Result<usize, Vec<Wrong>> {
        let cell = |name: &str| match name {
            "windows" => form.all(name).collect::<Vec<_>>().join(";"),
            _ => form.get(name).unwrap_or_default().replace(['\n', '\r'], ";"),
        };
        let read = Ward::of_cells(WARD_COLUMNS.iter().map(|name| cell(name)).collect());
        let ward = read.map_err(|bad| {
            let wrong = bad.problems.iter().map(|problem| {
                let (en, ja) = problem.words();
                (problem.column.clone(), w.pick(en, ja).to_owned())
            });
            wrong.collect::<Vec<_>>()
        })?;
        let found = inventory.wards.iter().position(|it| Some(it.id.as_str()) == id);
        match found.and_then(|at| Some((at, inventory.wards.get_mut(at)?))) {
            Some((at, held)) => {
                // Devices stay where they stand when the ward gets another id.
                if held.id != ward.id {
                    let (old, new) = (held.id.clone(), ward.id.clone());
                    let there = |it: &&mut patchward_protocol::inventory::InventoryDevice| {
                        it.ward.as_ref() == Some(&old)
                    };
                    for device in inventory.devices.iter_mut().filter(there) {
                        device.ward = Some(new.clone());
                    }
                }
                *held = ward;
                Ok(at)
            }
            None => {
                inventory.wards.push(ward);
                Ok(inventory.wards.len().saturating_sub(1))
            }
        }
    }

    fn remove(inventory: &mut Inventory, id: &str) -> bool {
        let before = inventory.wards.len();
        inventory.wards.retain(|ward| ward.id.as_str() != id);
        before != inventory.wards.len()
    }
}
