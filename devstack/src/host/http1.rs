//! Connections that speak HTTP/1.1 and nothing else: HTTP/2 by prior knowledge is refused, as the real host refuses it.
//! It never touches what is sent but for two letters of a path: `request_line` has them.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use super::request_line::RequestLines;

/// Most bytes that are read at once.
const PIECE: usize = 8 * 1024;
/// The beginning of every HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Accepts such connections.
pub(crate) struct Http1Listener(pub(crate) TcpListener);

/// The caller's address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// A connection, and how much of the preface it has begun with.
pub(crate) struct Http1Stream {
    stream: TcpStream,
    matched: Option<usize>,
    lines: RequestLines,
}

impl Listener for Http1Listener {
    type Io = Http1Stream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Http1Stream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let stream = Http1Stream {
            stream,
            matched: Some(0),
            lines: RequestLines::new(),
        };
        (stream, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Http1Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Http1Listener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Http1Stream {
    fn begins_as_http2(&mut self, read: &[u8]) -> bool {
        let Some(matched) = self.matched else { return false };
        let rest = &PREFACE[matched..];
        let length = rest.len().min(read.len());
        self.matched = (rest[..length] == read[..length]).then_some(matched + length);
        self.matched == Some(PREFACE.len())
    }
}

impl AsyncRead for Http1Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.lines.is_empty() {
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
            if self.begins_as_http2(piece.filled()) {
                let refused = io::Error::new(io::ErrorKind::InvalidData, "HTTP/2 is not spoken here");
                return Poll::Ready(Err(refused));
            }
            self.lines.push(piece.filled());
        }
        let room = buffer.remaining();
        let bytes: Vec<u8> = self.lines.take(room).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http1Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.lines.answered(bytes);
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lines
            .answered(parts.first().map_or(&[][..], |part| &part[..]));
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }
}
