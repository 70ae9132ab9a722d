//! Frames: the eight-byte header, the protocol headers and the size limit.
//! Never interprets a frame's body.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Performative, Value, encode, encode_described};

/// The largest frame this side reads or announces.
pub(crate) const MAX_FRAME: usize = 65_536;
/// The smallest limit a peer may announce.
pub(crate) const MIN_FRAME: usize = 512;

pub(crate) const AMQP_HEADER: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
pub(crate) const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// Frame type of AMQP frames.
pub(crate) const AMQP: u8 = 0;
/// Frame type of SASL frames.
pub(crate) const SASL: u8 = 1;

/// One frame as read: the body is empty in a keep-alive.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) channel: u16,
    pub(crate) body: Bytes,
}

/// Takes one whole frame off the buffer; `None` while it is incomplete.
pub(crate) fn split(buffer: &mut BytesMut) -> io::Result<Option<Frame>> {
    let Some(&[a, b, c, d, doff, kind, e, f]) = buffer.first_chunk::<8>() else {
        return Ok(None);
    };
    let size = u32::from_be_bytes([a, b, c, d]) as usize;
    let offset = usize::from(doff) * 4;
    if size > MAX_FRAME || offset < 8 || offset > size {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the frame header is malformed",
        ));
    }
    if buffer.len() < size {
        return Ok(None);
    }
    let frame = buffer.split_to(size).freeze();
    Ok(Some(Frame {
        kind,
        channel: u16::from_be_bytes([e, f]),
        body: frame.slice(offset..),
    }))
}

/// Reads one frame; may be cancelled between polls, since what was read stays in the buffer.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Frame> {
    loop {
        if let Some(frame) = split(buffer)? {
            return Ok(frame);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads a protocol header.
pub(crate) async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<[u8; 8]> {
    while buffer.len() < 8 {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let mut header = [0; 8];
    header.copy_from_slice(&buffer.split_to(8));
    Ok(header)
}

/// Appends a frame with a performative and a payload.
pub(crate) fn write(out: &mut Vec<u8>, kind: u8, channel: u16, performative: &Performative, payload: &[u8]) {
    let start = out.len();
    out.extend([0, 0, 0, 0, 2, kind]);
    out.extend(channel.to_be_bytes());
    encode_described(performative.code, &Value::List(performative.fields.clone()), out);
    out.extend(payload);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends an empty frame, which only resets the peer's idle clock.
pub(crate) fn write_empty(out: &mut Vec<u8>) {
    out.extend([0, 0, 0, 8, 2, AMQP, 0, 0]);
}

/// The bytes a performative takes without its payload.
pub(crate) fn overhead(performative: &Performative) -> usize {
    let mut bytes = Vec::new();
    encode(
        &Value::composite(performative.code, performative.fields.clone()),
        &mut bytes,
    );
    bytes.len() + 8
}
