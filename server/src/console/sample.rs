//! Pages with their sample values, rendered in both languages: what every page's own file gives, and
//! the checks that every page passes.
//!
//! With `PATCHWARD_PAGES=folder` in the environment the test writes each page there, to be looked at
//! in a browser. Invariant: every template is rendered by some sample.

use super::asked::Asked;
use super::assets;
use super::frame::{Frame, Nav};
use super::words::Words;
use super::zone::ZoneName;
use crate::console::door::{AtMaker, AtSite};
use crate::people::role::{Grant, MakerRole, SiteRole};
use crate::people::who::{AccountId, Language, Who};
use askama::Template;
use patchward_protocol::id::{MakerId, SiteId};
use patchward_protocol::inventory::Inventory;
use patchward_protocol::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A rendered sample.
#[derive(Debug)]
pub struct Sample {
    template: &'static str,
    name: &'static str,
    html: String,
}

impl Sample {
    /// Renders a page. `template` is its path below `templates`, `name` says which sample it is.
    pub fn of(template: &'static str, name: &'static str, page: &impl Template) -> Self {
        Self { template, name, html: page.render().unwrap() }
    }

    /// The template's path.
    pub const fn template(&self) -> &'static str {
        self.template
    }

    /// The page.
    pub fn html(&self) -> &str {
        &self.html
    }
}

/// A request without anything.
pub fn asked(words: Words) -> Asked {
    let mut asked = Asked::default();
    asked.here = "/console".to_owned();
    asked.wanted = Some(words.language());
    asked
}

/// 5 December 2026, 13:30 in Tokyo.
pub fn noon() -> Timestamp {
    Timestamp::from_jiff("2026-12-05T04:30:00Z".parse().unwrap())
}

/// A clinical engineer who approves and administers at a hospital.
pub fn engineer(words: Words) -> Who {
    who(
        words,
        vec![
            Grant::Site(SiteId::new("city-hospital").unwrap(), SiteRole::Approver),
            Grant::Site(SiteId::new("city-hospital").unwrap(), SiteRole::Admin),
        ],
    )
}

/// A release engineer.
pub fn release_engineer(words: Words) -> Who {
    who(words, vec![Grant::Maker(MakerId::new("acme").unwrap(), MakerRole::Release)])
}

fn who(words: Words, grants: Vec<Grant>) -> Who {
    Who {
        account: AccountId(7),
        login: "tanaka".to_owned(),
        name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
        title: words.pick("clinical engineer", "臨床工学技士").to_owned(),
        language: words.language(),
        persons: Vec::new(),
        grants,
        form_token: "00112233445566778899aabbccddeeff".to_owned(),
        idle_until: noon().plus_seconds(1800),
    }
}

/// A visitor at a hospital.
pub fn at_site(words: Words) -> AtSite {
    let site = SiteId::new("city-hospital").unwrap();
    let inventory = Arc::new(Inventory::empty(site.clone(), "Asia/Tokyo"));
    AtSite { who: engineer(words), site, inventory }
}

/// A visitor at a manufacturer.
pub fn at_maker(words: Words) -> AtMaker {
    let maker = MakerId::new("acme").unwrap();
    AtMaker { who: release_engineer(words), maker, zone: ZoneName::UTC }
}

/// The frame of a page of a hospital.
pub fn site_frame(words: Words, nav: Nav, title: &str) -> Frame {
    let place = words.pick("City Hospital", "市立中央病院").to_owned();
    Frame::at_site(&asked(words), &at_site(words), words, (nav, place, words.t(title)))
}

/// The frame of a page of a manufacturer.
pub fn maker_frame(words: Words, nav: Nav, title: &str) -> Frame {
    let place = words.pick("Acme Medical", "アクメ医療機器").to_owned();
    Frame::at_maker(&asked(words), &at_maker(words), words, (nav, place, words.t(title)))
}

/// Every page with every sample.
pub fn all(words: Words) -> Vec<Sample> {
    let mut all = super::turned::samples(words);
    all.extend(super::pages::samples(words));
    all
}

