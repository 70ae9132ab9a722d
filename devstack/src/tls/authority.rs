//! A certificate authority that lives as long as its stack, and what it certifies.
//! It never writes its own key down: when it goes, nobody can use its name any more.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use uuid::Uuid;

use super::provider;

/// Longer than any stack runs.
const LIFE: Duration = Duration::days(90);
/// The names of every server of a stack.
const NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// Who certifies the servers of one stack; clones are the same one.
#[derive(Clone)]
pub struct CertificateAuthority(Arc<CertifiedIssuer<'static, KeyPair>>);

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("CertificateAuthority")
    }
}

impl CertificateAuthority {
    /// Makes one that nobody trusts yet.
    pub fn new() -> Result<Self> {
        // A name of its own, so that a client can tell it from another stack's.
        let name = format!("devstack authority {}", Uuid::new_v4());
        let mut params = certificate(&[], &name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self(Arc::new(issuer)))
    }

    /// Its certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on loopback.
    pub fn certify(&self) -> Result<ServerCertificate> {
        self.certify_for(&NAMES)
    }

    /// A certificate for a server of these names and addresses.
    pub fn certify_for(&self, names: &[&str]) -> Result<ServerCertificate> {
        let mut params = certificate(names, names.first().copied().unwrap_or_default())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.0)?;
        Ok(ServerCertificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn certificate(names: &[&str], common_name: &str) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, common_name);
    params.distinguished_name = distinguished;
    // A clock may be a little behind.
    params.not_before = OffsetDateTime::now_utc() - Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + LIFE;
    Ok(params)
}

/// A server's certificate with its key, both as PEM.
#[derive(Clone)]
pub struct ServerCertificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ServerCertificate")
    }
}

impl ServerCertificate {
    /// Takes TLS connections with it, and offers these protocols inside.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> Result<TlsAcceptor> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .context("a certificate that cannot be used")?;
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
