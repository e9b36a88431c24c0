//! The account's own page.

use crate::app::App;
use crate::console::answer::Answer;
use crate::console::asked::language_cookie;
use crate::console::door::{SignedIn, Visit};
use crate::console::frame::Frame;
use crate::console::pages::login;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db;
use crate::error::ApiError;
use crate::people;
use crate::people::accept;
use crate::people::enter_passkey;
use crate::people::name::Printed;
use crate::people::passkey::{Algorithm, Made, Passkey};
use crate::people::password::Password;
use crate::people::role::Place;
use crate::people::session::{self, SessionView};
use crate::people::tries::Knock;
use crate::people::who::{Language, Who};
use askama::Template;

/// Where the page is.
const PATH: &str = "/console/account";

/// The page.
#[derive(Template)]
#[template(path = "account/overview.html")]
struct Overview {
    frame: Frame,
    w: Words,
    login: String,
    name: String,
    title: String,
    /// The zone of the account, where no hospital says it.
    tz: Option<String>,
    codes_left: u64,
    passkeys: Vec<PasskeyLine>,
    ask: Option<Ask>,
    sessions: Vec<SessionLine>,
}

/// A passkey in the list.
struct PasskeyLine {
    id: String,
    label: String,
    created: When,
    used: Option<When>,
}

/// What the script needs to make a passkey.
struct Ask {
    challenge: String,
    rp_id: String,
    user: String,
    kinds: String,
}

/// A session in the list.
struct SessionLine {
    id: String,
    browser: String,
    address: String,
    created: When,
    seen: When,
    is_this: bool,
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.get::<SignedIn, _, _>(PATH, (), show);
    routes.post::<SignedIn, _, _>(PATH, (), change_words);
    routes.post::<SignedIn, _, _>("/console/account/zone", (), change_zone);
    routes.post::<SignedIn, _, _>("/console/account/password", (), change_password);
    routes.post::<SignedIn, _, _>("/console/account/sessions/end", (), end_session);
    routes.post::<SignedIn, _, _>("/console/account/passkeys", (), add_passkey);
    routes.post::<SignedIn, _, _>("/console/account/passkeys/remove", (), remove_passkey);
}

async fn show(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let frame = visit.frame(visit.words.t("account-title"));
    Answer::page(
        &gather(&visit.app, &visit.entry.0, &visit.asked.knock, (frame, visit.words)).await?,
    )
}

async fn change_words(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let printed = |name| Printed::read(visit.form.get(name).unwrap_or_default());
    let words = (printed("name"), printed("title"));
    let words = (words.0.map_err(ApiError::of)?, words.1.map_err(ApiError::of)?);
    let language = visit.form.get("language").and_then(Language::of);
    let language = language.unwrap_or(visit.entry.0.language);
    accept::change_words(&visit.app, &visit.entry.0, words, language).await?;
    let cookie = language_cookie(language, &visit.app.config);
    Ok(Answer::done(PATH, "account-words-done").cookie(cookie))
}

async fn change_zone(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    people::zone::set_own(&visit.app, &visit.entry.0, visit.form.need("tz")?).await?;
    Ok(Answer::done(PATH, "account-zone-done"))
}

async fn change_password(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let typed = |name| Password::typed(visit.form.raw(name).unwrap_or_default());
    let both = (typed("old"), typed("new"));
    let knock = &visit.asked.knock;
    let secret = accept::change_password(&visit.app, knock, &visit.entry.0, both).await?;
    let cookie = login::session_cookie(&visit.app.config, &secret);
    Ok(Answer::done(PATH, "account-password-done").cookie(cookie))
}

async fn end_session(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let id = visit.form.need("id")?.to_owned();
    let ended = session::end_named(&visit.app, visit.entry.0.account, id).await?;
    if ended { Ok(Answer::done(PATH, "account-session-done")) } else { Err(not_found()) }
}

async fn add_passkey(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    let field = |name| visit.form.raw(name).unwrap_or_default();
    let made = Made {
        id: field("id"),
        client: field("client"),
        authenticator: field("authenticator"),
        public_key: field("key"),
    };
    let words = (field("label"), Password::typed(field("password")));
    enter_passkey::add(&visit.app, &visit.asked.knock, &visit.entry.0, words, made).await?;
    Ok(Answer::done(PATH, "account-passkey-done"))
}

async fn remove_passkey(visit: Visit<SignedIn>) -> Result<Answer, Turned> {
    enter_passkey::remove(&visit.app, &visit.entry.0, visit.form.need("id")?).await?;
    Ok(Answer::done(PATH, "account-passkey-gone-done"))
}

