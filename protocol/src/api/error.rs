//! The one table of what crosses HTTP as an error: code, status, retry rule, hints in en and ja.
//!
//! The body is problem+json (RFC 9457). A 500 carries a code and a request id, nothing else.
//! Invariant: codes are unique and never change meaning.

use crate::sentences::sentences;
use serde::{Deserialize, Serialize};

/// Whether asking again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Not without changing something.
    Never,
    /// Later, unchanged; `Retry-After` says when.
    Later,
}

sentences! {
    /// A code of the table.
    ErrorCode [
        /// The HTTP status.
        status: u16,
        /// Whether asking again can help.
        retry: Retry
    ] {
        NotFound, "not_found", 404, Never,
            "There is no such thing, or it is not yours to see. Check the name and the token.",
            "存在しないか、閲覧の権限がありません。名前とトークンを確認してください。";
        TokenMissing, "token_missing", 401, Never,
            "An API token is needed. Send it as: Authorization: Bearer pw_…",
            "APIトークンが必要です。Authorization: Bearer pw_… として送信してください。";
        TokenInvalid, "token_invalid", 401, Never,
            "The token is unknown, expired or revoked. Ask an administrator for a new one.",
            "トークンが不明、期限切れ、または失効しています。管理者に新しいトークンを依頼してください。";
        TokenScope, "token_scope", 403, Never,
            "The token does not cover this. Ask for one with the right scope.",
            "このトークンの権限では実行できません。適切な権限のトークンを依頼してください。";
        EnrolmentToken, "enrolment_token", 401, Never,
            "The enrolment token is unknown, used, expired or for other families or devices. Ask the hospital for a new enrolment pack.",
            "登録トークンが不明・使用済み・期限切れ、または対象外の機種・機器です。医療機関に新しい登録パックを依頼してください。";
        DeviceTaken, "device_taken", 409, Never,
            "A device with this id and another key is already enrolled. Choose another id, or have it released first.",
            "同じIDで別の鍵の機器が登録済みです。別のIDを選ぶか、先に登録を解除してください。";
        DeviceUnknown, "device_unknown", 401, Never,
            "This device is not enrolled here. Enrol it with a pack of the hospital.",
            "この機器は登録されていません。医療機関の登録パックで登録してください。";
        SignatureInvalid, "signature_invalid", 401, Never,
            "The statement is not signed by the key that counts here.",
            "有効な鍵による署名ではありません。";
        PollReplayed, "poll_replayed", 409, Never,
            "This poll, or a later one, was already answered. Send one with a higher number.",
            "この照会または後続の照会には応答済みです。番号を増やして送信してください。";
        LedgerGap, "ledger_gap", 409, Never,
            "Entries are missing in between. Send from the position after the last stored one.",
            "途中の記録が欠けています。最後に保存された記録の次から送信してください。";
        LedgerFork, "ledger_fork", 409, Never,
            "The ledger continues another history: a cloned or restored device. It is recorded and must be looked at.",
            "機器記録が別の履歴を引き継いでいます(複製または復元された機器)。記録しました。確認が必要です。";
        BodyMalformed, "body_malformed", 400, Never,
            "The body is not JSON of the expected shape; the detail says where.",
            "本文が想定の形式ではありません。詳細を確認してください。";
        PathMalformed, "path_malformed", 400, Never,
            "A part of the path is not a valid name; the detail says which.",
            "パスの一部が不正です。詳細を確認してください。";
        BodyTooLong, "body_too_long", 413, Never,
            "The body is longer than allowed; the detail says how long it may be.",
            "本文が上限を超えています。詳細の上限を確認してください。";
        QuotaExceeded, "quota_exceeded", 413, Never,
            "The upload would exceed the quota of this repository. Remove what is unused, or ask for more.",
            "このリポジトリの容量上限を超えます。不要なファイルを整理するか、上限の引き上げを依頼してください。";
        DigestMismatch, "digest_mismatch", 422, Never,
            "The bytes do not have the digest in the path. Send the file again.",
            "送信されたデータのハッシュがパスと一致しません。再送してください。";
        RangeNotSatisfiable, "range_not_satisfiable", 416, Never,
            "The range lies outside the file, or is more than one.",
            "範囲指定がファイルの外か、複数です。";
        FamilyUnknown, "family_unknown", 404, Never,
            "There is no such family here. Open its repository first.",
            "この機種は登録されていません。先にリポジトリを作成してください。";
        RepositoryExists, "repository_exists", 409, Never,
            "This repository is already open. Show it to see its keys.",
            "このリポジトリは作成済みです。";
        RepositoryEmpty, "repository_empty", 409, Never,
            "The repository has no root yet. Publish a root and targets first.",
            "リポジトリにルートがありません。先にルートとターゲットを公開してください。";
        PublishRefused, "publish_refused", 422, Never,
            "The document breaks a rule of publishing; the detail names each. Nothing was published.",
            "公開の規則に反しています。詳細を確認してください。何も公開されていません。";
        PublishConflict, "publish_conflict", 409, Never,
            "Another version was published meanwhile. Rebuild the draft on the current one and sign again.",
            "別の版が先に公開されました。現在の版を基に作り直し、署名し直してください。";
        TargetMissing, "target_missing", 422, Never,
            "A listed target has not been uploaded; the detail names it. Upload it and publish again.",
            "一覧にあるファイルがアップロードされていません。アップロード後に再度公開してください。";
        ExampleKeys, "example_keys", 422, Never,
            "The document uses the public example keys. Use keys of your own; --demo is for demonstrations only.",
            "公開されている例示用の鍵が使われています。独自の鍵を使用してください。";
        RequestInvalid, "request_invalid", 422, Never,
            "A value is outside what is allowed; the detail says which and what is.",
            "許可されない値があります。詳細を確認してください。";
        InventoryConflict, "inventory_conflict", 409, Never,
            "Somebody else changed the inventory meanwhile. Read it again, redo the change, send it again.",
            "他の人が先に台帳を変更しました。読み直して変更をやり直し、再送してください。";
        InventoryInvalid, "inventory_invalid", 422, Never,
            "The inventory breaks a rule; the detail names each. Nothing was changed.",
            "台帳に不備があります。詳細を確認してください。何も変更されていません。";
        HoldUnknown, "hold_unknown", 404, Never,
            "There is no such hold, or it is not yours to lift.",
            "該当する保留がないか、解除の権限がありません。";
        HoldLifted, "hold_lifted", 409, Never,
            "This hold is lifted already.",
            "この保留は解除済みです。";
        ActRefused, "act_refused", 422, Never,
            "The act is not one that counts here (signer, subject, meaning or state); the detail says why. Nothing was changed.",
            "この行為は受け付けられません(署名者・対象・意味・状態)。詳細を確認してください。何も変更されていません。";
        CampaignConflict, "campaign_conflict", 409, Never,
            "Somebody else changed the campaign meanwhile. Read it again and send it again.",
            "他の人が先に展開計画を変更しました。読み直して再送してください。";
        NotPermitted, "not_permitted", 403, Never,
            "Your role here does not permit this. Ask an administrator of this place for the role that does.",
            "この操作の権限がありません。この施設の管理者に、必要な役割の付与を依頼してください。";
        FormForeign, "form_foreign", 403, Never,
            "The form did not come from a page of this session, so nothing was done. Load the page again and repeat the step.",
            "このセッションの画面から送信されたものではないため、何も実行していません。ページを再読み込みして、もう一度操作してください。";
        LoginFailed, "login_failed", 401, Never,
            "The name or the password is not right. Check both, and the keyboard's capitals.",
            "ユーザー名またはパスワードが正しくありません。大文字・小文字も含めて確認してください。";
        LoginDelayed, "login_delayed", 429, Later,
            "Signing in has failed too often. Wait as long as it says, then try again; a device can always be held by hand.",
            "サインインの失敗が続いたため、しばらく待ってから再試行してください。機器の手元での保留はいつでも可能です。";
        CodeWrong, "code_wrong", 401, Never,
            "The code is not right, or was used already. Wait for the next one, or use a recovery code.",
            "コードが正しくないか、使用済みです。次のコードを待つか、回復コードを使ってください。";
        SignInOver, "sign_in_over", 401, Never,
            "Signing in took too long. Begin again with name and password.",
            "サインインの手続きが時間切れになりました。ユーザー名とパスワードの入力からやり直してください。";
        EnrolmentOver, "enrolment_over", 403, Never,
            "The time for setting up the second step is over. Ask an administrator to reset it.",
            "2段階認証の設定期限が過ぎました。管理者に再設定を依頼してください。";
        LoginMalformed, "login_malformed", 422, Never,
            "A login name has 2 to 64 characters of a-z, 0-9, '.', '_', '-' and '@', a letter or digit at both ends.",
            "ユーザー名は2~64文字で、英小文字・数字・「.」「_」「-」「@」が使えます。先頭と末尾は英小文字か数字です。";
        LoginTaken, "login_taken", 409, Never,
            "Somebody else has this login name. Choose another one.",
            "このユーザー名は使われています。別の名前を選んでください。";
        NameMalformed, "name_malformed", 422, Never,
            "A printed name, or a role in words, has 1 to 100 characters.",
            "氏名と職種は1~100文字で入力してください。";
        PasswordLength, "password_length", 422, Never,
            "A password has 12 to 256 characters. A sentence of a few words is good.",
            "パスワードは12~256文字です。いくつかの単語をつなげた文がおすすめです。";
        PasswordCommon, "password_common", 422, Never,
            "This password is among those that are tried first. Choose one that nobody would guess.",
            "推測されやすいパスワードです。別のものを選んでください。";
        InvitationOver, "invitation_over", 410, Never,
            "This link was used, has ended or was taken back. Ask for a new one.",
            "このリンクは使用済み、期限切れ、または取り消されています。新しいリンクを依頼してください。";
        GrantOwn, "grant_own", 422, Never,
            "Nobody changes their own roles. Ask another administrator.",
            "自分の役割は変更できません。別の管理者に依頼してください。";
        GrantHeld, "grant_held", 409, Never,
            "The account holds this role already.",
            "このアカウントは、すでにこの役割を持っています。";
        GrantApart, "grant_apart", 422, Never,
            "These roles are kept apart: who prepares a release does not publish it, and an auditor holds nothing else.",
            "兼任できない役割です。リリースの作成者は公開できず、監査者は他の役割を持てません。";
        GrantLast, "grant_last", 409, Never,
            "This is the last administrator here. Make another one first.",
            "最後の管理者です。先に別の管理者を登録してください。";
        AccountOwn, "account_own", 422, Never,
            "Nobody disables or resets their own account. Ask another administrator.",
            "自分のアカウントは停止・再設定できません。別の管理者に依頼してください。";
        AccountElsewhere, "account_elsewhere", 409, Never,
            "The account has roles at other places too. Take its roles here away, or ask whoever runs this server.",
            "このアカウントは他の施設や組織でも役割を持っています。ここでの役割を外すか、サーバーの管理者に依頼してください。";
        ReasonMalformed, "reason_malformed", 422, Never,
            "A reason has 1 to 300 characters, and no line breaks.",
            "理由は1~300文字で、改行せずに入力してください。";
        ZoneUnknown, "zone_unknown", 422, Never,
            "This is no time zone. Write it as Asia/Tokyo or Europe/Berlin.",
            "タイムゾーンとして認識できません。Asia/Tokyo や Europe/Berlin のように入力してください。";
        PersonTaken, "person_taken", 409, Never,
            "Another account is this person of the site.",
            "この担当者には、別のアカウントが結び付けられています。";
        PasskeyRefused, "passkey_refused", 401, Never,
            "The passkey was not accepted. Sign in with name, password and code instead.",
            "パスキーを確認できませんでした。ユーザー名・パスワード・コードでサインインしてください。";
        DrillCodeWrong, "drill_code_wrong", 422, Never,
            "This is no code of the last drill, or it was typed before. Compare it with the message; after two days a new drill is needed.",
            "直近の通知訓練のコードではないか、入力済みです。届いたコードを確認してください。2日を過ぎた場合は、新しい訓練を行ってください。";
        ReleaseUnknown, "release_unknown", 404, Never,
            "There is no such release, or the manufacturer has withdrawn it.",
            "該当するリリースがないか、製造販売業者が取り下げています。";
        DraftUnknown, "draft_unknown", 404, Never,
            "No draft is open here. It was published or discarded; look at the approvals.",
            "作成中の承認はありません。公開または破棄されています。承認の一覧を確認してください。";
        DraftOpen, "draft_open", 409, Never,
            "Another draft of this site is open. Sign it or discard it first.",
            "この医療機関には作成中の承認があります。先に署名するか破棄してください。";
        DraftChanged, "draft_changed", 409, Never,
            "The draft is not the one that you saw. Nothing was signed; look at it again.",
            "表示していた内容から下書きが変わりました。署名していません。もう一度確認してください。";
        DraftMoved, "draft_moved", 409, Never,
            "Another version was published meanwhile. Make the draft again on it, then sign anew.",
            "別の版が先に公開されました。その版を基に下書きを作り直し、署名し直してください。";
        DraftRefused, "draft_refused", 422, Never,
            "Nothing could be drafted; the detail says why, device by device. Nothing was changed.",
            "下書きを作成できません。理由は詳細に機器ごとに示しています。何も変更していません。";
        SignerRefused, "signer_refused", 422, Never,
            "The signature does not count here: another key, person, role or place, or other bytes. Nothing was stored.",
            "有効な署名ではありません(鍵・署名者・役割・施設・内容のいずれかが異なります)。保存していません。";
        MethodRefused, "method_refused", 422, Never,
            "The site's root does not allow this way of signing for this key. Nothing was signed.",
            "この医療機関のルートは、この鍵でのこの署名方式を認めていません。署名していません。";
        ControlMissing, "control_missing", 422, Never,
            "Going back opens holes again. Name what is done instead, who sees to it and until when.",
            "ロールバックにより脆弱性が再び生じます。補完的対策・担当者・期限を入力してください。";
        CustodialUnknown, "custodial_unknown", 404, Never,
            "The server keeps no key for you here. Make one first, and have it listed in the site's root.",
            "サーバーに保管された鍵がありません。先に作成し、医療機関のルートに登録してください。";
        CustodialHeld, "custodial_held", 409, Never,
            "The server keeps a key for you already. Forget it first if you want another.",
            "サーバーにはすでに鍵が保管されています。作り直す場合は先に破棄してください。";
        CustodialClosed, "custodial_closed", 409, Never,
            "The key was sealed under an earlier password and cannot be opened any more. Forget it, make a new one, and have it listed in the site's root.",
            "鍵は以前のパスワードで封印されており、開けません。破棄して作り直し、医療機関のルートに登録してください。";
        LifecycleRefused, "lifecycle_refused", 422, Never,
            "These days cannot be announced; the detail says why. Nothing was changed.",
            "この日付は公表できません。理由は詳細に示しています。何も変更していません。";
        LifecycleMissing, "lifecycle_missing", 422, Never,
            "Say how long the family is supported: all four days, or until when it is undecided.",
            "サポート期限が未入力です。4つの日付をすべて入力するか、「未定」とその期日を入力してください。";
        LifecycleMoved, "lifecycle_moved", 409, Never,
            "Somebody else has said something about this family meanwhile. Look at it again.",
            "別の担当者が先にこの機種の期限を変更しました。もう一度確認してください。";
        StagedRefused, "staged_refused", 422, Never,
            "The staged file is not taken; the detail says why. Nothing was changed.",
            "この準備ファイルは受け付けられません。理由は詳細に示しています。何も変更していません。";
        StagedMoved, "staged_moved", 409, Never,
            "The staged file is not the one that you saw. Look at it again.",
            "準備ファイルが表示していたものから変わりました。もう一度確認してください。";
        StagedIncomplete, "staged_incomplete", 409, Never,
            "Signatures are missing. The page says whose.",
            "署名が不足しています。不足している署名者は画面に表示しています。";
        StagedOwn, "staged_own", 403, Never,
            "Who brought a staged file does not publish it. Ask another key holder.",
            "準備ファイルを持ち込んだ本人は公開できません。別の鍵の管理者に依頼してください。";
        RecordTooLong, "record_too_long", 413, Never,
            "The record is too long for the console. Export it with `patchward record export`.",
            "監査記録が長すぎるため、コンソールでは出力できません。`patchward record export` で出力してください。";
        TooManyRequests, "too_many_requests", 429, Later,
            "Too many requests. Ask again after the time in Retry-After.",
            "要求が多すぎます。Retry-After の時間後に再試行してください。";
        Busy, "busy", 503, Later,
            "The server is busy. Nothing was lost; ask again after the time in Retry-After.",
            "サーバーが混み合っています。データは失われていません。Retry-After の時間後に再試行してください。";
        StorageFull, "storage_full", 507, Later,
            "The server's storage is full. Nothing was accepted; free space, then ask again.",
            "サーバーの記憶容量が不足しています。受け付けていません。容量を確保してから再試行してください。";
        Internal, "internal", 500, Later,
            "The server failed. Give the request id to whoever runs it.",
            "サーバーで障害が発生しました。要求IDを管理者に伝えてください。";
    }
}

/// An error body (RFC 9457), media type `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `urn:patchward:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong and what to do, in English.
    pub title: String,
    /// The same in Japanese.
    pub title_ja: String,
    /// HTTP status.
    pub status: u16,
    /// The code.
    pub code: ErrorCode,
    /// Particulars of this case, in English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether asking again can help.
    pub retry: Retry,
    /// To find it in the log.
    pub request_id: String,
}

impl Problem {
    /// The body for a code.
    #[must_use]
    pub fn new(code: ErrorCode, detail: Option<String>, request_id: String) -> Self {
        Self {
            kind: format!("urn:patchward:error:{}", code.code()),
            title: code.en().to_owned(),
            title_ja: code.ja().to_owned(),
            status: code.status(),
            code,
            detail,
            retry: code.retry(),
            request_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert_eq!(serde_json::to_value(code).unwrap(), code.code());
        }
    }
}
