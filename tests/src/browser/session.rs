//! One browser with a profile of its own: started, asked, ended by its process id.
//!
//! Invariant: nothing of it stays: profile, downloads and both processes end with the value.

use super::driver::{Driver, chromium};
use super::place;
use super::wire::Refusal;
use crate::clock::until;
use crate::image::put;
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How long a page may take to be as a test wants it, on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(40);
/// How long a script or a page may take at most; below what a call may take ([`super::wire`]).
const ANSWER_MS_MAX: u32 = 100_000;
/// Nothing from outside, nothing that differs from run to run.
const FLAGS: [&str; 14] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
];

/// Whether pages may run scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    /// As usual.
    On,
    /// As for people who switched them off.
    Off,
}

/// Which colours a person's system asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shade {
    /// Dark words on light ground.
    Light,
    /// Light words on dark ground.
    Dark,
}

/// How a browser is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the person prefers to read: `ja`, `en`.
    pub language: &'static str,
    /// Whether pages may run scripts.
    pub scripts: Scripts,
    /// Width of the page in CSS pixels.
    pub width: u32,
    /// Height of the page in CSS pixels.
    pub height: u32,
}

impl Settings {
    /// A desk's screen.
    #[must_use]
    pub const fn desk(language: &'static str) -> Self {
        Self { language, scripts: Scripts::On, width: 1440, height: 1000 }
    }
}

/// A browser.
#[derive(Debug)]
pub struct Browser {
    id: String,
    process: Option<i32>,
    driver: Driver,
    folder: TempDir,
    shots: AtomicU32,
}

impl Browser {
    /// Starts one.
    ///
    /// # Errors
    /// When browser or driver is missing or does not start; with an install hint.
    pub fn start(settings: &Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("patchward-browser-").tempdir()?;
        let driver = Driver::start(folder.path())?;
        let asked = wanted(settings, folder.path())?;
        let made = driver.wire.ask("POST", "/session", Some(&asked))?;
        let made = made.context("start a browser session")?;
        let id = made.get("sessionId").and_then(Value::as_str).context("a session has an id")?;
        let process = made.pointer("/capabilities/goog:processID").and_then(Value::as_i64);
        let process = process.and_then(|id| i32::try_from(id).ok());
        let (id, shots) = (id.to_owned(), AtomicU32::new(0));
        let browser = Self { id, process, driver, folder, shots };
        browser.size(settings.width, settings.height)?;
        let downloads = browser.downloads()?;
        let downloads = json!({ "behavior": "allow", "downloadPath": downloads });
        browser.devtools("Browser.setDownloadBehavior", &downloads)?;
        if settings.scripts == Scripts::Off {
            browser.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": true }))?;
        }
        Ok(browser)
    }

