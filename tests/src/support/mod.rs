//! What every test needs: the shipped binary, a database, the API, and the shop's words for its calls.
//! Never leaves a process behind: the handler is killed with its test, PostgreSQL goes with the test process.

mod app;
pub(crate) mod calls;
mod client;
mod database;
mod parts;
mod raw;
mod shop;
mod signed_in;
mod waiting;

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use devstack::{app_folder, postgres::Server};

pub(crate) use self::{
    app::App,
    client::{Answer, Call, Client},
    database::{Database, app_roles},
    parts::{NO_DOCUMENTS, layout},
    raw::next_answer,
    signed_in::{claims, principal},
    waiting::wait_for,
};

/// How long anything that must happen may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// One server for all tests; each test has its own database in it.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(0).expect("PostgreSQL starts"))
}

/// The owner's URL of a database on the server of these tests.
pub(crate) fn admin_url(database: &str) -> String {
    server().admin_url(database)
}

pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| app_folder::build_handler("dev").expect("it builds"))
}

pub(crate) async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
