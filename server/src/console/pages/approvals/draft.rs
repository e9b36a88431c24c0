//! The open draft: its slots on a table of days, what could not be placed, and who has signed.
//!
//! Not here: signing. Invariant: a draft that does not stand on what is published says so and offers
//! nothing but to make it again.

use super::plan::{self, NotPlaced, WardSlots, WaveRow};
use super::{kind, refused, steps, subject, way};
use crate::consent::draft::facts::Facts;
use crate::consent::draft::finish::{self, Found};
use crate::consent::draft::status::{BaseState, Signed, Standing};
use crate::consent::draft::{Draft, Wanted, make};
use crate::console::answer::Answer;
use crate::console::door::{AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::turned::Turned;
use crate::console::when::When;
use crate::console::words::Words;
use crate::error::ApiError;
use crate::people::closing::{self, Gone};
use crate::people::role::SitePower;
use askama::Template;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::civil::CivilDate;
use patchward_protocol::inventory::Inventory;

/// The page.
#[derive(Template)]
#[template(path = "approvals/draft.html")]
struct DraftPage {
    frame: Frame,
    w: Words,
    base: String,
    steps: Vec<(String, &'static str)>,
    what: Vec<String>,
    made: String,
    revision: u64,
    moved: bool,
    lost: Option<String>,
    gone: Vec<String>,
    past: usize,
    wards: Vec<WardSlots>,
    waves: Vec<WaveRow>,
    not_placed: Vec<NotPlaced>,
    signers: Vec<Signer>,
    needs: Vec<String>,
    may_plan: bool,
    can_shift: bool,
}

/// A key of the site's root and whether it has signed.
pub(super) struct Signer {
    /// Whose.
    pub(super) name: String,
    /// How it signs.
    pub(super) way: String,
    /// Its fingerprint.
    pub(super) fingerprint: String,
    /// Whether it has signed.
    pub(super) signed: bool,
}

/// Adds the routes.
pub(super) fn routes(routes: &mut Routes) {
    routes.get::<AtSite, _, _>("/console/sites/{site}/approvals/draft", SitePower::See, show);
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/approvals/draft/again",
        SitePower::Plan,
        again,
    );
    routes.post::<AtSite, _, _>(
        "/console/sites/{site}/approvals/draft/discard",
        SitePower::Plan,
        discard,
    );
}

async fn show(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    match finish::resume(&visit.app, &visit.entry.site).await? {
        Found::Nothing => Ok(Answer::go(visit.entry.path("approvals"))),
        Found::Ended(version) => {
            Ok(Answer::go(visit.entry.path(&format!("approvals/done/{version}"))))
        }
        Found::Open(draft, facts) => {
            let gone = closing::gone(&visit.app, visit.entry.site.clone()).await?;
            Answer::page(&view(&visit, &draft, &facts, &gone)?)
        }
    }
}

async fn again(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (app, site) = (&visit.app, &visit.entry.site);
    let seen: u64 = visit.form.read("revision")?;
    let draft = make::open(app, site).await?;
    let not_before = visit.form.maybe::<CivilDate>("not_before")?;
    let horizon: Option<i64> = visit.form.maybe("horizon_days")?;
    let wanted = match draft.wanted {
        Wanted::Release(mut wanted) => {
            if let Some(day) = not_before {
                wanted.wishes.not_before = Some(super::new::midnight(day, visit.entry.tz())?);
            }
            if let Some(days) = horizon {
                wanted.wishes.horizon_days = Some(days.clamp(1, 30));
            }
            Wanted::Release(wanted)
        }
        other @ (Wanted::Standing(_) | Wanted::Withdraw { .. }) => other,
    };
    match make::rebuild(app, site, seen, Some(wanted), visit.entry.who.name.clone()).await {
        Ok(_) => Ok(Answer::done(&visit.entry.path("approvals/draft"), "approvals-again-done")),
        Err(error) => refused::page(&visit, error, Some(visit.entry.path("approvals/draft"))),
    }
}

async fn discard(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let revision: u64 = visit.form.read("revision")?;
    make::discard(&visit.app, &visit.entry.site, revision).await?;
    Ok(Answer::done(&visit.entry.path("approvals"), "approvals-discard-done"))
}

fn view(
    visit: &Visit<AtSite>,
    draft: &Draft,
    facts: &Facts,
    gone: &[Gone],
) -> Result<DraftPage, Turned> {
    let (words, tz) = (visit.words, visit.entry.tz());
    let standing = Standing::of(draft, facts)?;
    let approvals = draft.read_approvals()?;
    let snapshot = visit.app.snapshot();
    let line = |approval: &patchward_protocol::approval::Approval| {
        format!("{} — {}", subject(&snapshot, words, approval), kind(words, approval))
    };
    let slots = approvals.iter().flat_map(|it| &it.devices).filter_map(|it| it.slots.first());
    let past = slots.filter(|slot| slot.end() <= visit.at).count();
    let made: When = words.instant(draft.made, tz);
    let lost = draft.rebuilt.as_ref().filter(|rebuilt| !rebuilt.lost.is_empty());
    let lost = lost.map(|rebuilt| {
        let names: Vec<_> =
            rebuilt.lost.iter().map(|person| printed(&draft.inventory, person)).collect();
        words.t1("approvals-lost", "names", names.join(words.pick(", ", "、")))
    });
    Ok(DraftPage {
        frame: visit.frame(Nav::Approvals, words.t("approvals-draft-title")),
        w: words,
        base: visit.entry.path("approvals"),
        steps: steps(words, 1),
        what: approvals.iter().map(line).collect(),
        made: words.t2("approvals-made", "name", draft.made_by.as_str(), "at", made),
        revision: draft.revision,
        moved: standing.base == BaseState::Moved,
        gone: of_gone((words, tz), draft, &standing, gone),
        lost,
        past,
        wards: plan::wards(words, &draft.inventory, &approvals),
        waves: plan::waves(words, &approvals),
        not_placed: plan::not_placed(words, draft),
        signers: signers(words, &draft.inventory, &standing),
        needs: needs(words, &standing),
        may_plan: visit.entry.may(SitePower::Plan),
        can_shift: matches!(draft.wanted, Wanted::Release(_)),
    })
}

/// Who made the draft or has signed it, and is disabled now. Signatures count all the same: a key is
/// taken away in the root.
fn of_gone(
    (words, tz): (Words, &str),
    draft: &Draft,
    standing: &Standing,
    gone: &[Gone],
) -> Vec<String> {
    let signed = |gone: &Gone| {
        let theirs = |key: &&crate::consent::draft::status::SignerKey| {
            key.person == gone.person && key.signed == Signed::Yes
        };
        gone.person.is_some() && standing.keys.iter().any(|key| theirs(&key))
    };
    let concerned = gone.iter().filter(|gone| gone.name == draft.made_by || signed(gone));
    let line = |gone: &Gone| {
        let since = words.instant(gone.since, tz);
        words.t2("approvals-gone", "name", gone.name.as_str(), "since", since)
    };
    concerned.map(line).collect()
}

/// The printed name of a person, as the inventory has it; else the root's word.
pub(super) fn printed(inventory: &Inventory, person: &patchward_protocol::id::PersonId) -> String {
    inventory.person(person).map_or_else(|| person.to_string(), |it| it.name.clone())
}

/// The keys that may sign, each with its state.
pub(super) fn signers(words: Words, inventory: &Inventory, standing: &Standing) -> Vec<Signer> {
    let signer = |key: &crate::consent::draft::status::SignerKey| Signer {
        name: key
            .person
            .as_ref()
            .map_or_else(|| words.t("approvals-nobody"), |person| printed(inventory, person)),
        way: way(words, key.method),
        fingerprint: key.public.fingerprint(),
        signed: key.signed == Signed::Yes,
    };
    standing.keys.iter().map(signer).collect()
}

/// What is still needed, in words.
pub(super) fn needs(words: Words, standing: &Standing) -> Vec<String> {
    let mut lines = Vec::new();
    if standing.missing() > 0 {
        lines.push(words.t1("approvals-need-signatures", "n", standing.missing()));
    }
    for need in &standing.needs {
        let missing = need.persons.saturating_sub(need.signed.len());
        if missing > 0 {
            lines.push(words.t2(
                "approvals-need-persons",
                "approval",
                need.approval.as_str(),
                "n",
                missing,
            ));
        }
        if !need.method_met {
            let way = way(words, need.method);
            let approval = need.approval.as_str();
            lines.push(words.t2("approvals-need-way", "approval", approval, "way", way));
        }
    }
    lines
}

/// Nothing may be changed but by whoever sees the current draft.
///
/// # Errors
/// `request_invalid`.
pub(super) fn seen(
    visit: &Visit<AtSite>,
) -> Result<patchward_protocol::digest::Sha256Digest, ApiError> {
    let text = visit.form.need("seen")?;
    text.parse().map_err(|_| ApiError::with(ErrorCode::RequestInvalid, "seen: a digest"))
}

#[cfg(test)]
pub(super) fn sample_signers(words: Words) -> Vec<Signer> {
    use patchward_protocol::tuf::schema::Method;
    let signer = |en: &str, ja: &str, method, signed| Signer {
        name: words.pick(en, ja).to_owned(),
        way: way(words, method),
        fingerprint: "4821 0937 6650".to_owned(),
        signed,
    };
    vec![
        signer("Tanaka Yuki", "田中 由紀", Method::Console, true),
        signer("Sato Ken", "佐藤 健", Method::Offline, false),
    ]
}

#[cfg(test)]
pub(super) fn sample_wards(words: Words) -> Vec<WardSlots> {
    use crate::console::sample::noon;
    let at = |hours: i64| noon().plus_seconds(hours * 3600);
    let row = |device: &str, hours: i64, wave| plan::SlotRow {
        day: words.day(at(hours), "Asia/Tokyo"),
        from: words.clock(at(hours), "Asia/Tokyo"),
        until: words.clock(at(hours + 2), "Asia/Tokyo"),
        device: device.to_owned(),
        wave,
        attended: wave == 1,
        more: vec![words.instant(at(hours + 24), "Asia/Tokyo")],
    };
    vec![plan::WardSlots {
        name: words.pick("East 5", "5階東病棟").to_owned(),
        slots: vec![row("pump-01", 24, 0), row("pump-02", 72, 1)],
    }]
}

#[cfg(test)]
pub(super) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    use crate::console::sample::{Sample, noon, site_frame};
    let page = |moved: bool| DraftPage {
        frame: site_frame(words, Nav::Approvals, "approvals-draft-title"),
        w: words,
        base: "/console/sites/city-hospital/approvals".to_owned(),
        steps: steps(words, 1),
        what: vec![words.t2("approvals-of-release", "family", "Infusor A", "version", "2.4.1")],
        made: words.t2(
            "approvals-made",
            "name",
            words.pick("Tanaka Yuki", "田中 由紀"),
            "at",
            words.instant(noon(), "Asia/Tokyo"),
        ),
        revision: 3,
        moved,
        gone: if moved {
            vec![words.t2("approvals-gone", "name", "Sato Ken", "since", "12:00")]
        } else {
            Vec::new()
        },
        lost: moved
            .then(|| words.t1("approvals-lost", "names", words.pick("Tanaka Yuki", "田中 由紀"))),
        past: usize::from(moved),
        wards: sample_wards(words),
        waves: vec![WaveRow {
            n: 0,
            devices: 1,
            from: words.instant(noon(), "Asia/Tokyo"),
            soak: words.span(86_400),
            found: 5,
        }],
        not_placed: vec![NotPlaced {
            device: "pump-09".to_owned(),
            why: words.pick("Needs a loaner.", "代替機が必要です。").to_owned(),
        }],
        signers: sample_signers(words),
        needs: vec![words.t1("approvals-need-signatures", "n", 1)],
        may_plan: true,
        can_shift: true,
    };
    vec![
        Sample::of("approvals/draft.html", "current", &page(false)),
        Sample::of("approvals/draft.html", "moved", &page(true)),
    ]
}
