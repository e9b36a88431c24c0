//! A message leaves as a signed request to a program of the receiver.
//!
//! In the form of Standard Webhooks: `webhook-id`, `webhook-timestamp`, and in `webhook-signature` an
//! HMAC-SHA256 over both and the body. Blocks its thread. Not here: what it says, and when.
//! Invariant: only HTTPS, no redirect, and no address of a private network unless the configuration
//! allows it; the address that was checked is the one that is connected to.

use super::send::{NotSent, Outcome};
use super::subject::NoticeId;
use crate::config::Notify;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use patchward_protocol::time::Timestamp;
use sha2::Sha256;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::Config as AgentConfig;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, http::Request};
use url::{Host, Url};

/// Longest wait for a whole request, in seconds.
const REQUEST_S_MAX: u64 = 30;
/// The authorities of the machine, where the configuration names none.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Most bytes of authorities.
const AUTHORITIES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Sends webhooks.
#[derive(Debug, Clone)]
pub struct Webhooks {
    reach: Reach,
    authorities: Arc<Vec<Certificate<'static>>>,
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Public ones.
    Public,
    /// Private networks and this machine too, the latter without TLS.
    InsecurePrivate,
}

/// Why webhooks cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("{path}: no authorities can be read")]
pub struct BadAuthorities {
    path: String,
    source: std::io::Error,
}

impl Webhooks {
    /// As configured. Reads the authorities.
    ///
    /// # Errors
    /// [`BadAuthorities`] when a file that the configuration names cannot be read.
    pub fn of(config: &Notify) -> Result<Self, BadAuthorities> {
        let reach = Reach::of(config);
        let authorities = match &config.webhook_authority_file {
            Some(file) => authorities(file)?,
            // Without any, no receiver is trusted, and each message says so.
            None => authorities(Path::new(AUTHORITIES)).unwrap_or_default(),
        };
        Ok(Self { reach, authorities: Arc::new(authorities) })
    }

    /// Sends once. Blocks its thread.
    #[must_use]
    pub fn send(
        &self,
        url: &str,
        key: &[u8; 32],
        id: &NoticeId,
        body: &[u8],
        at: Timestamp,
    ) -> Outcome {
        if let Err(why) = check_url(url, self.reach) {
            return Outcome::Never(NotSent::new(why));
        }
        let seconds = at.millis().div_euclid(1000).to_string();
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id.as_str())
            .header("webhook-timestamp", &seconds)
            .header("webhook-signature", signature(key, id.as_str(), &seconds, body))
            .body(body);
        let request = match request {
            Ok(request) => request,
            Err(error) => return Outcome::Never(NotSent::because(&error)),
        };
        match self.agent().run(request) {
            Ok(answer) if answer.status().is_success() => Outcome::Taken,
            Ok(answer) if answer.status().as_u16() == 410 => {
                Outcome::Never(NotSent::new("the receiver answered 410: it wants no more"))
            }
            Ok(answer) => {
                Outcome::Later(NotSent::new(&format!("the receiver answered {}", answer.status())))
            }
            Err(error) => Outcome::Later(NotSent::because(&error)),
        }
    }

    fn agent(&self) -> Agent {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::clone(&self.authorities)))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .https_only(self.reach == Reach::Public)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(REQUEST_S_MAX)))
            .user_agent(concat!("patchward-server/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let resolver = Guarded { reach: self.reach, inner: DefaultResolver::default() };
        Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

impl Reach {
    /// As configured.
    #[must_use]
    pub const fn of(config: &Notify) -> Self {
        if config.private_webhooks { Self::InsecurePrivate } else { Self::Public }
    }
}

/// The value of `webhook-signature`.
#[must_use]
pub fn signature(key: &[u8; 32], id: &str, seconds: &str, body: &[u8]) -> String {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mac = Hmac::<Sha256>::new(&block)
        .chain_update(format!("{id}.{seconds}."))
        .chain_update(body)
        .finalize();
    format!("v1,{}", STANDARD.encode(mac.into_bytes()))
}

/// Whether a webhook may go there, as far as the URL itself tells.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(text: &str, reach: Reach) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no URL")?;
    let host = url.host().ok_or("the URL names no host")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user name or a password");
    }
    let here = match host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    match (url.scheme(), reach) {
        ("https", _) => {}
        ("http", Reach::InsecurePrivate) if here => {}
        _ => return Err("the URL does not begin with https://"),
    }
    let private = match host {
        Host::Ipv4(ip) => !is_public(IpAddr::V4(ip)),
        Host::Ipv6(ip) => !is_public(IpAddr::V6(ip)),
        Host::Domain(_) => here,
    };
    match private && reach == Reach::Public {
        true => Err("the URL leads into a private network"),
        false => Ok(()),
    }
}

