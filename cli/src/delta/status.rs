//! `delta status`: what the server built, what not and why, and how each device got its image.
//!
//! Not here: building; the server plans by itself. Invariant: every pair that is not offered and every
//! device that took more than its delta says why.

use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::login;
use crate::progress::{share, size};
use crate::said::Said;
use crate::server::Reach;
use patchward_protocol::api::delta::{
    DeltaState, DeltaUse, DeltaView, DeltasView, ListDeltas, Side,
};
use patchward_protocol::id::{FamilyId, RepositoryId};
use serde_json::json;

/// Arguments of `delta status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// The family
    pub family: FamilyId,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `delta status`.
///
/// # Errors
/// Failures of the server.
pub(super) fn status(here: &Here, status: &Status) -> Outcome<Said> {
    let server = login::connect(here, &status.reach)?;
    let id = RepositoryId::Family(status.family.clone());
    let (kind, name) = id.parts();
    let view = server.call::<ListDeltas>(&[kind, name], &())?;
    Ok(Said::new(json!(view)).lines(lines(here.language, &status.family, &view)))
}

fn lines(language: Language, family: &FamilyId, view: &DeltasView) -> Vec<String> {
    let word = |en, ja| language.pick(en, ja);
    let mut lines = Vec::new();
    if !view.delegated {
        lines.push(match language {
            Language::En => format!(
                "! the server may list no deltas of this family: patchward repo deltas {family} --out FOLDER"
            ),
            Language::Ja => format!(
                "! サーバーはこの機種の差分を掲載できません: patchward repo deltas {family} --out フォルダー"
            ),
        });
    }
    if view.pairs.is_empty() {
        lines.push(word("no delta is planned", "差分の予定はありません").to_owned());
    }
    lines.extend(view.pairs.iter().flat_map(|pair| pair_lines(language, pair)));
    lines.extend(view.devices.iter().map(|device| device_line(language, device)));
    let saved = view.devices.iter().map(saved_bytes).fold(0, u64::saturating_add);
    if !view.devices.is_empty() {
        let (count, saved) = (view.devices.len(), size(saved));
        lines.push(match language {
            Language::En => format!("{count} devices, {saved} saved in all"),
            Language::Ja => format!("機器 {count} 台、合計 {saved} を節約"),
        });
    }
    lines
}

fn pair_lines(language: Language, pair: &DeltaView) -> Vec<String> {
    let (from, to, devices) = (side(&pair.from), side(&pair.to), pair.devices);
    let full = size(pair.full_bytes);
    let size = pair.bytes.map_or_else(
        || match language {
            Language::En => format!("full file {full}"),
            Language::Ja => format!("全体 {full}"),
        },
        |bytes| {
            let share = share(bytes, pair.full_bytes);
            match language {
                Language::En => format!("{} of {full} ({share})", size(bytes)),
                Language::Ja => format!("{} / {full}({share})", size(bytes)),
            }
        },
    );
    let state = state_words(language, pair.state);
    let first = match language {
        Language::En => format!("{from} -> {to}: {state}; {size}; {devices} devices"),
        Language::Ja => format!("{from} -> {to}: {state}。{size}、機器 {devices} 台"),
    };
    let detail = pair.detail.iter().map(|detail| format!("    {detail}"));
    std::iter::once(first).chain(detail).collect()
}

/// What a state means for devices.
const fn state_words(language: Language, state: DeltaState) -> &'static str {
    let (en, ja) = match state {
        DeltaState::Queued => ("waits for its turn", "順番待ち"),
        DeltaState::Building => ("is being built", "作成中"),
        DeltaState::Published => ("published, devices take it", "公開済み(機器が使用します)"),
        DeltaState::TooLarge => (
            "not published: hardly smaller than the full file; devices take that. See the guide on images",
            "未公開: 全体とほとんど変わらないため、機器は全体を受け取ります(イメージ作成の手引きを参照)",
        ),
        DeltaState::BaseUnknown => (
            "not built: the old image is no published container of this family; devices take the full file",
            "未作成: 元のイメージがこの機種の公開済みコンテナーではないため、機器は全体を受け取ります",
        ),
        DeltaState::OverBudget => (
            "not built: it would take more memory or time than the server may use; devices take the full file",
            "未作成: サーバーのメモリーまたは時間の上限を超えるため、機器は全体を受け取ります",
        ),
        DeltaState::Failed => (
            "not built: the build failed and is tried again; devices take the full file",
            "未作成: 作成に失敗し、再試行します。機器は全体を受け取ります",
        ),
        DeltaState::Retired => (
            "retired: its release is withdrawn or no longer listed",
            "終了: 対象の版は取り下げられたか、掲載されていません",
        ),
    };
    language.pick(en, ja)
}

fn side(side: &Side) -> String {
    match (&side.version, side.seq) {
        (Some(version), Some(seq)) => format!("{version} (seq {seq})"),
        (Some(version), None) => version.to_string(),
        (None, _) => side.image_sha256.to_string().chars().take(12).collect(),
    }
}

fn saved_bytes(device: &DeltaUse) -> u64 {
    device.carried.full_bytes.saturating_sub(device.carried.fetched_bytes)
}

fn device_line(language: Language, device: &DeltaUse) -> String {
    let carried = &device.carried;
    let (name, saved) = (&device.device, size(saved_bytes(device)));
    let (fetched, full) = (size(carried.fetched_bytes), size(carried.full_bytes));
    let (of, windows) = (carried.windows_full, carried.windows);
    let line = match (language, carried.delta_sha256.is_some()) {
        (Language::En, true) => format!(
            "{name}: delta, {fetched} fetched of {full}, {saved} saved; {of} of {windows} windows from the full file"
        ),
        (Language::En, false) => format!("{name}: full file, {fetched} fetched of {full}"),
        (Language::Ja, true) => format!(
            "{name}: 差分、{full} のうち {fetched} を受信、{saved} を節約({windows} 区画中 {of} 区画は全体から)"
        ),
        (Language::Ja, false) => format!("{name}: 全体、{full} のうち {fetched} を受信"),
    };
    match device.reason {
        Some(reason) => {
            let why = language.pick(reason.en(), reason.ja());
            format!("{line}; {}: {why}", reason.code())
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_keeps_devices_from_a_delta_says_so_in_both_languages() {
        for state in [
            DeltaState::TooLarge,
            DeltaState::BaseUnknown,
            DeltaState::OverBudget,
            DeltaState::Failed,
        ] {
            assert!(state_words(Language::En, state).starts_with("not "), "{state:?}");
            assert!(state_words(Language::Ja, state).contains("機器は全体"), "{state:?}");
        }
    }
}
