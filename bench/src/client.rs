//! A closed-loop HTTP/1.1 client: one connection, one request at a time, the next as soon as the answer is there.
//! Never parses more of an answer than its status and its length, and accepts no status but 2xx.

use std::{
    net::SocketAddr,
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

use crate::{
    figures::{self, Figures, Processes, Sample},
    requests::{Requests, Workload},
};

/// Longest wait for the answers that are still on their way when the time is over.
const PATIENCE: Duration = Duration::from_secs(10);

/// A keep-alive connection to the handler.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// How a run went.
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
    /// What is not counted at the start.
    pub(crate) warm_up: Duration,
    /// What is counted.
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
        self.stream.write_all(request).await?;
        self.answer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the handler closed the connection");
            let Some(head) = head(&self.answer) else {
                continue;
            };
            let (status, length) = parse(&self.answer[..head])?;
            if self.answer.len() < head + length {
                continue;
            }
            if !(200..300).contains(&status) {
                bail!("{}", String::from_utf8_lossy(&self.answer));
            }
            return Ok(&self.answer[head..]);
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
    let length = lengths.next().context("an answer without content-length")?;
    Ok((status, length.trim().parse()?))
}

/// Runs the workload with so many clients; of prepared orders each has `share`.
pub(crate) async fn run(
    address: SocketAddr,
    workload: Workload,
    clients: u64,
    share: u64,
    processes: Processes,
    length: Length,
) -> Result<Outcome> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let requests = Requests::new(workload, client, share);
        tasks.spawn(keep_asking(address, requests, Arc::clone(&stop)));
    }
    let watching = figures::watch(processes, length.warm_up, length.measured);
    tokio::pin!(watching);
    let mut samples = Vec::new();
    // A client that ends before the time is over has failed or run out.
    let window = tokio::select! {
        window = &mut watching => window?,
        Some(ended) = tasks.join_next() => {
            ended??;
            return Ok(Outcome::RanOut);
        }
    };
    stop.store(true, Ordering::Relaxed);
    let last_answers = async {
        while let Some(ended) = tasks.join_next().await {
            samples.append(&mut ended??);
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, last_answers)
        .await
        .context("no answer in time")??;
    Ok(Outcome::Measured(Figures::of(&samples, &window)?, samples.len()))
}

async fn keep_asking(
    address: SocketAddr,
    mut requests: Requests,
    stop: Arc<AtomicBool>,
) -> Result<Vec<Sample>> {
    let mut connection = Connection::open(address).await?;
    let mut samples = Vec::with_capacity(1 << 16);
    while !stop.load(Ordering::Relaxed) {
        let Some(request) = requests.next() else {
            break;
        };
        let sent = Instant::now();
        connection.send(request).await?;
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
    }
}
