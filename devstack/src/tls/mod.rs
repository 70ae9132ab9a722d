//! TLS as Azure's services have it, with certificates that a stack makes for itself.
//! It never trusts a store of this machine, and never speaks anything older than TLS 1.2.

mod authority;
mod client;
mod listener;
mod postgres;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use authority::{CertificateAuthority, ServerCertificate};
pub use client::TlsClient;
pub(crate) use listener::TlsListener;
pub use postgres::PostgresTls;

/// Named, because a build of the whole workspace may hold another one too.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
