//! A batch while it is decided: what was read, changed step by step by what was accepted, and the rows that come of it.
//! Never lets two commands of one batch change one row: where that would happen the batch is cut, and goes on in the next.

use std::collections::{BTreeMap, HashSet};

use serde_json::value::to_raw_value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    change::{ChangeSet, LevelAfter, Metadata, Moved, NewEvent, NewKey, StockMove},
    command::{Accepted, Command, Context, State},
    decide::{Decision, decide, time_of},
    order_rows,
    snapshot::{Replay, Snapshot},
    writer::Error,
};
use crate::{
    domain::{event::Event, rejection::Rejection, value::Sku},
    error_chain::cause,
};

/// What one command came to.
#[derive(Debug)]
pub(super) enum Step {
    /// Accepted, if the batch is committed.
    Accepted(Accepted),
    /// Accepted earlier under the same Idempotency-Key: nothing to write.
    Replayed(Accepted),
    /// Refused, if the batch is committed.
    Refused(Error),
    /// It rests on what an earlier command of the batch changes: its turn is after that has been committed.
    Cut,
}

/// The state in which the next command of the batch is decided.
#[derive(Debug, Default)]
pub(super) struct Working {
    read: Snapshot,
    changes: ChangeSet,
    /// Orders and customers that have an event in this batch.
    changed: HashSet<Uuid>,
    /// Products that have one.
    changed_products: HashSet<Sku>,
    /// Callers with the keys that are claimed in it.
    claimed: HashSet<(String, String)>,
    totals: BTreeMap<Sku, Total>,
    /// Each event's move of a SKU, with the total right after it.
    moves: Vec<(Uuid, Sku, Total)>,
}

/// What a batch has moved of a SKU so far.
#[derive(Debug, Clone, Copy, Default)]
struct Total {
    delta: i64,
    lowest: i64,
    moves: i64,
}

impl Working {
    /// Starts from what was read; `impatient` makes the write give way soon where somebody holds a row.
    pub(super) fn new(read: Snapshot, impatient: bool) -> Self {
        let changes = ChangeSet {
            impatient,
            ..ChangeSet::default()
        };
        Self {
            read,
            changes,
            ..Self::default()
        }
    }

    /// Decides the next command of the batch.
    pub(super) fn step(&mut self, command: &Command, context: &Context) -> Step {
        if let Some((claim, fingerprint)) = claim(context) {
            if let Some(replay) = self.read.replays.get(&claim) {
                return match replayed(replay.clone(), fingerprint) {
                    Ok(accepted) => Step::Replayed(accepted),
                    Err(error) => Step::Refused(error),
                };
            }
            if self.claimed.contains(&claim) {
                return Step::Cut;
            }
        }
        if self.is_changed(command) {
            return Step::Cut;
        }
        let at = time_of(command, &self.read, context);
        let decided = decide(command, &self.read, context, at).map_err(Error::from);
        match decided.and_then(|decision| self.record(decision, context, at)) {
            Ok(accepted) => Step::Accepted(accepted),
            // What is left after the earlier commands of the batch is known for sure only when they are committed.
            Err(Error::Rejected(Rejection::NotEnoughStock(_))) if !self.totals.is_empty() => Step::Cut,
            Err(error) => Step::Refused(error),
        }
    }

    /// True when the command looks at a row that this batch changes.
    fn is_changed(&self, command: &Command) -> bool {
        let mut ids = command.order().into_iter().chain(command.customer());
        ids.any(|id| self.changed.contains(&id))
            || command.skus().any(|sku| self.changed_products.contains(sku))
    }

    /// Turns a decision into rows, and lets the next command see it.
    fn record(
        &mut self,
        decision: Decision,
        context: &Context,
        at: OffsetDateTime,
    ) -> Result<Accepted, Error> {
        let Decision {
            event,
            after,
            seen_customer,
            seen_products,
        } = decision;
        let incoherent = |error: serde_json::Error| Error::Internal(cause(error));
        let (kind, data) = event.to_parts().map_err(incoherent)?;
        let (subject, version) = (after.subject(), after.version());
        for (sku, delta) in self.stock_moves(&event, &after) {
            self.move_stock(context.event_id, sku, delta);
        }
        self.changes.events.push(NewEvent {
            event_id: context.event_id,
            stream: subject.clone(),
            version,
            kind,
            data,
            state: to_raw_value(&after).map_err(incoherent)?,
            metadata: Metadata {
                caller: context.caller.clone(),
                traceparent: context.traceparent.clone(),
            },
            occurred_at: at,
        });
        self.changes.keys.extend(context.once.as_ref().map(|once| NewKey {
            caller: context.caller.clone(),
            key: once.key.clone(),
            fingerprint: once.fingerprint.clone(),
            event_id: context.event_id,
        }));
        self.changes.seen_customers.extend(seen_customer);
        self.changes.seen_products.extend(seen_products);
        match &after {
            State::Order(order) => self.changed.insert(order.id),
            State::Customer(customer) => self.changed.insert(customer.id),
            State::Product(product) => self.changed_products.insert(product.sku.clone()),
        };
        self.claimed.extend(claim(context).map(|(claim, _)| claim));
        self.row(after.clone())?;
        Ok(Accepted {
            subject,
            version,
            state: after,
            stock: Vec::new(),
            event_id: context.event_id,
            at,
            replayed: false,
        })
    }

