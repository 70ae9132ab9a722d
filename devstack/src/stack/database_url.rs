//! `DATABASE_URL`: where a server of the user's own is, read as its own clients read it (PostgreSQL: "Connection URIs").
//! It never ignores a part: what the stack does not keep is refused by its name.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail, ensure};
use tokio_postgres::config::{Config, Host};
use url::Url;

/// The parts of a URL that has been understood as a whole; none is percent-encoded any more.
#[derive(Debug)]
pub(super) struct DatabaseUrl {
    url: Url,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    /// `None` where the URL names none.
    pub(super) database: Option<String>,
}

impl DatabaseUrl {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).context("DATABASE_URL is no URL")?;
        ensure!(
            ["postgres", "postgresql"].contains(&url.scheme()),
            "DATABASE_URL does not begin with postgres://"
        );
        ensure!(url.fragment().is_none(), "DATABASE_URL has a part after #");
        for (name, value) in url.query_pairs() {
            // The stack speaks to the server without TLS, so what asks for it, or would try it first, is refused.
            match (&*name, &*value) {
                ("sslmode", "disable") => {}
                ("sslmode", _) => {
                    bail!(
                        "DATABASE_URL: sslmode is kept as disable only: the stack has no TLS to its database"
                    )
                }
                (name, _) => bail!("DATABASE_URL: {name:?} is not kept: leave it away"),
            }
        }
        // The client's own reading; its words could repeat the password.
        let config: Config = text.parse().ok().context("DATABASE_URL cannot be read")?;
        let [Host::Tcp(host)] = config.get_hosts() else {
            bail!("DATABASE_URL must name one host, and no socket");
        };
        ensure!(
            is_loopback(host),
            "DATABASE_URL: the host must be this machine, since the stack has no TLS to its database"
        );
        Ok(Self {
            host: host.clone(),
            port: config.get_ports().first().copied().unwrap_or(5432),
            user: config.get_user().unwrap_or("postgres").to_owned(),
            password: String::from_utf8_lossy(config.get_password().unwrap_or_default()).into_owned(),
            database: config
                .get_dbname()
                .filter(|name| !name.is_empty())
                .map(str::to_owned),
            url,
        })
    }

    /// The same for another database.
    pub(super) fn of(&self, database: &str) -> Url {
        let mut url = self.url.clone();
        // `set_path` takes care of everything but these two, which may stand in a path as they are.
        let path = database.replace('%', "%25").replace('/', "%2F");
        url.set_path(&format!("/{path}"));
        url
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_decoded_and_another_database_encoded() {
        let text = "postgresql://ad%20min:p%40ss%2Fw%25rd@[::1]:5433/my%20shop%2F1?sslmode=disable";
        let read = DatabaseUrl::parse(text).expect("it can be read");
        assert_eq!((read.host.as_str(), read.port), ("::1", 5433));
        assert_eq!(
            (read.user.as_str(), read.password.as_str()),
            ("ad min", "p@ss/w%rd")
        );
        assert_eq!(read.database.as_deref(), Some("my shop/1"));
        for name in ["postgres", "my shop/1", "100%25", "a?b#c"] {
            let other = DatabaseUrl::parse(read.of(name).as_str()).expect("it can be read");
            assert_eq!(other.database.as_deref(), Some(name));
            assert_eq!(other.password, "p@ss/w%rd");
        }
        let bare = DatabaseUrl::parse("postgres://localhost").expect("it can be read");
        assert_eq!((bare.port, bare.database), (5432, None));
    }

    #[test]
    fn what_is_not_kept_is_refused_by_its_name_and_the_password_never_shown() {
        for (text, named) in [
            ("postgres://u:secret@h/d", "host"),
            ("postgres://u:secret@10.0.0.4/d?sslmode=disable", "host"),
            ("postgres://u:secret@h/d?sslmode=allow", "sslmode"),
            ("postgres://u:secret@h/d?sslmode=require", "sslmode"),
            ("postgres://u:secret@h/d?sslmode=verify-full", "sslmode"),
            ("postgres://u:secret@h/d?sslmode=prefer", "sslmode"),
            ("postgres://u:secret@h/d?options=-c%20timezone%3DCET", "options"),
            ("postgres://u:secret@h/d?sslrootcert=system", "sslrootcert"),
            ("postgres://u:secret@h/d?host=other", "host"),
            (
                "postgres://u:secret@h/d?target_session_attrs=read-write",
                "target_session_attrs",
            ),
            ("postgres://u:secret@h/d#x", "#"),
            ("postgres://u:secret@%2Fvar%2Frun%2Fpostgresql/d", "socket"),
            ("postgres://u:secret@a,b/d", "host"),
            ("mysql://u:secret@h/d", "postgres://"),
            ("host=h user=u password=secret", "URL"),
        ] {
            let error = format!("{:#}", DatabaseUrl::parse(text).expect_err(text));
            assert!(error.contains(named), "{text}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