async fn gather(
    app: &App,
    who: &Who,
    knock: &Knock,
    (frame, w): (Frame, Words),
) -> Result<Overview, Turned> {
    let account = who.account;
    let codes_left = app.db.read(move |conn| db::account::codes_left(conn, account)).await?;
    let passkeys = enter_passkey::list(app, who).await?;
    let sessions = session::list(app, account, knock.held.as_deref()).await?;
    let ask = match enter_passkey::site(app) {
        None => None,
        Some(site) => Some(Ask {
            challenge: enter_passkey::ask_to_make(app, who)?.text(),
            rp_id: site.rp_id,
            // A number that says nothing about the person (WebAuthn 3, 14.6.1).
            user: hex::encode(account.0.to_be_bytes()),
            kinds: Algorithm::ALL.map(|kind| kind.cose().to_string()).join(","),
        }),
    };
    let frame = if ask.is_some() { frame.script("passkey.js") } else { frame };
    let (tz, is_own) = zone(app, who).await?;
    Ok(view(who, (frame, w, &tz, is_own), codes_left, (&passkeys, ask), &sessions))
}

/// Whose the zone of the page is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Hospital,
    Account,
}

/// The zone of the person's first hospital, else the one of the account.
async fn zone(app: &App, who: &Who) -> Result<(String, Whose), Turned> {
    let mut places = who.places().into_iter();
    let site = places.find_map(|place| match place {
        Place::Site(site) => Some(site),
        Place::Maker(_) | Place::Server => None,
    });
    let Some(site) = site else {
        return Ok((people::zone::of_account(app, who).await?.to_string(), Whose::Account));
    };
    Ok((app.inventories.of(app, &site).await?.tz.clone(), Whose::Hospital))
}

fn view(
    who: &Who,
    (frame, w, tz, whose): (Frame, Words, &str, Whose),
    codes_left: u64,
    (passkeys, ask): (&[Passkey], Option<Ask>),
    sessions: &[SessionView],
) -> Overview {
    let passkey = |passkey: &Passkey| PasskeyLine {
        id: passkey.id.to_string(),
        label: passkey.label.clone(),
        created: w.instant(passkey.created, tz),
        used: passkey.used.map(|at| w.instant(at, tz)),
    };
    let session = |session: &SessionView| SessionLine {
        id: session.id.clone(),
        browser: session.browser.clone(),
        address: session.address.clone(),
        created: w.instant(session.created, tz),
        seen: w.instant(session.seen, tz),
        is_this: session.is_this,
    };
    Overview {
        frame,
        w,
        login: who.login.clone(),
        name: who.name.clone(),
        title: who.title.clone(),
        tz: (whose == Whose::Account).then(|| tz.to_owned()),
        codes_left,
        passkeys: passkeys.iter().map(passkey).collect(),
        ask,
        sessions: sessions.iter().map(session).collect(),
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, asked, engineer, noon};
    let who = engineer(w);
    let session = |is_this| SessionView {
        id: "0011223344556677".to_owned(),
        created: noon(),
        seen: noon(),
        browser: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140".to_owned(),
        address: "192.0.2.7".to_owned(),
        is_this,
    };
    let spki = "302a300506032b6570032100\
                d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let passkey = Passkey {
        id: "Y3JlZGVudGlhbA".parse().unwrap(),
        account: who.account,
        label: w.pick("Phone", "スマートフォン").to_owned(),
        key: crate::people::passkey::PublicKey::from_text(Algorithm::EdDsa, spki).unwrap(),
        counter: 0,
        created: noon(),
        used: None,
    };
    let ask = Ask {
        challenge: "AAECAw".to_owned(),
        rp_id: "patchward.example".to_owned(),
        user: "07".to_owned(),
        kinds: "-7,-8".to_owned(),
    };
    let frame = || Frame::bare(&asked(w), Some(&who), w, w.t("account-title"));
    let full = view(
        &who,
        (frame(), w, "Asia/Tokyo", Whose::Hospital),
        8,
        (&[passkey], Some(ask)),
        &[session(true), session(false)],
    );
    let bare =
        view(&who, (frame(), w, "Etc/UTC", Whose::Account), 0, (&[], None), &[session(true)]);
    vec![
        Sample::of("account/overview.html", "full", &full),
        Sample::of("account/overview.html", "bare", &bare),
    ]
}
