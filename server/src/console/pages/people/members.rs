//! Who belongs to a place, and who is invited.

use super::{Keeper, roles};
use crate::console::answer::Answer;
use crate::console::door::{Entry, Visit};
use crate::console::frame::Frame;
use crate::console::pages::login::place::role_id;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::called::Called;
use crate::people::closing::{self, Reasons};
use crate::people::duty::Notice;
use crate::people::invitation::{Invitation, Purpose};
use crate::people::invite::{self, NewLink, Wish};
use crate::people::name::{Printed, Reason};
use crate::people::role::{Grant, Place};
use crate::people::roster::{self, Member, Roster};
use crate::people::second;
use crate::people::who::{AccountId, Language, Who};
use askama::Template;
use patchward_protocol::id::PersonId;

/// Paths of the pages and forms, since routes are written out.
pub(super) struct Paths {
    show: &'static str,
    invite: &'static str,
    link: &'static str,
    withdraw: &'static str,
    give: &'static str,
    take: &'static str,
    person: &'static str,
    disable: &'static str,
    enable: &'static str,
    second: &'static str,
}

macro_rules! paths {
    ($base:literal) => {
        Paths {
            show: $base,
            invite: concat!($base, "/invite"),
            link: concat!($base, "/link"),
            withdraw: concat!($base, "/withdraw"),
            give: concat!($base, "/give"),
            take: concat!($base, "/take"),
            person: concat!($base, "/person"),
            disable: concat!($base, "/disable"),
            enable: concat!($base, "/enable"),
            second: concat!($base, "/second"),
        }
    };
}

pub(super) const SITE: Paths = paths!("/console/sites/{site}/settings/people");
pub(super) const MAKER: Paths = paths!("/console/makers/{maker}/settings/people");
pub(super) const SERVER: Paths = paths!("/console/server/people");

/// The page.
#[derive(Template)]
#[template(path = "people/members.html")]
struct Members {
    frame: Frame,
    w: Words,
    path: String,
    is_site: bool,
    notices: Vec<String>,
    members: Vec<MemberLine>,
    invited: Vec<InvitedLine>,
    roles: Vec<Choice>,
}

/// Somebody in the list.
struct MemberLine {
    id: i64,
    name: String,
    title: String,
    login: String,
    person: String,
    is_self: bool,
    /// Since when, by whom and why it is disabled.
    disabled: Option<(When, String, String)>,
    has_second: bool,
    roles: Vec<Choice>,
    others: Vec<Choice>,
}

/// A role as a choice.
struct Choice {
    word: &'static str,
    text: String,
    hint: String,
}

/// An open invitation.
struct InvitedLine {
    id: String,
    name: String,
    role: String,
    by: String,
    expires: When,
}

/// The page with a link that was made.
#[derive(Template)]
#[template(path = "people/link.html")]
struct LinkPage {
    frame: Frame,
    w: Words,
    link: String,
    back: String,
}

/// Adds the routes of one kind of place.
pub(super) fn routes<E: Keeper>(routes: &mut Routes, paths: &Paths, power: E::Power) {
    routes.get::<E, _, _>(paths.show, power, show);
    routes.post::<E, _, _>(paths.invite, power, invite);
    routes.get::<E, _, _>(paths.link, power, link);
    routes.post::<E, _, _>(paths.withdraw, power, withdraw);
    routes.post::<E, _, _>(paths.give, power, give);
    routes.post::<E, _, _>(paths.take, power, take);
    routes.post::<E, _, _>(paths.person, power, name_person);
    routes.post::<E, _, _>(paths.disable, power, disable);
    routes.post::<E, _, _>(paths.enable, power, enable);
    routes.post::<E, _, _>(paths.second, power, reset_second);
}

async fn show<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let place = visit.entry.place();
    let roster = roster::list(&visit.app, place.clone()).await?;
    let closed = closing::reasons(&visit.app, &roster).await?;
    let invited = invite::list(&visit.app, place.clone()).await?;
    let named: Vec<String> = closed.values().map(|(by, _)| by.clone()).collect();
    let named = named.into_iter().chain(invited.iter().map(|one| one.invited_by.clone()));
    let named: Vec<String> = named.collect();
    let called =
        visit.app.db.read(move |conn| Called::read(conn, named.iter().map(String::as_str))).await?;
    let frame = E::framed(&visit, "people-title");
    let path = visit.entry.settings("people");
    let known = (&roster, invited.as_slice(), &closed, &called);
    let here = (&place, path, Keeper::tz(&visit.entry));
    Answer::page(&view((frame, visit.words), visit.entry.keeper(), here, known))
}

async fn invite<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let wish = wish(&visit, visit.entry.place())?;
    let who = visit.entry.keeper();
    let made = invite::make(&visit.app, who, wish).await?;
    keep_link(&visit, &made).await?;
    Ok(Answer::go(format!("{}/link", visit.entry.settings("people"))))
}

