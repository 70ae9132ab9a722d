//! A batch while it is decided: the state that was read, as each accepted command changes it, and the rows to write.
//! Never lets two commands of one batch change one row: the second is deferred, with all after it, to the next batch.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use serde_json::value::to_raw_value;
use uuid::Uuid;

use super::{
    change::{ChangeSet, EventMetadata, LevelAfter, MovedRow, NewEvent, NewKey, StockMove},
    context::CommandContext,
    decide::{Decision, decide, event_time},
    order_rows,
    outcome::{AcceptedCommand, WriteError},
    snapshot::{Snapshot, StoredResponse},
};
use crate::{
    domain::{
        aggregate::Aggregate,
        command::Command,
        event::{Event, EventType, UnreadableEvent},
        rejection::Rejection,
        timestamp::Timestamp,
        value::Sku,
    },
    error_chain::cause,
};

/// Outcome of one command of a batch.
#[derive(Debug)]
pub(super) enum CommandOutcome {
    /// Accepted, if the batch is committed.
    Accepted(AcceptedCommand),
    /// Accepted earlier under the same Idempotency-Key: nothing to write.
    Replayed(AcceptedCommand),
    /// Refused, if the batch is committed.
    Refused(WriteError),
    /// It needs a row that an earlier command of the batch changes: it is decided after that one has been committed.
    Deferred,
}

/// The state in which the next command of the batch is decided.
#[derive(Debug, Default)]
pub(super) struct BatchState {
    read: Snapshot,
    changes: ChangeSet,
    /// Orders and customers that have an event in this batch.
    changed: HashSet<Uuid>,
    /// Products that have one.
    changed_products: HashSet<Sku>,
    /// Callers with the keys that are claimed in it.
    claimed: HashSet<(String, String)>,
    totals: BTreeMap<Sku, StockTotal>,
    /// Each event's move of a SKU, with the total right after it.
    moves: Vec<(Uuid, Sku, StockTotal)>,
}

/// The moves of a SKU's stock by a batch so far.
#[derive(Debug, Clone, Copy, Default)]
struct StockTotal {
    delta: i64,
    lowest: i64,
    moves: i64,
}

impl BatchState {
    /// Starts from what was read; `impatient` makes the write give way soon where another transaction holds a row.
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
    pub(super) fn step(&mut self, command: &Command, context: &CommandContext) -> CommandOutcome {
        if let Some((claim, fingerprint)) = claim(context) {
            if let Some(stored) = self.read.responses.get(&claim) {
                return match replayed(stored.clone(), fingerprint) {
                    Ok(accepted) => CommandOutcome::Replayed(accepted),
                    Err(error) => CommandOutcome::Refused(error),
                };
            }
            if self.claimed.contains(&claim) {
                return CommandOutcome::Deferred;
            }
        }
        if self.is_changed(command) {
            return CommandOutcome::Deferred;
        }
        let at = event_time(command, &self.read, context);
        let decided = decide(command, &self.read, context, at);
        match decided.and_then(|decision| self.record(decision, context, at)) {
            Ok(accepted) => CommandOutcome::Accepted(accepted),
            // What is left after the earlier commands of the batch is known for sure only when they are committed.
            Err(WriteError::Rejected(Rejection::NotEnoughStock(_))) if !self.totals.is_empty() => {
                CommandOutcome::Deferred
            }
            Err(error) => CommandOutcome::Refused(error),
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
        context: &CommandContext,
        at: Timestamp,
    ) -> Result<AcceptedCommand, WriteError> {
        let Decision {
            event,
            after,
            seen_customer,
            seen_products,
        } = decision;
        let incoherent = |error: serde_json::Error| WriteError::Internal(cause(error));
        let (event_type, data) = event.to_parts().map_err(incoherent)?;
        for (sku, delta) in self.stock_moves(&event, &after) {
            self.move_stock(context.event_id, sku, delta);
        }
        self.changes.events.push(NewEvent {
            event_id: context.event_id,
            stream: after.id().to_string(),
            version: after.version(),
            event_type,
            data,
            state: to_raw_value(&after).map_err(incoherent)?,
            metadata: EventMetadata {
                caller: context.caller.clone(),
                traceparent: context.traceparent.clone(),
            },
            occurred_at: at,
        });
        self.changes
            .keys
            .extend(context.idempotency_key.as_ref().map(|key| NewKey {
                caller: context.caller.clone(),
                key: key.key.clone(),
                fingerprint: key.fingerprint.clone(),
                event_id: context.event_id,
            }));
        self.changes.seen_customers.extend(seen_customer);
        self.changes.seen_products.extend(seen_products);
        match &after {
            Aggregate::Order(order) => self.changed.insert(order.id),
            Aggregate::Customer(customer) => self.changed.insert(customer.id),
            Aggregate::Product(product) => self.changed_products.insert(product.sku.clone()),
        };
        self.claimed.extend(claim(context).map(|(claim, _)| claim));
        self.row(after.clone())?;
        Ok(AcceptedCommand {
            state: after,
            stock: Vec::new(),
            event_id: context.event_id,
            at,
            replayed: false,
        })
    }

    /// The pieces that an event moves.
    fn stock_moves(&self, event: &Event, after: &Aggregate) -> Vec<(Sku, i64)> {
        match (event, after) {
            (_, Aggregate::Order(order)) => {
                let before = self.read.orders.get(&order.id).map(Arc::as_ref);
                order_rows::stock_moves(before, order)
            }
            (Event::ProductRestocked { quantity }, Aggregate::Product(product)) => {
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
    fn row(&mut self, after: Aggregate) -> Result<(), WriteError> {
        let changes = &mut self.changes;
        match after {
            Aggregate::Customer(now) => match self.read.customers.get(&now.id) {
                Some(before) => changes.moved_customers.push(MovedRow {
                    from: before.version,
                    now,
                }),
                None => changes.new_customers.push(now),
            },
            Aggregate::Product(now) => match self.read.products.get(&now.sku) {
                Some(before) => changes.moved_products.push(MovedRow {
                    from: before.product.version,
                    now,
                }),
                None => changes.new_products.push(now),
            },
            Aggregate::Order(now) => match self.read.orders.get(&now.id) {
                Some(before) => {
                    if before.lines != now.lines {
                        changes.lines.extend(order_rows::lines(&now));
                    }
                    if before.lines.len() > now.lines.len() {
                        let last = i32::try_from(now.lines.len());
                        let last = last.map_err(|error| WriteError::Internal(cause(error)))?;
                        changes.dropped_lines.push((now.id, last));
                    }
                    changes.moved_orders.push(MovedRow {
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

/// The caller with their key, and the fingerprint of the request under it.
fn claim(context: &CommandContext) -> Option<((String, String), &str)> {
    let key = context.idempotency_key.as_ref()?;
    Some(((context.caller.clone(), key.key.clone()), &key.fingerprint))
}

/// The first response again, if this is the first request again.
fn replayed(stored: StoredResponse, fingerprint: &str) -> Result<AcceptedCommand, WriteError> {
    if stored.fingerprint != fingerprint {
        return Err(WriteError::KeyReused);
    }
    let event_type: Result<EventType, _> = stored.r#type.parse();
    let state = event_type
        .map_err(UnreadableEvent::from)
        .and_then(|known| Ok(Aggregate::from_json(known.aggregate(), stored.state)?));
    Ok(AcceptedCommand {
        state: state.map_err(|error| WriteError::Internal(cause(error)))?,
        stock: stored.stock,
        event_id: stored.event_id,
        at: stored.occurred_at,
        replayed: true,
    })
}
