stop-title = 緊急停止 STOP
stop-intro = 停止に鍵や承認は不要です。機器は現在の状態のまま使用でき、更新だけが保留されます。
stop-button-site = { $n ->
    [0] 緊急停止: { $place }のすべての機器を今すぐ保留
   *[other] 緊急停止: { $place }の機器{ $n }台を今すぐ保留
 }
stop-button-some = { $n ->
    [0] 緊急停止: { $what }を今すぐ保留
   *[other] 緊急停止: { $what }(機器{ $n }台)を今すぐ保留
 }
stop-under-way = そのうち{ $n }台は更新の途中です。後戻りできない時点を過ぎた機器は、更新を終えて自己点検を行います。
stop-wrong = まだ停止していません。
stop-not-stored = サーバーに保存できませんでした。もう一度押してください。機器側ではサーバーなしで停止できます(アプリケーションの「今は更新しない」、または patchward-agent hold)。
stop-reason = 理由
stop-reason-hint = このままでもかまいません。監査記録と機器に残ります。患者の氏名は書かないでください。
stop-reason-default = コンソールから停止(理由は後で記入)
stop-choose = 一部だけを停止する
stop-device = 機器
stop-device-choose = この機器を選ぶ
stop-after = 停止するとどうなるか
stop-after-1 = 接続中の機器にはただちに、それ以外には次の通信時に伝わります。通信できない機器は、段階の確認がとれないため自ら保留します。
stop-after-2 = 72時間以内に見直しをお願いします。保留が自動的に解除されることはありません。
stop-after-3 = 再開には、医療機関の署名が必要です。
stop-holds-link = 保留の一覧
stop-set-done = 停止しました。監査記録に残りました。
stop-holds-title = 保留
stop-hold-title = 保留
stop-holds-intro = この施設で停止しているもの、その担当者と見直し期限です。保留が自動的に解除されることはありません。
stop-holds-standing = 保留中
stop-holds-none = 保留はありません。更新は承認どおりに進みます。
stop-holds-lifted = 過去90日間に解除したもの
stop-overdue = 期限超過
stop-overdue-what = 見直し期限を過ぎています。担当者は確認のうえ、解除するか、継続する理由を記入してください。
stop-standing = 保留中
stop-lifted = 解除済み
stop-lifted-at = 解除日時
stop-devices = { $n }台
stop-holds-now = 現在{ $n }台を保留しています。
stop-owner = 担当者
stop-set = 開始
stop-review = 見直し期限
stop-lift = この保留を解除(署名が必要)
stop-fact-id = 番号
stop-fact-whose = 保留の主体
stop-fact-set-by = 設定者
stop-passed = 後戻りできない時点を過ぎていた機器
stop-passed-none = ありません。現在、これらの機器で変更中のものはありません。
stop-passed-what = これらの機器は更新を終えて自己点検を行い、異常があれば自動で旧版に戻ります。電源を切らないでください。
stop-caught = 間に合った機器
stop-caught-what = 準備中だった機器です。変更が始まる前に停止します。
stop-next = 次にすること
stop-next-what = 機器を確認し、分かったことを記録してください。その後、署名して保留を解除するか、ロールバックを指示します。
stop-board = 適用状況
stop-what-site = 施設全体
stop-what-ward = 病棟「{ $ward }」
stop-what-device = 機器 { $device }
stop-what-release = { $family } { $version }
stop-by-site = 当施設の保留
stop-by-maker = 製造販売業者の保留(当施設のロールバックは妨げません)
stop-by-operator = サーバー運用者の保留(当施設のロールバックは妨げません)
stop-by-freeze = 変更凍結期間(期間の終了とともに解除)
stop-state-preparing = 準備中
stop-state-armed = 開始直前
stop-state-activating = 変更中
stop-state-restarting = 再起動中
stop-state-trial = 自己点検中
stop-state-rolling-back = 旧版に復帰中