async fn link<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let back = visit.entry.settings("people");
    let Some(link) = second::take_shown(&visit.app, &visit.asked.knock).await? else {
        return Ok(Answer::go(back));
    };
    let frame = E::framed(&visit, "people-link-title");
    Answer::page(&LinkPage { frame, w: visit.words, link, back })
}

async fn withdraw<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let id = visit.form.need("id")?.to_owned();
    let place = visit.entry.place();
    invite::revoke(&visit.app, visit.entry.keeper(), place, id).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-withdrawn-done"))
}

async fn give<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (account, grant) = change(&visit)?;
    roster::give(&visit.app, visit.entry.keeper(), account, grant).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-given-done"))
}

async fn take<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let (account, grant) = change(&visit)?;
    roster::take(&visit.app, visit.entry.keeper(), account, grant).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-taken-done"))
}

async fn name_person<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let account = AccountId(visit.form.read("account")?);
    let person = visit.form.maybe::<PersonId>("person")?;
    let whom = (account, visit.entry.place());
    roster::name_person(&visit.app, visit.entry.keeper(), whom, person).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-person-done"))
}

async fn disable<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let why = Reason::read(visit.form.get("reason").unwrap_or_default()).map_err(ApiError::of)?;
    closing::disable(&visit.app, visit.entry.keeper(), whom(&visit)?, why).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-disabled-done"))
}

async fn enable<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    closing::enable(&visit.app, visit.entry.keeper(), whom(&visit)?).await?;
    Ok(Answer::done(&visit.entry.settings("people"), "people-enabled-done"))
}

async fn reset_second<E: Keeper>(visit: Visit<E>) -> Result<Answer, Turned> {
    let made = closing::reset_second(&visit.app, visit.entry.keeper(), whom(&visit)?).await?;
    keep_link(&visit, &made).await?;
    Ok(Answer::go(format!("{}/link", visit.entry.settings("people"))))
}

fn whom<E: Keeper>(visit: &Visit<E>) -> Result<(Place, AccountId), Turned> {
    Ok((visit.entry.place(), AccountId(visit.form.read("account")?)))
}

/// What an invitation's form asks for.
pub(super) fn wish<E: Entry>(visit: &Visit<E>, place: Place) -> Result<Wish, Turned> {
    let grant = Grant::of(&place, visit.form.need("role")?).ok_or_else(not_found)?;
    let printed = |name| Printed::read(visit.form.get(name).unwrap_or_default());
    let language = visit.form.get("language").and_then(Language::of);
    Ok(Wish {
        grant,
        person: visit.form.maybe("person")?,
        name: printed("name").map_err(ApiError::of)?,
        title: printed("title").map_err(ApiError::of)?,
        language: language.unwrap_or_else(|| visit.words.language()),
    })
}

/// Keeps a link for the page that shows it once.
pub(super) async fn keep_link<E: Keeper>(visit: &Visit<E>, made: &NewLink) -> Result<(), Turned> {
    let base = visit.app.address.get().map(|address| address.url.clone()).unwrap_or_default();
    let link = format!("{}{}", base.trim_end_matches('/'), made.ticket.path());
    let (knock, who) = (&visit.asked.knock, visit.entry.keeper());
    second::keep_shown(&visit.app, knock, who, &link).await?;
    Ok(())
}

fn change<E: Keeper>(visit: &Visit<E>) -> Result<(AccountId, Grant), Turned> {
    let account = AccountId(visit.form.read("account")?);
    let grant = Grant::of(&visit.entry.place(), visit.form.need("role")?);
    Ok((account, grant.ok_or_else(not_found)?))
}

fn view(
    (frame, w): (Frame, Words),
    who: &Who,
    (place, path, tz): (&Place, String, String),
    (roster, invited, closed, called): (&Roster, &[Invitation], &Reasons, &Called),
) -> Members {
    let all = roles(place);
    let choice = |grant: &Grant| Choice {
        word: grant.word(),
        text: w.t(&role_id(grant)),
        hint: w.t(&format!("people-{}", role_id(grant))),
    };
    let line = |member: &Member| MemberLine {
        id: member.account.id.0,
        name: member.account.name.to_string(),
        title: member.account.title.to_string(),
        login: member.account.login.to_string(),
        person: member.person.as_ref().map(ToString::to_string).unwrap_or_default(),
        is_self: member.account.id == who.account,
        disabled: member.account.disabled.map(|since| {
            let (by, why) = closed.get(&member.account.id).cloned().unwrap_or_default();
            (w.instant(since, &tz), called.name(&by).to_owned(), why)
        }),
        has_second: member.account.second.is_some(),
        roles: member.grants.iter().map(choice).collect(),
        others: all.iter().filter(|role| !member.grants.contains(role)).map(choice).collect(),
    };
    let open = |invitation: &Invitation| match &invitation.purpose {
        Purpose::Join { grant, .. } => Some(InvitedLine {
            id: invitation.id.clone(),
            name: invitation.name.clone(),
            role: w.t(&role_id(grant)),
            by: called.name(&invitation.invited_by).to_owned(),
            expires: w.instant(invitation.expires, &tz),
        }),
        Purpose::Password(_) | Purpose::Second(_) => None,
    };
    let name = |id: &AccountId| {
        let member = roster.members.iter().find(|member| member.account.id == *id);
        member.map(|member| member.account.name.to_string()).unwrap_or_default()
    };
    let notice = |notice: &Notice| match notice {
        Notice::SoleApprover(id) => w.t1("people-sole-approver", "name", name(id)),
        Notice::NoApprover => w.t("people-no-approver"),
        Notice::SoleAdministrator(id) => w.t1("people-sole-administrator", "name", name(id)),
    };
    Members {
        frame,
        w,
        path,
        is_site: matches!(place, Place::Site(_)),
        notices: roster.notices.iter().map(notice).collect(),
        members: roster.members.iter().map(line).collect(),
        invited: invited.iter().filter_map(open).collect(),
        roles: all.iter().map(choice).collect(),
    }
}

