//! An approval in words, in Japanese and English: which devices, which hours, which image.
//!
//! The same text before every signature, on the command line and in the console; hours stand in the
//! approval's zone and in UTC. Not here: making approvals ([`super::draw`]).
//! Invariant: every device and every slot has its line.

use crate::approval::{
    Action, Approval, ApprovalState, ApprovedDevice, ApprovedRelease, KnownExploited, Need,
    NeededTime, StandingPolicy, Urgency, Wave,
};
use crate::digest::Sha256Digest;
use crate::dossier::Dossier;
use crate::language::Language;
use crate::slot::Slot;
use crate::time::Timestamp;
use crate::tuf::custom::{Class, Firmware, ReleaseState};
use jiff::tz::TimeZone;
use serde_json::json;

/// The text of an approval.
#[must_use]
pub fn lines(language: Language, approval: &Approval, sha256: Sha256Digest) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = vec![
        format!("{} {} — {}", word("Approval", "承認"), approval.id, state(language, approval)),
        format!("  {} {}", word("site", "医療機関"), approval.site),
    ];
    if let Some(release) = &approval.release {
        lines.extend(named_release(language, release));
    }
    lines.extend(approval.standing.iter().flat_map(|policy| standing(language, policy)));
    lines.push(format!(
        "  {} {}",
        word("valid until", "有効期限"),
        both(approval, approval.valid_until)
    ));
    lines.extend(replaced(language, approval));
    lines.extend(conditions(language, approval));
    lines.extend(waves(language, approval));
    lines.push(gates(language, approval));
    let count = approval.devices.len();
    lines.push(match language {
        Language::En => format!("  {count} devices:"),
        Language::Ja => format!("  対象機器 {count} 台:"),
    });
    lines.extend(
        approval.devices.iter().flat_map(|device| self::device(language, approval, device)),
    );
    lines.push(format!(
        "  {} {}",
        word("approval fingerprint", "承認の照合コード"),
        sha256.fingerprint()
    ));
    lines
}

/// What a policy permits.
fn standing(language: Language, policy: &StandingPolicy) -> [String; 3] {
    let word = |en, ja| language.pick(en, ja);
    let families: Vec<_> = policy.families.iter().map(ToString::to_string).collect();
    let class = |class: &Class| json!(class).as_str().unwrap_or_default().to_owned();
    let classes: Vec<_> = policy.classes.iter().map(class).collect();
    let severity = json!(policy.severity_min).as_str().unwrap_or_default().to_owned();
    let exploited = match policy.known_exploited {
        KnownExploited::Always => word(
            "; exploited holes whatever their severity",
            "、悪用が確認された脆弱性は深刻度によらず対象",
        ),
        KnownExploited::BySeverity => "",
    };
    [
        format!(
            "  {} {}",
            word("EVERY RELEASE of", "対象機種のすべてのリリース:"),
            families.join(", ")
        ),
        format!("  {} {}", word("of the kinds", "変更の種類:"), classes.join(", ")),
        format!("  {} {severity}{exploited}", word("severity at least", "深刻度の下限:")),
    ]
}

/// What it takes the place of, and what it takes as given.
fn replaced(language: Language, approval: &Approval) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = Vec::new();
    if let Some(replaced) = &approval.supersedes {
        lines.push(format!("  {} {replaced}", word("REPLACES approval", "置き換える承認:")));
    }
    if let Some(snapshot) = &approval.snapshot {
        lines.push(format!(
            "  {} {} {}",
            word(
                "for an offline bundle, whatever its age: family snapshot",
                "オフライン更新媒体用(期限は問わない)、機種のスナップショット",
            ),
            snapshot.version,
            snapshot.sha256
        ));
    }
    lines
}

/// How the devices follow each other.
fn waves(language: Language, approval: &Approval) -> Vec<String> {
    approval.waves.iter().map(|wave| self::wave(language, approval, wave)).collect()
}

