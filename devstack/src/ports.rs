//! Ports on loopback: a clear refusal of a taken one.
//! It never holds a port: the caller binds it next.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// Says in one line whose port is taken, and which option chooses another; 0 is always free.
pub(crate) fn ensure_free(port: u16, option: &str, owner: &str) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} ({owner}) is not free; {option} chooses another"))?;
    Ok(())
}
