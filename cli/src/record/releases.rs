//! The signed metadata of the families in a record, as this machine has verified it.
//!
//! A family that this machine does not trust is left out, and the pages say that it is not known. Not
//! here: what the metadata says (`protocol::record::export::releases`).
//! Invariant: what is fetched here was verified in this run.

use super::audit::Audited;
use crate::error::Outcome;
use crate::here::Here;
use crate::repository;
use crate::server::Server;
use patchward_protocol::id::{FamilyId, RepositoryId};
use patchward_protocol::record::export::releases::{FamilyFile, families};
use std::collections::BTreeMap;

/// The metadata of every family that devices speak of in a record, and a remark for each that is left
/// out.
///
/// # Errors
/// Failures of reading what this machine trusts.
pub fn fetch(
    here: &Here,
    server: &Server,
    audited: &Audited,
) -> Outcome<(BTreeMap<FamilyId, FamilyFile>, Vec<String>)> {
    let (mut files, mut remarks) = (BTreeMap::new(), Vec::new());
    for family in families(audited) {
        let id = RepositoryId::Family(family.clone());
        let left_out = here.language.pick(
            "is left out: this machine has no verified metadata of it",
            "は含まれません(この端末に検証済みのメタデータがありません)",
        );
        let set = match repository::root(here, &id)? {
            Some(_) => repository::refresh(here, server, &id).map_err(|failure| failure.detail),
            None => Err(here.language.pick("no trusted root", "ルート未登録").to_owned()),
        };
        match set.map(|set| FamilyFile::of(family, &set, here.at)) {
            Ok(Some(file)) => {
                files.insert(family.clone(), file);
            }
            Ok(None) => remarks.push(format!("{id} {left_out}")),
            Err(why) => remarks.push(format!("{id} {left_out} ({why})")),
        }
    }
    Ok((files, remarks))
}
