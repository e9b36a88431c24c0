//! Every role follows every link that it is shown: none leads nowhere, and pages that nobody saw yet in
//! this language are judged.
//!
//! Not here: the approver and the holder of a key, whose stories look at each page ([`crate::story`]).

use crate::crawl::Walk;
use crate::house::{House, SITE};
use anyhow::{Result, ensure};
use patchward_tests::browser::Browser;

/// Login, role, language, how many pages there are at least.
const ROLES: [(&str, &str, &str, usize); 9] = [
    ("chief", "admin", "ja", 60),
    ("nurse", "ward", "en", 40),
    ("reader", "viewer", "ja", 40),
    ("auditor", "auditor", "en", 2),
    ("release", "maker:acme:release", "ja", 18),
    ("security", "maker:acme:psirt", "en", 18),
    ("affairs", "maker:acme:regulatory", "ja", 18),
    ("manager", "maker:acme:admin", "en", 20),
    ("operator", "server:operator", "ja", 3),
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
        let pages = walk.along((login, language), &first)?;
        ensure!(pages >= least, "{login} sees {pages} pages");
        browser.wait(&format!("html[lang='{language}']"))?;
    }
    walk.end()
}
