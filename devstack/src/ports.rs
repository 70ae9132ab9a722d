//! Ports on loopback: a free one, or a clear refusal of a taken one.
//! It never holds a port: whoever asked binds it next.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context as _, Result};

/// A port nobody listens on at this moment.
pub(crate) fn free() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Says in one line whose port is taken, and which option chooses another; 0 is always free.
pub(crate) fn ensure_free(port: u16, option: &str, owner: &str) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("port {port} ({owner}) is not free; {option} chooses another"))?;
    Ok(())
}
