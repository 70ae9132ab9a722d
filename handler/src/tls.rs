//! TLS as a client, the same for PostgreSQL and Service Bus: whom it trusts, and the handshake.
//! Never trusts a server that it cannot verify, but where a setting says so in words (`PGSSLMODE=require`).

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::{Arc, LazyLock},
};

use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Named here, not looked up: where two are linked in, as in a test of the whole workspace, rustls would not choose.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
/// Made once: it reads some 150 certificates.
static PLATFORM: LazyLock<Result<TlsClient, Error>> = LazyLock::new(|| {
    let config = builder()?.with_platform_verifier()?;
    Ok(TlsClient(Arc::new(config.with_no_client_auth())))
});

/// How to open TLS to a server.
#[derive(Debug, Clone)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Trusts what the platform trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` replace its certificates, as they do for the HTTPS
    /// client of Cosmos DB (crate `rustls-native-certs`).
    ///
    /// # Errors
    /// The platform has no certificate.
    pub fn of_platform() -> Result<Self, Error> {
        PLATFORM.clone()
    }

    /// Trusts the authorities in this PEM file, and no others.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn trusting(file: &Path) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
            let certificate = certificate.map_err(io::Error::other)?;
            roots.add(certificate).map_err(io::Error::other)?;
        }
        if roots.is_empty() {
            return Err(io::Error::other("it holds no certificate"));
        }
        let config = builder().map_err(io::Error::other)?.with_root_certificates(roots);
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }

    /// Trusts every server: only those who just listen are kept out.
    ///
    /// # Errors
    /// None that can be brought about.
    pub fn trusting_everybody() -> Result<Self, Error> {
        let config = builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(EverybodyVerifier));
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }

    /// Opens TLS over this stream, to a server of this name or address.
    ///
    /// # Errors
    /// The server is not who it should be, or speaks no TLS.
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, stream)
            .await
    }
}

/// True for a host that only this machine can be: what is sent to it in plain text no network sees.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_safe_default_protocol_versions()
}

/// Takes any certificate, from whoever holds its key.
#[derive(Debug)]
struct EverybodyVerifier;

impl ServerCertVerifier for EverybodyVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}
