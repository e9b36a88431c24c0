//! The signer's memory: a file beside the key with what this key signed, so that nobody can show
//! the signer an older or a second story.
//!
//! `tanaka.key` has `tanaka.memory.json`. The rule itself is the protocol's. Invariant: the memory
//! is on disk before a signature leaves this program.

use crate::disk::{self, Place, Readers};
use crate::draft::Draft;
use crate::error::{Code, Failure, Outcome};
use crate::limits::MEMORY_BYTES_MAX;
use patchward_protocol::tuf::memory::{MemoryRefusal, Remarks, SignerMemory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The memory of one key.
#[derive(Debug, Clone)]
pub struct Memory {
    path: PathBuf,
    file: File,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u32,
    /// By repository and role, e.g. `site:city-hospital targets`.
    signed: BTreeMap<String, SignerMemory>,
}

impl Memory {
    /// Reads the memory beside a key file; a key that never signed has none.
    ///
    /// # Errors
    /// [`Code::FileUnreadable`] when it is there and does not read: it is never taken for empty.
    pub fn beside(key_file: &Path) -> Outcome<Self> {
        let path = key_file.with_extension("memory.json");
        let bad = |what: String| {
            Failure::new(Code::FileUnreadable, format!("{}: {what}", path.display()))
        };
        let file = match disk::read_if_there(&path, MEMORY_BYTES_MAX)? {
            None => File { v: 1, signed: BTreeMap::new() },
            Some(bytes) => {
                let file: File =
                    serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
                if file.v != 1 {
                    return Err(bad(format!("version {}, this software knows 1", file.v)));
                }
                file
            }
        };
        Ok(Self { path, file })
    }

    /// Gives up the draft that this key signed as `version` before, so that another of the same
    /// version can be signed; kept with the next [`Memory::remember`].
    ///
    /// # Errors
    /// [`Code::NotAbandoned`] when it is not the version of this draft, or was not signed here last,
    /// or this draft is that very one.
    pub fn abandon(&mut self, draft: &Draft, version: u64) -> Outcome<()> {
        let held = self.file.signed.entry(slot(draft)).or_default();
        let refused = |why: &str| {
            let shown = draft.staged.version();
            let what =
                format!("{}: --abandoned {version}, the draft is {shown}: {why}", draft.repository);
            Failure::new(Code::NotAbandoned, what)
        };
        if version != draft.staged.version() {
            return Err(refused("another version"));
        }
        let given_up = held.abandoning(version).ok_or_else(|| refused("not signed here"))?;
        let again = given_up.check(&draft.staged, 0, None).err();
        if matches!(again, Some(MemoryRefusal::GivenUp { .. })) {
            return Err(refused("this very draft is what was signed"));
        }
        *held = given_up;
        Ok(())
    }

    /// Whether this key may sign the draft, and what to say first.
    ///
    /// # Errors
    /// [`Code::SignerSawOther`] or [`Code::SignerSawNewer`].
    pub fn check(&self, draft: &Draft, base: u64) -> Outcome<Remarks> {
        let none = SignerMemory::default();
        let memory = self.file.signed.get(&slot(draft)).unwrap_or(&none);
        memory.check(&draft.staged, base, draft.targets()).map_err(|refusal| {
            let code = match refusal {
                MemoryRefusal::OtherContent { .. } | MemoryRefusal::GivenUp { .. } => {
                    Code::SignerSawOther
                }
                MemoryRefusal::Older { .. } | MemoryRefusal::StaleBase { .. } => {
                    Code::SignerSawNewer
                }
            };
            Failure::new(code, format!("{}: {refusal}", draft.repository))
        })
    }

    /// Remembers the draft, durably.
    ///
    /// # Errors
    /// Failures of writing.
    pub fn remember(mut self, draft: &Draft, base: u64) -> Outcome<()> {
        let memory = self.file.signed.entry(slot(draft)).or_default();
        *memory = memory.after(&draft.staged, base, draft.targets());
        let bytes = serde_json::to_vec_pretty(&self.file)
            .map_err(|error| Failure::new(Code::WriteFailed, error))?;
        disk::write(&self.path, &bytes, Readers::Owner, Place::Replace)
    }
}

fn slot(draft: &Draft) -> String {
    format!("{} {}", draft.repository, draft.staged.role())
}
