//! The faulty wire, in front of a server that sends back what it gets.
//! It never waits for a fixed time where there is something to see: each step is seen from the other end.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

mod ends;

use devstack::wire::{Moment, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use ends::{Server, hears, hears_nothing, is_reset, says};

#[tokio::test]
async fn bytes_and_the_end_of_a_stream_pass() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
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
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.cut();
    is_reset(&mut stream).await;
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(says(&mut refused, b"during").await.is_err());
    proxy.restore();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"after").await.unwrap();
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_break_comes_after_so_many_bytes_and_spares_new_connections() {
    let mut server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    server.got(b"before").await;
    proxy.break_after_requests(4);
    assert!(!proxy.has_stopped());
    stream.write_all(b"during").await.unwrap();
    proxy.stopped().await;
    is_reset(&mut stream).await;
    server.got(b"beforeduri").await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"after").await.unwrap();
    proxy.break_after_answers(3);
    stream.write_all(b"again").await.unwrap();
    // What has come of the answer may be lost with the reset.
    proxy.stopped().await;
    server.got(b"beforeduriafteragain").await;
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_pause_holds_bytes_and_loses_none() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.pause();
    stream.write_all(b"during").await.unwrap();
    hears_nothing(&mut stream).await;
    proxy.resume();
    hears(&mut stream, b"during").await.unwrap();
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn held_answers_come_after_a_resume_and_requests_pass_meanwhile() {
    let mut server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"b").await.unwrap();
    proxy.hold_answers();
    stream.write_all(b"d").await.unwrap();
    server.got(b"bd").await;
    // A new connection is held in the same way.
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    other.write_all(b"n").await.unwrap();
    server.got(b"bdn").await;
    for stream in [&mut stream, &mut other] {
        hears_nothing(stream).await;
    }
    proxy.resume();
    hears(&mut stream, b"d").await.unwrap();
    hears(&mut other, b"n").await.unwrap();
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn held_requests_come_after_a_resume_and_answers_pass_meanwhile() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"b").await.unwrap();
    proxy.hold_requests();
    stream.write_all(b"d").await.unwrap();
    server.says(b"news");
    hears(&mut stream, b"news").await.unwrap();
    hears_nothing(&mut stream).await;
    assert_eq!(server.so_far(), b"b");
    proxy.resume();
    hears(&mut stream, b"d").await.unwrap();
    assert_eq!(server.so_far(), b"bd");
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_cut_after_held_answers_loses_answers_but_no_request() {
    // More than fits into one read, or into the buffers between, so that some of it is still on its way.
    let request: Vec<u8> = (0..=250).cycle().take(8_000_000).collect();
    for restored_at_once in [false, true] {
        let mut server = Server::start().await;
        let proxy = Proxy::start(server.address).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.hold_answers();
        stream.write_all(&request).await.unwrap();
        proxy.cut();
        if restored_at_once {
            proxy.restore();
        }
        is_reset(&mut stream).await;
        server.got(&request).await;
        proxy.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_after_held_requests_loses_them() {
    let mut server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.hold_requests();
    stream.write_all(b"lost").await.unwrap();
    server.says(b"news");
    hears(&mut stream, b"news").await.unwrap();
    proxy.cut();
    is_reset(&mut stream).await;
    proxy.restore();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    says(&mut stream, b"after").await.unwrap();
    server.got(b"beforeafter").await;
    proxy.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_proxy_gives_up_its_port_and_its_connections() {
    let server = Server::start().await;
    let proxy = Proxy::start(server.address).await.unwrap();
    let at = proxy.address();
    let mut stream = TcpStream::connect(at).await.unwrap();
    says(&mut stream, b"before").await.unwrap();
    proxy.stop().await.unwrap();
    assert!(says(&mut stream, b"after").await.is_err());
    assert!(TcpStream::connect(at).await.is_err());
}

#[tokio::test]
async fn a_wire_stops_before_or_after_the_server_has_the_named_piece() {
    for (moment, arrives) in [(Moment::Before, false), (Moment::After, true)] {
        let mut server = Server::start().await;
        let proxy = Proxy::start(server.address).await.unwrap();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        says(&mut stream, b"before").await.unwrap();
        proxy.stop_at(2, moment);
        says(&mut stream, b"first").await.unwrap();
        stream.write_all(b"second").await.unwrap();
        proxy.stopped().await;
        if arrives {
            server.got(b"beforefirstsecond").await;
        }
        hears_nothing(&mut stream).await;
        proxy.resume();
        hears(&mut stream, b"second").await.unwrap();
    }
}
