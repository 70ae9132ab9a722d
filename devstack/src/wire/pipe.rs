//! Copies bytes both ways between two connections while the wire is open.
//! It never buffers more than one read, so a pause is felt by the sender.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::Mode;

/// Copies until both sides have ended, or one has failed.
pub(super) async fn both(client: &mut TcpStream, server: &mut TcpStream, mode: &watch::Receiver<Mode>) {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let _ = tokio::try_join!(
        copy(from_client, to_server, mode.clone()),
        copy(from_server, to_client, mode.clone()),
    );
}

async fn copy(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        // An error means that the proxy itself is gone.
        mode.wait_for(|mode| *mode == Mode::Open)
            .await
            .map_err(io::Error::other)?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
