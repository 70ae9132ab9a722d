//! Tokens as passwords: what Entra authentication is to a client of Azure Database for PostgreSQL.
//! It never makes a role: an identity without a login role has a token that opens nothing.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context as _, Result};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

use crate::tls::PostgresTls;

/// The server's administrator, who puts a token as the password of the role that has the identity's name.
pub struct PasswordWriter {
    admin: Config,
    tls: PostgresTls,
    /// The token that each role was given last, and whether the server has it.
    given: HashMap<String, (String, bool)>,
}

impl fmt::Debug for PasswordWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordWriter")
    }
}

impl PasswordWriter {
    /// Writes as this superuser.
    pub fn new(admin_url: &str, tls: PostgresTls) -> Result<Self> {
        Ok(Self {
            admin: admin_url.parse().context("the administrator's URL")?,
            tls,
            given: HashMap::new(),
        })
    }

    /// Notes that this token is the role's from now on.
    pub(super) fn note(&mut self, role: &str, token: &str) {
        let known = self.given.get(role).is_some_and(|(last, _)| last == token);
        if !known {
            self.given.insert(role.to_owned(), (token.to_owned(), false));
        }
    }

    /// True when the server has yet to hear of this token.
    pub(super) fn owes(&self, role: &str, token: &str) -> bool {
        let given = self.given.get(role);
        given.is_some_and(|(last, put)| last == token && !put)
    }

    /// The token opens a session as this role until its end; so does no other, as a role has one password.
    pub(super) async fn put(&mut self, name: &str, token: &str, expires: i64) -> Result<()> {
        let (client, connection) = self.admin.connect(self.tls.clone()).await?;
        let connection = tokio::spawn(connection);
        let until = OffsetDateTime::from_unix_timestamp(expires)?.format(&Rfc3339)?;
        let role = name.replace('"', "\"\"");
        // A token has no quotes: it is base64 with dots.
        let put = format!("alter role \"{role}\" password '{token}' valid until '{until}'");
        let done = client.batch_execute(&put).await;
        drop(client);
        let _ = connection.await;
        match done {
            // It may be made later, and is looked for again with the next request.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => {
                self.given.remove(name);
            }
            Err(error) => return Err(error).context("cannot put a token as a password"),
            Ok(()) => {
                self.given.insert(name.to_owned(), (token.to_owned(), true));
            }
        }
        Ok(())
    }
}
