//! TLS from files, by rustls: TLS 1.2 and 1.3, sessions resumed without state on the server.
//!
//! The connection is what a poll costs most, so tickets matter. Not here: client certificates;
//! devices sign what they say. Invariant: a server that cannot read its key does not start.

pub mod expiry;

use crate::config::Tls;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is no PEM.
    #[error("{} cannot be read as PEM", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// No certificate in the file.
    #[error("{} holds no certificate", .0.display())]
    NoCertificate(PathBuf),
    /// A certificate in the file does not read.
    #[error("{} holds a certificate that does not read", .0.display())]
    Unreadable(PathBuf),
    /// Certificate and key do not go together, or are of a kind that is not used.
    #[error("the certificate and the key do not go together")]
    Refused(#[from] rustls::Error),
}

/// The server's side of TLS.
///
/// # Errors
/// [`TlsError`].
pub fn server_config(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&tls.certificate_file)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|source| TlsError::Read { path: tls.key_file.clone(), source })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// [`TlsError`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| TlsError::Read { path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(read)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(found)
}

/// The text of a private authority's PEM file, found to hold certificates.
///
/// # Errors
/// [`TlsError`].
pub fn authority_pem(path: &Path) -> Result<String, TlsError> {
    certificates(path)?;
    let unreadable =
        |error| TlsError::Read { path: path.to_owned(), source: pem::Error::Io(error) };
    std::fs::read_to_string(path).map_err(unreadable)
}