#[test]
fn the_people_of_samples_hold_roles_that_go_together() {
    use crate::people::duty::{Hand, may_give};
    let words = Words::of(Language::En);
    for Who { account, grants, .. } in [engineer(words), release_engineer(words)] {
        for (n, grant) in grants.iter().enumerate() {
            assert_eq!(may_give(Hand::CommandLine, account, &grants[..n], grant), Ok(()));
        }
    }
}

fn templates() -> BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// What of a template is neither markup nor a value.
fn bare_text(template: &str) -> String {
    let mut text = template.to_owned();
    for (begin, end) in [("{#", "#}"), ("{%", "%}"), ("{{", "}}"), ("<!--", "-->")] {
        while let Some(from) = text.find(begin) {
            let until = text[from..].find(end).unwrap_or_else(|| panic!("{begin} has no end"));
            text.replace_range(from..from + until + end.len(), "");
        }
    }
    let mut bare = String::new();
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => bare.push(c),
            _ => {}
        }
    }
    bare
}

#[test]
fn no_text_stands_in_a_template() {
    for name in templates() {
        let path = format!("{}/templates/{name}", env!("CARGO_MANIFEST_DIR"));
        let template = std::fs::read_to_string(path).unwrap();
        let bare = bare_text(&template);
        let word = bare.split_whitespace().find(|word| word.chars().any(char::is_alphabetic));
        assert_eq!(word, None, "{name} says {word:?}: texts belong into the Fluent files");
        for spoken in ["aria-label=\"", "placeholder=\"", "alt=\"", " title=\""] {
            for piece in template.split(spoken).skip(1) {
                let fine = piece.starts_with("{{") || piece.starts_with('"');
                assert!(fine, "{name}: {spoken}… says something itself");
            }
        }
    }
}

#[test]
fn every_page_renders_all_its_samples_in_both_languages() {
    let mut rendered = BTreeSet::new();
    for language in Language::ALL {
        let words = Words::of(language);
        for sample in all(words) {
            let at = format!("{} ({}, {})", sample.template, sample.name, language.tag());
            let html = &sample.html;
            assert!(!html.contains('⟦'), "{at}: {}", around(html, '⟦'));
            assert!(html.contains(&format!("<html lang=\"{}\"", language.tag())), "{at}");
            assert!(!html.contains(" style=") && !html.contains("<style"), "{at}: inline style");
            assert!(!html.contains(" onclick=") && !html.contains("javascript:"), "{at}");
            for form in html.split("<form").skip(1).map(|rest| rest.split("</form>").next()) {
                let form = form.unwrap();
                let post = form.contains("method=\"post\"");
                assert!(!post || form.contains("name=\"_token\""), "{at}: form without token");
            }
            write(&sample, language);
            rendered.insert(sample.template.to_owned());
        }
    }
    let unseen: Vec<_> = templates().into_iter().filter(|name| is_page(name)).collect();
    let unseen: Vec<_> = unseen.iter().filter(|name| !rendered.contains(*name)).collect();
    assert!(unseen.is_empty(), "no sample renders {unseen:?}");
}

/// Frames and fragments begin with an underscore.
fn is_page(name: &str) -> bool {
    !name.rsplit('/').next().unwrap().starts_with('_')
}

fn around(html: &str, what: char) -> String {
    let at = html.find(what).unwrap();
    html[at..].chars().take(120).collect()
}

/// Writes a sample where a person wants to look at it.
#[expect(clippy::disallowed_methods, reason = "a test for people's eyes, told by its environment")]
fn write(sample: &Sample, language: Language) {
    let Some(folder) = std::env::var_os("PATCHWARD_PAGES") else { return };
    let folder = std::path::PathBuf::from(folder);
    std::fs::create_dir_all(&folder).unwrap();
    let mut html = sample.html.clone();
    for name in ["console.css", "frame.js", "icon.svg"] {
        let file = format!("file://{}/assets/{name}", env!("CARGO_MANIFEST_DIR"));
        html = html.replace(assets::path(name), &file);
    }
    let stem = sample.template.trim_end_matches(".html").replace('/', "-");
    let name = format!("{stem}.{}.{}.html", sample.name, language.tag());
    std::fs::write(folder.join(name), html).unwrap();
}
