//! The door: from a request to a proof of who asks and what they may do in this place.
//!
//! A [`Visit`] can be made here only, so that no handler runs without the check that its route names.
//! Not here: how a session begins (`people`). Invariant: what is not the visitor's is `not_found`,
//! exactly as what is not there; a form of another origin, or without the session's token, does
//! nothing.

use super::asked::{Asked, Origin};
use super::form::{Form, TOKEN_FIELD};
use super::frame::{Frame, Nav};
use super::turned::{Turned, not_found};
use super::words::Words;
use super::zone::ZoneName;
use crate::app::App;
use crate::error::ApiError;
use crate::people::role::{Grant, MakerPower, Place, SitePower};
use crate::people::who::Who;
use crate::people::zone;
use patchward_protocol::api::error::ErrorCode;
use patchward_protocol::id::{MakerId, RepositoryId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use std::future::Future;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// A request that went through the door.
#[derive(Debug)]
pub struct Visit<E> {
    /// The server.
    pub app: Arc<App>,
    /// Who, and where.
    pub entry: E,
    /// The texts in the visitor's language.
    pub words: Words,
    /// When it was asked.
    pub at: Timestamp,
    /// Path and query.
    pub asked: Asked,
    /// What the form sent; empty for a page.
    pub form: Form,
}

/// A kind of visitor.
pub trait Entry: Sized + 'static {
    /// What a route may ask for.
    type Power: Copy + std::fmt::Debug + Send + Sync + 'static;
    /// How the kind is called in the list of routes.
    const KIND: &'static str;

    /// Proves it.
    ///
    /// # Errors
    /// `SignIn` for somebody unknown, `not_found` for what is not theirs, `not_permitted` for what
    /// their role does not give.
    fn prove(
        app: &Arc<App>,
        asked: &Asked,
        who: Option<Who>,
        power: Self::Power,
    ) -> impl Future<Output = Result<Self, Turned>>;

    /// Who it is.
    fn who(&self) -> Option<&Who>;

    /// The zone in which the visitor reads hours, where the place has no inventory.
    fn zone(&self) -> ZoneName {
        ZoneName::UTC
    }
}

/// Anybody, signed in or not.
#[derive(Debug)]
pub struct Anybody(pub Option<Who>);

/// Somebody who is signed in.
#[derive(Debug)]
pub struct SignedIn(pub Who);

/// Somebody at a hospital.
#[derive(Debug)]
pub struct AtSite {
    /// Who.
    pub who: Who,
    /// The hospital.
    pub site: SiteId,
    /// What it says of itself; empty, revision 0, before it said anything.
    pub inventory: Arc<Inventory>,
}

/// Somebody at a manufacturer.
#[derive(Debug)]
pub struct AtMaker {
    /// Who.
    pub who: Who,
    /// The manufacturer.
    pub maker: MakerId,
    /// The zone in which its people read hours.
    pub zone: ZoneName,
}

/// Somebody who runs this server.
#[derive(Debug)]
pub struct AtServer {
    /// Who.
    pub who: Who,
    /// The zone in which they read hours.
    pub zone: ZoneName,
}

impl Entry for Anybody {
    type Power = ();
    const KIND: &'static str = "anybody";

    async fn prove(_: &Arc<App>, _: &Asked, who: Option<Who>, (): ()) -> Result<Self, Turned> {
        Ok(Self(who))
    }

    fn who(&self) -> Option<&Who> {
        self.0.as_ref()
    }
}

impl Entry for SignedIn {
    type Power = ();
    const KIND: &'static str = "signed-in";

    async fn prove(_: &Arc<App>, asked: &Asked, who: Option<Who>, (): ()) -> Result<Self, Turned> {
        signed_in(asked, who).map(Self)
    }

    fn who(&self) -> Option<&Who> {
        Some(&self.0)
    }
}

impl Entry for AtSite {
    type Power = SitePower;
    const KIND: &'static str = "site";

    async fn prove(
        app: &Arc<App>,
        asked: &Asked,
        who: Option<Who>,
        power: SitePower,
    ) -> Result<Self, Turned> {
        let who = signed_in(asked, who)?;
        let site: SiteId = asked.part("site")?;
        if !who.belongs_to(&Place::Site(site.clone())) {
            return Err(not_found());
        }
        permitted(who.may_at(&site, power))?;
        let inventory = app.inventories.of(app, &site).await;
        let inventory = match (inventory, power) {
            // Whoever wants to stop, or to see what is stopped, needs no wards for it.
            (Err(error), SitePower::Stop | SitePower::See) => {
                let chain = crate::error::Chain(&error).to_string();
                tracing::error!(site.id = %site, error = %chain, "An inventory cannot be read");
                Arc::new(Inventory::empty(site.clone(), "Etc/UTC"))
            }
            (read, _) => read?,
        };
        Ok(Self { who, site, inventory })
    }

    fn who(&self) -> Option<&Who> {
        Some(&self.who)
    }
}

impl Entry for AtMaker {
    type Power = MakerPower;
    const KIND: &'static str = "maker";

    async fn prove(
        app: &Arc<App>,
        asked: &Asked,
        who: Option<Who>,
        power: MakerPower,
    ) -> Result<Self, Turned> {
        let who = signed_in(asked, who)?;
        let maker: MakerId = asked.part("maker")?;
        if !who.belongs_to(&Place::Maker(maker.clone())) {
            return Err(not_found());
        }
        permitted(who.may_for(&maker, power))?;
        let zone = zone::of_maker(app, &maker).await?;
        Ok(Self { who, maker, zone })
    }

