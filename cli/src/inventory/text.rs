//! An inventory in words: wards and their rules, windows, freezes, people, devices.
//!
//! Hours of freezes stand in the site's zone and in UTC. Not here: what changed
//! ([`super::difference`]).

use crate::here::Language;
use patchward_protocol::draft::approval_text::in_zone;
use patchward_protocol::inventory::{
    Attendance, Freeze, FreezeScope, Hardness, Inventory, InventoryDevice, Usage, UsualWindow,
    Ward, WindowRule,
};

/// The whole inventory, line by line.
#[must_use]
pub fn lines(language: Language, inventory: &Inventory) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = vec![format!(
        "{}  {} {}  {}",
        inventory.site,
        word("revision", "版"),
        inventory.revision,
        inventory.tz
    )];
    lines.extend(rules(language, inventory));
    lines.push(word("windows:", "保守時間帯:").to_owned());
    lines.extend(inventory.windows.iter().map(|window| self::window(language, window)));
    lines.push(word("freezes:", "変更凍結期間:").to_owned());
    lines.extend(inventory.freezes.iter().map(|freeze| self::freeze(language, inventory, freeze)));
    lines.push(word("wards:", "病棟・部門:").to_owned());
    lines.extend(inventory.wards.iter().map(|ward| self::ward(language, inventory, ward)));
    lines.push(word("people:", "担当者:").to_owned());
    lines.extend(inventory.people.iter().map(|person| {
        let email = person.notices_to.as_deref().map(|email| format!(" <{email}>"));
        format!(
            "  {}  {}, {}{}",
            person.person,
            person.name,
            person.role,
            email.unwrap_or_default()
        )
    }));
    lines.push(format!("{} {}", word("devices:", "機器:"), inventory.devices.len()));
    lines.extend(inventory.devices.iter().map(|device| self::device(language, device)));
    lines
}

fn rules(language: Language, inventory: &Inventory) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let rules = &inventory.rules;
    let none = || word("no limit", "制限なし").to_owned();
    let list =
        |values: &[u64]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let soak_h: Vec<u64> = rules.soak_s.iter().map(|s| s / 3600).collect();
    let use_h: Vec<u64> = rules.min_clinical_use_h.iter().map(|h| u64::from(*h)).collect();
    let halt: Vec<u64> = rules.halt_permille.iter().map(|p| u64::from(*p)).collect();
    let windows: Vec<_> = rules.windows.iter().map(ToString::to_string).collect();
    let policy = &inventory.policy;
    vec![
        format!("{} {}", word("usual windows:", "通常の保守時間帯:"), windows.join(", ")),
        format!(
            "{} {}",
            word("updated at once, at most:", "同時に適用する機器の上限:"),
            rules.max_parallel.map_or_else(none, |count| count.to_string())
        ),
        format!(
            "{} {}",
            word("canaries for each ward:", "病棟ごとの先行機器:"),
            rules.canary_per_ward
        ),
        format!("{} {}", word("waves are watched (h):", "経過観察(時間):"), list(&soak_h)),
        format!(
            "{} {}",
            word("clinical use before the next (h):", "次段階までの臨床使用(時間):"),
            list(&use_h)
        ),
        format!(
            "{} {}",
            word("halt beyond failures (1/1000):", "停止条件の失敗率(千分率):"),
            list(&halt)
        ),
        match language {
            Language::En => format!(
                "persons who sign: routine {}, standing {}, emergency {}, rollback {}",
                policy.routine_persons,
                policy.standing_persons,
                policy.emergency_persons,
                policy.rollback_persons
            ),
            Language::Ja => format!(
                "署名者数: 通常 {}、事前承認 {}、緊急 {}、ロールバック {}",
                policy.routine_persons,
                policy.standing_persons,
                policy.emergency_persons,
                policy.rollback_persons
            ),
        },
    ]
}