    /// Gives the page this size in CSS pixels; a window could not be as narrow as a telephone.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn size(&self, width: u32, height: u32) -> Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).map(|_| ())
    }

    /// Shows pages light or dark, as the person's system would ask for.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn shade(&self, shade: Shade) -> Result<()> {
        let value = match shade {
            Shade::Light => "light",
            Shade::Dark => "dark",
        };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] })).map(|_| ())
    }

    /// The folder that files are saved to.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn downloads(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("downloads");
        std::fs::create_dir_all(&folder).context("make the folder of downloads")?;
        Ok(folder)
    }

    /// Waits for a saved file whose name ends so.
    ///
    /// # Errors
    /// When none comes.
    pub fn saved(&self, ending: &str) -> Result<PathBuf> {
        let folder = self.downloads()?;
        until(&format!("a saved file …{ending}"), PATIENCE, || {
            let found = std::fs::read_dir(&folder).context("read the folder of downloads")?;
            let paths = found.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            Ok(paths.into_iter().find(|path| path.to_string_lossy().ends_with(ending)))
        })
    }

    /// Opens an address.
    ///
    /// # Errors
    /// When the page does not load.
    pub fn open(&self, url: &str) -> Result<()> {
        self.must("POST", "/url", &json!({ "url": url })).map(|_| ())
    }

    /// The address of the page.
    ///
    /// # Errors
    /// When the browser does not say.
    pub fn url(&self) -> Result<String> {
        let url = self.ask("GET", "/url", None)??;
        url.as_str().map(str::to_owned).context("an address")
    }

    /// Loads the page again.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn reload(&self) -> Result<()> {
        self.must("POST", "/refresh", &json!({})).map(|_| ())
    }

    /// A picture of what is seen, as PNG.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn picture(&self) -> Result<Vec<u8>> {
        decoded(&self.ask("GET", "/screenshot", None)??)
    }

    /// The page on paper, A4, as PDF.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn paper(&self) -> Result<Vec<u8>> {
        let a4 = json!({ "page": { "width": 21.0, "height": 29.7 } });
        decoded(&self.must("POST", "/print", &a4)?)
    }

    /// Runs a script in the page with values, and takes what it returns. The page's own policy does not
    /// stop it.
    ///
    /// # Errors
    /// When the script throws.
    pub fn run(&self, script: &str, values: &[Value]) -> Result<Value> {
        let body = json!({ "script": script, "args": values });
        self.must("POST", "/execute/sync", &body)
    }

    /// Everything that the browser's cookies say.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn cookies(&self) -> Result<Vec<Value>> {
        let said = self.ask("GET", "/cookie", None)??;
        said.as_array().cloned().context("a list of cookies")
    }

    /// Forgets all cookies, as somebody else at the same desk would begin.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn forget(&self) -> Result<()> {
        self.ask("DELETE", "/cookie", None)??;
        Ok(())
    }

    /// A command of the developers' tools.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn devtools(&self, command: &str, values: &Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": values });
        self.must("POST", "/goog/cdp/execute", &body)
    }

    /// Asks, and says where and with what a refusal came.
    pub(super) fn must(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let answer = self.ask(method, path, Some(body))?;
        answer.map_err(|refusal| self.found(&format!("{method} {path}: {refusal}")))
    }

    /// Asks.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, Refusal>> {
        self.driver.wire.ask(method, &format!("/session/{}{path}", self.id), body)
    }

    /// What went wrong, where, with a picture of it.
    pub(super) fn found(&self, what: &str) -> anyhow::Error {
        let url = self.url().unwrap_or_else(|_| "a page that does not say".to_owned());
        let picture = self.kept_picture().unwrap_or_else(|error| format!("no picture: {error:#}"));
        anyhow::anyhow!("{what}\n  page {url}\n  seen {picture}")
    }

    fn kept_picture(&self) -> Result<String> {
        let shot = self.shots.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{shot}.png", self.id.get(..8).unwrap_or("browser"));
        let path = place::finds()?.join(name);
        put(&path, &self.picture()?)?;
        Ok(path.display().to_string())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have crashed: then it is ended by its id, and there is nobody left to tell.
        let ended = self.ask("DELETE", "", None);
        if !matches!(ended, Ok(Ok(_)))
            && let Some(id) = self.process.and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
        }
    }
}

fn wanted(settings: &Settings, folder: &Path) -> Result<Value> {
    let profile = folder.join("profile");
    let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    flags.push(format!("--user-data-dir={}", profile.display()));
    flags.push(format!("--accept-lang={}", settings.language));
    flags.push(format!("--window-size={},{}", settings.width, settings.height));
    let options = json!({
        "binary": chromium()?,
        "args": flags,
        "prefs": {
            "intl.accept_languages": settings.language,
            "download.prompt_for_download": false,
            "credentials_enable_service": false,
            "profile.password_manager_enabled": false,
        },
    });
    Ok(json!({ "capabilities": { "alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "webauthn:virtualAuthenticators": true,
        "unhandledPromptBehavior": "ignore",
        "timeouts": { "script": ANSWER_MS_MAX, "pageLoad": ANSWER_MS_MAX },
    } } }))
}

fn decoded(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().context("bytes in base64")?;
    STANDARD.decode(text).context("read base64")
}