    fn who(&self) -> Option<&Who> {
        Some(&self.who)
    }

    fn zone(&self) -> ZoneName {
        self.zone
    }
}

impl Entry for AtServer {
    type Power = ();
    const KIND: &'static str = "server";

    async fn prove(
        app: &Arc<App>,
        asked: &Asked,
        who: Option<Who>,
        (): (),
    ) -> Result<Self, Turned> {
        let who = signed_in(asked, who)?;
        if !who.grants.contains(&Grant::Operator) {
            return Err(not_found());
        }
        let zone = zone::of_account(app, &who).await?;
        Ok(Self { who, zone })
    }

    fn who(&self) -> Option<&Who> {
        Some(&self.who)
    }

    fn zone(&self) -> ZoneName {
        self.zone
    }
}

impl AtSite {
    /// The zone in which people of the site read hours.
    #[must_use]
    pub fn tz(&self) -> &str {
        &self.inventory.tz
    }

    /// Whether the visitor may also do this here, e.g. to offer a button.
    #[must_use]
    pub fn may(&self, power: SitePower) -> bool {
        self.who.may_at(&self.site, power)
    }

    /// The repository of the site.
    #[must_use]
    pub fn repository(&self) -> RepositoryId {
        RepositoryId::Site(self.site.clone())
    }

    /// The path of a page of this site, e.g. `path("devices")`.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        let site = &self.site;
        if rest.is_empty() {
            format!("/console/sites/{site}")
        } else {
            format!("/console/sites/{site}/{rest}")
        }
    }
}

impl AtMaker {
    /// Whether the visitor may also do this here, e.g. to offer a button.
    #[must_use]
    pub fn may(&self, power: MakerPower) -> bool {
        self.who.may_for(&self.maker, power)
    }

    /// The path of a page of this manufacturer, e.g. `path("families")`.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        let maker = &self.maker;
        if rest.is_empty() {
            format!("/console/makers/{maker}")
        } else {
            format!("/console/makers/{maker}/{rest}")
        }
    }
}

impl<E: Entry> Visit<E> {
    /// Lets a request in.
    pub(super) async fn enter(
        app: Arc<App>,
        asked: Asked,
        form: Option<Form>,
        who: Option<Who>,
        power: E::Power,
    ) -> Result<Self, Turned> {
        if let Some(form) = &form {
            own_form(&asked, who.as_ref(), form)?;
        }
        let entry = E::prove(&app, &asked, who, power).await?;
        let words = asked.words(entry.who().map(|who| who.language)).in_zone(entry.zone());
        let at = app.clock.now();
        Ok(Self { app, entry, words, at, asked, form: form.unwrap_or_default() })
    }
}

impl Visit<AtSite> {
    /// The frame around a page of the site.
    #[must_use]
    pub fn frame(&self, nav: Nav, title: impl Into<String>) -> Frame {
        let id = self.entry.repository();
        let snapshot = self.app.snapshot();
        let titles = snapshot.get(&id).map(|at| self.words.pick(&at.title_en, &at.title_ja));
        let place = titles.unwrap_or(self.entry.site.as_str()).to_owned();
        Frame::at_site(&self.asked, &self.entry, self.words, (nav, place, title.into()))
    }
}

impl Visit<AtMaker> {
    /// The frame around a page of the manufacturer.
    #[must_use]
    pub fn frame(&self, nav: Nav, title: impl Into<String>) -> Frame {
        let place = self.entry.maker.to_string();
        Frame::at_maker(&self.asked, &self.entry, self.words, (nav, place, title.into()))
    }
}

impl Visit<SignedIn> {
    /// The frame around a page of the person's own.
    #[must_use]
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::bare(&self.asked, Some(&self.entry.0), self.words, title.into())
    }
}

impl Visit<AtServer> {
    /// The frame around a page of whoever runs the server.
    #[must_use]
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::bare(&self.asked, Some(&self.entry.who), self.words, title.into())
    }
}

impl Visit<Anybody> {
    /// The frame around a page for anybody.
    #[must_use]
    pub fn frame(&self, title: impl Into<String>) -> Frame {
        Frame::bare(&self.asked, self.entry.0.as_ref(), self.words, title.into())
    }
}

fn signed_in(asked: &Asked, who: Option<Who>) -> Result<Who, Turned> {
    who.ok_or_else(|| Turned::SignIn { back: asked.here.clone() })
}

fn permitted(may: bool) -> Result<(), Turned> {
    if may { Ok(()) } else { Err(ApiError::of(ErrorCode::NotPermitted).into()) }
}

/// A form counts when a page of ours sent it, and with the token of the session when there is one.
fn own_form(asked: &Asked, who: Option<&Who>, form: &Form) -> Result<(), Turned> {
    let foreign = || Turned::Refused(ApiError::of(ErrorCode::FormForeign));
    match (asked.origin, who) {
        (Origin::Foreign, _) | (Origin::Unsaid, None) => Err(foreign()),
        (Origin::Ours, None) => Ok(()),
        (Origin::Ours | Origin::Unsaid, Some(who)) => {
            let sent = form.raw(TOKEN_FIELD).unwrap_or_default();
            let same = sent.as_bytes().ct_eq(who.form_token.as_bytes());
            if bool::from(same) { Ok(()) } else { Err(foreign()) }
        }
    }
}