/// When the rollout halts, and what may be gone back to.
fn gates(language: Language, approval: &Approval) -> String {
    let gates = &approval.gates;
    let joined = |values: Vec<String>| values.join(", ");
    let permille = joined(gates.halt_permille.iter().map(ToString::to_string).collect());
    let back = joined(approval.rollback.to.iter().map(ToString::to_string).collect());
    let silent_s = gates.silent_after_s;
    match language {
        Language::En => format!(
            "  halts above {permille} failures in 1000, by wave; silent for {silent_s} s is a failure; may go back to seq [{back}]"
        ),
        Language::Ja => format!(
            "  停止条件(段階順): 1000台あたりの失敗 {permille} を超えたとき。{silent_s} 秒応答なしは失敗とみなす。戻せる版 seq [{back}]"
        ),
    }
}

/// What a wave asks of the one before; nothing of the first.
#[must_use]
pub fn opens_after(language: Language, wave: &Wave) -> String {
    match (wave.n, language) {
        (0, _) => String::new(),
        (_, Language::En) => format!(
            "; opens after {} of the wave before are updated, {} h of clinical use",
            wave.min_updated, wave.min_clinical_use_h
        ),
        (_, Language::Ja) => format!(
            "。前段階の {} 台の適用と臨床使用 {} 時間の後に開始",
            wave.min_updated, wave.min_clinical_use_h
        ),
    }
}

fn wave(language: Language, approval: &Approval, wave: &Wave) -> String {
    let count = approval.devices.iter().filter(|device| device.wave == wave.n).count();
    let (n, soak_h) = (wave.n, wave.soak_s / 3600);
    let after = opens_after(language, wave);
    match language {
        Language::En => format!("  wave {n}: {count} devices, watched for {soak_h} h{after}"),
        Language::Ja => format!("  第{n}段階: {count} 台、経過観察 {soak_h} 時間{after}"),
    }
}

fn named_release(language: Language, release: &ApprovedRelease) -> [String; 4] {
    let word = |en, ja| language.pick(en, ja);
    [
        format!(
            "  {} {} {} (seq {})",
            word("release", "リリース"),
            release.family,
            release.version,
            release.seq
        ),
        format!("  {} {}", word("image SHA-256", "更新イメージ SHA-256"), release.image_sha256),
        format!(
            "  {} {}",
            word("image fingerprint", "更新イメージ照合コード"),
            release.image_sha256.fingerprint()
        ),
        format!(
            "  {} {}",
            word("dossier SHA-256", "リリース説明書 SHA-256"),
            release.dossier_sha256
        ),
    ]
}

/// What the manufacturer says of the approved release, as whoever shows this last verified it;
/// nothing known where it did not.
#[must_use]
pub fn release_lines(language: Language, known: Option<&Firmware>) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let Some(firmware) = known else {
        return vec![format!(
            "  ! {}",
            word(
                "this machine has not verified the release: downtime and state are unknown here",
                "この端末ではリリースを検証していません。停止時間と状態は不明です",
            )
        )];
    };
    let mut lines = vec![downtime(language, firmware)];
    if firmware.therapy {
        lines.push(format!(
            "  {}",
            word(
                "the device gives therapy: never without a person",
                "治療を行う機器のため、必ず立会いの下で適用",
            )
        ));
    }
    if firmware.state == ReleaseState::Withdrawn {
        lines.push(format!(
            "  ! {}",
            word(
                "THE MANUFACTURER HAS WITHDRAWN THIS RELEASE",
                "製造販売業者はこのリリースを取り下げています",
            )
        ));
    }
    lines
}

fn downtime(language: Language, firmware: &Firmware) -> String {
    let est = &firmware.est;
    let usual_s = est.activate_s.saturating_add(est.boot_s).saturating_add(est.health_s);
    let worst_s = est.worst_s();
    match language {
        Language::En => {
            format!("  downtime: about {usual_s} s; {worst_s} s at worst, with the way back")
        }
        Language::Ja => {
            format!("  停止時間: 約 {usual_s} 秒(ロールバックを含む最大 {worst_s} 秒)")
        }
    }
}

