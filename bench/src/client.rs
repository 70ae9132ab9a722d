//! A closed-loop HTTP/1.1 client: one connection, one request at a time, the next as soon as the answer is there.
//! Never parses more of an answer than its status and its length, and accepts no status but those that are asked for.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::figures::{self, Figures, Processes, Sample};

/// Longest wait for the answers that are still on their way when the time is over.
const PATIENCE: Duration = Duration::from_secs(10);

/// Any 2xx.
pub(crate) const SUCCESS: RangeInclusive<u16> = 200..=299;

/// A keep-alive connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// The requests of one client.
pub(crate) trait Asks: Send + 'static {
    /// The next request; `None` when there is nothing left to ask.
    fn next(&mut self) -> Option<&[u8]>;

    /// The status of every answer that is as it should be.
    fn accepts(&self) -> RangeInclusive<u16> {
        SUCCESS
    }
}

/// The end of a run.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Its figures, and how many commands were done in all, warm-up included.
    Measured(Figures, usize),
    /// A client had no more orders to send off before the time was over.
    RanOut,
}

/// The length of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    /// The time at the start that is not counted.
    pub(crate) warm_up: Duration,
    /// The time that is counted.
    pub(crate) measured: Duration,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(4096),
        })
    }

    /// Sends the request and waits for its whole answer, whose body is returned.
    ///
    /// # Errors
    /// When it is not 2xx, with the answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<&[u8]> {
        let answer = self.exchange(request, &SUCCESS).await;
        answer.map(|(_, body)| body)
    }

    /// Sends the request and waits for its whole answer; status and body are returned.
    ///
    /// # Errors
    /// When its status is not accepted, with the answer.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        accepts: &RangeInclusive<u16>,
    ) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the connection was closed");
            let Some(head) = head(&self.answer) else {
                continue;
            };
            let (status, length) = parse(&self.answer[..head])?;
            if self.answer.len() < head + length {
                continue;
            }
            ensure!(
                accepts.contains(&status),
                "{}",
                String::from_utf8_lossy(&self.answer)
            );
            return Ok((status, &self.answer[head..]));
        }
    }
}

/// Length of the answer's head, once all of it is there.
fn head(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|part| part == b"\r\n\r\n")?;
    Some(end + 4)
}

/// Status and length of the body.
fn parse(head: &[u8]) -> Result<(u16, usize)> {
    const LENGTH: &str = "content-length:";
    let head = std::str::from_utf8(head)?;
    let status = head.get(9..12).context("no status line")?.parse()?;
    let mut lengths = head.lines().filter_map(|line| {
        let name = line.get(..LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then(|| &line[LENGTH.len()..])
    });
    let length = match (lengths.next(), status) {
        (Some(length), _) => length.trim().parse()?,
        // It never has a body (RFC 9110, section 15.4.5).
        (None, 304) => 0,
        (None, _) => bail!("an answer without content-length"),
    };
    Ok((status, length))
}

/// Lets all of these clients ask for so long.
pub(crate) async fn run<A: Asks>(
    address: SocketAddr,
    clients: impl IntoIterator<Item = A>,
    processes: Processes,
    length: Length,
) -> Result<Outcome> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = start(address, clients, &stop);
    let watching = figures::watch(processes, length.warm_up, length.measured);
    tokio::pin!(watching);
    // A client that ends before the time is over has failed or run out.
    let window = tokio::select! {
        window = &mut watching => window?,
        Some(ended) = tasks.join_next() => {
            ended??;
            return Ok(Outcome::RanOut);
        }
    };
    stop.store(true, Ordering::Relaxed);
    let samples = timeout(PATIENCE, gather(tasks))
        .await
        .context("no answer in time")??;
    Ok(Outcome::Measured(Figures::of(&samples, &window)?, samples.len()))
}

/// Lets all of these clients ask until they have nothing left to ask.
pub(crate) async fn run_out<A: Asks>(
    address: SocketAddr,
    clients: impl IntoIterator<Item = A>,
) -> Result<Vec<Sample>> {
    gather(start(address, clients, &Arc::default())).await
}

type Clients = JoinSet<Result<Vec<Sample>>>;

fn start<A: Asks>(
    address: SocketAddr,
    clients: impl IntoIterator<Item = A>,
    stop: &Arc<AtomicBool>,
) -> Clients {
    let clients = clients.into_iter();
    clients
        .map(|asks| keep_asking(address, asks, Arc::clone(stop)))
        .collect()
}

async fn gather(mut clients: Clients) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    while let Some(ended) = clients.join_next().await {
        samples.append(&mut ended??);
    }
    Ok(samples)
}

async fn keep_asking<A: Asks>(
    address: SocketAddr,
    mut asks: A,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Sample>> {
    let mut connection = Connection::open(address).await?;
    let mut samples = Vec::with_capacity(1 << 16);
    let accepts = asks.accepts();
    while !stop.load(Ordering::Relaxed) {
        let Some(request) = asks.next() else {
            break;
        };
        let sent = Instant::now();
        connection.exchange(request, &accepts).await?;
        samples.push(Sample {
            done: figures::now(),
            took: u64::try_from(sent.elapsed().as_micros())?,
        });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_read_in_any_case() {
        let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nx: y\r\n\r\nbody";
        let head = head(answer).unwrap();
        assert_eq!(parse(&answer[..head]).unwrap(), (201, 12));
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert_eq!(parse(b"HTTP/1.1 304 Not Modified\r\n\r\n").unwrap(), (304, 0));
    }
}
