//! `bench projection`: a shop's events posted as the Functions host does, kind by kind, mixed, and once more.
//! Never accepts another answer than 200: an event that is not projected is no event.

mod fill;
mod report;

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
use clap::Args;
use devstack::app_folder;

use crate::{
    client::{self, Asks},
    figures::{Figures, Meter, Processes, Sample},
    handler::Handler,
    history::{History, Size},
    parts::Cosmos,
    usage,
};
use report::Row;

/// `maxConcurrentCalls` of host.json.
const AT_A_TIME: usize = 16;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often everything is measured; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// How many orders are placed, paid and sent off: three events each. The emulator gets slower with every document.
    #[arg(long, default_value_t = 300)]
    orders: usize,
    /// One round of few orders: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
    /// Instead: what an event costs when so many are in the account already, such as 500,50000.
    #[arg(long, value_delimiter = ',', value_name = "EVENTS", conflicts_with_all = ["smoke", "rounds", "orders"])]
    fill: Vec<usize>,
}

/// A projector, and the account into which it projects.
struct Bench {
    cosmos: Cosmos,
    handler: Handler,
}

/// The messages of several clients: each takes the next one.
struct Queue {
    messages: Arc<[Vec<u8>]>,
    next: Arc<AtomicUsize>,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if !options.fill.is_empty() {
        // The stack of `cargo up` is not optimised: a ratio can be seen in it, and it is built within seconds.
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        println!("Building the handler, profile {profile}");
        let binary = app_folder::build_handler(profile)?;
        println!("{}", usage::machine());
        return fill::run(&binary, &options.fill).await;
    }
    let (rounds, size) = if options.smoke {
        let size = Size {
            customers: 40,
            products: 60,
            orders: 240,
        };
        (1, size)
    } else {
        let size = Size {
            customers: 1_000,
            products: 1_000,
            orders: options.orders,
        };
        (options.rounds, size)
    };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    println!("{}", usage::machine());
    let history = History::make(&binary, size).await?;
    let mut rows = Vec::new();
    for round in 1..=rounds {
        println!("\nRound {round}, load {}\n", usage::load());
        report::heading();
        let from = rows.len();
        self::round(&binary, &history, &mut rows).await?;
        rows[from..].iter().for_each(report::row);
    }
    report::medians(&rows);
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

/// Kind by kind into an empty account, then all of it mixed into another one, and the same again.
async fn round(binary: &Path, history: &History, rows: &mut Vec<Row>) -> Result<()> {
    let kinds = [
        ("placed", &history.placed),
        ("paid", &history.paid),
        ("shipped", &history.shipped),
    ];
    let mut bench = Bench::start(binary, history).await?;
    for (events, messages) in kinds {
        rows.push(bench.measure(events, messages).await?);
    }
    drop(bench);
    let mixed = history.mixed();
    let mut bench = Bench::start(binary, history).await?;
    for events in [report::MIXED, "mixed, once more"] {
        rows.push(bench.measure(events, &mixed).await?);
    }
    Ok(())
}

impl Bench {
    /// A new handler and a new account, in which there are customers and products only.
    async fn start(binary: &Path, history: &History) -> Result<Self> {
        let cosmos = Cosmos::start()?;
        let handler = Handler::start(binary, &cosmos.settings())?;
        post(handler.address(), &history.catalogue).await?;
        Ok(Self { cosmos, handler })
    }

    async fn measure(&mut self, events: &'static str, messages: &[Vec<u8>]) -> Result<Row> {
        let before = self.cosmos.requests()?;
        let meter = Meter::start(Processes {
            store: self.cosmos.pid(),
            app: Some(self.handler.pid()),
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
