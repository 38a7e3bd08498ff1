//! Decides whether a domain controller's certificate is trusted. There is no way to switch this off.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why TLS did not come to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsRefused {
    #[error("the certificate of {host} is not trusted by this machine")]
    Untrusted { host: String },
    #[error("the certificate of {host} carries another name")]
    OtherName { host: String },
    #[error("the certificate of {host} has expired or is not valid yet")]
    Expired { host: String },
    #[error("{host} cannot be verified: a certificate carries a full DNS name, never an address")]
    NotAName { host: String },
    #[error("the CA file {path} cannot be used: {why}")]
    CaFile { path: String, why: String },
    #[error("the TLS handshake with {host} failed: {why}")]
    Handshake { host: String, why: String },
}

/// One crypto provider for every TLS connection of the agent.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The rules for the server's certificate: a private CA file, or the trust store of the machine.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsRefused> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| setup_failed(&error))?;
    let builder = match ca_file {
        Some(path) => builder.with_webpki_verifier(private_ca(path)?),
        None => builder.with_platform_verifier().map_err(|error| setup_failed(&error))?,
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn setup_failed(error: &rustls::Error) -> TlsRefused {
    TlsRefused::Handshake { host: "this machine".into(), why: error.to_string() }
}

fn private_ca(path: &Path) -> Result<Arc<WebPkiServerVerifier>, TlsRefused> {
    let refused = |why: String| TlsRefused::CaFile { path: path.display().to_string(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))? {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(refused("it holds no certificate".into()));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| refused(error.to_string()))
}

/// Secures a connection to the server that calls itself `host`.
pub(super) async fn handshake(
    config: Arc<ClientConfig>,
    host: &str,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, TlsRefused> {
    let Ok(name @ ServerName::DnsName(_)) = ServerName::try_from(host.to_owned()) else {
        return Err(TlsRefused::NotAName { host: host.to_owned() });
    };
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| classify(host, &error))
}

/// Tells the three common mistakes with certificates apart, since each has its own mend.
pub fn classify(host: &str, error: &std::io::Error) -> TlsRefused {
    let host = host.to_owned();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(reason)) = inner else {
        let why = inner.map_or_else(|| error.kind().to_string(), ToString::to_string);
        return TlsRefused::Handshake { host, why };
    };
    let is_out_of_time = matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    );
    let is_other_name =
        matches!(reason, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. });
    match (is_out_of_time, is_other_name) {
        (true, _) => TlsRefused::Expired { host },
        (false, true) => TlsRefused::OtherName { host },
        (false, false) => TlsRefused::Untrusted { host },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: CertificateError) -> TlsRefused {
        classify("dc1.lab", &std::io::Error::other(rustls::Error::InvalidCertificate(reason)))
    }

    #[test]
    fn the_three_mistakes_with_certificates_are_told_apart() {
        assert!(matches!(refused(CertificateError::Expired), TlsRefused::Expired { .. }));
        assert!(matches!(refused(CertificateError::NotValidForName), TlsRefused::OtherName { .. }));
        assert!(matches!(refused(CertificateError::UnknownIssuer), TlsRefused::Untrusted { .. }));
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused_with_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();

        let seen = client_config(Some(file.path())).unwrap_err();

        assert!(matches!(seen, TlsRefused::CaFile { .. }), "{seen:?}");
    }
}
