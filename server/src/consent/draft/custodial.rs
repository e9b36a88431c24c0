//! Keys that the server keeps for people who want none: sealed, opened at each signing with the
//! person's password and one-time code.
//!
//! The seal is AES-256-GCM under a key that argon2id makes of the password and of a secret that is not
//! in the database. Whoever owns the server can nevertheless wait for the password and sign at once:
//! docs/THREATS.md says so. Not here: checking password and code (`people`).
//! Invariant: a key is in memory only while it signs, and only where the site's root says `custodial`.

use super::facts::Facts;
use crate::app::App;
use crate::clock;
use crate::db::custodial::{self, SealedKey};
use crate::error::ApiError;
use crate::people::vault::keyed;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{PersonId, SiteId};
use patchward_protocol::key::{SecretKey, Signer as _};
use patchward_protocol::tuf::schema::Method;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Memory of argon2id, in KiB.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes of argon2id.
const PASSES: u32 = 3;
/// Stands before what the server's secret is used for here.
const CONTEXT: &[u8] = b"patchward custodial v1|";

/// The key of a person.
///
/// # Errors
/// A failure of ours.
pub async fn find(
    app: &App,
    site: &SiteId,
    person: &PersonId,
) -> Result<Option<SealedKey>, ApiError> {
    let (site, person) = (site.clone(), person.clone());
    Ok(app.db.read(move |conn| custodial::find(conn, &site, &person)).await?)
}

/// Makes a key for a person and seals it under their password, which was checked before.
///
/// # Errors
/// `method_refused` where the site's root does not say `custodial`, `custodial_held`, or a failure of
/// ours.
pub async fn make(
    app: &Arc<App>,
    site: &SiteId,
    person: &PersonId,
    password: Zeroizing<String>,
) -> Result<SealedKey, ApiError> {
    permitted(&Facts::of(app, site).await?)?;
    let seed = Zeroizing::new(clock::random::<32>(&*app.rng)?);
    let salt: [u8; 16] = clock::random(&*app.rng)?;
    let nonce: [u8; NONCE_LEN] = clock::random(&*app.rng)?;
    let key = lock(app, password, salt).await?;
    let mut bytes = seed.to_vec();
    let about = Aad::from(about(site, person));
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), about, &mut bytes)
        .map_err(|_| ApiError::failed(Cipher))?;
    let made = SealedKey {
        site: site.clone(),
        person: person.clone(),
        public: SecretKey::from_seed(&seed).public(),
        salt: hex::encode(salt),
        sealed: hex::encode([nonce.as_slice(), &bytes].concat()),
        created: app.clock.now(),
    };
    let row = made.clone();
    let stored = app.db.write(move |conn| custodial::insert(conn, &row)).await?;
    if stored { Ok(made) } else { Err(ApiError::of(ErrorCode::CustodialHeld)) }
}

/// Opens the key of a person with their password, which was checked before together with the code.
///
/// # Errors
/// `method_refused`, `custodial_unknown`, or `custodial_closed` when the password is another than the
/// one under which it was sealed.
pub async fn open(
    app: &Arc<App>,
    site: &SiteId,
    person: &PersonId,
    password: Zeroizing<String>,
) -> Result<SecretKey, ApiError> {
    permitted(&Facts::of(app, site).await?)?;
    let held = find(app, site, person).await?;
    let held = held.ok_or_else(|| ApiError::of(ErrorCode::CustodialUnknown))?;
    let damaged = |_| ApiError::failed(Cipher);
    let mut salt = [0; 16];
    hex::decode_to_slice(&held.salt, &mut salt).map_err(damaged)?;
    let sealed = hex::decode(&held.sealed).map_err(damaged)?;
    let (nonce, cipher) =
        sealed.split_at_checked(NONCE_LEN).ok_or_else(|| ApiError::failed(Cipher))?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| ApiError::failed(Cipher))?;
    let key = lock(app, password, salt).await?;
    let mut cipher = Zeroizing::new(cipher.to_vec());
    let about = Aad::from(about(site, person));
    let closed = |_| ApiError::of(ErrorCode::CustodialClosed);
    let seed = key.open_in_place(nonce, about, &mut cipher).map_err(closed)?;
    let seed = <&[u8; 32]>::try_from(&*seed).map_err(|_| ApiError::failed(Cipher))?;
    Ok(SecretKey::from_seed(seed))
}

/// Forgets the key of a person.
///
/// # Errors
/// `custodial_unknown`, or a failure of ours.
pub async fn forget(app: &App, site: &SiteId, person: &PersonId) -> Result<(), ApiError> {
    let (site, person) = (site.clone(), person.clone());
    let gone = app.db.write(move |conn| custodial::remove(conn, &site, &person)).await?;
    if gone { Ok(()) } else { Err(ApiError::of(ErrorCode::CustodialUnknown)) }
}

/// The cipher, or what is stored, does not work.
#[derive(Debug, thiserror::Error)]
#[error("a custodial key cannot be sealed or opened")]
struct Cipher;

fn permitted(facts: &Facts) -> Result<(), ApiError> {
    if facts.weakest() == Method::Custodial {
        return Ok(());
    }
    let rule = "the site's root does not say x-weakest: custodial";
    Err(ApiError::with(ErrorCode::MethodRefused, rule))
}

/// The key of the seal.
async fn lock(
    app: &Arc<App>,
    password: Zeroizing<String>,
    salt: [u8; 16],
) -> Result<LessSafeKey, ApiError> {
    let secret = Zeroizing::new(keyed(app.keys.mac().bytes(), &[CONTEXT]));
    let work = move || {
        let params = Params::new(MEMORY_KIB, PASSES, 1, Some(32)).map_err(|_| Cipher)?;
        let hash =
            Argon2::new_with_secret(secret.as_slice(), Algorithm::Argon2id, Version::V0x13, params)
                .map_err(|_| Cipher)?;
        let mut key = Zeroizing::new([0; 32]);
        hash.hash_password_into(password.as_bytes(), &salt, key.as_mut_slice())
            .map_err(|_| Cipher)?;
        UnboundKey::new(&AES_256_GCM, key.as_slice()).map(LessSafeKey::new).map_err(|_| Cipher)
    };
    let made = tokio::task::spawn_blocking(work).await.map_err(ApiError::failed)?;
    made.map_err(ApiError::failed)
}

fn about(site: &SiteId, person: &PersonId) -> Vec<u8> {
    format!("{site}|{person}").into_bytes()
}
