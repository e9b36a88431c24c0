//! TLS to the server: certificate authorities, and a pin of the server's key.
//!
//! With authorities (given, or else the system's) the certificate is checked as usual; a pin is
//! checked as well. With a pin and no authorities given, the pin alone decides: neither name nor
//! validity is looked at, so that a private server and a device without a clock come together. What
//! is installed never rests on TLS.
//! Invariant: a server without the pinned key is never talked to.

use super::error::LinkError;
use super::limits::CA_BYTES_MAX;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

/// Where Linux distributions keep the system's authorities, in order of trial.
pub const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Whom to trust as the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTrust {
    /// PEM of certificate authorities; the system's where it is absent.
    pub authorities_pem: Option<Vec<u8>>,
    /// SHA-256 of the server certificate's public key (SPKI).
    pub spki_sha256: Option<Sha256Digest>,
    /// It is not earlier than this, whatever the machine's clock says.
    pub not_before: Timestamp,
}

/// The TLS configuration for this trust.
///
/// # Errors
/// [`LinkError::Authorities`] or [`LinkError::TlsSetup`].
pub fn client_config(trust: &ServerTrust) -> Result<Arc<ClientConfig>, LinkError> {
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let time = Arc::new(NotBefore(trust.not_before));
    let builder = ClientConfig::builder_with_details(Arc::clone(&provider), time)
        .with_safe_default_protocol_versions()
        .map_err(LinkError::TlsSetup)?;
    let mut config = match (&trust.authorities_pem, trust.spki_sha256) {
        (pem, None) => {
            let roots = match pem {
                Some(pem) => authorities(pem)?,
                None => system_authorities()?,
            };
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        (pem, Some(pin)) => {
            let roots = pem.as_ref().map(|pem| authorities(pem)).transpose()?;
            let usual = roots.map(|roots| usual(roots, &provider)).transpose()?;
            let pinned = Arc::new(Pinned { pin, usual, provider });
            builder.dangerous().with_custom_certificate_verifier(pinned).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The wall clock, but never before an instant that is known from signed documents.
#[derive(Debug)]
struct NotBefore(Timestamp);

impl TimeProvider for NotBefore {
    fn current_time(&self) -> Option<UnixTime> {
        let floor = u64::try_from(self.0.seconds()).unwrap_or(0);
        let floor = UnixTime::since_unix_epoch(std::time::Duration::from_secs(floor));
        Some(UnixTime::now().max(floor))
    }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, LinkError> {
    if pem.len() > CA_BYTES_MAX {
        return Err(LinkError::Authorities("longer than the limit".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| LinkError::Authorities(error.to_string()))?;
        roots.add(certificate).map_err(|error| LinkError::Authorities(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(LinkError::Authorities("there is no certificate".to_owned()));
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, LinkError> {
    let mut roots = RootCertStore::empty();
    for path in SYSTEM_AUTHORITIES {
        let Ok(pem) = std::fs::read(path) else { continue };
        // The system's file may hold certificates that this library does not take.
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        if !roots.is_empty() {
            return Ok(roots);
        }
    }
    Err(LinkError::Authorities("the system has none; name a file or a pin".to_owned()))
}

fn usual(
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, LinkError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| LinkError::Authorities(error.to_string()))
}

#[derive(Debug)]
struct Pinned {
    pin: Sha256Digest,
    usual: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if Sha256Digest::of(key.as_ref()) != self.pin {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        match &self.usual {
            Some(usual) => {
                usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
