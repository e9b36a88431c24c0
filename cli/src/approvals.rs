//! Approvals of a site: those that are listed, and drafts of the next version with new ones.
//!
//! Not here: what an approval says ([`crate::approve`], [`crate::standing`]).
//! Invariant: what is drafted passes the same check that the device makes; a folder appears whole.

use crate::devices;
use crate::error::{Code, Failure, Outcome};
use crate::folder::Folder;
use crate::here::{Here, Language};
use crate::said::Said;
use crate::server::Server;
use crate::{plan, repository};
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::approval::Approval;
use patchward_protocol::draft::planned::Known;
use patchward_protocol::draft::{approval_text, next};
use patchward_protocol::id::{RepositoryId, TargetPath};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::tuf::build::TargetsSpec;
use patchward_protocol::tuf::lookup::{APPROVAL_DIR, TargetFile};
use patchward_protocol::tuf::role::Role;
use patchward_protocol::verified::Verified;
use serde_json::json;
use std::path::Path;

/// An approval to be drafted, with what else a person reads before signing it.
pub struct Drafted<'a> {
    /// The approval.
    pub approval: Approval,
    /// More lines, by language.
    pub more: &'a dyn Fn(Language, &Approval) -> Vec<String>,
}

/// What the hospital said of itself when a draft was made: it travels with the draft.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// The inventory.
    pub inventory: &'a Inventory,
    /// The devices as the server saw them.
    pub views: &'a [DeviceView],
}

/// Name of the inventory in the folder of a draft.
pub const INVENTORY_FILE: &str = "inventory.json";
/// Name of the list of devices in the folder of a draft.
pub const DEVICES_FILE: &str = "devices.json";

/// The verified approvals that the site lists.
///
/// # Errors
/// [`Code::MetadataUntrusted`], [`Code::ApprovalRefused`], failures of reaching the server.
pub fn listed(
    here: &Here,
    server: &Server,
    id: &RepositoryId,
) -> Outcome<Vec<(TargetPath, Approval)>> {
    let set = repository::refresh(here, server, id)?;
    let files = set.files(APPROVAL_DIR);
    let read = |file: &Verified<TargetFile>| {
        let bytes = repository::fetch(server, id, &set, file)?;
        Ok((file.path.clone(), crate::approval_text::read(&file.path, &bytes)?))
    };
    files.iter().map(read).collect()
}

/// Approvals whose `valid_until` has passed permit nothing and need not be listed any more.
pub fn drop_past(listed: &[(TargetPath, Approval)], spec: &mut TargetsSpec) {
    next::drop_past(listed.iter().map(|(path, approval)| (path, approval)), spec);
}

impl<'a> Grounds<'a> {
    /// What travels with a draft: what the planner saw.
    #[must_use]
    pub fn of(known: &'a Known) -> Option<Self> {
        let inventory = known.inventory.as_ref()?;
        Some(Self { inventory, views: &known.views })
    }
}

/// Drafts the next version of the site's targets with these approvals.
///
/// # Errors
/// [`Code::ApprovalRefused`], failures of writing.
pub fn put(
    here: &Here,
    id: &RepositoryId,
    mut spec: TargetsSpec,
    drafted: &[Drafted<'_>],
    grounds: Option<Grounds<'_>>,
    out: &Path,
) -> Outcome<Said> {
    let folder = Folder::begin(out)?;
    let mut named = Vec::new();
    for Drafted { approval, .. } in drafted {
        let made = next::add(&mut spec, approval.clone());
        let made = made.map_err(|error| plan::not_drafted(here.language, error))?;
        folder.add(&made.path, &made.bytes)?;
        named.push((approval, made.sha256));
    }
    let staged = spec.staged(Role::Targets);
    let staged = staged.map_err(|error| Failure::because(Code::StageRules, id, &error))?;
    let text = |language| {
        let mut lines = Vec::new();
        for ((approval, sha256), drafted) in named.iter().zip(drafted) {
            lines.extend(approval_text::lines(language, approval, *sha256));
            lines.extend((drafted.more)(language, approval));
        }
        lines
    };
    for (name, language) in [("summary-en.txt", Language::En), ("summary-ja.txt", Language::Ja)] {
        folder.note(name, &text(language))?;
    }
    if let Some(grounds) = grounds {
        folder.beside(INVENTORY_FILE, &json!(grounds.inventory))?;
        folder.beside(DEVICES_FILE, &json!(grounds.views))?;
    }
    let file = folder.finish(&staged)?;
    let word = here.language.pick("to be signed:", "署名待ち:");
    let one = named.first().map(|(approval, sha256)| (&approval.id, *sha256));
    Ok(Said::new(json!({
        "approval": one.map(|(id, _)| id), "sha256": one.map(|(_, sha256)| sha256),
        "fingerprint": one.map(|(_, sha256)| sha256.fingerprint()),
        "approvals": named.iter().map(|(approval, _)| &approval.id).collect::<Vec<_>>(),
        "version": spec.version, "staged": file, "signed_sha256": staged.message_sha256(),
    }))
    .lines(text(here.language))
    .line(format!("{word} {}", file.display())))
}

/// The grounds that travelled with a draft, when it has any.
///
/// # Errors
/// [`Code::InventoryBad`] and failures of reading.
pub fn carried(folder: &Path) -> Outcome<Option<(Inventory, Vec<DeviceView>)>> {
    let (inventory, views) = (folder.join(INVENTORY_FILE), folder.join(DEVICES_FILE));
    if !inventory.exists() {
        return Ok(None);
    }
    Ok(Some((crate::inventory::open(&inventory)?, devices::from_file(&views)?)))
}
