//! What whoever runs the server asks: is it alive, is it ready, what is it.

use super::endpoint::{Description, Endpoint, Method, Who, caller};
use crate::key::PublicKey;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Says what this server is.
#[derive(Debug)]
pub struct ShowServer;

impl Endpoint for ShowServer {
    type Caller = caller::Anyone;
    type Path = ();
    type Body = ();
    type Reply = ServerView;
    const METHOD: Method = Method::Get;
    const PATH: &'static str = "/v1/server";
    const SUMMARY: &'static str = "Version, record key and clock of this server";
}

/// Reply of [`ShowServer`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerView {
    /// Version of the software.
    pub version: String,
    /// The key that signs receipts.
    pub record_key: PublicKey,
    /// The server's clock.
    pub utc: Timestamp,
}

/// `GET /health/live`: the process answers.
pub const LIVE: Description = Description {
    name: "Live",
    method: Method::Get,
    path: "/health/live",
    who: Who::Anyone,
    summary: "200 while the process answers",
};

/// `GET /health/ready`: database and blobs answer, online keys are there, metadata is fresh.
pub const READY: Description = Description {
    name: "Ready",
    method: Method::Get,
    path: "/health/ready",
    who: Who::Anyone,
    summary: "200 when the server can do its work, 503 with reasons otherwise",
};

/// `GET /v1/openapi.json`: this list as a document.
pub const OPENAPI: Description = Description {
    name: "OpenApi",
    method: Method::Get,
    path: "/v1/openapi.json",
    who: Who::Anyone,
    summary: "OpenAPI 3.1 document",
};

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![Description::of::<ShowServer>("ShowServer"), LIVE, READY, OPENAPI]
}
