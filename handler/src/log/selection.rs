//! A part of the log: the events that are meant, their number, and the events themselves, a window of positions at a time.
//! Never goes through the whole log in one statement: each ends well within the role's time.

use std::collections::BTreeMap;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{
    entry::{EVENT_COLUMNS, EntryResult, read_entry},
    reader::EventLog,
};
use crate::{
    domain::{timestamp::Timestamp, value::Name},
    postgres::{PostgresError, SqlParameters},
};

/// Positions that one statement goes through: conditions without an index read them all, within the role's 2 s.
const WINDOW: i64 = 2_000;

/// The condition of a selection: parameters 1 to 7, null for what is not said.
const IS_SELECTED: &str = "position > $1::bigint and position <= $2::bigint
    and ($3::text[] is null or stream = any($3::text[]))
    and ($4::text is null or stream = $4::text or state#>>'{customer,id}' = $4::text)
    and ($5::text[] is null or type = any($5::text[]))
    and ($6::timestamptz is null or occurred_at >= $6::timestamptz)
    and ($7::timestamptz is null or occurred_at < $7::timestamptz)";
/// The columns of a [`SelectionCount`]. A time that no calendar here can write is none; its event is refused by its name when it
/// is its turn.
const COUNTS: &str = "type, count(*) as events, min(position) as first, max(position) as last,
    min(occurred_at) filter (where occurred_at >= '1970-01-01 00:00Z' and occurred_at < '10000-01-01 00:00Z') as earliest,
    max(occurred_at) filter (where occurred_at >= '1970-01-01 00:00Z' and occurred_at < '10000-01-01 00:00Z') as latest";
/// The first and the last position of some aggregates.
const BOUNDS: &str = "
    select coalesce(min(first), 1) - 1 as after, coalesce(max(last), 0) as until
    from unnest($1::text[]) s(stream) cross join lateral (select
        (select position from write_model.events e where e.stream = s.stream order by version limit 1) as first,
        (select position from write_model.events e where e.stream = s.stream order by version desc limit 1) as last) e";

/// Events for which everything said holds. Nothing said means nothing: all of them need `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Args)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EventSelection {
    /// All of them; nothing else is said then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[arg(long)]
    pub all: bool,
    /// Those of any of these aggregates: order ids, customer ids, SKUs.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    #[arg(long = "subject", visible_alias = "order", value_name = "ID")]
    pub subjects: Vec<String>,
    /// Those of this customer, and of the orders that they have placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "ID")]
    pub customer: Option<Uuid>,
    /// Those of any of these types, such as `orders.OrderPaid.v1`.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    #[arg(long = "type", value_name = "NAME")]
    pub types: Vec<String>,
    /// Those that happened at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Those that happened before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "TIME")]
    pub before: Option<Timestamp>,
    /// Those at this position of the log or after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "POSITION")]
    pub from_position: Option<i64>,
    /// Those at this position of the log or before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[arg(long, value_name = "POSITION")]
    pub until_position: Option<i64>,
}

/// A selection in numbers, as far as it has been counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelectionCount {
    /// The number of events.
    pub events: i64,
    /// The number of each type.
    pub by_type: BTreeMap<String, i64>,
    /// The first one's position.
    pub first_position: Option<i64>,
    /// The last one's position.
    pub last_position: Option<i64>,
    /// The time of the earliest.
    pub earliest: Option<Timestamp>,
    /// The time of the latest.
    pub latest: Option<Timestamp>,
}

/// Positions of the log after one and until another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionRange {
    /// The last position before it.
    pub after: i64,
    /// The last position in it.
    pub until: i64,
}

/// The next events of a selection.
#[derive(Debug)]
pub struct SelectedPage {
    /// The events in the order of the log.
    pub entries: Vec<EntryResult>,
    /// The position up to which there are no others.
    pub until: i64,
}

impl EventSelection {
    /// True when anything is said of the events that are meant.
    #[must_use]
    pub fn says_which(&self) -> bool {
        let rest = Self {
            all: false,
            ..self.clone()
        };
        rest != Self::default()
    }
}

/// The positions of the selected events, as far as that can be told at once: none that comes later is meant.
pub(super) async fn bounds(log: &EventLog, of: &EventSelection) -> Result<PositionRange, PostgresError> {
    let (mut after, mut until) = (0, log.last_position().await?);
    if !of.subjects.is_empty() {
        let rows = log.rows(BOUNDS, &[&of.subjects]).await?;
        if let Some(row) = rows.first() {
            after = row.try_get("after")?;
            until = until.min(row.try_get("until")?);
        }
    }
    after = after.max(of.from_position.map_or(0, |first| first.saturating_sub(1)));
    until = until.min(of.until_position.unwrap_or(i64::MAX));
    Ok(PositionRange { after, until })
}

/// Adds the events selected in the first window of a range to a count, and returns the last position of that window.
pub(super) async fn count(
    log: &EventLog,
    of: &EventSelection,
    range: PositionRange,
    count: &mut SelectionCount,
) -> Result<i64, PostgresError> {
    let window = range.first_window();
    let sql = format!("select {COUNTS} from write_model.events where {IS_SELECTED} group by type");
    let rows = selected(log, &sql, of, window, None).await?;
    count.add(&rows)?;
    Ok(window.until)
}

/// The next selected events of a range, at most so many.
pub(super) async fn select(
    log: &EventLog,
    of: &EventSelection,
    range: PositionRange,
    most: i64,
) -> Result<SelectedPage, PostgresError> {
    let window = range.first_window();
    let sql = format!(
        "select {EVENT_COLUMNS} from write_model.events where {IS_SELECTED} order by position limit $8::bigint"
    );
    let rows = selected(log, &sql, of, window, Some(most)).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|events| events == most);
    let until = match rows.last() {
        Some(last) if is_full => last.try_get("position")?,
        _ => window.until,
    };
    let entries = rows.iter().map(read_entry).collect();
    Ok(SelectedPage { entries, until })
}

async fn selected(
    log: &EventLog,
    sql: &str,
    of: &EventSelection,
    PositionRange { after, until }: PositionRange,
    most: Option<i64>,
) -> Result<Vec<Row>, PostgresError> {
    let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
    let (subjects, types) = (some(&of.subjects), some(&of.types));
    let customer = of.customer.map(|id| id.to_string());
    let [from, before] = [of.from, of.before].map(|at| at.map(Timestamp::utc));
    let parameters: SqlParameters<'_> = &[
        &after, &until, &subjects, &customer, &types, &from, &before, &most,
    ];
    let count = if most.is_some() { 8 } else { 7 };
    log.rows(sql, &parameters[..count]).await
}

impl PositionRange {
    /// As much of it as one statement may go through.
    fn first_window(self) -> Self {
        let until = (self.after + WINDOW).min(self.until);
        Self { until, ..self }
    }
}

impl SelectionCount {
    fn add(&mut self, rows: &[Row]) -> Result<(), tokio_postgres::Error> {
        for row in rows {
            let events: i64 = row.try_get("events")?;
            self.events += events;
            *self.by_type.entry(row.try_get("type")?).or_default() += events;
            let (first, last) = (row.try_get("first")?, row.try_get("last")?);
            self.first_position = Some(self.first_position.map_or(first, |known| known.min(first)));
            self.last_position = Some(self.last_position.map_or(last, |known| known.max(last)));
            let earliest: Option<Timestamp> = row.try_get("earliest")?;
            self.earliest = self.earliest.into_iter().chain(earliest).min();
            self.latest = self.latest.max(row.try_get("latest")?);
        }
        Ok(())
    }
}
