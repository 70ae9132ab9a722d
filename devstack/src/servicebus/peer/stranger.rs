//! Clients that speak something else than AMQP, and what they are told.
//! Never serves them.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The answer to a client that speaks HTTP here.
const SENTENCE: &str = "This is the port of a Service Bus emulator. It speaks AMQP 1.0 over TCP, and neither HTTP nor AMQP over \
     WebSockets: there is no administration and no health endpoint here.\n";
/// The beginnings of HTTP requests, in as many bytes as a protocol header has at least.
const METHODS: [&[u8; 4]; 9] = [
    b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI ",
];
/// The most that is read of a request, and for how long: closing earlier would take the answer away from the client.
const REQUEST: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// True when a connection begins as HTTP does.
pub(super) fn is_http(header: [u8; 8]) -> bool {
    METHODS.iter().any(|method| header.starts_with(*method))
}

/// Answers a request with 501 and one sentence, and ends the connection.
pub(super) async fn answer_http(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<bool> {
    let length = SENTENCE.len();
    let answer = format!(
        "HTTP/1.1 501 Not Implemented\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{SENTENCE}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(REQUEST);
    let mut nowhere = tokio::io::sink();
    // However it ends, the answer has been given.
    let _ = timeout(PATIENCE, tokio::io::copy(&mut rest, &mut nowhere)).await;
    Err(invalid("the client speaks HTTP, and this is AMQP 1.0 over TCP"))
}

/// The error for another protocol.
pub(super) fn unknown(header: [u8; 8]) -> io::Error {
    if header.starts_with(&[0x16, 0x03]) {
        invalid(
            "the client speaks TLS: UseDevelopmentEmulator=true in its connection string makes it speak plain AMQP",
        )
    } else {
        invalid("the client speaks an unknown protocol")
    }
}

/// The error of a port that takes nothing but TLS.
pub(super) fn no_tls(error: io::Error) -> io::Error {
    let text = format!("the client does not speak TLS, or does not trust this stack: {error}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
