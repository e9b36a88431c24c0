//! Notices: the inbox, a notice with its answers, questions, channels, readiness; at hospitals, at
//! manufacturers, and for whoever runs the server.
//!
//! Not here: what comes up and sending ([`crate::notify`]). Invariant: both sides see the same thread.

pub mod channels;
pub mod inbox;
pub mod notice;
pub mod questions;
pub mod readiness;

use crate::console::door::{AtMaker, AtServer, AtSite, Visit};
use crate::console::frame::{Frame, Nav};
use crate::console::route::Routes;
use crate::console::words::Words;
use crate::people::role::{MakerPower, Place, SitePower};
use crate::people::who::Who;

/// Adds the routes.
pub fn routes(routes: &mut Routes) {
    inbox::routes(routes);
    notice::routes(routes);
    questions::routes(routes);
    channels::routes(routes);
    readiness::routes(routes);
}

/// Where a visitor is, whichever kind of place it is.
pub(super) trait Here {
    fn place(&self) -> Place;
    fn base(&self) -> String;
    /// The zone in which people there read hours.
    fn tz(&self) -> String;
    fn visitor(&self) -> &Who;
    /// Whether the visitor may answer for the place.
    fn may_answer(&self) -> bool;
    /// Whether the visitor may change what concerns everybody there.
    fn may_administer(&self) -> bool;
}

impl Here for AtSite {
    fn place(&self) -> Place {
        Place::Site(self.site.clone())
    }

    fn base(&self) -> String {
        self.path("")
    }

    fn tz(&self) -> String {
        Self::tz(self).to_owned()
    }

    fn visitor(&self) -> &Who {
        &self.who
    }

    fn may_answer(&self) -> bool {
        self.may(SitePower::Plan)
    }

    fn may_administer(&self) -> bool {
        self.may(SitePower::Administer)
    }
}

impl Here for AtMaker {
    fn place(&self) -> Place {
        Place::Maker(self.maker.clone())
    }

    fn base(&self) -> String {
        self.path("")
    }

    fn tz(&self) -> String {
        self.zone.to_string()
    }

    fn visitor(&self) -> &Who {
        &self.who
    }

    fn may_answer(&self) -> bool {
        self.may(MakerPower::Release) || self.may(MakerPower::Review)
    }

    fn may_administer(&self) -> bool {
        self.may(MakerPower::Administer)
    }
}

impl Here for AtServer {
    fn place(&self) -> Place {
        Place::Server
    }

    fn base(&self) -> String {
        "/console/server".to_owned()
    }

    fn tz(&self) -> String {
        self.zone.to_string()
    }

    fn visitor(&self) -> &Who {
        &self.who
    }

    fn may_answer(&self) -> bool {
        true
    }

    fn may_administer(&self) -> bool {
        true
    }
}

/// The frame of each kind of visit.
pub(super) trait Framed {
    fn framed(&self, nav: Nav, id: &str) -> Frame;
}

impl Framed for Visit<AtSite> {
    fn framed(&self, nav: Nav, id: &str) -> Frame {
        self.frame(nav, self.words.t(id))
    }
}

impl Framed for Visit<AtMaker> {
    fn framed(&self, nav: Nav, id: &str) -> Frame {
        self.frame(nav, self.words.t(id))
    }
}

impl Framed for Visit<AtServer> {
    fn framed(&self, _: Nav, id: &str) -> Frame {
        self.frame(self.words.t(id))
    }
}

/// The component that shows how grave something is.
pub(super) const fn badge(severity: crate::notify::subject::Severity) -> &'static str {
    match severity {
        crate::notify::subject::Severity::Urgent => "bad",
        crate::notify::subject::Severity::Important => "warn",
        crate::notify::subject::Severity::Normal => "info",
    }
}

/// How much is left until then, or by how much it is late.
pub(super) fn left(
    words: Words,
    at: patchward_protocol::time::Timestamp,
    end: patchward_protocol::time::Timestamp,
) -> String {
    let seconds = end.millis().saturating_sub(at.millis()) / 1000;
    if seconds >= 0 {
        words.t1("notices-left", "left", words.span(seconds))
    } else {
        words.t1("notices-late", "late", words.span(seconds.saturating_neg()))
    }
}

/// Every page with its samples.
#[cfg(test)]
pub(in crate::console) fn samples(words: Words) -> Vec<crate::console::sample::Sample> {
    let mut all = inbox::samples(words);
    all.extend(notice::samples(words));
    all.extend(questions::samples(words));
    all.extend(channels::samples(words));
    all.extend(readiness::samples(words));
    all
}

#[cfg(test)]
pub(super) mod sample {
    //! Notices for samples.
    use crate::console::sample::noon;
    use crate::db::notice::Notice;
    use crate::notify::subject::{NoticeId, Severity, Subject, Trouble};
    use crate::people::role::Place;
    use patchward_protocol::digest::Sha256Digest;
    use patchward_protocol::id::{DeviceId, HoldId, Seq, SiteId};

    pub(in crate::console) fn release() -> Subject {
        Subject::Release {
            family: "acme.infusion-a".parse().unwrap(),
            image_sha256: Sha256Digest::of(b"image"),
            version: "2.4.1".parse().unwrap(),
            seq: Seq(7),
            put_off: None,
        }
    }

    pub(in crate::console) fn device() -> Subject {
        Subject::Device {
            family: "acme.infusion-a".parse().unwrap(),
            device: DeviceId::new("pump-07").unwrap(),
            trouble: Trouble::Silent,
            mark: Sha256Digest::of(b"mark"),
        }
    }

    pub(in crate::console) fn hold() -> Subject {
        let hold = HoldId::new("city-hospital-2026-12-01-1").unwrap();
        Subject::Hold { hold, family: None, review_at: noon().plus_seconds(-7200) }
    }

    pub(in crate::console) fn question() -> Subject {
        Subject::Question {
            question: NoticeId::digest("question").to_string(),
            site: SiteId::new("city-hospital").unwrap(),
            family: "acme.infusion-a".parse().unwrap(),
            n: 0,
        }
    }

    pub(in crate::console) fn notice(subject: Subject, severity: Severity) -> Notice {
        let place = Place::Site(SiteId::new("city-hospital").unwrap());
        Notice {
            id: NoticeId::of(&place, &subject),
            place,
            subject,
            severity,
            created: noon().plus_seconds(-31 * 3600),
            due: Some(noon().plus_seconds(41 * 3600)),
            step: 1,
            step_due: Some(noon().plus_seconds(17 * 3600)),
            acknowledged: None,
            closed: None,
        }
    }
}