#[cfg(test)]
pub(super) fn samples(w: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::frame::Nav;
    use crate::console::sample::{Sample, at_site, engineer, noon, site_frame};
    use crate::people::account::Account;
    use crate::people::duty;
    use crate::people::name::LoginName;
    use crate::people::role::SiteRole;
    let site = at_site(w).site;
    let place = Place::Site(site.clone());
    let member =
        |id: i64, login: &str, name: &str, role: SiteRole, is_enrolled: Option<&str>| Member {
            account: Account {
                id: AccountId(id),
                login: LoginName::read(login).unwrap(),
                name: Printed::read(name).unwrap(),
                title: Printed::read(w.pick("clinical engineer", "臨床工学技士")).unwrap(),
                language: w.language(),
                password: String::new(),
                second: is_enrolled.map(ToOwned::to_owned),
                second_step: 0,
                enrol_until: noon(),
                created: noon(),
                disabled: (role == SiteRole::Ward).then(noon),
            },
            person: (role == SiteRole::Admin).then(|| PersonId::new("tanaka").unwrap()),
            grants: vec![Grant::Site(site.clone(), role)],
        };
    let members = vec![
        member(7, "tanaka", w.pick("Tanaka Yuki", "田中 由紀"), SiteRole::Admin, Some("x")),
        member(8, "sato", w.pick("Sato Ken", "佐藤 健"), SiteRole::Ward, None),
        member(9, "suzuki", w.pick("Suzuki Aoi", "鈴木 葵"), SiteRole::Viewer, Some("x")),
    ];
    let held = [(AccountId(7), Grant::Site(site.clone(), SiteRole::Admin))];
    let roster = Roster { notices: duty::notices(&held), members };
    let invitation = sample_invitation(w, site);
    let why = w.pick("Left the hospital on 30 November.", "11月30日付で退職。").to_owned();
    let closed = Reasons::from([(AccountId(8), ("account:tanaka".to_owned(), why))]);
    let path = || "/console/sites/city-hospital/settings/people".to_owned();
    let tz = || "Asia/Tokyo".to_owned();
    let frame = || site_frame(w, Nav::Settings, "people-title");
    let called = Called::of_logins([("tanaka", w.pick("Tanaka Yuki", "田中 由紀"))]);
    let invited = [invitation];
    let known = (&roster, invited.as_slice(), &closed, &called);
    let full = view((frame(), w), &engineer(w), (&place, path(), tz()), known);
    let nobody = Roster { members: Vec::new(), notices: Vec::new() };
    let bare = view(
        (frame(), w),
        &engineer(w),
        (&Place::Server, path(), tz()),
        (&nobody, &[], &Reasons::new(), &called),
    );
    let link = LinkPage {
        frame: site_frame(w, Nav::Settings, "people-link-title"),
        w,
        link: "https://patchward.example/console/claim/AAECAwQFBgcICQ".to_owned(),
        back: path(),
    };
    vec![
        Sample::of("people/members.html", "site", &full),
        Sample::of("people/members.html", "server", &bare),
        Sample::of("people/link.html", "made", &link),
    ]
}

#[cfg(test)]
fn sample_invitation(w: Words, site: patchward_protocol::id::SiteId) -> Invitation {
    use crate::console::sample::noon;
    use crate::people::role::SiteRole;
    Invitation {
        id: "0a1b2c3d4e5f".to_owned(),
        purpose: Purpose::Join { grant: Grant::Site(site, SiteRole::Approver), person: None },
        name: w.pick("Suzuki Mei", "鈴木 芽衣").to_owned(),
        title: String::new(),
        language: w.language(),
        inviter: Some(AccountId(7)),
        invited_by: "account:tanaka".to_owned(),
        created: noon(),
        expires: noon().plus_seconds(72 * 3600),
        used: None,
        revoked: None,
    }
}
