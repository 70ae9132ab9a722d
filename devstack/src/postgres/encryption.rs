//! TLS of the server, as Azure Database for PostgreSQL has it: without TLS nobody is let in.
//! Never lets the superuser's password travel as it is; tokens do, within TLS, as Entra's way is.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::unistd::User;

use super::user::give;
use crate::tls::ServerCertificate;

/// The superuser proves that it knows its password; everybody else shows a token in the place of one.
const WHO_MAY: &str =
    "hostssl all postgres 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 password\n";

/// Writes what the server needs into its folder; gives the settings that lead there.
pub(super) fn prepare(
    certificate: &ServerCertificate,
    data: &Path,
    user: Option<&User>,
) -> io::Result<Vec<String>> {
    for (name, text) in [
        ("stack.crt", certificate.certificate.as_str()),
        ("stack.key", &certificate.key),
        ("stack_hba.conf", WHO_MAY),
    ] {
        let path = data.join(name);
        let mut options = OpenOptions::new();
        // The server takes no key that others can read.
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text.as_bytes())?;
        give(&path, user)?;
    }
    let hba = data.join("stack_hba.conf");
    Ok(vec![
        "-cssl=on".to_owned(),
        "-cssl_cert_file=stack.crt".to_owned(),
        "-cssl_key_file=stack.key".to_owned(),
        format!("-chba_file={}", hba.display()),
    ])
}
