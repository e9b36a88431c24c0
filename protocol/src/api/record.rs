//! A site's record over HTTP: where it ends, its checkpoint, its tiles. Another site's are 404.
//!
//! Checkpoint and tiles are files in the form of C2SP tlog-tiles below one prefix,
//! `/v1/sites/{site}/record`, so that public tools read them; proofs are made from tiles by whoever
//! reads, and need no endpoint. Not here: writing, which no endpoint does.

use super::endpoint::{Description, Endpoint, Method, Who, caller};
use crate::digest::Sha256Digest;
use crate::key::PublicKey;
use serde::{Deserialize, Serialize};

/// Reads where a site's record ends, and by which key its checkpoints are checked.
#[derive(Debug)]
pub struct ReadRecord;

impl Endpoint for ReadRecord {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = RecordView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/record";
    const SUMMARY: &'static str = "Where the record of a site ends, and the key of its checkpoints";
}

/// Reply of [`ReadRecord`]. The key is to be compared with the one of the enrolment pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordView {
    /// The key that signs checkpoints and receipts.
    pub record_key: PublicKey,
    /// The same key as tools for signed notes take it.
    pub verifier_key: String,
    /// How many entries there are.
    pub size: u64,
    /// The root over them.
    pub root: Sha256Digest,
}

/// The end of a record as the server shows it to a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordShown {
    /// The signed checkpoint ([`crate::record::checkpoint`]).
    pub checkpoint: String,
    /// Proof that it continues the size that the device said it had seen; empty when it said none.
    pub consistency: Vec<Sha256Digest>,
}

/// `GET` the signed checkpoint; text, always asked for anew.
pub const CHECKPOINT: Description = Description {
    name: "Checkpoint",
    method: Method::Get,
    path: "/v1/sites/{site}/record/checkpoint",
    who: Who::Site,
    summary: "The signed checkpoint of a site's record (C2SP tlog-checkpoint)",
};

/// `GET` a tile: `L/N`, `L/N.p/W`, `entries/N` or `entries/N.p/W` (C2SP tlog-tiles); bytes.
pub const TILE: Description = Description {
    name: "Tile",
    method: Method::Get,
    path: "/v1/sites/{site}/record/tile/{tile}",
    who: Who::Site,
    summary: "Hashes or entries of a site's record, up to 256 (C2SP tlog-tiles); immutable",
};

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![Description::of::<ReadRecord>("ReadRecord"), CHECKPOINT, TILE]
}