    /// The pieces that an event moves.
    fn stock_moves(&self, event: &Event, after: &State) -> Vec<(Sku, i64)> {
        match (event, after) {
            (_, State::Order(order)) => order_rows::stock_moves(self.read.orders.get(&order.id), order),
            (Event::ProductRestocked { quantity }, State::Product(product)) => {
                vec![(product.sku.clone(), quantity.get())]
            }
            _ => Vec::new(),
        }
    }

    fn move_stock(&mut self, event_id: Uuid, sku: Sku, delta: i64) {
        if let Some(stocked) = self.read.products.get_mut(&sku) {
            stocked.available += delta;
        }
        let total = self.totals.entry(sku.clone()).or_default();
        total.delta += delta;
        total.lowest = total.lowest.min(total.delta);
        total.moves += 1;
        self.moves.push((event_id, sku, *total));
    }

    /// The aggregate's own row, new or moved from the version that was read.
    fn row(&mut self, after: State) -> Result<(), Error> {
        let changes = &mut self.changes;
        match after {
            State::Customer(now) => match self.read.customers.get(&now.id) {
                Some(before) => changes.moved_customers.push(Moved {
                    from: before.version,
                    now,
                }),
                None => changes.new_customers.push(now),
            },
            State::Product(now) => match self.read.products.get(&now.sku) {
                Some(before) => changes.moved_products.push(Moved {
                    from: before.product.version,
                    now,
                }),
                None => changes.new_products.push(now),
            },
            State::Order(now) => match self.read.orders.get(&now.id) {
                Some(before) => {
                    if before.lines != now.lines {
                        changes.lines.extend(order_rows::lines(&now));
                    }
                    if before.lines.len() > now.lines.len() {
                        let last = i32::try_from(now.lines.len());
                        let last = last.map_err(|error| Error::Internal(cause(error)))?;
                        changes.dropped_lines.push((now.id, last));
                    }
                    changes.moved_orders.push(Moved {
                        from: before.version,
                        now,
                    });
                }
                None => {
                    changes.lines.extend(order_rows::lines(&now));
                    changes.new_orders.push(now);
                }
            },
        }
        Ok(())
    }

    /// The rows to write, once every command of the batch has been decided.
    pub(super) fn finish(mut self) -> ChangeSet {
        for (event_id, sku, then) in self.moves {
            let total = self.totals.get(&sku).copied().unwrap_or(then);
            let (later, behind) = (total.delta - then.delta, total.moves - then.moves);
            self.changes.levels.push(LevelAfter {
                event_id,
                sku,
                later,
                behind,
            });
        }
        self.changes
            .stock
            .extend(self.totals.into_iter().map(|(sku, total)| StockMove {
                sku,
                delta: total.delta,
                lowest: total.lowest,
                moves: total.moves,
            }));
        self.changes
    }
}

/// The caller and his key, and the fingerprint of what he asks under it.
fn claim(context: &Context) -> Option<((String, String), &str)> {
    let once = context.once.as_ref()?;
    Some(((context.caller.clone(), once.key.clone()), &once.fingerprint))
}

/// The first answer again, if the request is the first one again.
fn replayed(replay: Replay, fingerprint: &str) -> Result<Accepted, Error> {
    if replay.fingerprint != fingerprint {
        return Err(Error::KeyReused);
    }
    let state = State::of_event(&replay.r#type, replay.state);
    Ok(Accepted {
        subject: replay.subject,
        version: replay.version,
        state: state.map_err(|error| Error::Internal(cause(error)))?,
        stock: replay.stock,
        event_id: replay.event_id,
        at: replay.occurred_at,
        replayed: true,
    })
}
