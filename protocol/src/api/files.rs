//! Files of TUF repositories: metadata and targets, as any TUF client expects them.
//!
//! These are not JSON endpoints: bodies are files, with Range, If-Range, ETag and HEAD.

use super::endpoint::{Description, Method, Who};

/// `GET` metadata: `timestamp.json` or `N.root.json`, `N.snapshot.json`, `N.targets.json`.
pub const METADATA: Description = Description {
    name: "Metadata",
    method: Method::Get,
    path: "/tuf/{kind}/{name}/metadata/{file}",
    who: Who::Reader,
    summary: "Metadata of a TUF repository",
};

/// `GET` a target by its consistent name: `DIR/SHA256.NAME`; one range per request.
pub const TARGET: Description = Description {
    name: "Target",
    method: Method::Get,
    path: "/tuf/{kind}/{name}/targets/{dir}/{file}",
    who: Who::Reader,
    summary: "A target file; immutable, Range and If-Range",
};

/// `PUT` a target's bytes before the targets file that lists it is published.
pub const UPLOAD: Description = Description {
    name: "Upload",
    method: Method::Put,
    path: "/v1/repositories/{kind}/{name}/blobs/{sha256}",
    who: Who::Publisher,
    summary: "Bytes of a target, named by their digest; repeating it is harmless",
};

/// The endpoints of this file.
#[must_use]
pub fn endpoints() -> Vec<Description> {
    vec![METADATA, TARGET, UPLOAD]
}
