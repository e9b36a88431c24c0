//! Every role follows every link that it is shown: none leads nowhere, and pages that nobody saw yet are
//! judged.
//!
//! Not here: the approver and the holder of a key, whose stories look at each page ([`crate::story`]).

use crate::crawl::Walk;
use crate::house::{House, SITE};
use anyhow::{Result, ensure};
use patchward_tests::browser::Browser;

/// Login, role, language, how many pages there are at least.
const ROLES: [(&str, &str, &str, usize); 9] = [
    ("chief", "admin", "ja", 25),
    ("nurse", "ward", "en", 15),
    ("reader", "viewer", "ja", 15),
    ("auditor", "auditor", "en", 2),
    ("release", "maker:acme:release", "ja", 10),
    ("security", "maker:acme:psirt", "en", 10),
    ("affairs", "maker:acme:regulatory", "ja", 10),
    ("manager", "maker:acme:admin", "en", 10),
    ("operator", "server:operator", "ja", 2),
];

/// One after the other at one desk.
pub(crate) fn every_role_follows_its_links(house: &House, browser: &Browser) -> Result<()> {
    let mut walk = Walk::begin(browser, &house.base()?)?;
    for (login, role, language, least) in ROLES {
        browser.forget()?;
        house.joins(browser, login, role)?;
        let first = match role.split(':').collect::<Vec<_>>()[..] {
            ["maker", maker, _] => format!("/console/makers/{maker}"),
            ["server", _] => "/console/server".to_owned(),
            _ if role == "auditor" => format!("/console/sites/{SITE}/records"),
            _ => format!("/console/sites/{SITE}"),
        };
        let pages = walk.along(login, &format!("{first}?lang={language}"))?;
        ensure!(pages >= least, "{login} sees {pages} pages");
    }
    walk.end()
}
