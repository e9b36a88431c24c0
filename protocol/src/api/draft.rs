//! The draft that a hospital signs in the console, for people who sign it on their own machine.
//!
//! Reading it and handing signatures in needs a token of the site; what counts is the signatures.

use super::endpoint::{Description, Endpoint, Method, caller};
use crate::draft::carried::CarriedDraft;
use crate::limits::CARRIED_DRAFT_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// Reads the open draft of a site, with the text that the console shows of it.
#[derive(Debug)]
pub struct ReadDraft;

impl Endpoint for ReadDraft {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = ();
    type Reply = CarriedDraft;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/sites/{site}/draft";
    const SUMMARY: &'static str = "The open draft of a site, as one file to be signed elsewhere";
}

/// Hands in the signatures and acts of a draft that was signed elsewhere. The last signature publishes.
#[derive(Debug)]
pub struct SignDraft;

impl Endpoint for SignDraft {
    type Caller = caller::Site;
    type Path = (String,);
    type Body = CarriedDraft;
    type Reply = DraftSigned;
    const METHOD: Method = Method::Post;
    const PATH: &'static str = "/v1/sites/{site}/draft/signatures";
    const SUMMARY: &'static str = "Hand in what was signed elsewhere; the last signature publishes";
    const BODY_BYTES_MAX: usize = CARRIED_DRAFT_BYTES_MAX;
}

/// Reply of [`SignDraft`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DraftSigned {
    /// Version of the targets that were published; none while signatures are missing.
    pub published: Option<u64>,
}

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![Description::of::<ReadDraft>("ReadDraft"), Description::of::<SignDraft>("SignDraft")]
}
