//! Whom a client believes that trusts the stack's own authority.
//! Never asks the network for anything.

use devstack::postgres::Server;
use devstack::tls::{CertificateAuthority, PostgresTls, ServerCertificate, TlsClient};
use tokio_postgres::{Config, NoTls};

fn config(server: &Server) -> Config {
    let mut config: Config = server.admin_url("postgres").parse().unwrap();
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    config
}

/// Says why nothing became of a connection to a server with this certificate, or nothing.
async fn refusal(certificate: &ServerCertificate, trusted: &CertificateAuthority) -> Option<String> {
    let server = Server::start_like_azure(0, certificate).unwrap();
    let tls = PostgresTls(TlsClient::trusting(&trusted.pem()).unwrap());
    let refused = config(&server).connect(tls).await.err()?;
    Some(format!("{refused:?}"))
}

#[tokio::test]
async fn only_the_right_authority_and_name_are_believed() {
    let authority = CertificateAuthority::new().unwrap();
    let good = authority.certify().unwrap();
    assert_eq!(refusal(&good, &authority).await, None);
    let other = CertificateAuthority::new().unwrap();
    let refused = refusal(&other.certify().unwrap(), &authority).await.unwrap();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    let elsewhere = authority.certify_for(&["elsewhere.example.org"]).unwrap();
    let refused = refusal(&elsewhere, &authority).await.unwrap();
    assert!(refused.contains("NotValidForName"), "{refused}");
}

#[tokio::test]
async fn postgresql_lets_nobody_in_without_tls() {
    let authority = CertificateAuthority::new().unwrap();
    let server = Server::start_like_azure(0, &authority.certify().unwrap()).unwrap();
    let refused = tokio_postgres::connect(&server.admin_url("postgres"), NoTls).await;
    let refused = refused.err().unwrap();
    let said = refused.as_db_error().map(tokio_postgres::error::DbError::message);
    assert!(said.unwrap().contains("no pg_hba.conf entry"), "{said:?}");
}
