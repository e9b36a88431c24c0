//! The part of the configuration about proxies in front of the server: whose word on a visitor's
//! address counts.
//!
//! The address is for slowing guesses down and for the list of one's own sessions; nothing is let in by
//! it. Not here: TLS. Invariant: without a trusted proxy no header changes an address, and with one only
//! the last address of the one configured header counts, which that proxy wrote itself.

use super::ConfigError;
use serde::Deserialize;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Proxies in front of the server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Networks from which proxies of ours connect, e.g. `10.1.2.3/32`; none: nobody's word counts.
    pub trusted: Vec<Network>,
    /// The header that they write.
    pub header: Forwarding,
}

/// A header in which a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forwarding {
    /// `X-Forwarded-For: client, proxy`.
    #[default]
    XForwardedFor,
    /// `Forwarded: for=client, for=proxy` (RFC 7239).
    Forwarded,
}

/// Addresses that begin alike: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    base: IpAddr,
    bits: u32,
}

/// No network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address and a length, such as 10.1.2.3/32 or fd00::/64")]
pub struct BadNetwork;

impl Proxy {
    /// The address that a request comes from: what a trusted proxy says, else the peer's.
    #[must_use]
    pub fn visitor<'a>(
        &self,
        peer: IpAddr,
        headers: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusted.iter().any(|network| network.holds(peer)) {
            return peer;
        }
        // Several lines of one header are one list (RFC 9110, 5.3); whatever stands before its last
        // element came with the request, and may be anything.
        let last = headers.rev().map(|line| line.rsplit(',').next().unwrap_or(line)).next();
        let said = last.and_then(|element| match self.header {
            Forwarding::XForwardedFor => address(element),
            Forwarding::Forwarded => forwarded(element),
        });
        said.unwrap_or(peer)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let everywhere = self.trusted.iter().any(|network| network.bits == 0);
        let rule = "networks of your own proxies; /0 would believe everybody";
        if everywhere { Err(ConfigError::Value { key: "proxy.trusted", rule }) } else { Ok(()) }
    }
}

impl Forwarding {
    /// Its name, in lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
        }
    }
}

impl Network {
    fn holds(self, ip: IpAddr) -> bool {
        let (base, ip, width) = match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                (u128::from(base.to_bits()), u128::from(ip.to_bits()), 32_u32)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => (base.to_bits(), ip.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let rest = width.saturating_sub(self.bits);
        let front = |bits: u128| bits.checked_shr(rest).unwrap_or(0);
        front(base) == front(ip)
    }
}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let (base, bits) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let base: IpAddr = base.parse().map_err(|_| BadNetwork)?;
        let width: u32 = if base.is_ipv4() { 32 } else { 128 };
        let bits = if bits.is_empty() { width } else { bits.parse().map_err(|_| BadNetwork)? };
        if bits > width || text.trim().ends_with('/') {
            return Err(BadNetwork);
        }
        Ok(Self { base, bits })
    }
}

impl TryFrom<String> for Network {
    type Error = BadNetwork;

    fn try_from(text: String) -> Result<Self, BadNetwork> {
        text.parse()
    }
}

/// An address as proxies write it: bare, with a port, in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    bare.or_else(with_port).or_else(bracketed).map(|ip| ip.to_canonical())
}

/// The `for` of an element of `Forwarded`.
fn forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    address(value.trim().trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn proxy(header: Forwarding) -> Proxy {
        Proxy { trusted: vec!["10.1.2.0/24".parse().unwrap(), "::1".parse().unwrap()], header }
    }

    fn visitor(peer: &str, header: Forwarding, lines: &[&str]) -> String {
        proxy(header).visitor(peer.parse().unwrap(), lines.iter().copied()).to_string()
    }

    #[test]
    fn only_the_last_address_of_a_trusted_proxy_counts() {
        let x = Forwarding::XForwardedFor;
        let spoofed = ["203.0.113.9, 198.51.100.1", "192.0.2.5"];
        assert_eq!(visitor("10.1.2.3", x, &spoofed), "192.0.2.5");
        assert_eq!(visitor("10.1.2.3", x, &["203.0.113.9, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(visitor("::1", x, &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(visitor("10.1.2.3", x, &["192.0.2.5:4711"]), "192.0.2.5");
        assert_eq!(visitor("10.1.2.3", x, &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(visitor("::ffff:10.1.2.3", x, &["::ffff:192.0.2.5"]), "192.0.2.5");
    }

    #[test]
    fn a_header_from_elsewhere_changes_nothing() {
        let x = Forwarding::XForwardedFor;
        assert_eq!(visitor("10.1.3.3", x, &["192.0.2.5"]), "10.1.3.3", "another network");
        assert_eq!(visitor("192.0.2.77", x, &["10.1.2.3"]), "192.0.2.77");
        let nobody =
            Proxy::default().visitor("10.1.2.3".parse().unwrap(), ["192.0.2.5"].into_iter());
        assert_eq!(nobody.to_string(), "10.1.2.3");
    }

    #[test]
    fn what_does_not_read_is_the_proxy_itself() {
        let x = Forwarding::XForwardedFor;
        for line in ["", "unknown", "192.0.2.5,", "192.0.2.5, _hidden", "999.1.1.1"] {
            assert_eq!(visitor("10.1.2.3", x, &[line]), "10.1.2.3", "{line}");
        }
        assert_eq!(visitor("10.1.2.3", x, &[]), "10.1.2.3");
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_writes_it() {
        let f = Forwarding::Forwarded;
        let line = "for=203.0.113.9, For=\"[2001:db8:cafe::17]:4711\";proto=https;by=10.1.2.3";
        assert_eq!(visitor("10.1.2.3", f, &[line]), "2001:db8:cafe::17");
        assert_eq!(visitor("10.1.2.3", f, &["for=192.0.2.43"]), "192.0.2.43");
        assert_eq!(visitor("10.1.2.3", f, &["for=unknown"]), "10.1.2.3");
    }

    #[test]
    fn a_network_that_is_none_is_refused_and_everybody_is_no_proxy() {
        for bad in ["", "10.0.0.0/33", "10.0.0.0/", "fd00::/129", "10.0.0/8", "a/8", "10.0.0.0/-1"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
        let all = Proxy { trusted: vec!["0.0.0.0/0".parse().unwrap()], ..Proxy::default() };
        assert!(all.check().is_err());
        assert!(proxy(Forwarding::Forwarded).check().is_ok());
    }

    proptest! {
        #[test]
        fn no_header_moves_an_address_that_is_not_trusted(line in ".{0,80}") {
            for header in [Forwarding::XForwardedFor, Forwarding::Forwarded] {
                prop_assert_eq!(visitor("192.0.2.1", header, &[&line]), "192.0.2.1");
                let _ = visitor("10.1.2.3", header, &[&line]);
            }
        }
    }
}
