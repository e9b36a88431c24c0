//! `login`, `claim` and `token …`: API tokens, kept per server, readable by the owner only.
//!
//! Tokens come from files, never from arguments, where others would see them. A token replaces no
//! signature: it lets one upload and read. Invariant: a token file has mode 0600 and names its server.

use crate::disk::{self, Place, Readers};
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::SMALL_FILE_BYTES_MAX;
use crate::said::Said;
use crate::server::{Address, Reach, Server};
use patchward_protocol::api::token::{
    ClaimFirst, ListTokens, MakeToken, MakeTokenRequest, RevokeToken, Scope, TokenView, WhoAmI,
};
use patchward_protocol::id::{FamilyId, SiteId};
use patchward_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A login as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    server: String,
    token: String,
    ca_pem: Option<String>,
}

/// What a new token covers.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct ScopeWords {
    /// Everything an administrator of the server may do
    #[arg(long)]
    pub administrator: bool,
    /// Uploading and publishing for this family (repeat for more)
    #[arg(long, value_name = "MAKER.NAME")]
    pub family: Vec<FamilyId>,
    /// Everything of this site
    #[arg(long, value_name = "SITE")]
    pub site: Option<SiteId>,
}

/// `login`: keeps a token that an administrator gave out.
///
/// # Errors
/// [`Code::ServerRefused`] when the token is not valid; failures of reaching and writing.
pub fn login(here: &Here, reach: &Reach, token_file: Option<&Path>) -> Outcome<Said> {
    let (address, ca_pem) = named(reach)?;
    let token = token_of(here, token_file)?;
    let server = Server::new(address, ca_pem.as_deref(), Some(token.clone()))?;
    let view = server.call::<WhoAmI>(&[], &())?;
    keep(here, &server, &token, ca_pem)?;
    let text = here.language.pick("logged in to", "ログインしました:");
    Ok(Said::new(json!({"server": server.address().as_text(), "token": view}))
        .line(format!("{text} {}", server.address().as_text()))
        .line(describe(&view)))
}

/// `claim`: turns the one-time token of `patchward-server init` into an administrator's login.
///
/// # Errors
/// As [`login`].
pub fn claim(here: &Here, reach: &Reach, token_file: Option<&Path>) -> Outcome<Said> {
    let (address, ca_pem) = named(reach)?;
    let first = Server::new(address.clone(), ca_pem.as_deref(), Some(token_of(here, token_file)?))?;
    let new = first.call::<ClaimFirst>(&[], &())?;
    keep(here, &first, &Zeroizing::new(new.token), ca_pem)?;
    let text = here.language.pick(
        "the one-time token is used up; you are the administrator of",
        "初回トークンを使用しました。管理者としてログインしました:",
    );
    Ok(Said::new(json!({"server": address.as_text(), "id": new.id, "expires": new.expires}))
        .line(format!("{text} {} ({}, {})", address.as_text(), new.id, new.expires)))
}

/// `token new`: the secret goes into a new file, not to the screen.
///
/// # Errors
/// As [`connect`], and failures of writing.
pub fn token_new(
    here: &Here,
    reach: &Reach,
    label: &str,
    scope: &ScopeWords,
    life_days: u32,
    out: &Path,
) -> Outcome<Said> {
    if std::fs::symlink_metadata(out).is_ok() {
        return Err(Failure::new(Code::FileExists, format!("{} exists", out.display())));
    }
    let server = connect(here, reach)?;
    let scope = match (&scope.site, scope.administrator) {
        (Some(site), _) => Scope::Site { site: site.clone() },
        (None, true) => Scope::Administrator,
        (None, false) => Scope::Maker { families: scope.family.clone() },
    };
    let life_s = life_days.saturating_mul(24 * 3600);
    let request = MakeTokenRequest { label: label.to_owned(), scope, life_s };
    let new = server.call::<MakeToken>(&[], &request)?;
    let secret = Zeroizing::new(format!("{}\n", new.token));
    disk::write(out, secret.as_bytes(), Readers::Owner, Place::New)?;
    let text = here.language.pick("wrote the secret to", "秘密のトークンを保存しました:");
    Ok(Said::new(json!({"id": new.id, "expires": new.expires, "file": out})).line(format!(
        "{text} {} (0600); {}, {}",
        out.display(),
        new.id,
        new.expires
    )))
}

/// `token list`.
///
/// # Errors
/// As [`connect`].
pub fn token_list(here: &Here, reach: &Reach) -> Outcome<Said> {
    let tokens = connect(here, reach)?.call::<ListTokens>(&[], &())?;
    Ok(Said::new(json!(tokens)).lines(tokens.iter().map(describe)))
}

/// `token revoke`.
///
/// # Errors
/// As [`connect`].
pub fn token_revoke(here: &Here, reach: &Reach, id: &str) -> Outcome<Said> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(Failure::new(Code::NameBad, format!("{id:?}: `token list` shows the ids")));
    }
    connect(here, reach)?.call::<RevokeToken>(&[id], &())?;
    let text = here.language.pick("revoked", "失効させました:");
    Ok(Said::new(json!({"revoked": id})).line(format!("{text} {id}")))
}

