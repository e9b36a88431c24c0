//! Why not: every refusal and every hold, with a stable code and a sentence in English and Japanese.
//!
//! One table for the device's ledger, for `patchward-agent why`, for the server's view and for the
//! console, so that the same thing is never said in two ways. What crosses HTTP as an error has a
//! table of its own ([`crate::api::error`]). Invariant: codes are unique and never change meaning.

use crate::sentences::sentences;
use serde::{Deserialize, Serialize};

/// Who is at fault, which decides how loudly it is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// An attack or corruption: refused, recorded, shown in red.
    Untrusted,
    /// Made for another device, software or time: refused, recorded.
    Incompatible,
    /// Nothing is wrong; the moment is not right. It is tried again.
    Hold,
    /// Something on this side failed.
    Fault,
}

sentences! {
    /// A reason for not acting.
    Reason [
        /// Who is at fault.
        class: Class
    ] {
        // What came does not verify.
        MetadataSignature, "metadata_signature", Untrusted,
            "The metadata lacks valid signatures of enough keys; somebody may be interfering. Tell the manufacturer and IT security.",
            "メタデータの署名が必要数に達していません。改ざんの可能性があります。製造販売業者と情報セキュリティ担当へ連絡してください。";
        MetadataExpired, "metadata_expired", Untrusted,
            "The metadata has expired, so news may be withheld. Check that the server refreshes its repositories.",
            "メタデータの有効期限が切れています。新しい情報が届いていない可能性があります。サーバーの更新状況を確認してください。";
        MetadataRollback, "metadata_rollback", Untrusted,
            "An older version was offered than this device has already seen. It is refused; ask who restored or changed the server.",
            "すでに確認した版より古い版が提示されたため拒否しました。サーバーの復元・変更の有無を確認してください。";
        MetadataOtherRepository, "metadata_other_repository", Untrusted,
            "Metadata of another repository was offered. It is refused.",
            "別のリポジトリのメタデータが提示されたため拒否しました。";
        MetadataMalformed, "metadata_malformed", Untrusted,
            "The metadata is malformed (broken JSON, duplicate keys, floats, or characters that are not allowed). It is refused.",
            "メタデータの形式が不正です(JSONの破損、キーの重複、小数、使用できない文字)。拒否しました。";
        MetadataTooLong, "metadata_too_long", Untrusted,
            "More bytes, keys, roles or versions were sent than the limit allows. It is refused.",
            "上限を超えるデータが送られたため拒否しました。";
        MetadataMismatch, "metadata_mismatch", Untrusted,
            "Files that do not belong together were offered (length, hash or version differs). They are refused.",
            "組み合わせの異なるファイルが提示されたため拒否しました(長さ・ハッシュ・版の不一致)。";
        RootChain, "root_chain", Untrusted,
            "The chain of root versions has a gap or an unusable link. Ask the owner of the repository for the right root.",
            "ルートの版の連鎖に欠落または不正があります。リポジトリの管理者に確認してください。";
        HeldStateUnreadable, "held_state_unreadable", Untrusted,
            "The trust state kept on this device cannot be read. The previous generation is used; nothing below the floors is accepted.",
            "機器に保存された信頼情報を読み取れません。前の世代を使用し、下限より古いものは受け付けません。";
        ServerNotTrusted, "server_not_trusted", Untrusted,
            "The server's certificate is not the expected one. Check the address, the certificate and the pin of the enrolment pack.",
            "サーバー証明書が想定と異なります。アドレス、証明書、登録パックの照合値を確認してください。";
        DownloadMismatch, "download_mismatch", Untrusted,
            "The downloaded file is not the signed one. It is thrown away and fetched again.",
            "取得したファイルが署名された内容と一致しません。破棄して取得し直します。";
        DeltaRoleUntrusted, "delta_role_untrusted", Untrusted,
            "The list of deltas is missing, expired or not validly signed. The full image is fetched; tell the operator of the server.",
            "差分の一覧がないか、期限切れ、または署名が不正です。完全なイメージを取得します。サーバーの運用者へ連絡してください。";
        DeltaDisagrees, "delta_disagrees", Untrusted,
            "A delta says something else than the signed release. It is refused and the full image is fetched.",
            "差分の記載が署名されたリリースと食い違うため拒否し、完全なイメージを取得します。";
        DeltaMalformed, "delta_malformed", Untrusted,
            "What came as a delta breaks a rule of its form or is not the listed file. The full image, or its part, is fetched.",
            "取得した差分の形式が不正か、一覧のファイルと一致しません。完全なイメージまたはその該当部分を取得します。";
        DeltaOutput, "delta_output", Fault,
            "Parts made from the installed image are not as signed: it was changed after its installation, or the delta is wrong. Those parts are fetched from the full image. Find out who writes to the installed image.",
            "現在のイメージから作成した一部が署名された内容と一致しません(導入後に変更されたか、差分の誤り)。その部分は完全なイメージから取得します。現在のイメージへ書き込んでいるものを確認してください。";
        DeltaFeatureUnknown, "delta_feature_unknown", Incompatible,
            "The delta needs a feature that this agent does not know. The full image is fetched; update the agent when convenient.",
            "差分が、このエージェントの知らない機能を必要とします。完全なイメージを取得します。都合のよいときにエージェントを更新してください。";
        DeltaMemory, "delta_memory", Incompatible,
            "The delta needs more memory than this device gives to unpacking. The full image is fetched.",
            "差分の展開に必要なメモリが、この機器の上限を超えます。完全なイメージを取得します。";
        DeltaUnfetched, "delta_unfetched", Fault,
            "The delta could not be fetched though it was tried several times. The full image is fetched; tell the operator of the server.",
            "差分を繰り返し試みても取得できないため、完全なイメージを取得します。サーバーの運用者へ連絡してください。";
        DeltaNone, "delta_none", Hold,
            "There is no delta from the installed image. The full image is fetched; nothing needs to be done.",
            "現在のイメージからの差分がありません。完全なイメージを取得します。対応は不要です。";
        DeltaBaseUnknown, "delta_base_unknown", Hold,
            "It is not known which image is installed, or it cannot be read. The full image is fetched.",
            "現在のイメージが特定できないか、読み取れません。完全なイメージを取得します。";
        DeltaOff, "delta_off", Hold,
            "Deltas are switched off on this device. The full image is fetched.",
            "この機器では差分の使用を無効にしています。完全なイメージを取得します。";
        ImageMemory, "image_memory", Incompatible,
            "The image needs more memory to unpack than this device gives, so it is not installed. Tell the manufacturer; the limit is unpack_mib_max of the agent's configuration.",
            "更新イメージの展開に必要なメモリが、この機器の上限を超えるため導入しません。製造販売業者へ連絡してください。上限はエージェント設定の unpack_mib_max です。";
        ImageMismatch, "image_mismatch", Untrusted,
            "The staged image, read back, is not the signed one. It is not activated.",
            "書き込んだ更新イメージが署名された内容と一致しないため適用しません。";
        TreeMalformed, "tree_malformed", Untrusted,
            "The tree archive breaks a rule (order, names, links, modes). It is refused.",
            "ツリーアーカイブの形式が規則に反するため拒否しました(順序・名前・リンク・モード)。";
        TimeAnswerWrong, "time_answer_wrong", Untrusted,
            "The server's time answer is not validly signed for this device's question. It is ignored.",
            "サーバーの時刻応答の署名が正しくないため無視しました。";
        MetadataAhead, "metadata_ahead", Untrusted,
            "The metadata was signed for a time that lies ahead of the known time; the online key may be stolen. It is refused; have the key replaced.",
            "確認済みの時刻より先の日時で署名されたメタデータのため拒否しました。オンライン鍵が盗まれた可能性があります。鍵を交換してください。";
        LiftUnproven, "lift_unproven", Untrusted,
            "The server says that a hold of this hospital is lifted, but the signed act for it does not verify. The hold stands.",
            "医療機関の保留が解除されたとされていますが、署名を確認できません。保留は継続します。";
        ReceiptWrong, "receipt_wrong", Untrusted,
            "The server's receipt does not match this device's ledger. It is ignored; reports are kept and sent again.",
            "サーバーの受領証が機器記録と一致しないため無視しました。報告は保持し再送します。";
        CheckpointWrong, "checkpoint_wrong", Untrusted,
            "The checkpoint of the site's record is not validly signed by the server's record key. It is ignored; ask who changed the server.",
            "監査記録のチェックポイントの署名が正しくないため無視しました。サーバーの変更の有無を確認してください。";
        RecordRewritten, "record_rewritten", Untrusted,
            "The site's record does not continue the one that was seen before: entries were removed or changed, or others are shown another record. Keep both checkpoints and tell IT security.",
            "監査記録が以前に確認したものの続きになっていません(削除・改変、または相手により異なる記録の提示)。両方のチェックポイントを保存し、情報セキュリティ担当へ連絡してください。";
        ExampleKeys, "example_keys", Untrusted,
            "These are the public example keys, whose secrets everybody knows. Make keys of your own.",
            "公開されている例示用の鍵です。必ず独自の鍵を作成してください。";
        PackUntrusted, "pack_untrusted", Untrusted,
            "The enrolment pack is broken or its site root is not the expected one. Get a new pack from the hospital.",
            "登録パックが壊れているか、施設のルートが想定と異なります。医療機関から新しい登録パックを受け取ってください。";

        // What came verifies, and is not for this device or does not fit.
        ApprovalMalformed, "approval_malformed", Incompatible,
            "The approval is not of a form that this software knows. It is refused as a whole.",
            "承認の形式をこのソフトウェアは解釈できません。全体を拒否します。";
        ApprovalOtherSite, "approval_other_site", Untrusted,
            "The approval was given by another site. It is refused.",
            "別の医療機関の承認です。拒否しました。";
        ApprovalOtherDevice, "approval_other_device", Incompatible,
            "The approval names this device's id with another key. Approve the device again with its present key.",
            "承認の機器鍵がこの機器と異なります。現在の鍵で承認し直してください。";
        ApprovalOtherImage, "approval_other_image", Untrusted,
            "The approval names another image than the manufacturer signed under this path. It is refused.",
            "承認された更新イメージが製造販売業者の署名したものと異なるため拒否しました。";
        ApprovalReplayed, "approval_replayed", Untrusted,
            "This approval was already used, withdrawn or overtaken by a newer one. It is refused.",
            "使用済み・取り下げ済み、または新しい承認に置き換えられた承認です。拒否しました。";
        ApprovalLifetime, "approval_lifetime", Incompatible,
            "The approval lives longer than allowed for its urgency. It is refused; sign one with a shorter life.",
            "承認の有効期間が上限を超えています。期間を短くして署名し直してください。";
        ApprovalTooWeak, "approval_too_weak", Incompatible,
            "The approval is signed in a weaker way, or by fewer persons, than this site asks for. Have it signed again as the site's policy says.",
            "承認の署名方法または署名者数が施設の方針を満たしていません。方針に従って署名し直してください。";
        ReleaseMalformed, "release_malformed", Incompatible,
            "The release description is not of a form that this software knows. It is refused.",
            "リリースの記述をこのソフトウェアは解釈できません。拒否しました。";
        ReleaseWithdrawn, "release_withdrawn", Hold,
            "The manufacturer has withdrawn this release. It is not installed.",
            "このリリースは製造販売業者により取り下げられました。適用しません。";
        OtherHardware, "other_hardware", Incompatible,
            "The image is not made for this hardware.",
            "この機器のハードウェア用の更新イメージではありません。";
        OtherFamily, "other_family", Incompatible,
            "The image is for another device family.",
            "別の機種の更新イメージです。";
        OtherInstaller, "other_installer", Incompatible,
            "The image is for another kind of installer than this device has.",
            "この機器の適用方式に合わない更新イメージです。";
        NotNewer, "not_newer", Incompatible,
            "The image is not newer than the installed one, and no rollback is approved.",
            "現在の版より新しくなく、ロールバックの承認もありません。";
        BelowFloor, "below_floor", Untrusted,
            "The image is older than the oldest one this device may still run.",
            "この機器で許可される最も古い版より古い更新イメージです。";
        MustPassThrough, "must_pass_through", Incompatible,
            "An intermediate release must be installed first.",
            "先に途中のリリースを適用する必要があります。";
        RollbackNotPermitted, "rollback_not_permitted", Incompatible,
            "The manufacturer does not permit going back from the installed version to this one.",
            "現在の版からこの版へ戻すことを製造販売業者は認めていません。";
        StandingNoMatch, "standing_no_match", Incompatible,
            "The release is outside what the standing approval permits. Approve it by itself.",
            "このリリースは事前承認の範囲外です。個別に承認してください。";
        ActionUnknown, "action_unknown", Incompatible,
            "The approval asks for an action that this software does not know yet. It waits.",
            "承認の動作をこのソフトウェアはまだ実行できません。待機します。";

        // Not now.
        NoApproval, "no_approval", Hold,
            "No approval of the hospital names this device and this release. Approve it, or wait.",
            "この機器とリリースに対する医療機関の承認がありません。";
        ApprovalWithdrawn, "approval_withdrawn", Hold,
            "The hospital has withdrawn its approval.",
            "医療機関が承認を取り下げました。";
        ApprovalOver, "approval_over", Hold,
            "The approval's time is over. A new approval is needed.",
            "承認の有効期間が過ぎました。新しい承認が必要です。";
        SlotNotOpen, "slot_not_open", Hold,
            "The approved slot has not begun.",
            "承認された適用枠の開始前です。";
        SlotsOver, "slots_over", Hold,
            "All approved slots are over. A new approval is needed.",
            "承認された適用枠はすべて終了しました。新しい承認が必要です。";
        SlotTooShort, "slot_too_short", Hold,
            "The rest of the slot is too short for the update and a way back. The next slot is used.",
            "適用枠の残り時間では更新と復旧が収まりません。次の適用枠を待ちます。";
        ClockUnknown, "clock_unknown", Hold,
            "The time is not known, so no slot counts as open. Check the device's clock and the server connection.",
            "時刻が不明なため、適用枠を開けません。機器の時計とサーバー接続を確認してください。";
        ClockNotAttested, "clock_not_attested", Hold,
            "Only one time source is available and the approval asks for two that agree.",
            "時刻源が一つしかなく、承認は一致する二つの時刻源を求めています。";
        ClockDisagrees, "clock_disagrees", Hold,
            "The time sources disagree. Nothing is started until somebody finds out why.",
            "時刻源の間に食い違いがあります。原因が判明するまで開始しません。";
        WaveNotOpen, "wave_not_open", Hold,
            "The server has not opened this device's wave within the last two minutes.",
            "この機器の段階がまだ開始されていません(直近2分以内の許可がありません)。";
        WaveUnproven, "wave_unproven", Untrusted,
            "The server says the wave is open but does not prove it. It is taken as not open.",
            "段階開始の証明がないため、開始されていないものとして扱います。";
        PartnerUnproven, "partner_unproven", Hold,
            "The partner device, which must work while this one does not, is not proven to work after its update.",
            "この機器の停止中に代わりとなる機器が、更新後に正常であることを確認できていません。";
        RolloutHalted, "rollout_halted", Hold,
            "The rollout has halted because devices failed or stayed silent. A person must look and resume it by signature.",
            "不具合または応答のない機器があり、展開を自動停止しました。確認のうえ署名により再開してください。";
        HeldHere, "held_here", Hold,
            "Somebody at this device said not now.",
            "この機器で保留が指示されています。";
        HeldByServer, "held_by_server", Hold,
            "A hold is set for this device, its ward, its site or this release.",
            "機器・病棟・施設・リリースのいずれかに保留が設定されています。";
        InUse, "in_use", Hold,
            "The device is in use. It waits; nothing is forced.",
            "使用中のため待機しています。強制的に開始することはありません。";
        InterlockSilent, "interlock_silent", Hold,
            "The clinical interlock gives no valid answer, which counts as in use. Check the probe.",
            "使用状態の確認に有効な応答がないため、使用中とみなします。確認プログラムを点検してください。";
        InterlockMissing, "interlock_missing", Hold,
            "No clinical interlock is configured. Configure one, or state in the configuration why none is needed.",
            "使用状態の確認方法が設定されていません。設定するか、不要な理由を設定に記載してください。";
        InterlockNotReady, "interlock_not_ready", Hold,
            "The clinical application did not lock the start of therapy. It is asked again; nothing is forced.",
            "臨床アプリケーションが治療開始をロックしていません。再度確認し、強制的に開始することはありません。";
        Settling, "settling", Hold,
            "The device has not been free for long enough yet.",
            "使用終了からの待ち時間が経過していません。";
        NeedsPerson, "needs_person", Hold,
            "A person must be at the device for this update.",
            "この更新には機器の前での立会いが必要です。";
        MainsUnknown, "mains_unknown", Hold,
            "The device must run from the mains, and does not or cannot tell.",
            "商用電源での動作が必要ですが、確認できません。";
        BatteryLow, "battery_low", Hold,
            "The battery is too low, or its charge is not known.",
            "バッテリー残量が不足しているか、不明です。";
        TemperatureUnfit, "temperature_unfit", Hold,
            "The device is too hot or too cold for an update, or its temperature is not known.",
            "機器の温度が更新に適した範囲にないか、不明です。";
        FreeSpaceLow, "free_space_low", Hold,
            "There is too little free space for an update, or it is not known.",
            "更新に必要な空き容量が不足しているか、不明です。";
        StorageWorn, "storage_worn", Hold,
            "The storage is worn out or its health is not known. Have it checked before an update.",
            "記憶装置が劣化しているか、状態が不明です。更新の前に点検してください。";
        UnitNotActive, "unit_not_active", Hold,
            "A service that the device needs does not run, or cannot be asked. Find out why before an update.",
            "必要なサービスが動作していないか、確認できません。更新の前に原因を確認してください。";
        Superseded, "superseded", Hold,
            "A newer approved release takes its place.",
            "承認された新しいリリースに置き換えられました。";
        NotAccepted, "not_accepted", Hold,
            "The person who checked the device after the update did not release it; it went back to the version before.",
            "更新後の受入確認で使用が認められなかったため、前の版に戻しました。";
        NotStagedYet, "not_staged_yet", Hold,
            "The image is still being fetched or staged.",
            "更新イメージを取得・準備中です。";
        ServerUnreachable, "server_unreachable", Hold,
            "The server cannot be reached. The device works on and tries again.",
            "サーバーに接続できません。機器は通常どおり動作し、再試行します。";
        LedgerFull, "ledger_full", Hold,
            "The ledger is full because reports could not be delivered. No update is started; restore the connection.",
            "報告を送れず機器記録が満杯です。接続が回復するまで更新を開始しません。";

        // Something failed.
        DiskFull, "disk_full", Fault,
            "There is not enough free space. Free some; what is installed is untouched.",
            "空き容量が不足しています。容量を確保してください。現在の版には影響ありません。";
        StorageFailed, "storage_failed", Fault,
            "Reading or writing the device's storage failed. Have the storage checked.",
            "記憶装置の読み書きに失敗しました。記憶装置を点検してください。";
        InstallFailed, "install_failed", Fault,
            "The image could not be staged or activated.",
            "更新イメージの書き込みまたは切り替えに失敗しました。";
        SettingsChanged, "settings_changed", Fault,
            "The device's settings are not the same after the update as before. A person must check and release it.",
            "更新の前後で機器の設定が一致しません。確認のうえ使用の可否を判断してください。";
        RestartFailed, "restart_failed", Fault,
            "The restart did not lead to the new image.",
            "再起動後に新しい版へ切り替わりませんでした。";
        HealthFailed, "health_failed", Fault,
            "A health check failed after the update; the device went back to the version before.",
            "更新後の健全性確認に失敗したため、前の版に戻しました。";
        HealthSilent, "health_silent", Fault,
            "A health check gave no answer in time; the device went back to the version before.",
            "更新後の健全性確認が時間内に応答せず、前の版に戻しました。";
        PowerLost, "power_lost", Fault,
            "The device was switched off or restarted in the middle; it recovered by itself.",
            "途中で電源断または再起動がありましたが、自動的に復旧しました。";
        RollbackFailed, "rollback_failed", Fault,
            "Going back failed. Take the device out of use and call service.",
            "旧版に戻せませんでした。機器の使用を中止し、保守担当へ連絡してください。";
        AttemptsSpent, "attempts_spent", Fault,
            "Three attempts at this release failed. It is not tried again; call service.",
            "このリリースの適用に3回失敗しました。再試行しません。保守担当へ連絡してください。";
        JournalUnreadable, "journal_unreadable", Fault,
            "The agent's journal cannot be read. Nothing is started; call service.",
            "エージェントの状態記録を読み取れません。更新を開始しません。保守担当へ連絡してください。";
    }
}

impl Reason {
    /// Finds a reason by its code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_both_languages_say_something() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            assert!(reason.en().ends_with('.') && reason.ja().ends_with('。'), "{reason}");
        }
    }

    #[test]
    fn json_form_is_the_code() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.code());
        }
    }
}
