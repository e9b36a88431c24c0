//! What can go wrong on the command line: one table of codes with exit status and hints in en and ja.
//!
//! Every failure ends the program with a code, the particulars, and what to do. What the server
//! refuses keeps the server's own code beside ours. Not here: printing.
//! Invariant: a code, once released, is never given another meaning; exit statuses are stable:
//! 2 usage, 3 input, 4 key, 5 untrusted, 6 refused by a rule, 7 refused by the server,
//! 8 server not reached, 9 this machine.

use patchward_protocol::api::error::Problem;
use patchward_protocol::sentences;
use std::fmt;

pub use patchward_protocol::record::export::chain;

sentences! {
    /// A code of the table.
    Code [
        /// The exit status of the program.
        exit: u8
    ] {
        Usage, "usage", 2,
            "Write the command as shown; `patchward help` lists the verbs, `--help` the options.",
            "示された書式で入力してください。patchward help で一覧、--help でオプションを表示します。";
        NameBad, "name_bad", 2,
            "Write the name as the message says.",
            "メッセージに示された形式で名前を指定してください。";
        ValueBad, "value_bad", 2,
            "Give the value as the message says; `--help` shows an example.",
            "メッセージに示された形式で値を指定してください。--help に例があります。";
        FileMissing, "file_missing", 3,
            "There is no such file or folder. Check the path.",
            "ファイルまたはフォルダーがありません。パスを確認してください。";
        FileUnreadable, "file_unreadable", 9,
            "The file cannot be read. Check its permissions and the disk.",
            "ファイルを読み取れません。アクセス権とディスクを確認してください。";
        FileTooLong, "file_too_long", 3,
            "The file is longer than this kind may be. Check that it is the right one.",
            "ファイルが上限を超えています。正しいファイルか確認してください。";
        FileExists, "file_exists", 6,
            "Nothing is ever overwritten. Choose another name, or move the old file away.",
            "既存のファイルは上書きしません。別の名前を指定するか、古いファイルを移動してください。";
        DiskFull, "disk_full", 9,
            "The disk is full; nothing half-written was left. Free space and repeat.",
            "ディスクの空きがありません。書きかけのファイルは残していません。空きを確保して再実行してください。";
        WriteFailed, "write_failed", 9,
            "The file could not be written; nothing half-written was left. Check folder, permissions and disk.",
            "ファイルを書き込めません。書きかけのファイルは残していません。フォルダー、アクセス権、ディスクを確認してください。";
        ChanceFailed, "chance_failed", 9,
            "The system's random source does not answer. Do not make keys on this machine.",
            "乱数源が応答しません。この端末で鍵を作成しないでください。";
        KeyFileCorrupt, "key_file_corrupt", 4,
            "The key file is damaged. Take it from your backup; the passphrase is not the problem.",
            "鍵ファイルが破損しています。パスフレーズの誤りではありません。バックアップから復元してください。";
        KeyFileKind, "key_file_kind", 4,
            "This is no encrypted Ed25519 key (PKCS#8, ENCRYPTED PRIVATE KEY). Bring it in with `patchward key import`.",
            "暗号化されたEd25519鍵(PKCS#8、ENCRYPTED PRIVATE KEY)ではありません。patchward key import で取り込んでください。";
        KeyFileWeak, "key_file_weak", 4,
            "The key file is encrypted too weakly. Encrypt it anew with `patchward key import`.",
            "鍵ファイルの暗号化が弱すぎます。patchward key import で暗号化し直してください。";
        KeyMismatch, "key_mismatch", 4,
            "The key is not the one that the .pub file beside it names. Somebody exchanged one of the two; do not sign.",
            "鍵と .pub ファイルが一致しません。どちらかが差し替えられています。署名しないでください。";
        PublicFileBad, "public_file_bad", 4,
            "The .pub file is missing, damaged or of another version. `patchward key import` writes a new one.",
            ".pub ファイルがないか、破損または版が異なります。patchward key import で作り直せます。";
        PassphraseWrong, "passphrase_wrong", 4,
            "The passphrase does not open the key file. Mind upper case and keyboard layout, and try again.",
            "パスフレーズが違います。大文字・小文字とキーボード配列を確認して、もう一度入力してください。";
        PassphraseShort, "passphrase_short", 4,
            "A passphrase has at least 12 characters. Five or more random words are good.",
            "パスフレーズは12文字以上にしてください。無作為な5語以上を推奨します。";
        PassphraseMissing, "passphrase_missing", 4,
            "There is no terminal to ask for the passphrase. Give it with --passphrase-file.",
            "パスフレーズを入力する端末がありません。--passphrase-file で指定してください。";
        PassphraseDiffers, "passphrase_differs", 4,
            "The two passphrases differ. Nothing was written; try again.",
            "2回の入力が一致しません。何も書き込んでいません。やり直してください。";
        ExampleKeys, "example_keys", 6,
            "These are the public example keys, whose secrets everybody knows. Make keys of your own; --insecure-demo-keys is for demonstrations only.",
            "公開されている例示用の鍵です。独自の鍵を作成してください。--insecure-demo-keys は実演専用です。";
        DossierIncomplete, "dossier_incomplete", 3,
            "Fill in each field that is named; keys-example/dossier.toml shows all of them. Nothing was written.",
            "示された項目をすべて記入してください。記入例は keys-example/dossier.toml にあります。何も書き込んでいません。";
        DossierUnreadable, "dossier_unreadable", 3,
            "The dossier is no TOML in UTF-8. Correct the line that is named. Nothing was written.",
            "リリース説明書がUTF-8のTOMLではありません。示された行を修正してください。何も書き込んでいません。";
        SbomUnknown, "sbom_unknown", 3,
            "The SBOM must be CycloneDX JSON (1.3 to 1.7) or SPDX 2.3 JSON.",
            "SBOMはCycloneDX JSON(1.3~1.7)またはSPDX 2.3 JSONで用意してください。";
        ReleaseRefused, "release_refused", 3,
            "Correct everything that is named and prepare again. Nothing was written.",
            "示された問題をすべて修正し、もう一度準備してください。何も書き込んでいません。";
        StageUnreadable, "stage_unreadable", 3,
            "This is no staged file of this repository. Get the file anew from whoever prepared it.",
            "このリポジトリの署名待ちファイルではありません。準備した人から受け取り直してください。";
        StageRules, "stage_rules", 6,
            "The draft breaks a rule that the message names. Make a new draft.",
            "下書きがメッセージに示された規則に反しています。作り直してください。";
        StageBaseMoved, "stage_base_moved", 6,
            "Another version was published meanwhile. Make the draft anew on it and sign again.",
            "別の版が先に公開されました。その版を基に下書きを作り直し、署名し直してください。";
        StatementDiffers, "statement_differs", 5,
            "The console showed something else than what would be signed. Do not sign. Keep this file and tell IT security.",
            "コンソールの表示と署名する内容が異なります。署名せず、このファイルを保管して情報セキュリティ担当へ連絡してください。";
        FingerprintDiffers, "fingerprint_differs", 5,
            "The fingerprint that you saw is not the one of these bytes. Do not sign. Look at the console, the paper and this file again.",
            "確認した照合コードがこの内容のものと異なります。署名せず、画面・紙・このファイルを確認し直してください。";
        StageDiffers, "stage_differs", 6,
            "The files do not hold the same content, so their signatures cannot be joined. Find out which one is right.",
            "内容が異なるため署名を統合できません。どちらが正しいか確認してください。";
        SignerSawOther, "signer_saw_other", 6,
            "This key has already signed other content as this version. Find out why there are two; do not sign both.",
            "この鍵は同じ版番号の別の内容に署名済みです。二つある理由を確認し、両方に署名しないでください。";
        SignerSawNewer, "signer_saw_newer", 6,
            "This key has already signed or seen a newer version. The draft rests on an old state and could undo a withdrawal; make it anew.",
            "この鍵はより新しい版に署名済みです。古い状態を基にした下書きで、取り下げを無効にするおそれがあります。作り直してください。";
        ReaddedEntries, "readded_entries", 6,
            "Entries that were removed or withdrawn come back. If that is meant, repeat with --accept-readded.",
            "削除または取り下げられた項目が復活しています。意図したものなら --accept-readded を付けて再実行してください。";
        KeyNotListed, "key_not_listed", 6,
            "This key does not count for this file. Use a key that the root lists for its role.",
            "この鍵はこのファイルの署名者に含まれていません。ルートに登録された鍵を使用してください。";
        NotConfirmed, "not_confirmed", 6,
            "Nothing was signed. Look at `stage show`, then type the version exactly, or give it with --yes-version.",
            "署名していません。stage show で内容を確認し、版番号を正確に入力するか --yes-version で指定してください。";
        SignaturesMissing, "signatures_missing", 6,
            "Too few signatures. `stage status` says who has not signed.",
            "署名が必要数に達していません。未署名者は stage status で確認できます。";
        TargetNotAtHand, "target_not_at_hand", 3,
            "A file that is to be signed for is not at hand, so it cannot be hashed here. Bring the whole release folder.",
            "署名対象のファイルが手元になく、照合できません。リリースフォルダー全体を持参してください。";
        TargetDiffers, "target_differs", 5,
            "A file at hand is not the one that the draft lists. Do not sign; get both anew.",
            "手元のファイルが下書きの内容と一致しません。署名せず、両方を受け取り直してください。";
        MetadataUntrusted, "metadata_untrusted", 5,
            "What the server or file offers does not verify. Tell whoever runs the repository, and IT security.",
            "サーバーまたはファイルの内容を検証できません。リポジトリの管理者と情報セキュリティ担当へ連絡してください。";
        RootUnknown, "root_unknown", 5,
            "No root of this repository is known here. Get it from its owner by a trusted way, then: patchward repo trust",
            "このリポジトリのルートが登録されていません。信頼できる経路で管理者から入手し、patchward repo trust で登録してください。";
        RootDiffers, "root_differs", 5,
            "Another root is already trusted for this repository. Compare fingerprints with its owner before changing anything.",
            "このリポジトリには別のルートが登録済みです。変更する前に管理者と照合コードを確認してください。";
        NotLoggedIn, "not_logged_in", 7,
            "There is no token for this server. Run `patchward login` (or `patchward claim` with the token of init).",
            "このサーバーのトークンがありません。patchward login(初回は init のトークンで patchward claim)を実行してください。";
        ServerRefused, "server_refused", 7,
            "The server refused; its own message says why.",
            "サーバーが拒否しました。サーバーのメッセージを確認してください。";
        ServerUnreachable, "server_unreachable", 8,
            "The server does not answer. Check the address, the network and that it runs.",
            "サーバーが応答しません。アドレス、ネットワーク、稼働状況を確認してください。";
        ServerNotTrusted, "server_not_trusted", 8,
            "The server's certificate does not verify. Check the address, or give its certificate authority with --ca-file.",
            "サーバー証明書を検証できません。アドレスを確認するか、認証局を --ca-file で指定してください。";
        PlainHttp, "plain_http", 6,
            "Plain HTTP is allowed to this machine only. Use https; --insecure-plain-http is for laboratories.",
            "暗号化されていないHTTPは自端末宛てのみ許可されます。httpsを使用してください。--insecure-plain-http は実験用です。";
        ReplyUnreadable, "reply_unreadable", 8,
            "The answer is not what a Patchward server says. Check the address and that versions fit.",
            "Patchwardサーバーの応答ではありません。アドレスと版の組み合わせを確認してください。";
        ReleaseUnknown, "release_unknown", 3,
            "The family lists no such release, or it was withdrawn. The message lists what there is.",
            "該当するリリースがないか、取り下げられています。メッセージの一覧を確認してください。";
        DeviceUnknown, "device_unknown", 3,
            "A device is unknown, has no agent, or does not fit. `patchward devices` lists them.",
            "機器が不明、エージェントなし、または対象外です。patchward devices で一覧を確認してください。";
        ApprovalRefused, "approval_refused", 3,
            "The approval breaks a rule that the message names. Nothing was written.",
            "承認がメッセージに示された規則に反しています。何も書き込んでいません。";
        ApprovalUnknown, "approval_unknown", 3,
            "The site lists no such approval. The message lists what there is.",
            "該当する承認がありません。メッセージの一覧を確認してください。";
        ActBad, "act_bad", 3,
            "This file is no act of a person. Acts stand in the folder `acts` beside the staged file that was signed.",
            "署名記録のファイルではありません。署名記録は、署名したファイルと同じ場所の acts フォルダーにあります。";
        ActsNotFiled, "acts_not_filed", 7,
            "It is published and holds; only its acts are not in the record yet. File them: patchward act file acts/*.act.json",
            "公開は完了し、有効です。署名記録のみ未保存です。patchward act file acts/*.act.json で保存してください。";
        LintDenied, "lint_denied", 6,
            "The image would make deltas large, and --lint deny was asked for; nothing was written. docs/guide/en/images.md says how images are built.",
            "差分が大きくなるイメージで、--lint deny が指定されています。何も書き込んでいません。イメージの作り方は docs/guide/ja/images.md を参照してください。";
        ContainerDiffers, "container_differs", 5,
            "The container does not hold the image that the draft lists. Do not sign; get draft and files anew from whoever prepared them.",
            "コンテナーの中身が下書きに記載された更新イメージと一致しません。署名せず、作成者から下書きとファイルを受け取り直してください。";
        DeltaNone, "delta_none", 3,
            "This is no delta container (.pwd). Check that it is the right file.",
            "差分コンテナー(.pwd)ではありません。正しいファイルか確認してください。";
        DeltaVersion, "delta_version", 3,
            "The container is of a layout that this program does not know. Use a newer program.",
            "このプログラムが対応していない形式のコンテナーです。新しい版のプログラムを使用してください。";
        DeltaFeature, "delta_feature", 3,
            "The container needs a feature that this program does not know. Use a newer program, or the full image.",
            "このプログラムが対応していない機能を必要とするコンテナーです。新しい版のプログラムか、更新イメージ全体を使用してください。";
        DeltaHeader, "delta_header", 5,
            "The header of the container breaks a rule. The file is damaged or forged; get it anew.",
            "コンテナーのヘッダーが規則に反しています。破損または偽造のおそれがあります。受け取り直してください。";
        DeltaEntry, "delta_entry", 5,
            "A line of the container's table breaks a rule. The file is damaged or forged; get it anew.",
            "コンテナーの表の一行が規則に反しています。破損または偽造のおそれがあります。受け取り直してください。";
        DeltaTable, "delta_table", 5,
            "The table of the container does not fit its header. The file is damaged or forged; get it anew.",
            "コンテナーの表とヘッダーが合いません。破損または偽造のおそれがあります。受け取り直してください。";
        DeltaDigest, "delta_digest", 5,
            "Header and table are not the signed ones. Do not use the file; get it anew.",
            "ヘッダーと表が署名された内容と異なります。使用せず、受け取り直してください。";
        DeltaLength, "delta_length", 5,
            "The container is cut short, or has bytes after its end. Get it anew.",
            "コンテナーが途中で切れているか、末尾に余分なデータがあります。受け取り直してください。";
        DeltaPayload, "delta_payload", 5,
            "The bytes of a window are not those that the table names. The file was changed on the way; get it anew.",
            "ある区画のデータが表の記載と異なります。途中で変更されています。受け取り直してください。";
        DeltaMalformed, "delta_malformed", 5,
            "The instructions of a window break a rule. Whoever made the file erred or lied; use the full image and tell them.",
            "ある区画の内容が規則に反しています。作成側の誤りまたは偽造です。更新イメージ全体を使用し、作成者に連絡してください。";
        DeltaStream, "delta_stream", 5,
            "A packed part of a window does not unpack. Whoever made the file erred or lied; use the full image and tell them.",
            "ある区画の圧縮データを展開できません。作成側の誤りまたは偽造です。更新イメージ全体を使用し、作成者に連絡してください。";
        DeltaOutput, "delta_output", 5,
            "What came out is not what the table names, though the old image is the right one. Use the full image and tell whoever made the file.",
            "元のイメージは正しいものの、作られた内容が表の記載と異なります。更新イメージ全体を使用し、作成者に連絡してください。";
        DeltaImage, "delta_image", 5,
            "All windows are as the table names them, but together they are not the image of the header. Use the full image and tell whoever made the file.",
            "各区画は表のとおりですが、全体がヘッダーの更新イメージと異なります。更新イメージ全体を使用し、作成者に連絡してください。";
        DeltaOldMissing, "delta_old_missing", 2,
            "This is a delta: name the image that it starts from with --old. `patchward delta inspect` shows its digest.",
            "差分です。元のイメージを --old で指定してください。そのハッシュは patchward delta inspect で確認できます。";
        DeltaOldDiffers, "delta_old_differs", 3,
            "The old image is not the one that the delta starts from. Compare both digests; a slot that was once mounted for writing differs too.",
            "元のイメージが、この差分の前提となるイメージと異なります。両方のハッシュを比較してください。一度でも書き込み可能でマウントしたスロットは異なります。";
        DeltaNewDiffers, "delta_new_differs", 5,
            "The container is sound, but the image that it makes is not the one that was asked for.",
            "コンテナーは正常ですが、作られるイメージは指定されたものではありません。";
        DeltaMemory, "delta_memory", 9,
            "There is not enough memory. For building, --index sampled takes less than half.",
            "メモリーが不足しています。作成時は --index sampled で半分以下になります。";
        DeltaBuild, "delta_build", 9,
            "The container could not be made; nothing was written. Look at the message, and repeat with --threads 1.",
            "コンテナーを作成できませんでした。何も書き込んでいません。メッセージを確認し、--threads 1 で再実行してください。";
        DeltaImageLength, "delta_image_length", 3,
            "An image of this length has no container: 1 byte to 64 GiB, and at most 1,048,576 windows.",
            "この長さのイメージはコンテナーにできません(1バイトから64 GiB、最大1,048,576区画)。";
        DeltasKeyAbsent, "deltas_key_absent", 7,
        "This server has no key for deltas, so none can be delegated to. Ask whoever runs it to update it; everything else works without.",
        "このサーバーには差分用の鍵がないため、委任できません。サーバー運用者に更新を依頼してください。差分以外の機能には影響しません。";
    DeltasUnchanged, "deltas_unchanged", 6,
        "The published targets say this already; there is nothing to sign.",
        "公開済みの内容と同じため、署名するものはありません。";
    HoldUnknown, "hold_unknown", 3,
            "There is no such standing hold, or it is not yours to lift. `patchward hold list` shows whose each is.",
            "該当する保留がないか、解除の権限がありません。patchward hold list で設定者を確認してください。";
        RolloutUnknown, "rollout_unknown", 3,
            "There is no such rollout or wave. `patchward rollout list` shows what there is.",
            "該当する展開または段階がありません。patchward rollout list で一覧を確認してください。";
        WaveNotHalted, "wave_not_halted", 6,
            "This wave is not halted, so there is nothing to resume. `patchward rollout show` says what it waits for.",
            "この段階は停止していないため、再開の必要はありません。待機の理由は patchward rollout show で確認できます。";
        CampaignConflict, "campaign_conflict", 7,
            "Somebody else changed the campaign meanwhile. Look at it with `patchward campaign show` and repeat the change.",
            "他の人が先に展開計画を変更しました。patchward campaign show で確認し、変更をやり直してください。";
        InventoryUnknown, "inventory_unknown", 3,
            "This site has no inventory yet. Import wards and devices first: patchward inventory import",
            "この医療機関の台帳がまだありません。先に patchward inventory import で病棟と機器を登録してください。";
        InventoryBad, "inventory_bad", 3,
            "Correct each place that is named and import again. Nothing was imported.",
            "示された箇所をすべて修正し、もう一度取り込んでください。何も取り込んでいません。";
        InventoryConflict, "inventory_conflict", 7,
            "Somebody else changed the inventory since your file was exported. The message lists what differs now: export again, redo your change, import again.",
            "書き出し後に他の人が台帳を変更しました。相違点はメッセージのとおりです。もう一度書き出し、変更をやり直して取り込んでください。";
        CalendarBad, "calendar_bad", 3,
            "Correct the calendar where it is named, or export it with IANA time zones. Nothing was imported.",
            "示された箇所を修正するか、IANAタイムゾーンで書き出し直してください。何も取り込んでいません。";
        PlanRefused, "plan_refused", 6,
            "Nothing can be planned as asked; the message says why for each device. Nothing was written.",
            "この条件では計画できません。機器ごとの理由を確認してください。何も書き込んでいません。";
        PlanViolates, "plan_violates", 6,
            "It breaks rules of the wards, which are named. Change it; or accept each by its name with --accept-violation CODE (the name goes into summary and record).",
            "示された病棟の規則に反しています。内容を変更するか、--accept-violation CODE で規則名を指定して承知してください(要約と監査記録に残ります)。";
        RollbackNotPermitted, "rollback_not_permitted", 6,
            "The manufacturer does not permit this way back for the devices that are named. Ask the manufacturer, or choose another release.",
            "示された機器について、製造販売業者はこのロールバックを許可していません。製造販売業者に確認するか、別の版を選んでください。";
        ControlMissing, "control_missing", 6,
            "Going back opens the holes that are named. Say what stands in meanwhile: --control TEXT --owner NAME --due DATE",
            "ロールバックにより示された脆弱性が再び生じます。--control 対策 --owner 担当者 --due 期限 で補完的対策を指定してください。";
        InventoryUnseen, "inventory_unseen", 6,
            "This key has signed by this site's ward rules before, and this machine sees none now. Log in, give --inventory and --devices-file, or bring the whole folder of the draft.",
            "この鍵は以前、病棟の規則を確認して署名しましたが、今回は台帳を確認できません。ログインするか、--inventory と --devices-file を指定するか、下書きのフォルダー全体を持参してください。";
        NotAbandoned, "not_abandoned", 6,
            "--abandoned names the version whose earlier draft was given up: exactly the version of this draft, and it was signed here with other content.",
            "--abandoned には、取りやめた下書きの版番号(この下書きと同じ版で、この鍵が別の内容に署名済みのもの)を指定してください。";
        RecordFile, "record_file", 3,
            "This is no file of `patchward record export`, or it was packed again. Get the file as it was exported.",
            "patchward record export のファイルではないか、再圧縮されています。出力されたままのファイルを入手してください。";
        RecordBad, "record_bad", 5,
            "The record does not hold together from the entry or file that is named. Do not rely on it; keep the file and tell IT security.",
            "示された箇所以降、監査記録が整合しません。根拠として用いず、ファイルを保存して情報セキュリティ担当へ連絡してください。";
        RecordUntrusted, "record_untrusted", 5,
            "The record is not signed by the record key that is known for this site. Compare the key with the enrolment pack, and ask who changed the server.",
            "この医療機関の記録鍵による署名ではありません。登録パックの鍵と照合し、サーバーの変更の有無を確認してください。";
        RecordRewritten, "record_rewritten", 5,
            "The record does not continue what was seen before: entries were removed or changed, or others are shown another record. Keep both checkpoints and tell IT security.",
            "監査記録が以前に確認したものの続きになっていません(削除・改変、または相手により異なる記録の提示)。両方のチェックポイントを保存し、情報セキュリティ担当へ連絡してください。";
        RecordTooLong, "record_too_long", 3,
            "The record is longer than this program exports in one file. Read it by its tiles.",
            "監査記録が一つのファイルの上限を超えています。タイル形式で取得してください。";
    }
}

/// A failure that ends the program.
#[derive(Debug)]
pub struct Failure {
    /// Its code.
    pub code: Code,
    /// The particulars: which file, which value, with the chain of causes.
    pub detail: String,
    /// Each single thing that is wrong, where there are several.
    pub problems: Vec<String>,
    /// What the server said, word for word.
    pub server: Option<Box<Problem>>,
}

/// What a verb returns.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with its particulars.
    pub fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self { code, detail: detail.to_string(), problems: Vec::new(), server: None }
    }

    /// A failure with its cause and the causes of that.
    pub fn because(code: Code, what: impl fmt::Display, cause: &dyn std::error::Error) -> Self {
        Self::new(code, format!("{what}: {}", chain(cause)))
    }

    /// A failure with each single thing that is wrong.
    pub fn with_problems(code: Code, what: impl fmt::Display, problems: Vec<String>) -> Self {
        Self { problems, ..Self::new(code, what) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.code(), self.detail)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_every_hint_is_bilingual() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((2..=9).contains(&code.exit()), "{code:?}");
            assert!(code.en().is_ascii() && !code.ja().is_ascii(), "{code:?}");
        }
    }
}
