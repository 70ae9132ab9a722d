//! The two ends of a wire: a server that keeps what it gets, and the words of a client.
//! Never waits without a deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
/// So little of each read is sent back that it always fits into the buffers of a wire that holds it.
const ECHO: usize = 16;

/// Keeps what it gets over all connections, and sends the beginning of each read back.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    got: watch::Receiver<Vec<u8>>,
    words: broadcast::Sender<Vec<u8>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (record, got) = watch::channel(Vec::new());
        let (words, record) = (broadcast::Sender::new(8), Arc::new(record));
        let heard = words.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, record.clone(), heard.subscribe()));
            }
        });
        Self {
            address,
            got,
            words,
            task,
        }
    }

    /// Waits until it has got exactly this.
    pub(crate) async fn got(&mut self, all: &[u8]) {
        let all = self.got.wait_for(|got| got == all);
        timeout(SOON, all).await.unwrap().unwrap();
    }

    pub(crate) fn so_far(&self) -> Vec<u8> {
        self.got.borrow().clone()
    }

    /// Sends this on every connection, without being asked.
    pub(crate) fn says(&self, word: &[u8]) {
        self.words.send(word.to_vec()).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    record: Arc<watch::Sender<Vec<u8>>>,
    mut words: broadcast::Receiver<Vec<u8>>,
) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let Ok(read @ 1..) = read else { return };
                record.send_modify(|got| got.extend_from_slice(&buffer[..read]));
                // It goes on reading when no client hears it any more.
                let _ = stream.write_all(&buffer[..read.min(ECHO)]).await;
            }
            Ok(word) = words.recv() => stream.write_all(&word).await.unwrap(),
        }
    }
}

pub(crate) async fn says(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<()> {
    stream.write_all(word).await?;
    hears(stream, word).await
}

pub(crate) async fn hears(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<()> {
    let mut answer = vec![0; word.len()];
    timeout(SOON, stream.read_exact(&mut answer)).await.unwrap()?;
    assert_eq!(answer, word);
    Ok(())
}

/// That nothing comes can be seen by nothing but time.
pub(crate) async fn hears_nothing(stream: &mut TcpStream) {
    let heard = timeout(Duration::from_millis(100), stream.read_u8()).await;
    assert!(heard.is_err());
}

/// Waits for a reset, before which not one byte comes.
pub(crate) async fn is_reset(stream: &mut TcpStream) {
    let error = timeout(SOON, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
