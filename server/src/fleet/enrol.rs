//! A device joins a site: both its statements are checked, the one-time token is used up, the device
//! is stored, all in one transaction.
//!
//! The server trusts nothing here but the token that the hospital handed out; which keys count for
//! installing is decided by the device from its pack. Not here: HTTP.
//! Invariant: a token brings in one device; a device id of a site belongs to one device key.

use crate::app::App;
use crate::auth::api_token::TokenSecret;
use crate::db::act::{self, Act};
use crate::db::change::{self, Scope};
use crate::db::device::{self, Said, StoredAgent, StoredDevice};
use crate::db::token::{self, EnrolmentToken};
use crate::db::{Connection, DbError};
use crate::error::ApiError;
use crate::limits::AGENT_VERSION_CHARS_MAX;
use patchward_protocol::api::device::{EnrolReply, EnrolRequest, Enrolment, LinkCertificate};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::api::site::Management;
use patchward_protocol::envelope::{Envelope, Open, PayloadType};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::key::Signer as _;
use patchward_protocol::ledger::Chain;
use patchward_protocol::record::placement::JOINED;
use patchward_protocol::time::Timestamp;
use serde_json::json;

/// A device that proved to hold both keys; whether its token is good, the transaction says.
#[derive(Debug, Clone)]
pub struct Joining {
    enrolment: Enrolment,
    link: LinkCertificate,
    token: TokenSecret,
}

/// What came of it.
enum Outcome {
    Joined(Box<StoredDevice>),
    Refused(ErrorCode),
}

/// Checks both statements of a device.
///
/// # Errors
/// `body_malformed`, `signature_invalid`, `request_invalid`, `enrolment_token` for no token at all.
pub fn verify(request: &EnrolRequest) -> Result<Joining, ApiError> {
    // Who signs is in what is signed: the claim is read first, then checked with its own key.
    let claimed: Enrolment =
        request.enrolment.insecure_peek().map_err(|error| refuse_open(&error))?;
    let key = claimed.device_key;
    let enrolment = open::<Enrolment>(&request.enrolment, PayloadType::Enrolment, &key)?;
    let link =
        open::<LinkCertificate>(&request.link_certificate, PayloadType::LinkCertificate, &key)?;
    let versions = (enrolment.v, link.v) == (1, 1);
    let same = (&enrolment.site, &enrolment.device) == (&link.site, &link.device);
    let rule = if !versions {
        Some("v: this server knows version 1 of both statements")
    } else if !same {
        Some("the link certificate names another site or device")
    } else if link.link_key == enrolment.device_key {
        Some("link_key: must be another key than device_key")
    } else if enrolment.agent_version.chars().count() > AGENT_VERSION_CHARS_MAX {
        Some("agent_version: at most 64 characters")
    } else if i64::try_from(link.n).is_err() {
        Some("n: at most 2^63 - 1")
    } else {
        None
    };
    if let Some(rule) = rule {
        return Err(ApiError::with(ErrorCode::RequestInvalid, rule));
    }
    let token = TokenSecret::read(&enrolment.token);
    let token = token.ok_or_else(|| ApiError::of(ErrorCode::EnrolmentToken))?;
    Ok(Joining { enrolment, link, token })
}

/// Brings a device in. Repeating it with the same keys and token gives the same reply.
///
/// # Errors
/// `enrolment_token`, `device_taken`, or a failure of ours.
pub async fn enrol(app: &App, joining: Joining) -> Result<EnrolReply, ApiError> {
    let at = app.clock.now();
    let key = joining.enrolment.device_key;
    // Whoever has no token at all does not get at the one writer.
    let digest = joining.token.digest();
    if app.db.read(move |conn| token::find_enrolment(conn, digest)).await?.is_none() {
        return Err(ApiError::of(ErrorCode::EnrolmentToken));
    }
    match app.db.write(move |conn| join(conn, &joining, at)).await? {
        Outcome::Refused(code) => Err(ApiError::of(code)),
        Outcome::Joined(device) => {
            app.fleet.put(&device);
            tracing::info!(
                device.site = %device.site, device.id = %device.device,
                device.fingerprint = %key.fingerprint(), "A device joined"
            );
            Ok(EnrolReply {
                fingerprint: key.fingerprint(),
                record_key: app.keys.record().public(),
            })
        }
    }
}

