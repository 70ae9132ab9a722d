//! Copies bytes both ways between two connections, as far as the switch lets them.
//! It never buffers more than one read, so a pause is felt by the sender, and never loses what it has read.

use std::{io, ops::Range, time::Duration};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::switch::{Direction, Line};

/// A sender has nothing on its way any more when this long nothing has come: it may keep its last bytes until the
/// earlier ones are acknowledged, which takes up to 40 ms.
const QUIET: Duration = Duration::from_millis(100);
/// The longest that a server may take to read what it is owed, and to close its side.
const PATIENCE: Duration = Duration::from_secs(5);

/// Both ways of a connection.
pub(super) struct Pipe<'a> {
    requests: Copy<'a>,
    answers: Copy<'a>,
}

/// One way; it can be left at any await and gone on with later.
struct Copy<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    buffer: Vec<u8>,
    /// The bytes that have been read and not yet written.
    pending: Range<usize>,
}

impl<'a> Pipe<'a> {
    pub(super) fn new(client: &'a mut TcpStream, server: &'a mut TcpStream) -> Self {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        Self {
            requests: Copy::new(from_client, to_server),
            answers: Copy::new(from_server, to_client),
        }
    }

    /// Copies until both sides have ended, or one has failed.
    pub(super) async fn pass(&mut self, line: &Line) {
        let _ = tokio::try_join!(
            self.requests.pass(line, Direction::Requests),
            self.answers.pass(line, Direction::Answers),
        );
    }

    /// Gives the server what the client has sent so far, and the client nothing.
    pub(super) async fn finish_requests(&mut self) {
        let discarding = async {
            // A server that cannot write might not read either.
            discard(&mut self.answers.from).await;
            std::future::pending::<()>().await;
        };
        let finishing = async {
            tokio::select! {
                // A server that is gone needs nothing any more.
                _ = self.requests.finish() => {}
                () = discarding => {}
            }
        };
        let _ = timeout(PATIENCE, finishing).await;
    }
}

/// Ends the connection in a way that leaves the server all it was sent: closing with an unread answer would not.
pub(super) async fn hang_up(mut server: TcpStream) {
    let ending = async {
        if server.shutdown().await.is_ok() {
            discard(&mut server.split().0).await;
        }
    };
    let _ = timeout(PATIENCE, ending).await;
}

async fn discard(from: &mut ReadHalf<'_>) {
    let mut buffer = vec![0; 16 << 10];
    while from.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

impl<'a> Copy<'a> {
    fn new(from: ReadHalf<'a>, to: WriteHalf<'a>) -> Self {
        Self {
            from,
            to,
            buffer: vec![0; 16 << 10],
            pending: 0..0,
        }
    }

    async fn pass(&mut self, line: &Line, way: Direction) -> io::Result<()> {
        let mut stops = false;
        loop {
            while !self.pending.is_empty() {
                line.passes(way).await?;
                let written = self.write(line.room(way)).await?;
                line.passed(way, written);
            }
            if std::mem::take(&mut stops) {
                line.stop();
            }
            let read = self.from.read(&mut self.buffer).await?;
            if read == 0 {
                line.passes(way).await?;
                return self.to.shutdown().await;
            }
            self.pending = 0..read;
            stops = way == Direction::Requests && line.sent();
        }
    }

    /// Copies whatever the switch says, until nothing comes any more.
    async fn finish(&mut self) -> io::Result<()> {
        loop {
            while !self.pending.is_empty() {
                self.write(usize::MAX).await?;
            }
            let read = match timeout(QUIET, self.from.read(&mut self.buffer)).await {
                Ok(read) => read?,
                Err(_) => 0,
            };
            if read == 0 {
                return Ok(());
            }
            self.pending = 0..read;
        }
    }

    /// Writes at most so many bytes; how many it were.
    async fn write(&mut self, most: usize) -> io::Result<usize> {
        let end = self.pending.end.min(self.pending.start.saturating_add(most));
        let written = self.to.write(&self.buffer[self.pending.start..end]).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.pending.start += written;
        Ok(written)
    }
}
