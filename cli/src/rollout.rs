//! `rollout list|show|resume`: how far each approval has come, why it waits, and letting a halted
//! wave go on by a signature.
//!
//! What is shown is the server's word, made of what devices signed. Not here: opening waves.
//! Invariant: a resume shows the failures first and counts for the halt that was shown only.

use crate::act::{self, Statement, With, Words};
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::said::Said;
use crate::server::{Reach, Server};
use crate::{key, login};
use patchward_protocol::act::{Meaning, Subject};
use patchward_protocol::api::consent::{ListRollouts, RolloutView, WaveView, WhyNot};
use patchward_protocol::draft::approval_text::in_zone;
use patchward_protocol::id::{ApprovalId, SiteId};
use patchward_protocol::reason::Reason;
use serde_json::json;

/// Most devices whose reason is asked for one by one.
const ASKED_MAX: usize = 20;

/// Arguments of `rollout list` and `rollout show`.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// One approval only
    #[arg(long, value_name = "ID")]
    pub approval: Option<ApprovalId>,
    /// Zone in which people read the hours
    #[arg(long, value_name = "ZONE", default_value = "Asia/Tokyo")]
    pub tz: String,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// Arguments of `rollout resume`.
#[derive(Debug, clap::Args)]
pub struct Resume {
    /// The site
    #[arg(long, value_name = "SITE")]
    pub site: SiteId,
    /// The approval
    #[arg(long, value_name = "ID")]
    pub approval: ApprovalId,
    /// The halted wave
    #[arg(long, value_name = "N")]
    pub wave: u32,
    /// The wave again, for scripts (asked for when absent)
    #[arg(long, value_name = "N")]
    pub yes_wave: Option<u32>,
    /// The key that signs it
    #[command(flatten)]
    pub with: With,
    /// Who signs and why
    #[command(flatten)]
    pub words: Words,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `rollout list`: one line for each rollout.
///
/// # Errors
/// Failures of the server.
pub fn list(here: &Here, show: &Show) -> Outcome<Said> {
    let server = login::connect(here, &show.reach)?;
    let rollouts = of_site(&server, &show.site, show.approval.as_ref())?;
    let none = here.language.pick("no approval is in force", "有効な承認はありません");
    let said = Said::new(json!(rollouts));
    let said = if rollouts.is_empty() { said.line(none) } else { said };
    Ok(said.lines(rollouts.iter().map(|rollout| summary(here.language, rollout))))
}

/// `rollout show`: waves, counters, gates, and who must be looked at.
///
/// # Errors
/// [`Code::RolloutUnknown`]; failures of the server.
pub fn show(here: &Here, show: &Show) -> Outcome<Said> {
    let server = login::connect(here, &show.reach)?;
    let rollouts = of_site(&server, &show.site, show.approval.as_ref())?;
    if let (Some(id), true) = (&show.approval, rollouts.is_empty()) {
        return Err(unknown(&server, &show.site, id)?);
    }
    let mut lines = Vec::new();
    for rollout in &rollouts {
        lines.extend(self::lines(here.language, &show.tz, rollout));
        lines.extend(look_at(here, &server, &show.site, rollout));
    }
    Ok(Said::new(json!(rollouts)).lines(lines))
}

/// `rollout resume`: shows the failures, asks, signs for this halt, files it.
///
/// # Errors
/// [`Code::RolloutUnknown`], [`Code::WaveNotHalted`], [`Code::NotConfirmed`]; failures of key and
/// server.
pub fn resume(here: &Here, resume: &Resume) -> Outcome<Said> {
    let words = resume.words.given("a resume")?;
    let server = login::connect(here, &resume.reach)?;
    let rollouts = of_site(&server, &resume.site, Some(&resume.approval))?;
    let waves =
        rollouts.iter().flat_map(|rollout| rollout.waves.iter().map(move |wave| (rollout, wave)));
    let named: Vec<_> = waves.filter(|(_, wave)| wave.wave == resume.wave).collect();
    if named.is_empty() {
        return Err(unknown(&server, &resume.site, &resume.approval)?);
    }
    let halted = named.iter().find(|(_, wave)| wave.state == "halted");
    let Some((rollout, wave)) = halted else {
        let states: Vec<_> = named.iter().map(|(_, wave)| wave.state.clone()).collect();
        let what = format!("{} wave {}: {}", resume.approval, resume.wave, states.join(", "));
        return Err(Failure::new(Code::WaveNotHalted, what));
    };
    here.tell(&summary(here.language, rollout));
    wave_lines(here.language, &resume.with.tz, wave).iter().for_each(|line| here.tell(line));
    let look_at = look_at(here, &server, &resume.site, rollout);
    look_at.iter().for_each(|line| here.tell(line));
    confirm(here, resume)?;
    let key = key::open(here, &resume.with.key, resume.with.passphrase_file.as_deref())?;
    let statement = Statement {
        site: resume.site.clone(),
        subject: Subject::Wave {
            approval_sha256: rollout.approval_sha256,
            wave: wave.wave,
            halts: wave.halts,
        },
        meaning: Meaning::Resumed,
        tz: resume.with.tz.clone(),
        compensating: None,
    };
    let sealed = act::seal(here, &key, &words, Some(&server), statement)?;
    let filed = act::file_one(&server, &resume.site, &sealed)?;
    let line = match here.language {
        Language::En => format!(
            "wave {} of {} may go on after its halt no. {}; the next halt stops it again",
            wave.wave, resume.approval, wave.halts
        ),
        Language::Ja => format!(
            "{} の第{}段階を再開しました({}回目の停止に対して)。再び停止条件に達すれば停止します",
            resume.approval, wave.wave, wave.halts
        ),
    };
    Ok(Said::new(json!({
        "approval": resume.approval, "wave": wave.wave, "halts": wave.halts,
        "record_index": filed.record_index,
    }))
    .line(line))
}

fn of_site(
    server: &Server,
    site: &SiteId,
    approval: Option<&ApprovalId>,
) -> Outcome<Vec<RolloutView>> {
    let mut rollouts = server.call::<ListRollouts>(&[site.as_str()], &())?;
    rollouts.retain(|rollout| approval.is_none_or(|id| rollout.approval == *id));
    Ok(rollouts)
}

fn unknown(server: &Server, site: &SiteId, id: &ApprovalId) -> Outcome<Failure> {
    let all = of_site(server, site, None)?;
    let names = all.iter().map(|rollout| {
        format!("{} ({} {})", rollout.approval, rollout.image.version, rollout.waves.len())
    });
    let what = format!("{site}: no such wave of {id}");
    Ok(Failure::with_problems(Code::RolloutUnknown, what, names.collect()))
}

fn confirm(here: &Here, resume: &Resume) -> Outcome<()> {
    let question = here
        .language
        .pick("Type the number of the wave to let it go on", "再開する段階の番号を入力");
    let typed = match resume.yes_wave {
        Some(wave) => Some(wave.to_string()),
        None => here.ask_line(question),
    };
    match typed {
        Some(typed) if typed == resume.wave.to_string() => Ok(()),
        Some(typed) => {
            let what = format!("{typed:?} was typed, the wave is {}", resume.wave);
            Err(Failure::new(Code::NotConfirmed, what))
        }
        None => {
            let what = format!("wave {}: nobody to ask; --yes-wave {}", resume.wave, resume.wave);
            Err(Failure::new(Code::NotConfirmed, what))
        }
    }
}

fn summary(language: Language, rollout: &RolloutView) -> String {
    let (mut devices, mut updated) = (0_u32, 0_u32);
    for wave in &rollout.waves {
        devices = devices.saturating_add(wave.devices);
        updated = updated.saturating_add(wave.updated);
    }
    let waits = waits(language, rollout);
    format!(
        "{}  {} {} (seq {})  {updated}/{devices} {}{waits}",
        rollout.approval,
        rollout.image.family,
        rollout.image.version,
        rollout.image.seq,
        language.pick("updated", "台適用済み"),
    )
}

/// Why a rollout as a whole does not go on.
fn waits(language: Language, rollout: &RolloutView) -> String {
    let word = |en, ja| language.pick(en, ja).to_owned();
    if let Some(wave) = rollout.waves.iter().find(|wave| wave.state == "halted") {
        return match language {
            Language::En => format!(" — wave {} HALTED", wave.wave),
            Language::Ja => format!(" — 第{}段階で停止中", wave.wave),
        };
    }
    if rollout.waves.iter().all(|wave| wave.state == "cancelled") {
        return word(" — cancelled: the approval was taken back", " — 中止(承認の取り下げ)");
    }
    match rollout.reason {
        // The words of the table speak to a device; here it only means that slots are still to come.
        Some(Reason::WaveNotOpen) => {
            word(" — the next wave is not open yet", " — 次の段階はまだ開始していません")
        }
        Some(reason) => format!(" — {}", language.pick(reason.en(), reason.ja())),
        None => String::new(),
    }
}

fn lines(language: Language, tz: &str, rollout: &RolloutView) -> Vec<String> {
    let until = language.pick("  in force until", "  有効期限");
    let mut lines = vec![summary(language, rollout)];
    lines.push(format!("{until} {}", in_zone(tz, rollout.valid_until)));
    lines.extend(rollout.waves.iter().flat_map(|wave| wave_lines(language, tz, wave)));
    lines
}

fn wave_lines(language: Language, tz: &str, wave: &WaveView) -> Vec<String> {
    let state = state_words(language, &wave.state);
    let mut lines = vec![match language {
        Language::En => format!(
            "  wave {}: {state} — {} devices, {} activated, {} updated, {} failed, {} silent, {} h of clinical use, {} halts",
            wave.wave,
            wave.devices,
            wave.activated,
            wave.updated,
            wave.failed,
            wave.silent,
            wave.clinical_use_h,
            wave.halts
        ),
        Language::Ja => format!(
            "  第{}段階: {state} — 対象 {} 台、適用開始 {}、適用済み {}、失敗 {}、応答なし {}、臨床使用 {} 時間、停止 {} 回",
            wave.wave,
            wave.devices,
            wave.activated,
            wave.updated,
            wave.failed,
            wave.silent,
            wave.clinical_use_h,
            wave.halts
        ),
    }];
    if let Some(at) = wave.soak_until.filter(|_| wave.state == "soaking") {
        let word = language.pick("watched at least until", "経過観察は少なくとも");
        lines.push(format!("    {word} {}", in_zone(tz, at)));
    }
    if let Some(why) = &wave.halted_because {
        lines.push(format!("    {} {why}", language.pick("HALTED because:", "停止の理由:")));
    }
    lines
}

fn state_words(language: Language, state: &str) -> &str {
    match state {
        "planned" => language.pick("planned", "予定"),
        "open" => language.pick("open", "実施中"),
        "soaking" => language.pick("being watched", "経過観察中"),
        "passed" => language.pick("passed", "完了"),
        "halted" => language.pick("HALTED", "停止中"),
        "cancelled" => language.pick("cancelled", "中止"),
        other => other,
    }
}

/// The devices that somebody must look at, each with its one sentence.
fn look_at(here: &Here, server: &Server, site: &SiteId, rollout: &RolloutView) -> Vec<String> {
    if rollout.look_at.is_empty() {
        return Vec::new();
    }
    let count = rollout.look_at.len();
    let mut lines = vec![match here.language {
        Language::En => format!("  look at these {count} devices; they hold no place:"),
        Language::Ja => format!("  確認が必要な機器 {count} 台(他の機器の適用は妨げません):"),
    }];
    for device in rollout.look_at.iter().take(ASKED_MAX) {
        // A device without a sentence is still named: the list must not depend on it.
        let why = server.call::<WhyNot>(&[site.as_str(), device.as_str()], &());
        let why = why.map(|view| here.language.pick(&view.en, &view.ja).to_owned());
        lines.push(format!("    {device}: {}", why.unwrap_or_default()));
    }
    lines.extend(rollout.look_at.iter().skip(ASKED_MAX).map(|device| format!("    {device}")));
    lines
}
