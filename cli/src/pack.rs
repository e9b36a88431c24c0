//! `site pack`: the enrolment pack that is carried to a device by hand.
//!
//! The one-time token comes from the server; the site's root comes from this machine, where it was
//! verified, and not from the server's answer. Invariant: the root in a pack is the pinned one.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::said::Said;
use crate::server::{Address, Reach};
use crate::{login, repository};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use patchward_protocol::api::site::{MakePack, MakePackRequest};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{DeviceId, FamilyId, RepositoryId, SiteId};
use patchward_protocol::pack::EnrolmentPack;
use serde_json::json;
use std::path::PathBuf;

/// Arguments of `site pack`.
#[derive(Debug, clap::Args)]
pub struct Pack {
    /// The site
    pub site: SiteId,
    /// A family that may enrol with it (repeat)
    #[arg(long, value_name = "MAKER.NAME", required = true)]
    pub family: Vec<FamilyId>,
    /// The one device it is for (default: any)
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceId>,
    /// Hours until its token ends
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub life_hours: u32,
    /// Address at which devices reach the server (default: the one used here)
    #[arg(long, value_name = "URL")]
    pub device_url: Option<String>,
    /// PEM of the certificate authority that devices shall trust for this server (default: the one
    /// given at login)
    #[arg(long, value_name = "FILE")]
    pub device_ca_file: Option<PathBuf>,
    /// SHA-256 of the server certificate's public key, to pin it
    #[arg(long, value_name = "HEX")]
    pub pin: Option<Sha256Digest>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// How to reach the server
    #[command(flatten)]
    pub reach: Reach,
}

/// `site pack`.
///
/// # Errors
/// [`Code::RootUnknown`], [`Code::ReplyUnreadable`], failures of reaching the server and writing.
pub fn make(here: &Here, pack: &Pack) -> Outcome<Said> {
    if std::fs::symlink_metadata(&pack.out).is_ok() {
        return Err(Failure::new(Code::FileExists, format!("{} exists", pack.out.display())));
    }
    let id = RepositoryId::Site(pack.site.clone());
    let server = login::connect(here, &pack.reach)?;
    // The newest root that follows from the pinned one; a device could walk there by itself.
    let set = repository::refresh(here, &server, &id)?;
    let root = set.root().raw();
    let url = match &pack.device_url {
        Some(url) => Address::read(url, pack.reach.plain_http())?.as_text().to_owned(),
        None => server.address().as_text().to_owned(),
    };
    let request = MakePackRequest {
        families: pack.family.clone(),
        device: pack.device.clone(),
        life_s: pack.life_hours.saturating_mul(3600),
    };
    let made = server.call::<MakePack>(&[pack.site.as_str()], &request)?;
    if made.site != pack.site || made.families != pack.family || made.device != pack.device {
        let what = "the server made a pack for something else";
        return Err(Failure::new(Code::ReplyUnreadable, what));
    }
    let ca = pack.device_ca_file.as_deref();
    let ca = ca.map(|path| disk::read(path, SMALL_FILE_BYTES_MAX)).transpose()?;
    let ca = ca.or_else(|| server.ca_pem().map(<[u8]>::to_vec));
    let made = EnrolmentPack {
        v: 1,
        url,
        tls_spki_sha256: pack.pin,
        tls_ca_pem: ca.map(|pem| String::from_utf8_lossy(&pem).into_owned()),
        site_root: STANDARD.encode(root),
        ..made
    };
    let bytes =
        serde_json::to_vec_pretty(&made).map_err(|error| Failure::new(Code::WriteFailed, error))?;
    EnrolmentPack::read(&bytes)
        .map_err(|error| Failure::because(Code::ReplyUnreadable, "the pack", &error))?;
    disk::write(&pack.out, &bytes, Readers::Owner, Place::New)?;
    let fingerprint = set.root().sha256().fingerprint();
    let word = |en, ja| here.language.pick(en, ja);
    Ok(Said::new(json!({
        "file": pack.out, "site": pack.site, "expires": made.expires,
        "root_fingerprint": fingerprint, "record_key": made.record_key,
    }))
    .line(format!("{} {} (0600)", word("wrote", "作成しました:"), pack.out.display()))
    .line(format!("{} {fingerprint}", word("site root fingerprint", "施設ルートの照合コード")))
    .line(format!("{} {}", word("token ends", "トークン期限"), made.expires)))
}
