//! Trusted metadata on disk: raw bytes as received, in generations.
//!
//! Two files take turns; the newest whole one counts, so that a torn or changed file means the
//! generation before, never "absent". Floors stand in every generation and once more beside it.
//! Invariant: what [`Store::read`] returns has floors at least as high as in any whole file.

use crate::journal::write_durably;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::canonical;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::floors::Floors;
use patchward_protocol::tuf::refresh::Held;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Where one repository is kept.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    name: &'static str,
}

/// One generation.
#[derive(Debug, Clone)]
pub struct Generation {
    /// Rises with every write.
    pub n: u64,
    /// The metadata, as received.
    pub held: Held,
    /// What was seen.
    pub floors: Floors,
    /// The instant against which expiry was judged.
    pub judged_at: Timestamp,
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    /// Nothing was ever stored.
    Nothing,
    /// The newest generation, whole.
    Whole(Box<Generation>),
    /// A file is torn or changed; this is the best that is left.
    Damaged {
        /// The generation before, if it is whole.
        generation: Option<Box<Generation>>,
        /// The highest floors that are left.
        floors: Box<Floors>,
        /// What is damaged.
        why: String,
    },
}

/// The disk said no.
#[derive(Debug, thiserror::Error)]
#[error("trusted metadata in {path}")]
pub struct StoreError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
struct Summed {
    sha256: Sha256Digest,
    body: Value,
}

#[derive(Serialize, Deserialize)]
struct Body {
    v: u32,
    n: u64,
    root: String,
    timestamp: Option<String>,
    snapshot: Option<String>,
    targets: Option<String>,
    delegated: BTreeMap<String, String>,
    floors: Floors,
    judged_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct FloorsBody {
    v: u32,
    n: u64,
    floors: Floors,
}

enum File<T> {
    Absent,
    Whole(Box<T>),
    Damaged(String),
}

impl Store {
    /// The store of a repository in a folder, which is made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn new(folder: &Path, name: &'static str) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError { path: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), name })
    }

    /// Reads what is stored.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails; damage is no error but [`Found::Damaged`].
    pub fn read(&self) -> Result<Found, StoreError> {
        let mut damage = Vec::new();
        let mut whole: Vec<Generation> = Vec::new();
        for turn in 0..2 {
            let path = self.generation(turn);
            match read_summed::<Body>(&path)? {
                File::Absent => {}
                File::Damaged(why) => damage.push(why),
                File::Whole(body) => match body.open() {
                    Ok(generation) => whole.push(generation),
                    Err(why) => damage.push(format!("{}: {why}", path.display())),
                },
            }
        }
        let mut floors: Vec<(u64, Floors)> =
            whole.iter().map(|g| (g.n, g.floors.clone())).collect();
        match read_summed::<FloorsBody>(&self.floors_path())? {
            File::Absent => {}
            File::Damaged(why) => damage.push(why),
            File::Whole(body) => floors.push((body.n, body.floors.clone())),
        }
        let highest = floors.into_iter().max_by_key(|(n, _)| *n).unwrap_or_default();
        let newest = whole.into_iter().max_by_key(|generation| generation.n);
        // Floors are written first: a whole generation that is older than they are was followed by
        // one that did not reach the disk. That is a crash, and no damage.
        let newest = newest.map(|mut generation| {
            generation.floors = highest.1.clone();
            generation.n = generation.n.max(highest.0);
            Box::new(generation)
        });
        match newest {
            Some(generation) if damage.is_empty() => Ok(Found::Whole(generation)),
            None if damage.is_empty() && highest.0 == 0 => Ok(Found::Nothing),
            generation => {
                let why = if damage.is_empty() {
                    "no generation is left".into()
                } else {
                    damage.join("; ")
                };
                Ok(Found::Damaged { generation, floors: Box::new(highest.1), why })
            }
        }
    }

    /// Writes the next generation, floors first. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; the generation before stays.
    pub fn write(&self, generation: &Generation) -> Result<(), StoreError> {
        let floors = FloorsBody { v: 1, n: generation.n, floors: generation.floors.clone() };
        write_summed(&self.floors_path(), &floors)?;
        write_summed(&self.generation(generation.n % 2), &Body::of(generation))
    }