fn join(conn: &mut Connection, joining: &Joining, at: Timestamp) -> Result<Outcome, DbError> {
    let Enrolment { site, device, .. } = &joining.enrolment;
    let digest = joining.token.digest();
    let Some(token) = token::find_enrolment(conn, digest)? else {
        return Ok(Outcome::Refused(ErrorCode::EnrolmentToken));
    };
    let stored = device::find(conn, site, device)?;
    if let Some(stored) = &stored
        && token.used_by.as_ref() == Some(device)
        && token.site == *site
        && is_same(joining, stored)
    {
        return Ok(Outcome::Joined(Box::new(stored.clone())));
    }
    if !is_good(&token, &joining.enrolment, at) {
        return Ok(Outcome::Refused(ErrorCode::EnrolmentToken));
    }
    if stored.as_ref().is_some_and(|stored| is_taken(joining, stored)) {
        return Ok(Outcome::Refused(ErrorCode::DeviceTaken));
    }
    if !token::use_enrolment(conn, digest, device, at)? {
        return Ok(Outcome::Refused(ErrorCode::EnrolmentToken));
    }
    let joined = joined(joining, stored.as_ref());
    if stored.is_some() {
        device::update(conn, &joined, at)?;
    } else {
        device::insert(conn, &joined, at)?;
    }
    act::append(conn, &enrolled(&joined, joining, at))?;
    // Other servers on this database learn of it.
    change::mark(conn, &Scope::Devices(site.clone()))?;
    Ok(Outcome::Joined(Box::new(joined)))
}

fn enrolled(device: &StoredDevice, joining: &Joining, at: Timestamp) -> Act {
    let (Enrolment { device_key, ledger_id, .. }, link) = (&joining.enrolment, &joining.link);
    Act {
        at,
        scope: RepositoryId::Site(device.site.clone()).to_string(),
        who: format!("device:{}", device.device),
        act: JOINED,
        detail: json!({
            "device": device.device, "family": device.family, "device_key": device_key,
            "link_key": link.link_key, "link_n": link.n, "ledger_id": ledger_id,
        }),
    }
}

/// Whether the token is unused, in time, and for this site, family and device.
fn is_good(token: &EnrolmentToken, enrolment: &Enrolment, at: Timestamp) -> bool {
    token.used_by.is_none()
        && at < token.expires
        && token.site == enrolment.site
        && token.families.contains(&enrolment.family)
        && token.device.as_ref().is_none_or(|device| *device == enrolment.device)
}

/// Whether the device has already joined with exactly these keys and this ledger.
fn is_same(joining: &Joining, stored: &StoredDevice) -> bool {
    stored.family == joining.enrolment.family
        && stored.agent.as_ref().is_some_and(|agent| {
            agent.device_key == joining.enrolment.device_key
                && agent.link_key == joining.link.link_key
                && agent.chain.ledger_id == joining.enrolment.ledger_id
        })
}

/// Whether the id belongs to another device: another key, another family, or the same device with an
/// older link key.
fn is_taken(joining: &Joining, stored: &StoredDevice) -> bool {
    let Some(agent) = &stored.agent else { return stored.family != joining.enrolment.family };
    let newer = joining.link.n > agent.link_n || joining.link.link_key == agent.link_key;
    agent.device_key != joining.enrolment.device_key
        || stored.family != joining.enrolment.family
        || !newer
}

fn joined(joining: &Joining, stored: Option<&StoredDevice>) -> StoredDevice {
    let enrolment = &joining.enrolment;
    let before = stored.and_then(|stored| stored.agent.as_ref());
    // A device that begins a new ledger keeps its old one stored beside it.
    let chain = before
        .map(|agent| agent.chain)
        .filter(|chain| chain.ledger_id == enrolment.ledger_id)
        .unwrap_or_else(|| Chain::begin(enrolment.ledger_id));
    let said = stored.map(|stored| stored.said.clone()).unwrap_or_default();
    StoredDevice {
        site: enrolment.site.clone(),
        device: enrolment.device.clone(),
        management: Management::Agent,
        family: enrolment.family.clone(),
        hardware: Some(enrolment.hardware.clone()),
        agent: Some(StoredAgent {
            device_key: enrolment.device_key,
            link_key: joining.link.link_key,
            link_n: joining.link.n,
            chain,
            forked: before.is_some_and(|agent| agent.forked),
        }),
        said: Said {
            agent_version: Some(enrolment.agent_version.clone()),
            installed: enrolment.installed.clone(),
            ..said
        },
    }
}

fn open<T: serde::de::DeserializeOwned>(
    envelope: &Envelope,
    kind: PayloadType,
    key: &patchward_protocol::key::PublicKey,
) -> Result<T, ApiError> {
    let opened = envelope.open::<T>(kind, key).map_err(|error| refuse_open(&error))?;
    Ok(opened.into_inner())
}

/// Why an envelope was refused, in the words of the table.
pub fn refuse_open(error: &Open) -> ApiError {
    let code = match error {
        Open::OtherKey(_) | Open::Signature => ErrorCode::SignatureInvalid,
        Open::Read(_) | Open::Base64 | Open::WrongType { .. } | Open::SignatureCount(_) => {
            ErrorCode::BodyMalformed
        }
    };
    ApiError::because(code, error)
}
