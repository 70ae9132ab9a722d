//! The faulty wire, in front of a server that sends back what it gets.
//! It never waits for a fixed time: each step is seen from the other end.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use devstack::wire::Proxy;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

async fn echo() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    (address, server)
}

async fn says(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<()> {
    stream.write_all(word).await?;
    hears(stream, word).await
}

async fn hears(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<()> {
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, word);
    Ok(())
}

#[tokio::test]
async fn bytes_and_the_end_of_a_stream_pass() {
    let (address, _server) = echo().await;
    let proxy = Proxy::start(address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "hello");
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_cut_resets_old_and_new_connections_until_it_is_restored() {
    let (address, _server) = echo().await;
    let proxy = Proxy::start(address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.cut();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(says(&mut refused, b"during").await.is_err());
    proxy.restore();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"after").await.unwrap();
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_pause_holds_bytes_and_loses_none() {
    let (address, _server) = echo().await;
    let proxy = Proxy::start(address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.pause();
    stream.write_all(b"during").await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(silence.is_err());
    proxy.resume();
    hears(&mut stream, b"during").await.unwrap();
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_proxy_gives_up_its_port_and_its_connections() {
    let (address, _server) = echo().await;
    let proxy = Proxy::start(address).await.unwrap();
    let at = proxy.address();
    let mut stream = TcpStream::connect(at).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.stop().await.unwrap();
    assert!(says(&mut stream, b"after").await.is_err());
    assert!(TcpStream::connect(at).await.is_err());
}