/// The dossier's own words: why, what it means for patients, how long.
#[must_use]
pub fn dossier_lines(language: Language, dossier: &Dossier) -> Vec<String> {
    let code = language.pick("en", "ja");
    let text = |path: &str| dossier.text(&format!("{path}.{code}")).unwrap_or_default().to_owned();
    let (typical, most) = dossier.downtime_min();
    let mut lines: Vec<String> =
        dossier.why(code).into_iter().map(|why| format!("  {why}")).collect();
    lines.push(format!(
        "  {} {}",
        language.pick("if applied:", "適用した場合:"),
        text("patients.applied")
    ));
    lines.push(format!(
        "  {} {}",
        language.pick("if not applied:", "適用しない場合:"),
        text("patients.not_applied")
    ));
    lines.push(match language {
        Language::En => format!("  out of service: {typical} min typically, {most} min at most"),
        Language::Ja => format!("  使用できない時間: 通常 {typical} 分、最大 {most} 分"),
    });
    lines
}

fn state(language: Language, approval: &Approval) -> String {
    let action = match approval.action {
        Action::Install => language.pick("install", "適用"),
        Action::Rollback => language.pick("rollback", "ロールバック"),
        Action::Standing => language.pick("standing", "事前承認"),
    };
    let urgency = match approval.urgency {
        Urgency::Routine => language.pick("routine", "通常"),
        Urgency::Emergency => language.pick("EMERGENCY", "緊急"),
    };
    match approval.state {
        ApprovalState::Active => format!("{action}, {urgency}"),
        ApprovalState::Withdrawn => {
            format!("{} ({action})", language.pick("WITHDRAWN", "取り下げ"))
        }
    }
}

fn conditions(language: Language, approval: &Approval) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let conditions = &approval.conditions;
    let mut lines = vec![match language {
        Language::En => {
            format!("  condition: not in use on a patient for {} s", conditions.settle_s)
        }
        Language::Ja => {
            format!("  条件: 患者に使用していない状態が {} 秒続くこと", conditions.settle_s)
        }
    }];
    let mut also = |line: &str| lines.push(format!("  {} {line}", word("condition:", "条件:")));
    if conditions.mains == Need::Required {
        also(word("runs from the mains", "商用電源に接続"));
    }
    if conditions.battery_min > 0 {
        let percent = conditions.battery_min;
        also(&format!("{} {percent} %", word("battery at least", "電池残量が最低")));
    }
    if conditions.acceptance == Need::Required {
        also(word("a person releases it afterwards", "適用後に担当者が受入確認"));
    }
    if conditions.time == NeededTime::Plausible {
        also(word(
            "ONE time source is enough: a compromised server could shift the hour",
            "時刻源は1つで可(侵害されたサーバーが時刻をずらすおそれあり)",
        ));
    }
    if conditions.offline_ok {
        also(word("may act without reaching the server", "サーバーに接続せず適用可"));
    }
    if approval.rollback.automatic {
        lines.push(format!(
            "  {}",
            word(
                "goes back by itself when its checks fail",
                "動作確認に失敗した場合は自動でロールバック"
            )
        ));
    }
    lines
}

fn device(language: Language, approval: &Approval, device: &ApprovedDevice) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let attended = match device.attended {
        true => word(", attended", "、立会い"),
        false => "",
    };
    let pair = device.pair.as_ref().map(|pair| match language {
        Language::En => format!(", never together with {pair}"),
        Language::Ja => format!("、{pair} と同時には行わない"),
    });
    let pair = pair.unwrap_or_default();
    let head = match language {
        Language::En => format!(
            "    {} (fingerprint {}), wave {}{attended}{pair}",
            device.id,
            device.key.fingerprint(),
            device.wave
        ),
        Language::Ja => format!(
            "    {}(照合コード {})、第{}段階{attended}{pair}",
            device.id,
            device.key.fingerprint(),
            device.wave
        ),
    };
    let slot = |slot: &Slot| {
        let (start, end) = (both(approval, slot.start()), both(approval, slot.end()));
        format!("      {start}  ->  {end}")
    };
    std::iter::once(head).chain(device.slots.iter().map(slot)).collect()
}

/// An instant in the approval's zone and in UTC.
fn both(approval: &Approval, at: Timestamp) -> String {
    in_zone(&approval.tz, at)
}

/// An instant in a zone and in UTC; in UTC alone where this machine does not know the zone.
#[must_use]
pub fn in_zone(tz: &str, at: Timestamp) -> String {
    match TimeZone::get(tz) {
        Ok(zone) => {
            let local = at.to_jiff().to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S");
            format!("{local} {tz} ({at})")
        }
        Err(_) => at.to_string(),
    }
}
