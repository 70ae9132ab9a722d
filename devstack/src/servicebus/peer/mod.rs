//! One client connection: reads frames, lets the engine answer, writes what it put out.
//! Never blocks another connection and never panics on what the client sends.

mod answer;
mod attach;
mod context;
mod engine;
mod grants;
mod handshake;
mod incoming;
mod management;
mod outgoing;
mod replies;
mod request;
mod rules;
mod session;
mod stranger;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::amqp::{AmqpError, code, frame};
use super::clock::{now_ms, until};
use super::door::Door;
use super::shared::SharedState;
use context::ProtocolFault;
use engine::Engine;
use grants::TokenGrants;

/// The longest that a client may stay silent: twice what `open` announces.
const SILENCE: Duration = Duration::from_millis(2 * engine::IDLE_MS as u64);
/// The longest that headers and SASL may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Serves one connection to its end.
pub(crate) async fn run(stream: TcpStream, shared: Arc<SharedState>, door: Door) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match &door {
        Door::Key => serve(stream, shared, door).await,
        Door::Azure { tls, .. } => {
            let begun = timeout(HANDSHAKE, tls.accept(stream)).await?;
            let stream = begun.map_err(stranger::no_tls)?;
            serve(stream, shared, door).await
        }
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    shared: Arc<SharedState>,
    door: Door,
) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(16_384);
    let trusted = timeout(HANDSHAKE, handshake::run(&mut stream, &mut buffer, &door)).await??;
    let mut changed = shared.watch();
    let mut token_expiries = shared.faults.token_expiries();
    let mut engine = Engine::new(shared, TokenGrants::new(door, trusted));
    let mut heard = Instant::now();
    let mut spoken = heard;
    loop {
        let more = engine.pump(now_ms());
        if !engine.out.is_empty() {
            stream.write_all(&engine.out).await?;
            engine.out.clear();
            spoken = Instant::now();
        }
        if engine.closed {
            return stream.shutdown().await;
        }
        let keep_alive = spoken + engine.peer_idle.unwrap_or(SILENCE) / 2;
        tokio::select! {
            result = frame::read(&mut stream, &mut buffer) => {
                heard = Instant::now();
                take(&mut engine, result, &mut buffer)?;
            }
            _ = changed.changed() => {}
            _ = token_expiries.changed() => engine.expire_tokens(),
            () = sleep(engine.next_expiry().map_or(SILENCE, until)) => {}
            () = sleep_until(keep_alive) => frame::write_empty(&mut engine.out),
            () = sleep_until(heard + SILENCE) => {
                engine.fail(ProtocolFault::Connection(AmqpError::new(code::RESOURCE_LIMIT, "the peer was idle for too long")), 0);
            }
            () = std::future::ready(()), if more => {}
        }
    }
}

/// Gives the engine the frame just read and all others that are already here.
fn take(engine: &mut Engine, first: io::Result<frame::Frame>, buffer: &mut BytesMut) -> io::Result<()> {
    let mut next = first.map(Some);
    loop {
        match next {
            Ok(Some(frame)) if !engine.closed => engine.frame(&frame, now_ms()),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                engine.fail(
                    ProtocolFault::Connection(AmqpError::new(code::FRAMING_ERROR, error.to_string())),
                    0,
                );
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        next = frame::split(buffer);
    }
}
