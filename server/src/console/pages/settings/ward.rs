//! Wards: names, how many devices must stay in service, windows, staff.
//!
//! Not here: where devices stand (a table). Invariant: a ward reads from the form exactly as from a row
//! of a table.

use super::field::{Field, Fields, Kind, Wrong};
use super::thing::{Thing, Values};
use super::window;
use crate::console::form::Form;
use crate::console::words::Words;
use patchward_protocol::inventory::csv::WARD_COLUMNS;
use patchward_protocol::inventory::{Inventory, Ward};

/// Wards.
#[derive(Debug)]
pub struct Wards;

impl Thing for Wards {
    type One = Ward;
    const WORD: &'static str = "ward";
    const TEXTS: &'static str = "settings-ward";
    const LIST: &'static str = "wards";
    const LIST_PATH: &'static str = "/console/sites/{site}/settings/wards";
    const FORM_PATH: &'static str = "/console/sites/{site}/settings/ward";
    const REMOVE_PATH: &'static str = "/console/sites/{site}/settings/ward/remove";

    fn all(inventory: &Inventory) -> &[Ward] {
        &inventory.wards
    }

    fn all_mut(inventory: &mut Inventory) -> &mut Vec<Ward> {
        &mut inventory.wards
    }

    fn id(ward: &Ward) -> &str {
        ward.id.as_str()
    }

    fn words(w: Words, inventory: &Inventory, ward: &Ward) -> (String, String) {
        let devices = inventory.devices.iter().filter(|it| it.ward.as_ref() == Some(&ward.id));
        let min = ward.min_in_service.iter().map(|it| format!("{} {}", it.kind, it.count));
        let min = min.collect::<Vec<_>>().join(", ");
        let devices = w.t1("settings-ward-devices", "n", devices.count());
        let min = if min.is_empty() {
            w.t("settings-ward-no-min")
        } else {
            w.t1("settings-ward-min", "min", min)
        };
        (w.pick(&ward.name_en, &ward.name_ja).to_owned(), format!("{devices} · {min}"))
    }

    fn values(_: &Inventory, ward: &Ward) -> Values {
        let mut fields = Vec::new();
        for (name, cell) in WARD_COLUMNS.into_iter().zip(ward.cells()) {
            match name {
                "windows" => {
                    let windows = cell.split(';').filter(|part| !part.is_empty());
                    fields.extend(windows.map(|it| (name, it.to_owned())));
                }
                "min_in_service" | "staff_on_site" => {
                    fields.push((name, cell.replace(';', "\n")));
                }
                _ => fields.push((name, cell)),
            }
        }
        fields
    }

    fn fields(fields: &Fields<'_>, inventory: &Inventory) -> Vec<Field> {
        let windows = window::choices(fields.w, inventory);
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

    fn read(w: Words, _: &Inventory, form: &Form) -> Result<Ward, Vec<Wrong>> {
        let cell = |name: &str| match name {
            "windows" => form.all(name).collect::<Vec<_>>().join(";"),
            _ => form.get(name).unwrap_or_default().replace(['\n', '\r'], ";"),
        };
        let read = Ward::of_cells(WARD_COLUMNS.iter().map(|name| cell(name)).collect());
        read.map_err(|bad| {
            let wrong = bad.problems.iter().map(|problem| {
                let (en, ja) = problem.words();
                (problem.column.clone(), w.pick(en, ja).to_owned())
            });
            wrong.collect()
        })
    }

    /// Devices stay where they stand when the ward gets another id.
    fn follow(inventory: &mut Inventory, before: &Ward, now: &Ward) {
        let devices = inventory.devices.iter_mut();
        for device in devices.filter(|device| device.ward.as_ref() == Some(&before.id)) {
            device.ward = Some(now.id.clone());
        }
    }
}
