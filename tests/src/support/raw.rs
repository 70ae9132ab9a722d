//! Answers as they come over a connection, for requests that no client of HTTP would send.
//! Never understands more than where an answer ends.

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use super::DEADLINE;

/// The connection's next answer: its head, and as much of its body as it announces.
pub(crate) async fn next_answer(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    let text = async {
        loop {
            let text = String::from_utf8_lossy(&seen).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let mut headers = head.lines().filter_map(|line| line.split_once(": "));
                let length = headers.find_map(|(name, value)| (name == "content-length").then_some(value));
                if body.len() >= length.unwrap_or("0").parse().unwrap() {
                    return text;
                }
            }
            assert_ne!(
                stream.read_buf(&mut seen).await.unwrap(),
                0,
                "closed after {text:?}"
            );
        }
    };
    timeout(DEADLINE, text).await.unwrap()
}
