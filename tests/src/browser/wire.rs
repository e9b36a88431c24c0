//! The wire protocol: JSON over HTTP to chromedriver (W3C WebDriver 2, 6).
//!
//! Invariant: a refusal keeps the driver's own word for it, so that a caller can try again after some.

use anyhow::{Context as _, Result};
use serde_json::Value;
use std::time::Duration;

/// A page may take a while on a busy machine; the driver's own limits are shorter.
const CALL_S_MAX: u64 = 120;
/// A screenshot of a long page in base64.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A way to one driver.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    base: String,
    agent: ureq::Agent,
}

/// What the driver says when it does not do something.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// Its word, e.g. `stale element reference`.
    pub(super) word: String,
    /// Its explanation.
    pub(super) message: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.message.lines().next().unwrap_or_default();
        write!(f, "{}: {first}", self.word)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Whether the page is only not ready yet.
    pub(super) fn passes(&self) -> bool {
        let passing = [
            "stale element reference",
            "no such element",
            "element not interactable",
            "element click intercepted",
            "detached shadow root",
        ];
        let between = ["does not belong to the document", "Cannot find context", "navigat"];
        passing.contains(&self.word.as_str())
            || between.iter().any(|words| self.message.contains(words))
    }
}

impl Wire {
    /// To a driver at this address.
    pub(super) fn new(base: String) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(CALL_S_MAX)))
            .build();
        Self { base, agent: config.into() }
    }

    /// Asks; the outer error is the connection, the inner the driver's refusal.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, Refusal>> {
        let uri = format!("{}{path}", self.base);
        let request = ureq::http::Request::builder().method(method).uri(&uri);
        let answer = match body {
            None => self.agent.run(request.body(()).context("build the request")?),
            Some(body) => {
                let bytes = serde_json::to_vec(body).context("write the body")?;
                let request = request.header("content-type", "application/json").body(bytes);
                self.agent.run(request.context("build the request")?)
            }
        };
        let mut answer = answer.with_context(|| format!("{method} {uri}"))?;
        let fine = answer.status().is_success();
        let bytes = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let bytes = bytes.with_context(|| format!("read {uri}"))?;
        let mut said: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("{uri}: {}", String::from_utf8_lossy(&bytes)))?;
        let value = said.get_mut("value").map(Value::take).unwrap_or_default();
        if fine {
            return Ok(Ok(value));
        }
        let text = |name| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Err(Refusal { word: text("error"), message: text("message") }))
    }
}