/// Whether an address is one of the public internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_4(ip),
        IpAddr::V6(ip) => match embedded(ip) {
            Some(ip) => is_public_4(ip),
            None => is_public_6(ip),
        },
    }
}

fn is_public_4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = a == 192 && b == 0 && c == 0;
    let benchmarks = a == 198 && (b == 18 || b == 19);
    let reserved = a >= 240 || a == 0;
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || shared
        || protocols
        || benchmarks
        || reserved)
}

fn is_public_6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let global = first & 0xe000 == 0x2000;
    let documentation = first == 0x2001 && second == 0x0db8;
    // Teredo and 6to4 hide another address.
    let tunnel = (first == 0x2001 && second == 0) || first == 0x2002;
    global && !documentation && !tunnel
}

/// The IPv4 address in an IPv6 one: mapped, compatible, or translated (64:ff9b::/96).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let translated = matches!(ip.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _]);
    if translated {
        let [.., a, b, c, d] = ip.octets();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    ip.to_ipv4()
}

/// Looks names up and lets through only what may be reached.
#[derive(Debug)]
struct Guarded {
    reach: Reach,
    inner: DefaultResolver,
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &AgentConfig,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let may = |addr: &&SocketAddr| self.reach == Reach::InsecurePrivate || is_public(addr.ip());
        let mut kept = self.empty();
        found.iter().filter(may).for_each(|addr| kept.push(*addr));
        if kept.is_empty() { Err(ureq::Error::HostNotFound) } else { Ok(kept) }
    }
}

fn authorities(path: &Path) -> Result<Vec<Certificate<'static>>, BadAuthorities> {
    use std::io::Read as _;
    let bad = |source| BadAuthorities { path: path.display().to_string(), source };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(bad)?;
    file.take(AUTHORITIES_BYTES_MAX).read_to_end(&mut pem).map_err(bad)?;
    let read = parse_pem(&pem).filter_map(|found| match found {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        Ok(_) | Err(_) => None,
    });
    let read: Vec<_> = read.collect();
    match read.is_empty() {
        true => Err(bad(std::io::Error::other("no certificate in it"))),
        false => Ok(read),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification: its secret is 24 bytes, filled up like a key of HMAC.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut key = [0; 32];
        key[..secret.len()].copy_from_slice(&secret);
        let told = signature(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(told, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn no_private_address_is_public() {
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["8.8.8.8", "203.0.114.1", "2606:4700::1", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn only_https_to_public_hosts_unless_the_configuration_says_otherwise() {
        for url in [
            "http://example.com/x",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "ftp://example.com",
            "https://a:b@example.com/",
            "https://[::1]/x",
            "nonsense",
            "https://2130706433/x",
            "https://0x7f.1/x",
            "https://169.254.169.254/latest",
        ] {
            assert!(check_url(url, Reach::Public).is_err(), "{url}");
        }
        assert!(check_url("https://example.com/hook?x=1", Reach::Public).is_ok());
        assert!(check_url("http://127.0.0.1:9/x", Reach::InsecurePrivate).is_ok());
        assert!(
            check_url("http://10.0.0.1/x", Reach::InsecurePrivate).is_err(),
            "plain, elsewhere"
        );
        assert!(check_url("https://10.0.0.1/x", Reach::InsecurePrivate).is_ok());
    }
}
