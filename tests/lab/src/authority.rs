//! A certificate authority for one test: issues server certificates, good ones and each kind of bad one.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use std::{net::IpAddr, path::Path, sync::Arc};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum AuthorityError {
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] rustls::Error),
    #[error("cannot write {path}: {source}")]
    Write { path: String, source: std::io::Error },
}

/// What a server shows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    #[default]
    Good,
    /// Without addresses, as a domain controller's own certificate is.
    NamesOnly,
    /// For another host.
    WrongName,
    /// Ended in 2021.
    Expired,
    /// Signed by itself and known to nobody.
    SelfSigned,
}

/// What a server is called: DNS names and addresses.
#[derive(Debug, Clone, Default)]
pub struct ServerNames {
    pub dns: Vec<String>,
    pub addresses: Vec<IpAddr>,
}

/// A certificate and its key, as PEM and as DER.
pub struct Identity {
    pub certificate_pem: String,
    pub key_pem: String,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Rollcall lab authority");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2050, 1, 1));
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn write_pem(&self, path: &Path) -> Result<(), AuthorityError> {
        write(path, &self.pem())
    }

    pub fn issue(&self, names: &ServerNames, flavour: Flavour) -> Result<Identity, AuthorityError> {
        let key = KeyPair::generate()?;
        let params = server_params(names, flavour)?;
        let certificate = match flavour {
            Flavour::Good | Flavour::NamesOnly | Flavour::WrongName | Flavour::Expired => {
                params.signed_by(&key, &self.issuer)?
            }
            Flavour::SelfSigned => params.self_signed(&key)?,
        };
        Ok(Identity { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), certificate, key })
    }
}

impl Identity {
    /// A server's TLS settings, with ring.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, AuthorityError> {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.der().clone()], key)?;
        Ok(Arc::new(config))
    }

    pub fn write(&self, certificate: &Path, key: &Path) -> Result<(), AuthorityError> {
        write(certificate, &self.certificate_pem)?;
        write(key, &self.key_pem)
    }
}

fn server_params(names: &ServerNames, flavour: Flavour) -> Result<CertificateParams, AuthorityError> {
    let dns = match flavour {
        Flavour::WrongName => vec!["somebody-else.example".to_owned()],
        Flavour::Good | Flavour::NamesOnly | Flavour::Expired | Flavour::SelfSigned => names.dns.clone(),
    };
    let mut params = CertificateParams::new(dns.clone())?;
    if !matches!(flavour, Flavour::WrongName | Flavour::NamesOnly) {
        params.subject_alt_names.extend(names.addresses.iter().map(|address| SanType::IpAddress(*address)));
    }
    params.distinguished_name.push(DnType::CommonName, dns.first().map_or("server", String::as_str));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.use_authority_key_identifier_extension = flavour != Flavour::SelfSigned;
    let end = if flavour == Flavour::Expired { date_time_ymd(2021, 1, 1) } else { date_time_ymd(2049, 1, 1) };
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 2), end);
    Ok(params)
}

fn write(path: &Path, content: &str) -> Result<(), AuthorityError> {
    std::fs::write(path, content).map_err(|source| AuthorityError::Write { path: path.display().to_string(), source })
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Authority")
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Identity")
    }
}
