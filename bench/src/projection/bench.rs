//! A projector over an account of its own, and the posting of messages to it.
//! Never accepts another answer than 200: an event that is not projected is no event.

use std::{
    net::SocketAddr,
    ops::RangeInclusive,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;

use super::report::Row;
use crate::{
    client::{self, Asks},
    figures::{Figures, Meter, Processes, Sample},
    handler::Handler,
    history::History,
    servers::Cosmos,
};

/// `maxConcurrentCalls` of host.json.
const AT_A_TIME: usize = 16;

/// A projector, and the account into which it projects.
pub(super) struct Bench {
    pub(super) cosmos: Cosmos,
    pub(super) handler: Handler,
}

/// The messages of several clients: each takes the next one.
struct Queue {
    messages: Arc<[Vec<u8>]>,
    next: Arc<AtomicUsize>,
}

impl Bench {
    /// A new handler and a new account, in which there are customers and products only.
    pub(super) async fn start(binary: &Path, history: &History) -> Result<Self> {
        let cosmos = Cosmos::start()?;
        let handler = Handler::start(binary, &cosmos.settings())?;
        post(handler.address(), &history.catalogue).await?;
        Ok(Self { cosmos, handler })
    }

    pub(super) async fn measure(&mut self, events: &'static str, messages: &[Vec<u8>]) -> Result<Row> {
        let before = self.cosmos.requests()?;
        let meter = Meter::start(Processes {
            store: self.cosmos.pid(),
            app: Some(self.handler.pid()),
            host: None,
        })?;
        let samples = post(self.handler.address(), messages).await?;
        let figures = Figures::of(&samples, &meter.stop()?)?;
        let requests = self.cosmos.requests()? - before;
        Ok(Row::new(events, figures, requests, samples.len()))
    }
}

/// Posts every message once, as many at a time as the host does.
pub(crate) async fn post(address: SocketAddr, messages: &[Vec<u8>]) -> Result<Vec<Sample>> {
    let messages: Arc<[Vec<u8>]> = messages.into();
    let next = Arc::new(AtomicUsize::new(0));
    let queue = |_| Queue {
        messages: Arc::clone(&messages),
        next: Arc::clone(&next),
    };
    client::run_out(address, (0..AT_A_TIME).map(queue)).await
}

impl Asks for Queue {
    fn next(&mut self) -> Option<&[u8]> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.messages.get(next).map(Vec::as_slice)
    }

    fn accepts(&self) -> RangeInclusive<u16> {
        200..=200
    }
}
