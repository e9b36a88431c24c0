//! Style, scripts and pictures: files of `server/assets`, in this program, under names that change
//! with their bytes.
//!
//! No build step and nobody else's code. Not here: texts. Invariant: all scripts together stay below
//! [`SCRIPTS_BYTES_MAX`] (a test).

use super::answer;
use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Path, ServiceConfig};
use patchward_protocol::digest::Sha256Digest;
use std::sync::LazyLock;

/// All scripts together, in bytes.
pub const SCRIPTS_BYTES_MAX: usize = 20_000;

/// A file as it stands in the tree.
struct Source {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! sources {
    ($($name:literal as $kind:literal),* $(,)?) => {
        const SOURCES: &[Source] = &[$(Source {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../../assets/", $name)),
        }),*];
    };
}

sources! {
    "console.css" as "text/css; charset=utf-8",
    "frame.js" as "text/javascript; charset=utf-8",
    "passkey.js" as "text/javascript; charset=utf-8",
    "live.js" as "text/javascript; charset=utf-8",
    "icon.svg" as "image/svg+xml",
    "sign.js" as "text/javascript; charset=utf-8",
}

struct Asset {
    source: &'static Source,
    path: String,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let each = SOURCES.iter().map(|source| {
        let digest = Sha256Digest::of(source.bytes).to_string();
        let digest = digest.get(..12).unwrap_or_default();
        let (stem, kind) = source.name.rsplit_once('.').unwrap_or((source.name, ""));
        Asset { source, path: format!("/console/assets/{stem}.{digest}.{kind}") }
    });
    each.collect()
});

/// The path of an asset by its name; of nothing when there is none (a test looks for that).
#[must_use]
pub fn path(name: &str) -> &'static str {
    let found = ASSETS.iter().find(|asset| asset.source.name == name);
    found.map_or("", |asset| &asset.path)
}

/// Adds the route.
pub fn mount(services: &mut ServiceConfig) {
    services.route("/console/assets/{name}", web::get().to(serve));
}

async fn serve(name: Path<String>) -> HttpResponse {
    let asked = format!("/console/assets/{name}");
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == asked) else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::Ok();
    answer::guard(&mut response);
    response
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .content_type(asset.source.kind)
        .body(asset.source.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scripts_together_are_small() {
        let scripts = SOURCES.iter().filter(|source| source.name.ends_with(".js"));
        let bytes: usize = scripts.map(|source| source.bytes.len()).sum();
        assert!(bytes <= SCRIPTS_BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        for file in std::fs::read_dir(folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            assert!(!path(&name).is_empty(), "{name} is not among the assets");
        }
    }
}
