//! Honest calls to the server: the same endpoint types that agent and command line use.
//!
//! Not for attacks ([`crate::wire`], [`crate::hostile`]).
//! Invariant: what the server refuses comes back as its problem document, code and all.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::api::Endpoint;
use patchward_protocol::api::endpoint::Method;
use patchward_protocol::api::error::Problem;
use std::time::Duration;

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A caller, with or without a token.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

/// A plain answer.
#[derive(Debug, Clone)]
pub struct Got {
    /// Status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl Client {
    /// Without a token.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { base: base.to_owned(), token: None, agent: config.into() }
    }

    /// The same caller with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Calls an endpoint; the outer error is the connection, the inner the server's refusal.
    ///
    /// # Errors
    /// When there is no connection, or the answer is none of this endpoint.
    pub fn call<E: Endpoint>(
        &self,
        path: &[&str],
        body: &E::Body,
    ) -> Result<Result<E::Reply, Problem>> {
        let path = fill(E::PATH, path)?;
        let body = serde_json::to_vec(body).context("write the body")?;
        let body = if body == b"null" { Vec::new() } else { body };
        let got = self.send(E::METHOD, &path, "application/json", &body)?;
        if !(200..300).contains(&got.status) {
            let text = String::from_utf8_lossy(&got.body);
            let problem = serde_json::from_slice(&got.body);
            let problem = problem.with_context(|| format!("{path}: {} {text}", got.status))?;
            return Ok(Err(problem));
        }
        let reply = if got.body.is_empty() { b"null".as_slice() } else { &got.body };
        let text = String::from_utf8_lossy(reply);
        let reply = serde_json::from_slice(reply).with_context(|| format!("{path}: {text}"))?;
        Ok(Ok(reply))
    }

    /// Calls an endpoint that must say yes.
    ///
    /// # Errors
    /// When it does not, with its code and detail.
    pub fn must<E: Endpoint>(&self, path: &[&str], body: &E::Body) -> Result<E::Reply> {
        match self.call::<E>(path, body)? {
            Ok(reply) => Ok(reply),
            Err(problem) => bail!(
                "{} {path:?}: {} {}",
                E::PATH,
                problem.code.code(),
                problem.detail.unwrap_or_default()
            ),
        }
    }

    /// Gets a path as bytes.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn get(&self, path: &str) -> Result<Got> {
        self.send(Method::Get, path, "application/json", &[])
    }

    /// Puts bytes.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn put(&self, path: &str, body: &[u8]) -> Result<Got> {
        self.send(Method::Put, path, "application/octet-stream", body)
    }

    fn send(&self, method: Method, path: &str, kind: &str, body: &[u8]) -> Result<Got> {
        let uri = format!("{}{path}", self.base);
        let mut request = ureq::http::Request::builder().method(method.as_str()).uri(&uri);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).context("build the request")?)
        } else {
            let request = request.header("content-type", kind).body(body);
            self.agent.run(request.context("build the request")?)
        };
        let mut answer = answer.with_context(|| format!("{} {uri}", method.as_str()))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        Ok(Got { status, body: body.with_context(|| format!("read {uri}"))? })
    }
}

/// Puts values into the braces of a path.
fn fill(template: &str, values: &[&str]) -> Result<String> {
    let mut values = values.iter();
    let parts: Result<Vec<&str>> = template
        .split('/')
        .map(|part| match part.starts_with('{') {
            true => values.next().copied().with_context(|| format!("{template} needs {part}")),
            false => Ok(part),
        })
        .collect();
    let path = parts?.join("/");
    if values.next().is_some() { bail!("too many values for {template}") } else { Ok(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_filled_in_order() {
        assert_eq!(fill("/v1/{a}/x/{b}", &["1", "2"]).unwrap(), "/v1/1/x/2");
        assert!(fill("/v1/{a}", &[]).is_err());
        assert!(fill("/v1/a", &["1"]).is_err());
    }
}
