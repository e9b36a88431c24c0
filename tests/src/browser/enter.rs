//! Joining, signing in and out, as people do it in the browser.

use super::session::Browser;
use crate::person::Person;
use anyhow::Result;

impl Browser {
    /// Follows a one-time link: makes the account, sets up the second factor, keeps the codes.
    ///
    /// # Errors
    /// When a page does not come.
    pub fn join(&self, base: &str, link: &str, person: &Person) -> Result<()> {
        self.open(&format!("{base}{link}"))?;
        self.fill("#login", &person.login)?;
        self.fill("#password", &person.password)?;
        self.submit("main form button.main")?;
        self.wait("svg.qr")?;
        person.scan(&self.text("main code.mono")?);
        self.fill("#code", &person.code()?)?;
        self.submit("main form button.main")?;
        self.wait("ol.codes")?;
        self.submit("main a.button.main")
    }

    /// Signs in with password and code.
    ///
    /// # Errors
    /// When the console does not let the person in.
    pub fn sign_in(&self, base: &str, person: &Person) -> Result<()> {
        self.open(&format!("{base}/console/login"))?;
        self.fill("#login", &person.login)?;
        self.fill("#password", &person.password)?;
        self.submit("form[action='/console/login'] button.main")?;
        self.fill("#code", &person.code()?)?;
        self.submit("main form button.main")?;
        // In: away from the login, whatever the first page is.
        self.until("to be let in", || Ok((!self.url()?.contains("/login")).then_some(())))
    }

    /// Signs out.
    ///
    /// # Errors
    /// When the console does not say goodbye.
    pub fn sign_out(&self) -> Result<()> {
        self.click("header form[action='/console/logout'] button")?;
        self.comes_to("/console/login")
    }
}
