//! A token in the place of a password at PostgreSQL.
//! Never waits longer than for a token of a few seconds.

use std::time::Duration;

use devstack::identity::{POSTGRES_AUDIENCE, PasswordWriter, SERVICE_BUS_AUDIENCE};
use devstack::postgres::{Server, Shutdown};
use devstack::tls::{CertificateAuthority, PostgresTls, TlsClient};
use tokio_postgres::{Client, Config, Error, error::SqlState};

use crate::asking::Asker;

struct Database {
    server: Server,
    tls: PostgresTls,
}

impl Database {
    async fn start(app: &Asker) -> Self {
        let authority = CertificateAuthority::new().unwrap();
        let server = Server::start_like_azure(0, &authority.certify().unwrap()).unwrap();
        let tls = PostgresTls(TlsClient::trusting(&authority.pem()).unwrap());
        let writer = PasswordWriter::new(&server.admin_url("postgres"), tls.clone()).unwrap();
        app.endpoint.write_passwords(writer).await;
        Self { server, tls }
    }

    async fn session(&self, user: &str, password: &str) -> Result<Client, Error> {
        let mut config: Config = self.server.admin_url("postgres").parse().unwrap();
        let (client, connection) = config
            .user(user)
            .password(password)
            .connect(self.tls.clone())
            .await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn make_role(&self) {
        let admin = self.session("postgres", "postgres").await.unwrap();
        admin
            .batch_execute("create role \"id-orders\" login")
            .await
            .unwrap();
    }

    /// The condition under which the token is refused.
    async fn refused(&self, token: &str) -> SqlState {
        let refused = self.session("id-orders", token).await.err().unwrap();
        refused.code().unwrap().clone()
    }
}

fn access(body: &serde_json::Value) -> String {
    body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_last_token_opens_a_session_until_its_end() {
    let app = Asker::start("id-orders").await;
    let database = Database::start(&app).await;
    let early = access(&app.token(POSTGRES_AUDIENCE).await);
    database.make_role().await;
    assert_eq!(database.refused(&early).await, SqlState::INVALID_PASSWORD);
    let token = access(&app.token(POSTGRES_AUDIENCE).await);
    let session = database.session("id-orders", &token).await.unwrap();
    let bus = access(&app.token(SERVICE_BUS_AUDIENCE).await);
    assert_eq!(database.refused(&bus).await, SqlState::INVALID_PASSWORD);
    app.endpoint.switches().live(2, 400);
    let short = access(&app.token(POSTGRES_AUDIENCE).await);
    assert_eq!(database.refused(&token).await, SqlState::INVALID_PASSWORD);
    let running_out = async { while database.session("id-orders", &short).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), running_out)
        .await
        .unwrap();
    // As in Azure: a token is looked at when a session begins, and never again.
    session.simple_query("select 1").await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_away_takes_the_token_when_it_is_back() {
    let app = Asker::start("id-orders").await;
    let database = Database::start(&app).await;
    database.make_role().await;
    database.server.stop(Shutdown::Fast).unwrap();
    let token = access(&app.token(POSTGRES_AUDIENCE).await);
    database.server.start_again().unwrap();
    let opening = async {
        while database.session("id-orders", &token).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), opening)
        .await
        .unwrap();
}
