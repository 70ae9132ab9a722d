//! Makes the app's database and login roles on a server, where they are missing.
//! It never changes a role that no stack has made.

use anyhow::{Context as _, Result, bail};
use tokio_postgres::Client;

use super::session::connect;
use crate::tls::PostgresTls;

/// The comment on each role that a stack has made, by which it knows the role again.
const MARK: &str = "made by devstack";

/// Makes the database and the roles; what is there already is kept. A role's password is its own name; with TLS it has none, and
/// waits for a token.
pub(super) async fn create(
    admin_url: &str,
    tls: Option<&PostgresTls>,
    database: &str,
    roles: &[&str],
) -> Result<()> {
    let opened = connect(admin_url, tls).await;
    let (client, connection) = opened.context("cannot connect to PostgreSQL")?;
    // First, so that nothing is made where a role belongs to another app.
    for role in roles {
        make_role(&client, role, tls.is_none()).await?;
    }
    let known = client
        .query_opt("select 1 from pg_database where datname = $1", &[&database])
        .await?;
    if known.is_none() {
        let statement = format!("create database {}", identifier(database));
        client.batch_execute(&statement).await?;
    }
    drop(client);
    Ok(connection.await??)
}

async fn make_role(client: &Client, role: &str, has_password: bool) -> Result<()> {
    let query = "select shobj_description(oid, 'pg_authid') from pg_roles where rolname = $1";
    let known = client.query_opt(query, &[&role]).await?;
    let name = identifier(role);
    let mark = format!("comment on role {name} is '{MARK}'");
    let login = match has_password {
        true => format!("login password '{}'", role.replace('\'', "''")),
        false => "login password null".to_owned(),
    };
    let statement = match known.map(|row| row.get::<_, Option<String>>(0)) {
        // Both in one transaction: no role of ours is ever without its mark.
        None => format!("create role {name} {login}; {mark}"),
        Some(Some(text)) if text == MARK => format!("alter role {name} {login}"),
        Some(_) => bail!(
            "the role {role} is on this server and was not made by devstack, so it is left as it is: \
             name another database in DATABASE_URL, or hand the role over with `{mark}`"
        ),
    };
    client
        .batch_execute(&statement)
        .await
        .with_context(|| format!("cannot make the role {role}"))
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::NoTls;

    use super::*;
    use crate::postgres::Server;

    async fn login(server: &Server, user: &str, password: &str) -> Result<()> {
        let url = format!("postgres://{user}:{password}@{}/postgres", server.address());
        let _session = tokio_postgres::connect(&url, NoTls).await?;
        Ok(())
    }

    async fn make(admin: &str) -> Result<()> {
        create(admin, None, "shop", &["shop_app"]).await
    }

    async fn execute(server: &Server, sql: &str) {
        let url = server.admin_url("postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a client");
        tokio::spawn(connection);
        client.batch_execute(sql).await.expect("it is done");
    }

    #[tokio::test]
    async fn a_role_made_by_a_stack_is_used_again_with_any_password() {
        let server = Server::start(0).expect("PostgreSQL starts");
        let admin = server.admin_url("postgres");
        make(&admin).await.expect("it is made");
        login(&server, "shop_app", "shop_app").await.expect("a login");
        execute(&server, "alter role shop_app password 'other'").await;
        make(&admin).await.expect("it is kept");
        login(&server, "shop_app", "shop_app").await.expect("a login");
    }

    #[tokio::test]
    async fn a_role_made_by_others_is_refused_until_it_is_handed_over() {
        let server = Server::start(0).expect("PostgreSQL starts");
        let admin = server.admin_url("postgres");
        execute(&server, "create role shop_app login password 'theirs'").await;
        let refused = make(&admin).await.expect_err("theirs");
        let said = refused.to_string();
        assert!(
            said.contains("shop_app") && said.contains("DATABASE_URL"),
            "{said}"
        );
        login(&server, "shop_app", "theirs").await.expect("a login");
        let hint = said.split('`').nth(1).expect("a statement");
        execute(&server, hint).await;
        make(&admin).await.expect("it is ours now");
        login(&server, "shop_app", "shop_app").await.expect("a login");
    }
}
