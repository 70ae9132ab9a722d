//! How a connection to PostgreSQL is secured: `PGSSLMODE` and `PGSSLROOTCERT`, as libpq has them (PostgreSQL: "SSL Support",
//! table of modes). Never falls back to plain text: `allow` and `prefer` would, and are refused.

use std::{collections::BTreeMap, path::Path};

use crate::{
    config::error::{ConfigError, invalid},
    error_chain::chain,
    tls::{TlsClient, is_loopback},
};

pub(super) const MODE: &str = "PGSSLMODE";
const ROOTS: &str = "PGSSLROOTCERT";

/// The way to open TLS to this host; `None` for plain text, which only this machine may be spoken to in.
pub(super) fn tls(
    environment: &BTreeMap<String, String>,
    host: &str,
) -> Result<Option<TlsClient>, ConfigError> {
    let roots = environment
        .get(ROOTS)
        .map(String::as_str)
        .filter(|roots| !roots.is_empty());
    match environment.get(MODE).map_or("verify-full", String::as_str) {
        // TLS is not for such sockets: PostgreSQL does not offer it there.
        "disable" | "require" | "verify-full" if host.starts_with('/') => Ok(None),
        "disable" if is_loopback(host) => Ok(None),
        "disable" => Err(invalid(MODE, "is disable, and PGHOST is not this machine")),
        "require" if roots.is_some() => {
            let why = "is there, and PGSSLMODE is require, which verifies nothing: verify-full does";
            Err(invalid(ROOTS, why))
        }
        "require" => TlsClient::trusting_everybody()
            .map(Some)
            .map_err(|error| invalid(MODE, &error.to_string())),
        "verify-full" => verified(roots).map(Some),
        _ => Err(invalid(
            MODE,
            "is none of disable, require and verify-full, which are the modes that are kept",
        )),
    }
}

/// True when a server must prove its name.
pub(super) fn is_verified(environment: &BTreeMap<String, String>) -> bool {
    environment.get(MODE).is_none_or(|mode| mode == "verify-full")
}

fn verified(roots: Option<&str>) -> Result<TlsClient, ConfigError> {
    match roots {
        None | Some("system") => {
            TlsClient::of_platform().map_err(|error| invalid(MODE, &chain(&error).to_string()))
        }
        Some(file) => TlsClient::trusting(Path::new(file))
            .map_err(|error| invalid(ROOTS, &format!("is a file that is of no use: {}", chain(&error)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(host: &str, pairs: &[(&str, &str)]) -> Result<Option<TlsClient>, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        tls(&pairs.collect(), host).map_err(|error| error.to_string())
    }

    #[test]
    fn plain_text_is_for_this_machine_and_only_when_asked_for() {
        for host in ["localhost", "127.0.0.1", "127.8.9.1", "::1", "/run/postgresql"] {
            assert!(read(host, &[(MODE, "disable")]).unwrap().is_none(), "{host}");
        }
        for host in [
            "db.example.com",
            "10.0.0.4",
            "localhost.example.com",
            "128.0.0.1",
            "",
        ] {
            let error = read(host, &[(MODE, "disable")]).unwrap_err();
            assert!(error.contains(MODE), "{host}: {error}");
        }
        assert!(read("127.0.0.1", &[]).unwrap().is_some());
        assert!(read("db.example.com", &[(MODE, "require")]).unwrap().is_some());
    }

    #[test]
    fn modes_that_fall_back_to_plain_text_or_verify_less_are_refused() {
        for mode in ["allow", "prefer", "verify-ca", "verify_full", "Disable", ""] {
            let error = read("127.0.0.1", &[(MODE, mode)]).unwrap_err();
            assert!(error.contains(MODE), "{mode}: {error}");
        }
    }

    #[test]
    fn a_file_of_authorities_must_hold_some_and_be_of_use() {
        let empty = file!();
        for (pairs, named) in [
            ([(ROOTS, "/does/not/exist"), (MODE, "verify-full")], ROOTS),
            ([(ROOTS, empty), (MODE, "verify-full")], ROOTS),
            ([(ROOTS, "system"), (MODE, "require")], ROOTS),
        ] {
            let error = read("db.example.com", &pairs).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(read("db.example.com", &[(ROOTS, "system")]).unwrap().is_some());
    }
}
