//! A real browser, driven as a person would: Debian's Chromium through W3C WebDriver.
//!
//! For: the console's tests and its screens. A small client of our own over the HTTP client that the
//! harness has; the two crates that there are bring second versions of other crates. Not here: what a
//! page should say. Invariant: nothing waits for a fixed time; each wait names its condition, and what
//! fails names page and selector and leaves a screenshot.

mod act;
mod axe;
mod driver;
mod enter;
mod focus;
mod follow;
mod key;
mod look;
mod paper;
mod passkey;
mod place;
mod session;
mod wire;

pub use axe::{Axe, Finding};
pub use focus::Stop;
pub use follow::Followed;
pub use key::Key;
pub use look::{Overflow, Small};
pub use paper::Paper;
pub use passkey::Authenticator;
pub use place::{finds, papers, screens};
pub use session::{Browser, Scripts, Settings, Shade};
