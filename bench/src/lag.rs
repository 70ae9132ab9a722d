//! `bench lag`: how long after the answer to a command its order is seen, on a whole local system with nothing else to do.
//! Never asks with a `Consistency-Token`: that would wait, and this is about what it would wait for.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use devstack::app_folder;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    client::Connection,
    dice::Dice,
    figures::{median, percentile},
    requests::{get, post},
    servers, usage,
};

/// An order is placed every so often.
const PAUSE: Duration = Duration::from_millis(50);
/// Between an answer that does not show it and the next question.
const GAP: Duration = Duration::from_millis(1);
/// By then every order must be seen.
const PATIENCE: Duration = Duration::from_secs(5);
/// Orders at the start that are not counted: connections are opened and caches filled.
const WARM_UP: u32 = 20;
const PRODUCTS: usize = 100;
const WANTED: [f64; 2] = [15.0, 50.0];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; the medians count.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Length of each round, at 20 orders a second.
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// One round of a second: shows that everything works, and measures nothing.
    #[arg(long)]
    smoke: bool,
}

/// A shop in the running system, over one connection to its Functions host.
struct Shop {
    host: Connection,
    customer: String,
    dice: Dice,
}

/// Runs everything, and prints as it goes.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let (rounds, seconds) = if options.smoke {
        (1, 1)
    } else {
        (options.rounds, options.seconds)
    };
    println!("Building the handler, optimised, which takes minutes");
    let binary = app_folder::build_handler("release")?;
    println!("{}\n", usage::machine());
    let stack = servers::stack(&binary)?;
    let mut shop = Shop::open(Connection::open(stack.address()).await?).await?;
    shop.round(WARM_UP).await?;
    println!(
        "| round | orders | p50 ms | p99 ms | longest ms | load |\n\
         |--:|--:|--:|--:|--:|---|"
    );
    let mut all = Vec::new();
    for round in 1..=rounds {
        let load = usage::load();
        let mut lags = shop.round(seconds * 20).await?;
        lags.sort_unstable();
        let [p50, p99, longest] = [50, 99, 100].map(|part| ms(percentile(&lags, part)));
        println!(
            "| {round} | {} | {p50:.1} | {p99:.1} | {longest:.1} | {load} |",
            lags.len()
        );
        all.push([p50, p99]);
    }
    for (at, (name, wanted)) in ["p50", "p99"].into_iter().zip(WANTED).enumerate() {
        let measured = median(all.iter().map(|round| round[at]));
        let verdict = if measured <= wanted {
            "reached"
        } else {
            "**missed**"
        };
        println!("\n{name}, median of the rounds: {measured:.1} ms, wanted ≤ {wanted} ms: {verdict}.");
    }
    if options.smoke {
        println!("\nThis was a smoke run: everything works, and the figures mean nothing.");
    }
    Ok(())
}

impl Shop {
    /// A customer, and products with ample stock.
    async fn open(mut host: Connection) -> Result<Self> {
        for product in 0..PRODUCTS {
            let price = json!({ "amount": 500, "currency": "EUR" });
            let sku = sku(product);
            let added = json!({ "sku": sku, "name": "Mug", "price": price });
            command(&mut host, "/api/products", &added).await?;
            let stock = json!({ "quantity": 10_000 });
            command(&mut host, &format!("/api/products/{sku}/stock"), &stock).await?;
        }
        let person = json!({ "name": "Ada Lovelace", "email": "ada@example.org" });
        let customer = command(&mut host, "/api/customers", &person).await?;
        Ok(Self {
            host,
            customer: id(&customer)?,
            dice: Dice::of_client(0),
        })
    }

    /// Places so many orders, evenly, and returns how long each was not seen, in microseconds.
    async fn round(&mut self, orders: u32) -> Result<Vec<u64>> {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lags = Vec::new();
        for _ in 0..orders {
            ticks.tick().await;
            lags.push(u64::try_from(self.lag().await?.as_micros())?);
        }
        Ok(lags)
    }

    /// From the answer to the command to the answer that shows the order.
    async fn lag(&mut self) -> Result<Duration> {
        let shelf = PRODUCTS / 3;
        let lines = [0, 1, 2].map(|line| {
            let product = line * shelf + self.dice.below(shelf);
            json!({ "sku": sku(product), "quantity": 1 })
        });
        let order = json!({ "customerId": self.customer, "lines": lines });
        let placed = command(&mut self.host, "/api/orders", &order).await?;
        let answered = Instant::now();
        let look = get(&format!("/api/orders/{}", id(&placed)?), "");
        loop {
            let (status, _) = self.host.exchange(&look, &(200..=404)).await?;
            let lag = answered.elapsed();
            if status == 200 {
                return Ok(lag);
            }
            ensure!(status == 404 && lag < PATIENCE, "after {lag:?}: status {status}");
            tokio::time::sleep(GAP).await;
        }
    }
}

async fn command(host: &mut Connection, path: &str, body: &Value) -> Result<Value> {
    let answer = host.send(&post(path, "", &body.to_string())).await?;
    Ok(serde_json::from_slice(answer)?)
}

fn sku(product: usize) -> String {
    format!("SKU-{product}")
}

fn id(answer: &Value) -> Result<String> {
    let id = answer["id"]
        .as_str()
        .with_context(|| format!("no id in {answer}"))?;
    Ok(id.to_owned())
}

fn ms(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}
