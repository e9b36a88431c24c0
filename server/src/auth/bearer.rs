//! The bearer of a request: the text after `Authorization: Bearer`, sorted by its prefix.
//!
//! Not here: whether it is any good. Invariant: a bearer never prints itself.

use crate::auth::api_token::TokenSecret;
use crate::limits::BEARER_CHARS_MAX;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use std::fmt;

/// What a request brought along.
pub enum Bearer {
    /// No `Authorization` header.
    None,
    /// `pw_…`: an API token, or the token that `init` printed.
    Api(TokenSecret),
    /// `pd_…`: a device token.
    Device(String),
    /// Something else: another scheme, two headers, a broken token.
    Broken,
}

impl Bearer {
    /// Reads the bearer from a request's head.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let mut all = headers.get_all(AUTHORIZATION);
        let (Some(first), None) = (all.next(), all.next()) else {
            return if headers.contains_key(AUTHORIZATION) { Self::Broken } else { Self::None };
        };
        let Some((scheme, token)) = first.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return Self::Broken;
        };
        if !scheme.eq_ignore_ascii_case("bearer") || token.len() > BEARER_CHARS_MAX {
            return Self::Broken;
        }
        if token.starts_with("pd_") {
            return Self::Device(token.to_owned());
        }
        TokenSecret::read(token).map_or(Self::Broken, Self::Api)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "Bearer(none)",
            Self::Api(_) => "Bearer(api token)",
            Self::Device(_) => "Bearer(device token)",
            Self::Broken => "Bearer(broken)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn read(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        format!("{:?}", Bearer::read(&headers))
    }

    #[test]
    fn a_bearer_is_sorted_by_its_prefix() {
        let api = format!("Bearer pw_{}", "0f".repeat(32));
        assert_eq!(read(&[]), "Bearer(none)");
        assert_eq!(read(&[&api]), "Bearer(api token)");
        assert_eq!(read(&["bearer pd_abc.def"]), "Bearer(device token)");
    }

    #[test]
    fn a_broken_or_doubled_bearer_is_not_no_bearer() {
        let api = format!("Bearer pw_{}", "0f".repeat(32));
        let upper = format!("Bearer pw_{}", "0F".repeat(32));
        let long = format!("Bearer pd_{}", "x".repeat(600));
        for bad in [
            &[api.as_str(), &api][..],
            &["Basic YTpi"],
            &["pw_"],
            &["Bearer pw_00"],
            &[&upper],
            &[&long],
            &[""],
        ] {
            assert_eq!(read(bad), "Bearer(broken)", "{bad:?}");
        }
    }
}
