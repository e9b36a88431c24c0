//! `repo deltas`: whether the server may list deltas of a family, and what that means in words.
//!
//! The targets delegate to the role `deltas` with the one key that the server keeps for it, for files
//! below `delta/` alone. What a delta makes is compared with the offline-signed image, window by window,
//! so that this key can waste bandwidth and install nothing. Not here: building deltas (the server).
//! Invariant: this program drafts no other delegation.

use crate::base::{Against, Base};
use crate::error::{Code, Failure, Outcome};
use crate::folder::Folder;
use crate::here::{Here, Language};
use crate::login;
use crate::release::{Life, next};
use crate::repo::refused;
use crate::said::Said;
use patchward_protocol::api::repository::ShowRepository;
use patchward_protocol::draft::changes::{self, to_server};
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::delta_target::DELTAS_ROLE;
use patchward_protocol::tuf::difference::TargetsDifference;
use patchward_protocol::tuf::role::Role;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `repo deltas`.
#[derive(Debug, clap::Args)]
pub struct Deltas {
    /// The family
    pub family: FamilyId,
    /// The server may list deltas no longer: devices take full images
    #[arg(long)]
    pub remove: bool,
    /// When and until when it is signed
    #[command(flatten)]
    pub life: Life,
    /// Folder to make, with the staged file
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// What is published
    #[command(flatten)]
    pub against: Against,
}

/// `repo deltas`: drafts targets that add, replace or remove the delegation.
///
/// # Errors
/// [`Code::DeltasKeyAbsent`], [`Code::DeltasUnchanged`], failures of the base, the server and writing.
pub fn deltas(here: &Here, deltas: &Deltas) -> Outcome<Said> {
    let id = RepositoryId::Family(deltas.family.clone());
    let base = Base::current(here, &id, &deltas.against)?;
    let mut spec = next(here, &id, &base, &deltas.life)?;
    let before = spec.delegations.clone();
    spec.delegations.retain(|delegation| delegation.name != DELTAS_ROLE);
    if !deltas.remove {
        let (kind, name) = id.parts();
        let server = login::connect(here, &deltas.against.reach)?;
        let view = server.call::<ShowRepository>(&[kind, name], &())?;
        let absent = || Failure::new(Code::DeltasKeyAbsent, server.address().as_text());
        spec.delegations.push(to_server(view.deltas_key.ok_or_else(absent)?));
    }
    if spec.delegations == before {
        return Err(Failure::new(Code::DeltasUnchanged, &id));
    }
    let staged = spec.staged(Role::Targets).map_err(|error| refused(&id, &error))?;
    let path = Folder::begin(&deltas.out)?.finish(&staged)?;
    let difference = TargetsDifference::between(base.targets.as_ref(), &spec);
    let word = here.language.pick("to be signed:", "署名待ち:");
    Ok(Said::new(json!({
        "repository": id, "version": spec.version, "staged": path,
        "delegated": !deltas.remove, "signed_sha256": staged.message_sha256(),
    }))
    .lines(changes::delegations(here.language, &difference, base.targets.as_ref(), &spec))
    .line(format!("{word} {}", path.display())))
}

/// Whether targets let the server list deltas, in one line.
#[must_use]
pub fn summary(language: Language, spec: &TargetsSpec) -> String {
    match spec.delegations.iter().find(|delegation| delegation.name == DELTAS_ROLE) {
        Some(_) => language
            .pick(
                "deltas: the server may list them; it cannot list images",
                "差分: サーバーが掲載できます(更新イメージは掲載できません)",
            )
            .to_owned(),
        None => language
            .pick(
                "deltas: none. This server has no key for them; later: patchward repo deltas FAMILY",
                "差分: なし。このサーバーには差分用の鍵がありません。後から patchward repo deltas 機種 で追加できます",
            )
            .to_owned(),
    }
}
