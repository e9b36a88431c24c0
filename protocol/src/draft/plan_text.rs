//! A plan as a table: waves, devices, wards, slots in local time and in UTC; who got none, and why;
//! what the first waves can find.
//!
//! Not here: planning ([`crate::plan`](mod@crate::plan)). Invariant: every device of the plan has its line.

use super::approval_text::{self, in_zone};
use super::left_out::Left;
use super::planned::Planned;
use crate::approval::{ApprovedDevice, Wave};
use crate::inventory::Inventory;
use crate::language::Language;
use crate::plan::{Plan, Unplaced};
use serde_json::{Value, json};

/// The share of devices that a fault hits, in thousandths, for which detection is shown: one of twenty.
const FAULT_PERMILLE: u32 = 50;

/// The table.
#[must_use]
pub fn lines(language: Language, inventory: &Inventory, planned: &Planned) -> Vec<String> {
    let mut lines = Vec::new();
    let count = planned.parts.len();
    for (n, part) in planned.parts.iter().enumerate() {
        if count > 1 {
            lines.push(match language {
                Language::En => format!("part {} of {count}", n + 1),
                Language::Ja => format!("分割 {} / {count}", n + 1),
            });
        }
        lines.extend(part_lines(language, inventory, part));
    }
    lines.extend(not_planned(language, planned));
    lines
}

/// Who got no slot and who was left out, each with the reason.
#[must_use]
pub fn not_planned(language: Language, planned: &Planned) -> Vec<String> {
    nobody_lines(language, planned.parts.iter().flat_map(|part| &part.unplaced), &planned.left)
}

/// Devices without a slot and devices that were not planned, each with the reason.
pub(super) fn nobody_lines<'a>(
    language: Language,
    unplaced: impl Iterator<Item = &'a Unplaced>,
    left: &[Left],
) -> Vec<String> {
    let unplaced: Vec<_> = unplaced.collect();
    let mut lines = Vec::new();
    if !unplaced.is_empty() {
        lines.push(match language {
            Language::En => format!("{} devices without a slot:", unplaced.len()),
            Language::Ja => format!("適用枠のない機器 {} 台:", unplaced.len()),
        });
    }
    lines.extend(unplaced.into_iter().map(|unplaced| {
        let why = match language {
            Language::En => unplaced.en(),
            Language::Ja => unplaced.ja(),
        };
        format!("  {}: {why} [{}]", unplaced.device, unplaced.reason.code())
    }));
    if !left.is_empty() {
        lines.push(match language {
            Language::En => format!("{} devices left out:", left.len()),
            Language::Ja => format!("対象外の機器 {} 台:", left.len()),
        });
    }
    lines.extend(left.iter().map(|left| format!("  {}", left.line(language))));
    lines
}

fn part_lines(language: Language, inventory: &Inventory, plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for wave in &plan.waves {
        let devices: Vec<_> = plan.devices.iter().filter(|device| device.wave == wave.n).collect();
        lines.push(wave_head(language, wave, devices.len()));
        lines.extend(devices.into_iter().map(|device| row(language, inventory, device)));
    }
    lines.extend(detection(language, &plan.waves, &plan.devices));
    lines
}

fn wave_head(language: Language, wave: &Wave, devices: usize) -> String {
    let soak_h = wave.soak_s / 3600;
    let before = approval_text::opens_after(language, wave);
    match language {
        Language::En => {
            format!("wave {}: {devices} devices, then watched for {soak_h} h{before}", wave.n)
        }
        Language::Ja => {
            format!("第{}段階: {devices} 台、適用後 {soak_h} 時間の経過観察{before}", wave.n)
        }
    }
}

fn row(language: Language, inventory: &Inventory, device: &ApprovedDevice) -> String {
    let ward = inventory.device(&device.id).and_then(|device| device.ward.as_ref());
    let ward = ward.map_or("-", |ward| ward.as_str());
    let tz = &inventory.tz;
    let slot = device
        .slots
        .first()
        .map(|slot| format!("{}  ->  {}", in_zone(tz, slot.start()), in_zone(tz, slot.end())));
    let more = device.slots.len().saturating_sub(1);
    let more = match language {
        _ if more == 0 => String::new(),
        Language::En => format!("  (+{more} alternatives)"),
        Language::Ja => format!("  (予備の適用枠 {more})"),
    };
    let attended = match device.attended {
        true => language.pick("  attended", "  立会い"),
        false => "",
    };
    format!("  {}  {ward}  {}{more}{attended}", device.id, slot.unwrap_or_default())
}

/// How likely the waves before the last find a fault that hits one device of twenty.
#[must_use]
pub fn detection(language: Language, waves: &[Wave], devices: &[ApprovedDevice]) -> Vec<String> {
    let mut lines = Vec::new();
    for wave in waves.iter().take(waves.len().saturating_sub(1)) {
        let count = devices.iter().filter(|device| device.wave <= wave.n).count();
        let percent = found_permille(count, FAULT_PERMILLE) / 10;
        let upto = wave.n;
        lines.push(match language {
            Language::En => format!(
                "up to wave {upto}, {count} devices find a fault of one device in twenty with a probability of {percent} %"
            ),
            Language::Ja => format!(
                "第{upto}段階までの {count} 台で、20台に1台の不具合を {percent} % の確率で発見できます"
            ),
        });
    }
    lines
}

/// The probability, in thousandths, rounded down, that `count` devices find a fault that hits
/// `fault_permille` of all: `1 - (1 - p)^n`.
#[must_use]
pub fn found_permille(count: usize, fault_permille: u32) -> u32 {
    let exponent = i32::try_from(count).unwrap_or(i32::MAX);
    let missed = (1.0 - f64::from(fault_permille.min(1000)) / 1000.0).powi(exponent);
    (0..=1000_u32).rev().find(|permille| f64::from(*permille) / 1000.0 <= 1.0 - missed).unwrap_or(0)
}

/// The same for machines.
#[must_use]
pub fn value(planned: &Planned) -> Value {
    let part = |part: &Plan| {
        let detection: Vec<_> = part
            .waves
            .iter()
            .map(|wave| {
                let count = part.devices.iter().filter(|device| device.wave <= wave.n).count();
                json!({"wave": wave.n, "devices": count,
                       "fault_permille": FAULT_PERMILLE,
                       "found_permille": found_permille(count, FAULT_PERMILLE)})
            })
            .collect();
        let unplaced: Vec<_> = part
            .unplaced
            .iter()
            .map(|unplaced| {
                json!({
                    "device": unplaced.device, "reason": unplaced.reason.code(),
                    "en": unplaced.en(), "ja": unplaced.ja(),
                })
            })
            .collect();
        json!({"waves": part.waves, "devices": part.devices, "unplaced": unplaced,
               "gates": part.gates, "detection": detection})
    };
    json!({
        "parts": planned.parts.iter().map(part).collect::<Vec<_>>(),
        "left_out": planned.left.iter().map(Left::value).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_canaries_find_a_fault_of_one_in_twenty_with_the_known_probability() {
        // 1 - 0.95^n: 1 -> 5 %, 14 -> 51.2 %, 59 -> 95.2 %.
        assert_eq!([0, 1, 14, 59].map(|n| found_permille(n, 50)), [0, 50, 512, 951]);
        assert_eq!(found_permille(usize::MAX, 50), 1000);
    }
}