    fn generation(&self, turn: u64) -> PathBuf {
        self.folder.join(format!("{}.{turn}.json", self.name))
    }

    fn floors_path(&self) -> PathBuf {
        self.folder.join(format!("{}.floors.json", self.name))
    }
}

impl Body {
    fn of(generation: &Generation) -> Self {
        let held = &generation.held;
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| STANDARD.encode(bytes));
        let delegated = held.delegated.iter();
        Self {
            v: 1,
            n: generation.n,
            root: STANDARD.encode(&held.root),
            timestamp: text(&held.timestamp),
            snapshot: text(&held.snapshot),
            targets: text(&held.targets),
            delegated: delegated.map(|(name, b)| (name.clone(), STANDARD.encode(b))).collect(),
            floors: generation.floors.clone(),
            judged_at: generation.judged_at,
        }
    }

    fn open(self) -> Result<Generation, String> {
        let bytes = |text: &str| STANDARD.decode(text).map_err(|error| error.to_string());
        let maybe = |text: &Option<String>| text.as_deref().map(bytes).transpose();
        let mut held = Held::pinned(bytes(&self.root)?);
        held.timestamp = maybe(&self.timestamp)?;
        held.snapshot = maybe(&self.snapshot)?;
        held.targets = maybe(&self.targets)?;
        for (name, text) in &self.delegated {
            held.delegated.insert(name.clone(), bytes(text)?);
        }
        let Self { n, floors, judged_at, .. } = self;
        Ok(Generation { n, held, floors, judged_at })
    }
}

fn read_summed<T: DeserializeOwned>(path: &Path) -> Result<File<T>, StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::Absent),
        Err(source) => return Err(StoreError { path: path.to_owned(), source }),
    };
    let damaged = |why: String| File::Damaged(format!("{}: {why}", path.display()));
    let summed: Summed = match serde_json::from_slice(&bytes) {
        Ok(summed) => summed,
        Err(error) => return Ok(damaged(error.to_string())),
    };
    let body = canonical::write(&summed.body).unwrap_or_default();
    if Sha256Digest::of(&body) != summed.sha256 {
        return Ok(damaged("the checksum differs".into()));
    }
    Ok(match serde_json::from_value(summed.body) {
        Ok(value) => File::Whole(Box::new(value)),
        Err(error) => damaged(error.to_string()),
    })
}

fn write_summed(path: &Path, value: &impl Serialize) -> Result<(), StoreError> {
    let failed = |source| StoreError { path: path.to_owned(), source };
    let other = |error: serde_json::Error| failed(io::Error::other(error));
    let body = serde_json::to_value(value).map_err(other)?;
    let sha256 = Sha256Digest::of(&canonical::write(&body).map_err(other)?);
    let bytes = serde_json::to_vec(&Summed { sha256, body }).map_err(other)?;
    write_durably(path, &bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(n: u64) -> Generation {
        let mut floors = Floors::default();
        floors.raise_targets(n * 10, None);
        Generation {
            n,
            held: Held::pinned(format!("root {n}").into_bytes()),
            floors,
            judged_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn a_torn_file_means_the_generation_before_with_the_floors_of_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "site").unwrap();
        assert!(matches!(store.read().unwrap(), Found::Nothing));
        for n in 1..=4 {
            store.write(&generation(n)).unwrap();
        }
        let newest = folder.path().join("site.0.json");
        let bytes = std::fs::read(&newest).unwrap();
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            write_durably(&newest, &bytes[..length]).unwrap();
            let Found::Damaged { generation: Some(found), .. } = store.read().unwrap() else {
                panic!("damage is said");
            };
            assert_eq!(found.held.root, b"root 3");
            assert_eq!(found.floors.targets_version(), 40);
        }
    }

    #[test]
    fn with_every_generation_gone_the_floors_still_stand() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "site").unwrap();
        for n in 1..=2 {
            store.write(&generation(n)).unwrap();
        }
        for turn in 0..2 {
            write_durably(&folder.path().join(format!("site.{turn}.json")), b"").unwrap();
        }
        let Found::Damaged { generation: None, floors, .. } = store.read().unwrap() else {
            panic!("damage is said");
        };
        assert_eq!(floors.targets_version(), 20);
    }
}
