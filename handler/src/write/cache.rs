//! Customers and products that earlier commands of this process saw: with them PlaceOrder needs no S1.
//! Never the ground for a rejection, and never trusted by itself: S2 checks that what was used still holds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{
    command::Command,
    snapshot::{Snapshot, Stocked},
};
use crate::domain::{customer::Customer, event::StockLevel, product::Product, value::Sku};

/// Most customers, and most products, that are kept; beyond that it starts anew. About 1 MB together.
const MOST: usize = 2_000;

/// What is known, each thing in the newest version that was seen.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    customers: HashMap<Uuid, Arc<Customer>>,
    products: HashMap<Sku, Stocked>,
}

impl Cache {
    /// Puts what a placement needs into `snapshot`; false, and nothing, when some of it is not known.
    pub(super) fn provide(&self, command: &Command, snapshot: &mut Snapshot) -> bool {
        let Command::PlaceOrder { customer, lines, .. } = command else {
            return false;
        };
        let known = self.known();
        let Some(customer) = known.customers.get(customer) else {
            return false;
        };
        if !lines.iter().all(|(sku, _)| known.products.contains_key(sku)) {
            return false;
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
        true
    }

    /// Remembers what was read.
    pub(super) fn read(&self, snapshot: &Snapshot) {
        let mut known = self.known();
        for customer in snapshot.customers.values() {
            known.customer(customer);
        }
        for stocked in snapshot.products.values() {
            known.product(&stocked.product);
            known.level(&stocked.product.sku, stocked.available, stocked.seq);
        }
    }

    /// Remembers what was written.
    pub(super) fn wrote<'a>(
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

    /// Forgets everything.
    pub(super) fn forget(&self) {
        *self.known() = Known::default();
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
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
                    Stocked {
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
    if map.len() >= MOST {
        map.clear();
    }
}