fn window(language: Language, window: &UsualWindow) -> String {
    let days = |days: &[patchward_protocol::civil::Weekday]| {
        let words = days.iter().map(|day| {
            let (en, ja) = day.words();
            language.pick(en, ja)
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let (when, start) = match &window.rule {
        WindowRule::Weekly { days: named, start, every, .. } => {
            let every = if *every > 1 { format!(" /{every}") } else { String::new() };
            (format!("{}{every}", days(named)), start)
        }
        WindowRule::Daily { start, every, .. } => match language {
            Language::En => (format!("every {every} days"), start),
            Language::Ja => (format!("{every} 日ごと"), start),
        },
        WindowRule::Dates { dates, start, .. } => {
            (dates.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), start)
        }
    };
    let name = language.pick(&window.name_en, &window.name_ja);
    let minutes = window.rule.minutes();
    let zone = window.tz.as_deref().map(|tz| format!(" {tz}")).unwrap_or_default();
    format!("  {}  {name}: {when} {start} +{minutes} min{zone}", window.id)
}

/// A freeze in words.
#[must_use]
pub fn freeze(language: Language, inventory: &Inventory, freeze: &Freeze) -> String {
    let word = |en, ja| language.pick(en, ja);
    let scope = match &freeze.scope {
        FreezeScope::Site {} => word("the whole site", "施設全体").to_owned(),
        FreezeScope::Ward { ward } => format!("{} {ward}", word("ward", "病棟")),
        FreezeScope::Family { family } => format!("{} {family}", word("family", "機種")),
        FreezeScope::Kind { equipment } => format!("{} {equipment}", word("kind", "種類")),
    };
    let hardness = match freeze.hardness {
        Hardness::Hard => word("nothing passes", "例外なし"),
        Hardness::Soft => word("an emergency passes", "緊急承認は可"),
    };
    format!(
        "  {}  {scope}, {hardness}: {} -> {}  {}",
        freeze.id,
        in_zone(&inventory.tz, freeze.from),
        in_zone(&inventory.tz, freeze.to),
        freeze.why
    )
}

fn ward(language: Language, inventory: &Inventory, ward: &Ward) -> String {
    let word = |en, ja| language.pick(en, ja);
    let count = inventory.devices.iter().filter(|device| device.ward.as_ref() == Some(&ward.id));
    let min = ward.min_in_service.iter().map(|min| format!("{} >= {}", min.kind, min.count));
    let mut parts = vec![format!("{} {}", count.count(), word("devices", "台"))];
    let min: Vec<_> = min.collect();
    if !min.is_empty() {
        parts.push(format!("{} {}", word("in service:", "稼働を維持:"), min.join(", ")));
    }
    if let Some(most) = ward.max_parallel {
        parts.push(format!("{} {most}", word("at once, at most:", "同時適用の上限:")));
    }
    if !ward.windows.is_empty() {
        let ids: Vec<_> = ward.windows.iter().map(ToString::to_string).collect();
        parts.push(format!("{} {}", word("windows:", "保守時間帯:"), ids.join(", ")));
    }
    let name = language.pick(&ward.name_en, &ward.name_ja);
    format!("  {}  {name}: {}", ward.id, parts.join("; "))
}

fn device(language: Language, device: &InventoryDevice) -> String {
    let word = |en, ja| language.pick(en, ja);
    let ward = device.ward.as_ref().map_or("-", |ward| ward.as_str());
    let usage = match device.usage {
        Usage::InService => "",
        Usage::Spare => word(", spare", "、予備機"),
        Usage::Bench => word(", test device", "、試験機"),
    };
    let attended = match device.attended {
        Attendance::Unattended => "",
        Attendance::Attended => word(", attended", "、立会い"),
    };
    let pair = device.pair.as_ref();
    let pair = pair.map(|pair| format!(", {} {pair}", word("pair of", "対の機器")));
    format!("  {}  {ward}  {}{usage}{attended}{}", device.id, device.kind, pair.unwrap_or_default())
}
