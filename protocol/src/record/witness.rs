//! The witness rule: a record that somebody has seen may only grow.
//!
//! A server can sign any tree, also a rewritten one, and can show each reader another. So devices,
//! signing tools and exports keep the last checkpoint that they have seen, and take a newer one only
//! with a proof that it continues theirs; two readers who compare what they keep find a split view.
//! Not here: where the checkpoint is kept.
//! Invariant: what is kept never goes back, and never changes to another history.

use super::checkpoint::Checkpoint;
use crate::digest::Sha256Digest;
use crate::id::SiteId;
use crate::key::PublicKey;
use crate::merkle::proof::check_consistency;
use crate::reason::Reason;
use serde::{Deserialize, Serialize};

/// The end of a record as somebody has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// How many entries it had.
    pub size: u64,
    /// The root over them.
    pub root: Sha256Digest,
}

impl From<&Checkpoint> for Seen {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self { size: checkpoint.size, root: checkpoint.root }
    }
}

/// What to keep after a signed checkpoint was shown with a proof of consistency, starting from what
/// was kept before; the first checkpoint is taken as it is.
///
/// # Errors
/// [`Reason::CheckpointWrong`] when the note is not the record key's word on this site's record;
/// [`Reason::RecordRewritten`] when it does not continue what was seen. Both checkpoints together are
/// then the evidence: keep them.
pub fn witness(
    site: &SiteId,
    record_key: &PublicKey,
    seen: Option<&Seen>,
    note: &str,
    consistency: &[Sha256Digest],
) -> Result<Seen, Reason> {
    let checkpoint =
        Checkpoint::open(note, site, record_key).map_err(|_| Reason::CheckpointWrong)?;
    let offered = Seen::from(&*checkpoint);
    match seen {
        None => Ok(offered),
        Some(seen) => continues(seen, &offered, consistency).map(|()| offered),
    }
}

/// Whether a record continues the one that was seen.
///
/// # Errors
/// [`Reason::RecordRewritten`].
pub fn continues(seen: &Seen, offered: &Seen, consistency: &[Sha256Digest]) -> Result<(), Reason> {
    check_consistency((seen.size, &seen.root), (offered.size, &offered.root), consistency)
        .map_err(|_| Reason::RecordRewritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{SecretKey, Signer as _};
    use crate::merkle::edge::Edge;
    use crate::merkle::{Node, leaf_hash, proof};
    use std::collections::HashMap;
    use std::convert::Infallible;

    /// A log of these leaves: signed checkpoint, and a proof from any earlier size.
    struct Log {
        nodes: HashMap<Node, Sha256Digest>,
        edge: Edge,
    }

    impl Log {
        fn of(leaves: &[&str]) -> Self {
            let (mut nodes, mut edge) = (HashMap::new(), Edge::empty());
            for (n, leaf) in (0_u64..).zip(leaves) {
                let done = edge.append(leaf_hash(leaf.as_bytes()));
                for (level, hash) in (0_u32..).zip(done) {
                    nodes.insert(Node { level, index: n >> level }, hash);
                }
            }
            Self { nodes, edge }
        }

        fn shown(&self, key: &SecretKey) -> String {
            let (size, root) = (self.edge.size(), self.edge.root());
            Checkpoint { site: site(), size, root }.sign(key).unwrap()
        }

        fn proof(&self, from: u64) -> Vec<Sha256Digest> {
            let mut read = |node: Node| Ok::<_, Infallible>(self.nodes[&node]);
            proof::consistency(from, self.edge.size(), &mut read).unwrap()
        }
    }

    fn site() -> SiteId {
        SiteId::new("north").unwrap()
    }

    #[test]
    fn a_record_that_grows_is_followed() {
        let key = SecretKey::from_seed(&[5; 32]);
        let (one, two) = (Log::of(&["a", "b", "c"]), Log::of(&["a", "b", "c", "d", "e"]));
        let kept = witness(&site(), &key.public(), None, &one.shown(&key), &[]).unwrap();
        let kept =
            witness(&site(), &key.public(), Some(&kept), &two.shown(&key), &two.proof(3)).unwrap();
        assert_eq!(kept.size, 5);
        // The same checkpoint again needs no proof.
        assert_eq!(witness(&site(), &key.public(), Some(&kept), &two.shown(&key), &[]), Ok(kept));
    }

    #[test]
    fn a_record_that_shrinks_or_tells_another_story_is_refused() {
        let key = SecretKey::from_seed(&[5; 32]);
        let (one, other) = (Log::of(&["a", "b", "c"]), Log::of(&["a", "x", "c", "d"]));
        let kept = witness(&site(), &key.public(), None, &one.shown(&key), &[]).unwrap();
        let shown = |log: &Log, from| {
            witness(&site(), &key.public(), Some(&kept), &log.shown(&key), &log.proof(from))
        };
        assert_eq!(shown(&other, 3), Err(Reason::RecordRewritten));
        assert_eq!(shown(&other, 0), Err(Reason::RecordRewritten));
        assert_eq!(shown(&Log::of(&["a", "b"]), 3), Err(Reason::RecordRewritten));
        assert_eq!(shown(&Log::of(&["a", "b", "x"]), 3), Err(Reason::RecordRewritten));
        let thief = SecretKey::from_seed(&[6; 32]);
        let forged = witness(&site(), &key.public(), Some(&kept), &one.shown(&thief), &[]);
        assert_eq!(forged, Err(Reason::CheckpointWrong));
    }
}
