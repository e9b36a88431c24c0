//! Every way in which a verb fails: a stable code, an exit code, a hint in English and Japanese.

use crate::config::ConfigError;
use crate::driver::start::StartError;
use crate::edge::Failure;
use crate::enrol::EnrolError;
use crate::identity::IdentityError;
use crate::journal::JournalError;
use crate::ledger::LedgerError;
use patchward_protocol::reason::Reason;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Wrong use.
    #[error("{0}")]
    Usage(String),
    /// The configuration is refused.
    #[error("the configuration is refused")]
    Config(#[from] ConfigError),
    /// The agent does not start.
    #[error("the agent does not start")]
    Start(#[from] StartError),
    /// The device did not join.
    #[error("the device did not join the site")]
    Enrol(#[from] EnrolError),
    /// The ledger is not whole.
    #[error("the ledger is not whole")]
    Ledger(#[from] LedgerError),
    /// The installer does not work.
    #[error("the installer does not work")]
    Installer(#[source] Failure),
    /// Another agent works in this state folder.
    #[error("another agent works in this state folder")]
    Running,
    /// The agent never ran, so nothing is known.
    #[error("the agent has not run here yet")]
    NeverRan,
    /// The disk said no.
    #[error("{during}")]
    Disk {
        /// What was being done.
        during: String,
        /// Why.
        source: std::io::Error,
    },
    /// The machine gives no random numbers, or no runtime.
    #[error("this machine does not let the agent work: {0}")]
    Machine(String),
}

/// What is printed of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The stable code.
    pub code: &'static str,
    /// The exit code.
    pub exit: u8,
    /// What to do, in English.
    pub en: &'static str,
    /// What to do, in Japanese.
    pub ja: &'static str,
}

const fn told(code: &'static str, exit: u8, en: &'static str, ja: &'static str) -> Told {
    Told { code, exit, en, ja }
}

const fn by_reason(reason: Reason, exit: u8) -> Told {
    told(reason.code(), exit, reason.en(), reason.ja())
}

impl CliError {
    /// Its code, exit code and hints.
    #[must_use]
    pub const fn told(&self) -> Told {
        match self {
            Self::Usage(_) => told(
                "usage",
                2,
                "See patchward-agent --help.",
                "patchward-agent --help を参照してください。",
            ),
            Self::Config(_) => told(
                "config",
                2,
                "Correct the configuration; patchward-agent check-config checks it.",
                "設定を修正してください。patchward-agent check-config で確認できます。",
            ),
            Self::Start(error) => of_start(error),
            Self::Enrol(error) => of_enrol(error),
            Self::Ledger(_) => told(
                "ledger_damaged",
                4,
                "The ledger was changed or damaged. Keep it as it is and call service.",
                "機器記録が改変または破損しています。そのまま保全し、保守担当へ連絡してください。",
            ),
            Self::Installer(failure) => by_reason(failure.reason, 1),
            Self::Running => told(
                "already_running",
                5,
                "Stop the other agent first, or ask it with status.",
                "先に動作中のエージェントを停止するか、status で確認してください。",
            ),
            Self::NeverRan => told(
                "never_ran",
                3,
                "Enrol the device and start the agent with run.",
                "機器を登録し、run でエージェントを起動してください。",
            ),
            Self::Disk { .. } => by_reason(Reason::StorageFailed, 1),
            Self::Machine(_) => told(
                "machine",
                1,
                "Look at the message; the machine refuses something basic.",
                "メッセージを確認してください。機器の基本機能が利用できません。",
            ),
        }
    }
}

const fn of_start(error: &StartError) -> Told {
    match error {
        StartError::NotEnrolled => told(
            "not_enrolled",
            3,
            "Enrol the device first: patchward-agent enrol --pack FILE.",
            "先に機器を登録してください: patchward-agent enrol --pack FILE",
        ),
        StartError::Identity(IdentityError::Mode { .. }) => told(
            "key_mode",
            4,
            "The key may be known to others. Have the device enrolled anew with a new key, or set mode 0600 if you are sure.",
            "鍵が他者に読まれた可能性があります。新しい鍵で登録し直すか、確実な場合はモードを0600にしてください。",
        ),
        StartError::Identity(_) => told(
            "identity",
            4,
            "Keys or membership cannot be used. Enrol the device again.",
            "鍵または登録情報を使用できません。機器を登録し直してください。",
        ),
        StartError::Journal(JournalError::Spoilt { .. } | JournalError::TooLong { .. }) => {
            by_reason(Reason::JournalUnreadable, 4)
        }
        StartError::Journal(JournalError::Read { .. } | JournalError::Write { .. })
        | StartError::Store(_)
        | StartError::Read { .. } => by_reason(Reason::StorageFailed, 1),
        StartError::Ledger(_) => told(
            "ledger_damaged",
            4,
            "The ledger was changed or damaged. Keep it as it is and call service.",
            "機器記録が改変または破損しています。そのまま保全し、保守担当へ連絡してください。",
        ),
        StartError::Link(_) | StartError::Address(_) => told(
            "server_address",
            2,
            "The server's address or certificate authority is not usable. Get a new enrolment pack.",
            "サーバーのアドレスまたは認証局を使用できません。新しい登録パックを受け取ってください。",
        ),
        StartError::Root { .. } => told(
            "pinned_root",
            4,
            "A pinned root cannot be used. Install it again from the manufacturer, or enrol again.",
            "固定されたルートを使用できません。製造販売業者から再導入するか、登録し直してください。",
        ),
        StartError::ExampleKeys(_) => by_reason(Reason::ExampleKeys, 4),
    }
}

const fn of_enrol(error: &EnrolError) -> Told {
    match error {
        EnrolError::Pack(_) | EnrolError::Fingerprint { .. } => by_reason(Reason::PackUntrusted, 4),
        EnrolError::ExampleKeys => by_reason(Reason::ExampleKeys, 4),
        EnrolError::OtherSite(_) => told(
            "site_taken",
            4,
            "The device belongs to another site or root. Only a person with full rights on the device may move it: --replace-site.",
            "この機器は別の施設またはルートに登録済みです。機器の管理者のみが --replace-site で変更できます。",
        ),
        EnrolError::Busy(_) => told(
            "update_under_way",
            1,
            "Wait until the update has ended, then try again.",
            "更新の終了後に再実行してください。",
        ),
        EnrolError::Refused { .. } => told(
            "enrolment_refused",
            4,
            "The server refused the enrolment; the message says why. Ask the hospital for a new pack.",
            "サーバーが登録を拒否しました。メッセージを確認し、医療機関に新しい登録パックを依頼してください。",
        ),
        EnrolError::Reply(_) => told(
            "server_not_of_pack",
            4,
            "The server is not the one that the pack names. Check address and pack.",
            "サーバーが登録パックのものと異なります。アドレスと登録パックを確認してください。",
        ),
        EnrolError::Link(_) => by_reason(Reason::ServerUnreachable, 6),
        EnrolError::Start(error) => of_start(error),
        EnrolError::Write { .. } => by_reason(Reason::StorageFailed, 1),
        EnrolError::Statement(_) => told(
            "statement",
            1,
            "The device could not sign its statement. Look at the message.",
            "機器が申請に署名できませんでした。メッセージを確認してください。",
        ),
    }
}