/// The server that is named, or the only one logged in to; with its token when there is one.
///
/// # Errors
/// [`Code::NotLoggedIn`] when none is named and not exactly one is logged in to.
pub fn connect(here: &Here, reach: &Reach) -> Outcome<Server> {
    let address = match &reach.server {
        Some(text) => Address::read(text, reach.plain_http())?,
        None => only_login(here, reach)?,
    };
    let login = kept(here, &address)?;
    let (token, kept_ca) = match login {
        Some(login) => (Some(Zeroizing::new(login.token)), login.ca_pem.map(String::into_bytes)),
        None => (None, None),
    };
    let given_ca = ca_of(reach)?;
    Server::new(address, given_ca.or(kept_ca).as_deref(), token)
}

/// The server, when one is named or exactly one is logged in to.
///
/// # Errors
/// As [`connect`], but for there being none.
pub fn connect_if_named(here: &Here, reach: &Reach) -> Outcome<Option<Server>> {
    match connect(here, reach) {
        Ok(server) => Ok(Some(server)),
        Err(failure) if failure.code == Code::NotLoggedIn && reach.server.is_none() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn named(reach: &Reach) -> Outcome<(Address, Option<Vec<u8>>)> {
    let missing = || Failure::new(Code::Usage, "--server URL says where to log in");
    let text = reach.server.as_deref().ok_or_else(missing)?;
    Ok((Address::read(text, reach.plain_http())?, ca_of(reach)?))
}

fn ca_of(reach: &Reach) -> Outcome<Option<Vec<u8>>> {
    reach.ca_file.as_deref().map(|path| disk::read(path, SMALL_FILE_BYTES_MAX)).transpose()
}

fn token_of(here: &Here, file: Option<&Path>) -> Outcome<Zeroizing<String>> {
    let (text, place) = match file {
        Some(path) => {
            let bytes = Zeroizing::new(disk::read(path, SMALL_FILE_BYTES_MAX)?);
            let text = std::str::from_utf8(&bytes).unwrap_or_default().to_owned();
            (Zeroizing::new(text), path.display().to_string())
        }
        None => {
            let asked = here.ask_secret(here.language.pick("Token", "トークン"));
            let asked = asked.map_err(|_| Failure::new(Code::Usage, "--token-file FILE"))?;
            (asked, "what was typed".to_owned())
        }
    };
    let token = text.trim();
    if token.is_empty() || token.contains(char::is_whitespace) || !token.is_ascii() {
        return Err(Failure::new(Code::ValueBad, format!("{place}: holds no token")));
    }
    Ok(Zeroizing::new(token.to_owned()))
}

fn folder(here: &Here) -> PathBuf {
    here.config_dir.join("tokens")
}

fn keep(here: &Here, server: &Server, token: &str, ca_pem: Option<Vec<u8>>) -> Outcome<()> {
    let ca_pem = ca_pem.map(|pem| String::from_utf8_lossy(&pem).into_owned());
    let login =
        Login { server: server.address().as_text().to_owned(), token: token.to_owned(), ca_pem };
    let path = folder(here).join(format!("{}.json", server.address().file_stem()));
    let bytes = serde_json::to_vec_pretty(&login)
        .map_err(|error| Failure::new(Code::WriteFailed, error))?;
    disk::make_folder(&folder(here))?;
    disk::write(&path, &Zeroizing::new(bytes), Readers::Owner, Place::Replace)
}

fn kept(here: &Here, address: &Address) -> Outcome<Option<Login>> {
    let path = folder(here).join(format!("{}.json", address.file_stem()));
    let Some(bytes) = disk::read_if_there(&path, SMALL_FILE_BYTES_MAX)? else { return Ok(None) };
    let bytes = Zeroizing::new(bytes);
    let bad = |error| Failure::new(Code::NotLoggedIn, format!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).map(Some).map_err(bad)
}

fn only_login(here: &Here, reach: &Reach) -> Outcome<Address> {
    let none = |what: &str| Failure::new(Code::NotLoggedIn, what);
    let entries = std::fs::read_dir(folder(here)).map_err(|_| none("logged in nowhere"))?;
    let names = entries.flatten().map(|entry| entry.path());
    let files: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    let [only] = files.as_slice() else {
        return Err(none("--server URL says which server: several are logged in to"));
    };
    let bytes = Zeroizing::new(disk::read(only, SMALL_FILE_BYTES_MAX)?);
    let login: Login = serde_json::from_slice(&bytes).map_err(|error| none(&error.to_string()))?;
    Address::read(&login.server, reach.plain_http())
}

fn describe(token: &TokenView) -> String {
    let scope = match &token.scope {
        Scope::Administrator => "administrator".to_owned(),
        Scope::Maker { families } => {
            let names: Vec<_> = families.iter().map(FamilyId::as_str).collect();
            format!("families {}", names.join(" "))
        }
        Scope::Site { site } => format!("site {site}"),
    };
    let ended = |at: &Timestamp| format!("  revoked {at}");
    let ended = token.revoked.as_ref().map(ended).unwrap_or_default();
    format!("{}  {scope}  {:?}  until {}{ended}", token.id, token.label, token.expires)
}
