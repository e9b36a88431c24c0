//! The calendar by a secret address, for the calendar that a person has anyway.
//!
//! The address is shown once, when it is made; whoever has it reads hours, wards and numbers of
//! devices, nothing else. Not here: the format (`crate::consent::feed`). Invariant: an address ends
//! when its person makes another, ends it, or may no longer see the site.

use super::{events, page};
use crate::consent::calendar::{Event, What};
use crate::consent::feed::{self, Said};
use crate::console::answer::Answer;
use crate::console::door::{Anybody, AtSite, Visit};
use crate::console::pages::holds::ward_name;
use crate::console::route::Routes;
use crate::console::turned::{Turned, not_found};
use crate::console::when::When;
use crate::console::words::Words;
use crate::db::{account, calendar, grant};
use crate::error::ApiError;
use crate::people::role::{Grant, SitePower};
use patchward_protocol::approval::Action;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::RepositoryId;
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;

/// A feed reaches back so far, in seconds: a month.
const BACK_S: i64 = 31 * 86_400;
/// A feed reaches ahead so far, in seconds: half a year.
const AHEAD_S: i64 = 183 * 86_400;

/// What the calendar page says of the feed.
#[derive(Debug, Clone)]
pub(in crate::console) struct FeedView {
    /// Since when there is one.
    pub(super) made: Option<When>,
    /// Its address, once.
    pub(super) address: Option<String>,
    /// Where it is made.
    pub(super) to: String,
    /// Where it is ended.
    pub(super) end: String,
}

impl FeedView {
    /// Of what is stored, and the address when it was just made.
    pub(super) fn of(
        w: Words,
        at: &AtSite,
        made: Option<Timestamp>,
        address: Option<String>,
    ) -> Self {
        Self {
            made: made.map(|made| w.instant(made, at.tz())),
            address,
            to: at.path("calendar/feed"),
            end: at.path("calendar/feed/end"),
        }
    }
}

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    routes.post::<AtSite, _, _>("/console/sites/{site}/calendar/feed", SitePower::See, make);
    routes.post::<AtSite, _, _>("/console/sites/{site}/calendar/feed/end", SitePower::See, end);
    routes.get::<Anybody, _, _>("/console/calendar/{secret}", (), serve);
}

async fn make(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let mut bytes = [0_u8; 32];
    visit.app.rng.fill(&mut bytes).map_err(ApiError::failed)?;
    let secret = hex::encode(bytes);
    let digest = Sha256Digest::of(secret.as_bytes()).to_string();
    let (account, site, at) = (visit.entry.who.account, visit.entry.site.clone(), visit.at);
    visit.app.db.write(move |conn| calendar::put(conn, account, &site, &digest, at)).await?;
    let own = visit.app.address.get().map(|address| address.url.as_str());
    let origin = visit.app.config.public_url.as_deref().or(own).unwrap_or_default();
    let address = format!("{}/console/calendar/{secret}.ics", origin.trim_end_matches('/'));
    // Shown by this answer only: it stands nowhere else.
    let view = FeedView::of(visit.words, &visit.entry, Some(at), Some(address));
    Answer::page(&page(&visit, view)?)
}

async fn end(visit: Visit<AtSite>) -> Result<Answer, Turned> {
    let (account, site) = (visit.entry.who.account, visit.entry.site.clone());
    visit.app.db.write(move |conn| calendar::delete(conn, account, &site)).await?;
    Ok(Answer::done(&visit.entry.path("calendar"), "calendar-feed-ended-done"))
}

async fn serve(visit: Visit<Anybody>) -> Result<Answer, Turned> {
    let named: String = visit.asked.part("secret")?;
    let digest = Sha256Digest::of(named.trim_end_matches(".ics").as_bytes()).to_string();
    let found = visit.app.db.read(move |conn| {
        let Some((id, site)) = calendar::find(conn, &digest)? else { return Ok(None) };
        let person = account::find(conn, id)?.filter(|account| account.disabled.is_none());
        let grants = grant::of(conn, id)?;
        let sees = grants.iter().any(|grant| match grant {
            Grant::Site(at, role) => *at == site && role.may(SitePower::See),
            Grant::Maker(..) | Grant::Operator => false,
        });
        Ok::<_, crate::db::DbError>(person.filter(|_| sees).map(|person| (person, site)))
    });
    let (person, site) = found.await?.ok_or_else(not_found)?;
    let (w, at) = (Words::of(person.language), visit.at);
    let inventory = visit.app.inventories.of(&visit.app, &site).await?;
    let between = (at.plus_seconds(-BACK_S), at.plus_seconds(AHEAD_S));
    let mut events = events(&visit.app, &site, &inventory, between, at);
    events.retain(|event| !matches!(event.what, What::Window { .. }));
    let snapshot = visit.app.snapshot();
    let current = snapshot.get(&RepositoryId::Site(site.clone()));
    let place = current.map_or(site.as_str(), |at| w.pick(&at.title_en, &at.title_ja));
    let name = w.t1("calendar-feed-name", "place", place);
    let file = feed::write(&name, site.as_str(), &events, at, |event| said(w, &inventory, event));
    Ok(Answer::bytes("text/calendar; charset=utf-8", file))
}

/// No product and no device: such a file is read on phones and passed on.
fn said(w: Words, inventory: &Inventory, event: &Event) -> Said {
    let ward = event.ward.as_ref().map(|ward| ward_name(w, inventory, ward)).unwrap_or_default();
    match &event.what {
        What::Go(go) => {
            let id = match go.action {
                Action::Rollback => "calendar-feed-rollback",
                Action::Install | Action::Standing => "calendar-feed-slot",
            };
            let attended =
                (go.attended > 0).then(|| w.t1("calendar-feed-attended", "n", go.attended));
            let frozen = go.frozen.then(|| w.t("calendar-conflict"));
            let more: Vec<_> = attended.into_iter().chain(frozen).collect();
            Said {
                summary: w.t2(id, "n", go.devices.len(), "ward", ward.as_str()),
                description: more.join("\n"),
                location: ward,
            }
        }
        What::Freeze { .. } => Said {
            summary: w.t("calendar-kind-freeze"),
            description: String::new(),
            location: ward,
        },
        What::Window { en, ja } => {
            Said { summary: w.pick(en, ja).to_owned(), description: String::new(), location: ward }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::some;
    use super::*;
    use crate::people::who::Language;

    #[test]
    fn a_feed_names_no_product_no_version_and_no_device() {
        let inventory = Inventory::empty("city".parse().unwrap(), "Asia/Tokyo");
        for language in Language::ALL {
            let w = Words::of(language);
            let at = crate::console::sample::noon();
            let file = feed::write("n", "city", &some(), at, |event| said(w, &inventory, event));
            for secret in ["acme", "2.4.1", "pump-0", "Year-end"] {
                assert!(!file.contains(secret), "{secret}: {file}");
            }
            assert!(file.contains("DTSTART:20261205T053000Z\r\n"), "{file}");
        }
    }
}
