//! What a person does on a page: look for something, press it, type.
//!
//! Invariant: everything is tried again until the page is ready for it, and no longer than
//! the browser's patience.

use super::key::Key;
use super::session::{Browser, PATIENCE};
use super::wire::Refusal;
use crate::clock::Stopwatch;
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::path::Path;

/// Name of the field in which WebDriver says an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

impl Browser {
    /// Waits until something is there.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait(&self, css: &str) -> Result<()> {
        self.trying(css, "", |_| Ok(Ok(()))).map(|_| ())
    }

    /// How many there are now.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn count(&self, css: &str) -> Result<usize> {
        let found = self.must("POST", "/elements", &by_css(css))?;
        Ok(found.as_array().map_or(0, Vec::len))
    }

    /// Presses something.
    ///
    /// # Errors
    /// When it is not there, or cannot be pressed.
    pub fn click(&self, css: &str) -> Result<()> {
        self.trying(css, "", |id| self.of_element(id, "click", &json!({}))).map(|_| ())
    }

    /// Presses something that leads to another page, and waits until the page before is gone.
    ///
    /// A press comes back as soon as the form is on its way; what is asked next, here or in another
    /// browser, must not overtake the server.
    ///
    /// # Errors
    /// When it is not there, or the page stays.
    pub fn submit(&self, css: &str) -> Result<()> {
        let root = self.must("POST", "/element", &by_css("html"))?;
        let before = id_of(&root)?;
        self.click(css)?;
        self.until("another page", || {
            let read = self.ask("GET", &format!("/element/{before}/name"), None)?;
            Ok(read.err().filter(Refusal::passes).map(|_| ()))
        })?;
        self.wait("main h1")
    }

    /// Clears a field and types into it.
    ///
    /// # Errors
    /// When it is not there, or takes no text.
    pub fn fill(&self, css: &str, text: &str) -> Result<()> {
        self.trying(css, "", |id| self.of_element(id, "clear", &json!({})))?;
        self.send(css, text)
    }

    /// Chooses a value of a list.
    ///
    /// # Errors
    /// When there is no such list or value.
    pub fn choose(&self, css: &str, value: &str) -> Result<()> {
        self.click(&format!("{css} option[value=\"{value}\"]"))
    }

    /// Puts a value into a field of days or times, which takes typed letters only in the order in which
    /// people of the browser's language write them.
    ///
    /// # Errors
    /// When it is not there.
    pub fn set(&self, css: &str, value: &str) -> Result<()> {
        self.wait(css)?;
        let script = "document.querySelector(arguments[0]).value = arguments[1]";
        self.run(script, &[css.into(), value.into()]).map(|_| ())
    }

    /// Waits until the page says that it was done.
    ///
    /// # Errors
    /// When it does not say so.
    pub fn done(&self) -> Result<()> {
        self.wait("#live .note.good")
    }

    /// Gives a file to a field.
    ///
    /// # Errors
    /// When the field is not there.
    pub fn give(&self, css: &str, file: &Path) -> Result<()> {
        let path = file.canonicalize().with_context(|| format!("{}", file.display()))?;
        self.send(css, &path.to_string_lossy())
    }

    fn send(&self, css: &str, text: &str) -> Result<()> {
        let body = json!({ "text": text });
        self.trying(css, "", |id| self.of_element(id, "value", &body)).map(|_| ())
    }

    /// What stands in something, as it is seen.
    ///
    /// # Errors
    /// When it is not there.
    pub fn text(&self, css: &str) -> Result<String> {
        let read = |id: &str| self.ask("GET", &format!("/element/{id}/text"), None);
        let said = self.trying(css, "", read)?;
        said.as_str().map(str::to_owned).context("a text")
    }

    /// An attribute of something; nothing when it has none.
    ///
    /// # Errors
    /// When it is not there.
    pub fn attribute(&self, css: &str, name: &str) -> Result<Option<String>> {
        let read = |id: &str| self.ask("GET", &format!("/element/{id}/attribute/{name}"), None);
        Ok(self.trying(css, "", read)?.as_str().map(str::to_owned))
    }

    /// Waits until the page says these words somewhere.
    ///
    /// # Errors
    /// When it does not say them.
    pub fn says(&self, words: &str) -> Result<()> {
        self.until(&format!("the words “{words}”"), || {
            let said = self.text("body")?;
            Ok(said.contains(words).then_some(()))
        })
    }

    /// Waits until the address has these words in it.
    ///
    /// # Errors
    /// When it does not come.
    pub fn comes_to(&self, part: &str) -> Result<()> {
        self.until(&format!("an address with {part}"), || {
            Ok(self.url()?.contains(part).then_some(()))
        })
    }

    /// Waits for anything.
    ///
    /// # Errors
    /// When it does not come; with page and picture.
    pub fn until<T>(&self, what: &str, condition: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let found = crate::clock::eventually(what, PATIENCE, condition);
        found.map_err(|error| self.found(&format!("{error:#}")))
    }

    /// Strikes keys, whatever has the focus.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn press(&self, keys: &[Key]) -> Result<()> {
        let stroke = |kind: &str, code: char| json!({ "type": kind, "value": code.to_string() });
        let mut strokes = Vec::new();
        for key in keys {
            let (held, code) = key.code();
            strokes.extend(held.map(|held| stroke("keyDown", held)));
            strokes.extend([stroke("keyDown", code), stroke("keyUp", code)]);
            strokes.extend(held.map(|held| stroke("keyUp", held)));
        }
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.must("POST", "/actions", &json!({ "actions": [keyboard] })).map(|_| ())
    }

    /// Types text with the keyboard, whatever has the focus.
    ///
    /// # Errors
    /// When the browser refuses.
    pub fn strike(&self, text: &str) -> Result<()> {
        self.press(&text.chars().map(Key::Letter).collect::<Vec<_>>())
    }

    fn of_element(&self, id: &str, verb: &str, body: &Value) -> Result<Result<Value, Refusal>> {
        self.ask("POST", &format!("/element/{id}/{verb}"), Some(body))
    }

    /// Finds something and does something with it, again until both work.
    fn trying<T>(
        &self,
        css: &str,
        why: &str,
        act: impl Fn(&str) -> Result<Result<T, Refusal>>,
    ) -> Result<T> {
        let watch = Stopwatch::start();
        loop {
            let found = self.ask("POST", "/element", Some(&by_css(css)))?;
            let done = match found {
                Ok(element) => act(id_of(&element)?)?,
                Err(refusal) => Err(refusal),
            };
            match done {
                Ok(value) => return Ok(value),
                Err(refusal) if refusal.passes() && watch.elapsed() < PATIENCE => {
                    crate::clock::pause(crate::clock::patiently(watch.elapsed()));
                }
                Err(refusal) => bail!(self.found(&format!("{css}{why}: {refusal}"))),
            }
        }
    }
}

fn by_css(css: &str) -> Value {
    json!({ "using": "css selector", "value": css })
}

fn id_of(element: &Value) -> Result<&str> {
    element.get(ELEMENT).and_then(Value::as_str).context("an element has an id")
}
