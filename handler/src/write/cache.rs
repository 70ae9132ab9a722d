//! Customers and products that earlier commands of this process read or wrote: with them PlaceOrder needs no S1.
//! Never the ground for a rejection, and never trusted by itself: S2 checks that what was used still holds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::snapshot::{Snapshot, StockedProduct};
use crate::domain::{
    command::Command, customer::Customer, event::StockLevel, order::OrderCommand, product::Product,
    value::Sku,
};

/// Most customers, and most products, that are kept; one more empties the cache. About 1 MB together.
const MOST_CACHED: usize = 2_000;

/// Customers and products, each in the newest version that was seen.
#[derive(Debug, Default)]
pub(super) struct AggregateCache(Mutex<CachedAggregates>);

/// Result of a look into the cache for all that a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CacheLookup {
    /// All of it was added to the snapshot.
    Hit,
    /// Something is missing, and nothing was added.
    Miss,
}

#[derive(Debug, Default)]
struct CachedAggregates {
    customers: HashMap<Uuid, Arc<Customer>>,
    products: HashMap<Sku, StockedProduct>,
}

impl AggregateCache {
    /// Adds to `snapshot` what a placement needs.
    pub(super) fn provide(&self, command: &Command, snapshot: &mut Snapshot) -> CacheLookup {
        let Command::Order(_, OrderCommand::Place { customer, lines, .. }) = command else {
            return CacheLookup::Miss;
        };
        let known = self.known();
        let Some(customer) = known.customers.get(customer) else {
            return CacheLookup::Miss;
        };
        if !lines.iter().all(|(sku, _)| known.products.contains_key(sku)) {
            return CacheLookup::Miss;
        }
        snapshot.customers.insert(customer.id, Arc::clone(customer));
        for (sku, _) in lines {
            if let Some(stocked) = known.products.get(sku) {
                snapshot
                    .products
                    .entry(sku.clone())
                    .or_insert_with(|| stocked.clone());
            }
        }
        CacheLookup::Hit
    }

    /// Keeps what was read.
    pub(super) fn keep_read(&self, snapshot: &Snapshot) {
        let mut known = self.known();
        for customer in snapshot.customers.values() {
            known.customer(customer);
        }
        for stocked in snapshot.products.values() {
            known.product(&stocked.product);
            known.level(&stocked.product.sku, stocked.available, stocked.seq);
        }
    }

    /// Keeps what was written.
    pub(super) fn keep_written<'a>(
        &self,
        customers: impl Iterator<Item = &'a Arc<Customer>>,
        products: impl Iterator<Item = &'a Arc<Product>>,
        levels: &[StockLevel],
    ) {
        let mut known = self.known();
        customers.for_each(|customer| known.customer(customer));
        products.for_each(|product| known.product(product));
        for level in levels {
            known.level(&level.sku, level.available, level.seq);
        }
    }

    /// Empties it.
    pub(super) fn clear(&self) {
        *self.known() = CachedAggregates::default();
    }

    fn known(&self) -> MutexGuard<'_, CachedAggregates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CachedAggregates {
    fn customer(&mut self, seen: &Arc<Customer>) {
        match self.customers.get_mut(&seen.id) {
            Some(known) if known.version >= seen.version => {}
            Some(known) => *known = Arc::clone(seen),
            None => {
                make_room(&mut self.customers);
                self.customers.insert(seen.id, Arc::clone(seen));
            }
        }
    }

    fn product(&mut self, seen: &Arc<Product>) {
        match self.products.get_mut(&seen.sku) {
            Some(known) if known.product.version >= seen.version => {}
            Some(known) => known.product = Arc::clone(seen),
            None => {
                make_room(&mut self.products);
                let (product, available, seq) = (Arc::clone(seen), 0, -1);
                self.products.insert(
                    seen.sku.clone(),
                    StockedProduct {
                        product,
                        available,
                        seq,
                    },
                );
            }
        }
    }

    fn level(&mut self, sku: &Sku, available: i64, seq: i64) {
        if let Some(known) = self.products.get_mut(sku).filter(|known| known.seq < seq) {
            (known.available, known.seq) = (available, seq);
        }
    }
}

fn make_room<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= MOST_CACHED {
        map.clear();
    }
}
