//! Protocol headers and SASL.
//! Never grants more than the connection: links still need a token, unless PLAIN gave the key.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::super::amqp::{Performative, Value, code, frame};
use super::super::door::Door;
use super::stranger;

/// Answers the headers; tells whether the client proved to know the key.
pub(super) async fn run(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    buffer: &mut BytesMut,
    door: &Door,
) -> io::Result<bool> {
    let mut trusted = false;
    let mut header = frame::read_header(stream, buffer).await?;
    if stranger::is_http(header) {
        return stranger::answer_http(stream).await;
    }
    if header == frame::SASL_HEADER {
        stream.write_all(&frame::SASL_HEADER).await?;
        trusted = sasl(stream, buffer, door).await?;
        header = frame::read_header(stream, buffer).await?;
    }
    stream.write_all(&frame::AMQP_HEADER).await?;
    if header != frame::AMQP_HEADER {
        stream.shutdown().await?;
        return Err(stranger::unknown(header));
    }
    Ok(trusted)
}

async fn sasl(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    buffer: &mut BytesMut,
    door: &Door,
) -> io::Result<bool> {
    let offered = Value::symbols(&["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]);
    send(stream, Performative::new(code::SASL_MECHANISMS, vec![offered])).await?;
    let answer = frame::read(stream, buffer).await?;
    let (init, _) = Performative::read(&answer.body).map_err(|_| invalid("malformed SASL frame"))?;
    if answer.kind != frame::SASL || init.code != code::SASL_INIT {
        return Err(invalid("expected sasl-init"));
    }
    let (accepted, trusted) = match init.field(0).text() {
        Some("ANONYMOUS" | "MSSBCBS" | "EXTERNAL") => (true, false),
        Some("PLAIN") => {
            let known = plain(init.field(1), door);
            (known, known)
        }
        _ => (false, false),
    };
    let outcome = Value::Ubyte(u8::from(!accepted));
    send(stream, Performative::new(code::SASL_OUTCOME, vec![outcome])).await?;
    if accepted {
        Ok(trusted)
    } else {
        let mechanism = init.field(0).text().unwrap_or_default();
        let text =
            format!("SASL authentication by {mechanism:?} failed: the mechanism or the key is unknown");
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

/// `authzid NUL key name NUL key`.
fn plain(response: &Value, door: &Door) -> bool {
    let Value::Binary(bytes) = response else {
        return false;
    };
    let mut parts = bytes.split(|byte| *byte == 0).skip(1);
    match (parts.next(), parts.next()) {
        (Some(key_name), Some(key)) => door.knows(key_name, key),
        _ => false,
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), performative: Performative) -> io::Result<()> {
    let mut out = Vec::new();
    frame::write(&mut out, frame::SASL, 0, &performative, &[]);
    stream.write_all(&out).await
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
