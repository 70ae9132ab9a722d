//! The log as jobs read it: what is visible of it, by statements that may not be answered.
//! Never shows a position whose transaction is still under way.

use std::{collections::BTreeSet, sync::Arc};

use handler::{
    domain::{
        event::{EventType, RecordedEvent, SALE_TYPES, StockLevel},
        value::Sku,
    },
    log::{EntryResult, EventSelection, LogEntry, LogStore, PositionRange, SelectedPage, SelectionCount},
    postgres::PostgresError,
};

use crate::database::{DatabaseState, SimulatedDatabase};

/// One process's way to the log.
pub(crate) struct SimulatedLog(pub(crate) Arc<SimulatedDatabase>);

impl SimulatedLog {
    async fn read<T>(&self, read: impl FnOnce(&DatabaseState) -> T) -> Result<T, PostgresError> {
        self.0.statement(|state| read(state)).await
    }

    /// The entries of a range for which this holds, by position.
    async fn entries(
        &self,
        range: PositionRange,
        most: i64,
        holds: impl Fn(&RecordedEvent) -> bool,
    ) -> Result<Vec<EntryResult>, PostgresError> {
        let most = usize::try_from(most).unwrap_or_default();
        self.read(|state| {
            let events = state
                .log
                .iter()
                .filter(|(position, event)| is_in(range, **position) && holds(event));
            let entry = |(position, event): (&i64, &RecordedEvent)| LogEntry {
                position: *position,
                event: event.clone(),
            };
            events.map(entry).map(Ok).take(most).collect()
        })
        .await
    }
}

fn is_in(PositionRange { after, until }: PositionRange, position: i64) -> bool {
    after < position && position <= until
}

const EVERYTHING: PositionRange = PositionRange {
    after: 0,
    until: i64::MAX,
};

impl LogStore for SimulatedLog {
    async fn last(&self) -> Result<i64, PostgresError> {
        self.read(DatabaseState::last).await
    }

    async fn page(&self, after: i64, until: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        self.entries(PositionRange { after, until }, most, |_| true).await
    }

    async fn sales(&self, after: i64, until: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let types = SALE_TYPES.map(EventType::name);
        let is_sale = |event: &RecordedEvent| types.contains(&event.kind.as_str());
        self.entries(PositionRange { after, until }, i64::MAX, is_sale)
            .await
    }

    async fn stream(&self, id: &str, after: i64, most: i64) -> Result<Vec<EntryResult>, PostgresError> {
        let is_meant = |event: &RecordedEvent| event.subject == id && event.version > after;
        self.entries(EVERYTHING, most, is_meant).await
    }

    async fn streams(&self, after: &str, until: i64, most: i64) -> Result<Vec<String>, PostgresError> {
        let most = usize::try_from(most).unwrap_or_default();
        self.read(|state| {
            let begun = state
                .log
                .range(..=until)
                .filter(|(_, event)| event.version == 1 && event.subject.as_str() > after);
            let ids: BTreeSet<&String> = begun.map(|(_, event)| &event.subject).collect();
            ids.into_iter().take(most).cloned().collect()
        })
        .await
    }

    async fn absent(&self, ids: &[String]) -> Result<Vec<String>, PostgresError> {
        self.read(|state| {
            let there: BTreeSet<&String> = state.log.values().map(|event| &event.subject).collect();
            ids.iter().filter(|id| !there.contains(id)).cloned().collect()
        })
        .await
    }

    async fn stock(&self, sku: &Sku) -> Result<Option<StockLevel>, PostgresError> {
        self.read(|state| state.stock.get(sku).cloned()).await
    }

    /// Nobody selects anything but all of it here.
    async fn bounds(&self, _: &EventSelection) -> Result<PositionRange, PostgresError> {
        let until = self.last().await?;
        Ok(PositionRange { after: 0, until })
    }

    async fn count(
        &self,
        _: &EventSelection,
        range: PositionRange,
        count: &mut SelectionCount,
    ) -> Result<i64, PostgresError> {
        let entries = self.entries(range, i64::MAX, |_| true).await?;
        count.events += i64::try_from(entries.len()).unwrap_or(i64::MAX);
        Ok(range.until)
    }

    async fn select(
        &self,
        _: &EventSelection,
        range: PositionRange,
        most: i64,
    ) -> Result<SelectedPage, PostgresError> {
        let entries = self.entries(range, most, |_| true).await?;
        let is_full = i64::try_from(entries.len()).is_ok_and(|events| events == most);
        let until = match entries.last() {
            Some(Ok(last)) if is_full => last.position,
            _ => range.until,
        };
        Ok(SelectedPage { entries, until })
    }
}
