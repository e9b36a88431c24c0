//! axe-core: the rules of WCAG 2.2 A and AA that a machine can judge, on one page.
//!
//! The script comes from a package whose hash is pinned (`xtask/axe.txt`); nothing of it is in this
//! tree. Not here: what a machine cannot judge; for that there are eyes. Invariant: rules that axe
//! could not finish are findings too when it says that they are broken, and never hidden.

use super::session::Browser;
use crate::bin::setting;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Where the environment says the script is.
const SETTING: &str = "PATCHWARD_AXE";
/// Which rules.
const TAGS: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// The script.
#[derive(Debug, Clone)]
pub struct Axe {
    script: String,
}

/// A rule that a page breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The rule, e.g. `color-contrast`.
    pub rule: String,
    /// What it says.
    pub help: String,
    /// Where, as a selector.
    pub at: String,
    /// The markup there.
    pub markup: String,
    /// Why.
    pub why: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}: {} [{}]", self.rule, self.at, self.why, self.markup)
    }
}

impl Axe {
    /// Reads the script that the environment names.
    ///
    /// # Errors
    /// When it names none; with the command that brings it.
    pub fn find() -> Result<Self> {
        let path = setting(SETTING).with_context(|| {
            format!("{SETTING} does not say where axe.min.js is: run cargo xtask browser")
        })?;
        let script = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        Ok(Self { script })
    }

    /// Judges the page that a browser shows.
    ///
    /// # Errors
    /// When axe does not run on it.
    pub fn judge(&self, browser: &Browser) -> Result<Vec<Finding>> {
        self.run(browser, &json!({ "type": "tag", "values": TAGS }))
    }

    /// Judges only whether words stand out from their ground, e.g. once more in the dark.
    ///
    /// # Errors
    /// When axe does not run on it.
    pub fn judge_contrast(&self, browser: &Browser) -> Result<Vec<Finding>> {
        self.run(browser, &json!({ "type": "rule", "values": ["color-contrast"] }))
    }

    fn run(&self, browser: &Browser, rules: &Value) -> Result<Vec<Finding>> {
        let there = browser.run("return typeof window.axe === 'object'", &[])?;
        if there != Value::Bool(true) {
            browser.run(&self.script, &[])?;
        }
        let options = json!({ "runOnly": rules, "resultTypes": ["violations"] });
        let script = "const [options, done] = arguments; \
            axe.run(document, options).then(r => done({ ok: r.violations }), \
            e => done({ failed: String(e) }));";
        let body = json!({ "script": script, "args": [options] });
        let said = browser.must("POST", "/execute/async", &body)?;
        let broken = said.get("ok").and_then(Value::as_array);
        let broken = broken.with_context(|| format!("axe did not run: {said}"))?;
        Ok(broken.iter().flat_map(findings).collect())
    }
}

fn findings(rule: &Value) -> Vec<Finding> {
    let word = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let nodes = rule.get("nodes").and_then(Value::as_array).cloned().unwrap_or_default();
    let each = nodes.iter().map(|node| Finding {
        rule: word(rule, "id"),
        help: word(rule, "help"),
        at: node.get("target").map(ToString::to_string).unwrap_or_default(),
        markup: word(node, "html").chars().take(160).collect(),
        why: word(node, "failureSummary").replace('\n', " ").chars().take(240).collect(),
    });
    each.collect()
}
