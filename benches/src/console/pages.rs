//! The pages that are measured: every page of a hospital and of a manufacturer that somebody opens by a
//! link, each with an object that is as large as there is.
//!
//! Not here: signing in, what one person alone sees of their own account, streams, and files that are
//! not shown (the export of a record, calendars for other programs). Invariant: a path's braces are words
//! of [`super::country::Names`].

use super::country::{BIG, MAKER, Names};
use anyhow::{Context as _, Result};

/// Who opens a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Somebody of the large hospital.
    Hospital,
    /// Somebody of the manufacturer.
    Maker,
}

/// A page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// What it is to people.
    pub name: &'static str,
    /// Who opens it.
    pub who: Who,
    /// Path behind that of the place.
    rest: &'static str,
}

const fn hospital(name: &'static str, rest: &'static str) -> Page {
    Page { name, who: Who::Hospital, rest }
}

const fn maker(name: &'static str, rest: &'static str) -> Page {
    Page { name, who: Who::Maker, rest }
}

/// All of them.
pub const PAGES: [Page; 70] = [
    hospital("Today", ""),
    hospital("Inbox", "/inbox"),
    hospital("Notice", "/inbox/{notice}"),
    hospital("Questions", "/questions"),
    hospital("Release (dossier)", "/releases/acme.pump/3.0.0"),
    hospital("Approvals", "/approvals"),
    hospital("Approvals: choose a release", "/approvals/new"),
    hospital("Approvals: choose devices", "/approvals/new?family=acme.pump&version=3.0.0"),
    hospital(
        "Approvals: choose devices to go back",
        "/approvals/new?family=acme.pump&version=1.0.0&kind=rollback",
    ),
    hospital("Approvals: plan of a draft", "/approvals/draft"),
    hospital("Approvals: review and sign", "/approvals/draft/sign"),
    hospital("Approvals: sheet of one", "/approvals/sheet/{approval-id}"),
    hospital("Approvals: standing", "/approvals/standing"),
    hospital("Approvals: withdraw", "/approvals/withdraw?approval={approval-id}"),
    hospital("Approvals: key on the server", "/approvals/key"),
    hospital("Calendar", "/calendar"),
    hospital("Calendar, a week", "/calendar?view=week"),
    hospital("Calendar of a ward", "/calendar/ward/ward-07"),
    hospital("Devices", "/devices"),
    hospital("Devices, the last page", "/devices?page=50"),
    hospital("Devices that wait", "/devices?state=waiting"),
    hospital("Devices, searched", "/devices?q=0042"),
    hospital("Devices as CSV", "/devices.csv"),
    hospital("Device", "/devices/{device}"),
    hospital("Device that went back", "/devices/{back}"),
    hospital("Device: update by hand", "/devices/{hand}/by-hand"),
    hospital("Add devices", "/enrol"),
    hospital("Rollouts", "/rollouts"),
    hospital("Wave board, 1,900 devices", "/rollouts/{approval}"),
    hospital("Go back", "/rollback?family=acme.pump&from=3.0.0"),
    hospital("Records", "/records"),
    hospital("Records of a device", "/records?device={device}"),
    hospital("Records of people", "/records?kind=people"),
    hospital("Records: ways back", "/records?kind=rollbacks"),
    hospital("Record of a rollback", "/records/rollback/{rollback}"),
    hospital("Life cycle", "/lifecycle"),
    hospital("STOP", "/stop"),
    hospital("STOP for a device", "/stop?device={device}"),
    hospital("Holds", "/holds"),
    hospital("Hold", "/holds/{hold}"),
    hospital("Resume, to be signed", "/act?do=resume&approval={approval}&wave=1"),
    hospital("Readiness", "/readiness"),
    hospital("Settings", "/settings"),
    hospital("Settings: wards", "/settings/wards"),
    hospital("Settings: a ward", "/settings/ward?id=ward-07"),
    hospital("Settings: windows", "/settings/windows"),
    hospital("Settings: freezes", "/settings/freezes"),
    hospital("Settings: rules", "/settings/rules"),
    hospital("Settings: signers", "/settings/signers"),
    hospital("Settings: tables", "/settings/tables"),
    hospital("Settings: devices as CSV", "/settings/devices.csv"),
    hospital("Settings: people", "/settings/people"),
    hospital("Settings: tokens", "/settings/tokens"),
    hospital("Settings: notifications", "/settings/notifications"),
    maker("Dashboard", ""),
    maker("Inbox", "/inbox"),
    maker("Questions", "/questions"),
    maker("Families", "/families"),
    maker("Family", "/families/acme.pump"),
    maker("Life cycle of a family", "/families/acme.pump/lifecycle"),
    maker("Releases", "/releases"),
    maker("Release", "/releases/acme.pump/{image}"),
    maker("Field status", "/field"),
    maker("Field status of a family", "/field?family=acme.pump"),
    maker("Sites", "/sites"),
    maker("Site", "/sites/{small}"),
    maker("Repositories and keys", "/repositories"),
    maker("Records", "/records"),
    maker("Settings: people", "/settings/people"),
    maker("Settings: notifications", "/settings/notifications"),
];

impl Page {
    /// Its path.
    ///
    /// # Errors
    /// When a word is not known.
    pub fn path(&self, names: &Names) -> Result<String> {
        let place = match self.who {
            Who::Hospital => format!("/console/sites/{BIG}"),
            Who::Maker => format!("/console/makers/{MAKER}"),
        };
        let mut path = place;
        let mut rest = self.rest;
        while let Some((before, behind)) = rest.split_once('{') {
            let (word, after) = behind.split_once('}').context("a brace is closed")?;
            path.push_str(before);
            path.push_str(names.get(word).with_context(|| format!("no {word} for {path}"))?);
            rest = after;
        }
        path.push_str(rest);
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_put_into_a_path() {
        let names = Names::from([("device".to_owned(), "pump-7".to_owned())]);
        let page = hospital("Device", "/devices/{device}/by-hand");
        assert_eq!(page.path(&names).unwrap(), "/console/sites/site-000/devices/pump-7/by-hand");
        assert!(hospital("Hold", "/holds/{hold}").path(&names).is_err());
    }
}
