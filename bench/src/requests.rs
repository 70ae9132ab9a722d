//! The requests of one client: rendered once, then only the bytes that differ are written over.
//! Never sends anything, and never makes the same order twice.

use crate::{
    client::Asks,
    dice::Dice,
    shop::{self, CUSTOMER, HOT, ORDER_PREFIX, SHELVES, SKU_PREFIX},
};

/// The commands that are asked of the handler, and of pgbench in the handler's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Orders of three lines.
    Place {
        /// The first line is always the same product.
        hot: bool,
        /// Each under an Idempotency-Key of its own.
        keyed: bool,
    },
    /// Paid orders are sent off.
    Ship,
}

/// Everything that is measured.
pub(crate) const WORKLOADS: [Workload; 5] = [
    Workload::Place {
        hot: false,
        keyed: false,
    },
    Workload::Place {
        hot: false,
        keyed: true,
    },
    Workload::Place {
        hot: true,
        keyed: false,
    },
    Workload::Place {
        hot: true,
        keyed: true,
    },
    Workload::Ship,
];

/// The requests of one client.
#[derive(Debug)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    dice: Dice,
    varying: Varying,
}

/// The part that differs from one request to the next, and its place in the bytes.
#[derive(Debug)]
enum Varying {
    Order {
        skus: [usize; 3],
        hot: bool,
        key: Option<usize>,
    },
    Shipment {
        id: usize,
        next: u64,
        end: u64,
    },
}

const KEY: &str = "00000000-0000-4000-8000-000000000000";

impl Requests {
    /// Client number `client`; of prepared orders it takes `share`, and no other client takes these.
    pub(crate) fn new(workload: Workload, client: u64, share: u64) -> Self {
        let dice = Dice::of_client(client);
        match workload {
            Workload::Place { hot, keyed } => {
                let bytes = place(SHELVES.map(|(first, _)| first), keyed.then_some(KEY));
                let skus = SHELVES.map(|(first, _)| find(&bytes, &shop::sku(first)) + SKU_PREFIX.len());
                let key = keyed.then(|| find(&bytes, KEY));
                let varying = Varying::Order { skus, hot, key };
                Self { bytes, dice, varying }
            }
            Workload::Ship => {
                let bytes = ship(0);
                let varying = Varying::Shipment {
                    id: find(&bytes, &shop::order_id(0)) + ORDER_PREFIX.len(),
                    next: client * share,
                    end: (client + 1) * share,
                };
                Self { bytes, dice, varying }
            }
        }
    }
}

impl Asks for Requests {
    /// The next request; `None` when all orders of this client have been sent off.
    fn next(&mut self) -> Option<&[u8]> {
        match &mut self.varying {
            Varying::Order { skus, hot, key } => {
                for (line, (at, (first, last))) in skus.iter().zip(SHELVES).enumerate() {
                    let product = if *hot && line == 0 {
                        HOT
                    } else {
                        first + self.dice.roll() % (last - first + 1)
                    };
                    overwrite(&mut self.bytes, *at, product.to_string().as_bytes());
                }
                if let Some(at) = *key {
                    let (high, low) = (self.dice.roll(), self.dice.roll());
                    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
                    let (d, e) = (low >> 52, low & 0xffff_ffff_ffff);
                    let key = format!("{a:08x}-{b:04x}-4{c:03x}-8{d:03x}-{e:012x}");
                    overwrite(&mut self.bytes, at, key.as_bytes());
                }
            }
            Varying::Shipment { id, next, end } => {
                if next >= end {
                    return None;
                }
                overwrite(&mut self.bytes, *id, format!("{next:012x}").as_bytes());
                *next += 1;
            }
        }
        Some(&self.bytes)
    }
}

/// `POST /api/orders` for these products, one piece each.
pub(crate) fn place(products: [u64; 3], key: Option<&str>) -> Vec<u8> {
    let lines = products.map(|product| format!(r#"{{"sku":"{}","quantity":1}}"#, shop::sku(product)));
    let body = format!(r#"{{"customerId":"{CUSTOMER}","lines":[{}]}}"#, lines.join(","));
    let key = key.map(|key| format!("idempotency-key: {key}\r\n"));
    post("/api/orders", &key.unwrap_or_default(), &body)
}

/// `POST /api/orders/{id}/shipment` for this prepared order.
pub(crate) fn ship(number: u64) -> Vec<u8> {
    let path = format!("/api/orders/{}/shipment", shop::order_id(number));
    post(
        &path,
        "",
        r#"{"carrier":"Post","trackingNumber":"1Z999AA10123456784"}"#,
    )
}

/// A GET with these header lines.
pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}\r\n").into_bytes()
}

/// A POST of JSON with these further header lines.
pub(crate) fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{headers}\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// The place of `text` in `bytes`, which were made with it in them.
fn find(bytes: &[u8], text: &str) -> usize {
    let found = bytes.windows(text.len()).position(|part| part == text.as_bytes());
    found.unwrap_or_default()
}

fn overwrite(bytes: &mut [u8], at: usize, text: &[u8]) {
    bytes[at..at + text.len()].copy_from_slice(text);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn text(requests: &mut Requests) -> String {
        String::from_utf8(requests.next().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn every_order_has_three_products_of_the_shop_and_a_key_of_its_own() {
        let workload = Workload::Place {
            hot: true,
            keyed: true,
        };
        let mut requests = Requests::new(workload, 0, 0);
        let mut keys = BTreeSet::new();
        for _ in 0..1000 {
            let request = text(&mut requests);
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            let header = |name| head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            assert_eq!(header("content-length: "), body.len().to_string());
            keys.insert(header("idempotency-key: ").to_owned());
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let number = |line: usize| {
                let sku = body["lines"][line]["sku"].as_str().unwrap();
                sku.strip_prefix(SKU_PREFIX).unwrap().parse::<u64>().unwrap()
            };
            assert_eq!(number(0), HOT);
            assert!((1334..=1666).contains(&number(1)) && (1667..=2000).contains(&number(2)));
        }
        assert_eq!(keys.len(), 1000);
    }

    #[test]
    fn each_client_ships_its_own_orders_and_then_stops() {
        let mut requests = Requests::new(Workload::Ship, 2, 2);
        assert!(text(&mut requests).contains(&shop::order_id(4)));
        assert!(text(&mut requests).contains(&shop::order_id(5)));
        assert!(requests.next().is_none());
    }
}
