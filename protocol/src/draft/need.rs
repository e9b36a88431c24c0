//! How many persons an approval needs, and with which methods: what the device asks for, and what the
//! hospital's own policy asks for before that.
//!
//! Counts distinct persons, never keys. Not here: the threshold of the root (the protocol's).
//! Invariant: an emergency without two persons and one offline key is never called complete.

use crate::approval::{Action, Approval, ApprovalState, Urgency};
use crate::inventory::SigningPolicy;
use crate::language::Language;
use crate::tuf::schema::Method;
use crate::tuf::threshold::Signers;
use serde_json::{Value, json};

/// Persons that an emergency needs, whatever a policy says.
const EMERGENCY_PERSONS_MIN: u32 = 2;

/// What one approval needs and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The approval.
    pub approval: String,
    /// Persons needed.
    pub persons: usize,
    /// Persons who signed.
    pub signed: Vec<String>,
    /// The method that at least one signature must have, or a stronger one.
    pub method: Method,
    /// Whether one has.
    pub method_met: bool,
}

impl Need {
    /// Whether enough persons signed in the ways that are asked for.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.signed.len() >= self.persons && self.method_met
    }

    /// In words.
    #[must_use]
    pub fn line(&self, language: Language) -> String {
        let method = json!(self.method);
        let method = method.as_str().unwrap_or_default().to_owned();
        let mark = |met: bool| match met {
            true => language.pick("yes", "あり"),
            false => language.pick("MISSING", "不足"),
        };
        let missing = self.persons.saturating_sub(self.signed.len());
        match language {
            Language::En => format!(
                "{}: {} of {} persons ({}){}; one signature {method} or stronger: {}",
                self.approval,
                self.signed.len(),
                self.persons,
                self.signed.join(", "),
                if missing > 0 { format!(", {missing} MISSING") } else { String::new() },
                mark(self.method_met)
            ),
            Language::Ja => format!(
                "{}: 署名者 {} / {} 名({}){}、{method} 以上の署名: {}",
                self.approval,
                self.signed.len(),
                self.persons,
                self.signed.join("、"),
                if missing > 0 { format!("、{missing} 名不足") } else { String::new() },
                mark(self.method_met)
            ),
        }
    }

    /// For machines.
    #[must_use]
    pub fn value(&self) -> Value {
        json!({"approval": self.approval, "persons": self.persons, "signed": self.signed,
               "method": self.method, "method_met": self.method_met, "complete": self.is_met()})
    }
}

/// What each of these approvals needs, and has from these signers.
#[must_use]
pub fn needs<'a>(
    approvals: impl Iterator<Item = &'a Approval>,
    policy: Option<&SigningPolicy>,
    signers: &Signers,
    weakest: Method,
) -> Vec<Need> {
    let active = approvals.filter(|approval| approval.state == ApprovalState::Active);
    let strongest = signers.strongest();
    let need = |approval: &Approval| {
        let emergency = approval.urgency == Urgency::Emergency;
        let method = if emergency { Method::Offline } else { weakest };
        Need {
            approval: approval.id.to_string(),
            persons: usize::try_from(persons(approval, policy)).unwrap_or(usize::MAX),
            signed: signers.persons().into_iter().map(ToString::to_string).collect(),
            method,
            method_met: strongest.is_some_and(|strongest| strongest <= method),
        }
    };
    active.map(need).collect()
}

fn persons(approval: &Approval, policy: Option<&SigningPolicy>) -> u32 {
    let asked = |of: fn(&SigningPolicy) -> u32| policy.map_or(1, of);
    match (approval.urgency, approval.action) {
        (Urgency::Emergency, _) => {
            asked(|policy| policy.emergency_persons).max(EMERGENCY_PERSONS_MIN)
        }
        (Urgency::Routine, Action::Standing) => asked(|policy| policy.standing_persons),
        (Urgency::Routine, Action::Rollback) => asked(|policy| policy.rollback_persons),
        (Urgency::Routine, Action::Install) => asked(|policy| policy.routine_persons),
    }
}
