//! Some events of the log: which are meant, how many there are, and the events themselves, a window of positions at a time.
//! Never goes through the whole log in one statement: each ends well within the role's time.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Log, Read};
use crate::{
    domain::value::{Name, Time},
    postgres::{Fault, Parameters},
    write::outbox::pending,
};

/// Positions that one statement goes through.
const WINDOW: i64 = 2_000;

/// Parameters 1 to 7; what is not said is null.
macro_rules! chosen {
    () => {
        "position > $1::bigint and position <= $2::bigint
        and ($3::text[] is null or stream = any($3::text[]))
        and ($4::text is null or stream = $4::text or state#>>'{customer,id}' = $4::text)
        and ($5::text[] is null or type = any($5::text[]))
        and ($6::timestamptz is null or occurred_at >= $6::timestamptz)
        and ($7::timestamptz is null or occurred_at < $7::timestamptz)"
    };
}

/// A time that nobody could write is none here; its event is refused by its name when it is its turn.
const COUNT: &str = concat!(
    "select type, count(*) as events, min(position) as first, max(position) as last,
        min(occurred_at) filter (where occurred_at >= '1970-01-01 00:00Z' and occurred_at < '10000-01-01 00:00Z') as earliest,
        max(occurred_at) filter (where occurred_at >= '1970-01-01 00:00Z' and occurred_at < '10000-01-01 00:00Z') as latest
     from write_model.events where ",
    chosen!(),
    " group by type"
);
const SELECT: &str = concat!(
    "select position, event_id, stream, version, type, data, state, coalesce(stock, 'null') as stock,
        metadata->>'traceparent' as traceparent, occurred_at
     from write_model.events where ",
    chosen!(),
    " order by position limit $8::bigint"
);
const BOUNDS: &str = "
    select coalesce(min(first), 1) - 1 as after, coalesce(max(last), 0) as until
    from unnest($1::text[]) s(stream) cross join lateral (select
        (select position from write_model.events e where e.stream = s.stream order by version limit 1) as first,
        (select position from write_model.events e where e.stream = s.stream order by version desc limit 1) as last) e";

/// Which events are meant: those for which everything said holds. Nothing said means nothing: all of them need `all`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "EventSelection")]
pub struct Selection {
    /// All of them; nothing else is said then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Of any of these aggregates: order ids, customer ids, SKUs.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    pub subjects: Vec<String>,
    /// Of this customer, and of the orders that he or she has placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Uuid>,
    /// Of any of these types, such as `orders.OrderPaid.v1`.
    #[serde(
        deserialize_with = "crate::domain::some::deserialize",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "Vec<Name>", length(min = 1, max = 100))]
    pub types: Vec<String>,
    /// That happened at this time or later.
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub from: Option<OffsetDateTime>,
    /// That happened before this time.
    #[serde(with = "crate::domain::utc::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub before: Option<OffsetDateTime>,
    /// At this position of the log or after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_position: Option<i64>,
    /// At this position of the log or before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_position: Option<i64>,
}

/// What a selection comes to, as far as it has been counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// How many events there are.
    pub events: i64,
    /// Of these, how many of each type.
    pub by_type: BTreeMap<String, i64>,
    /// The first one's position.
    pub first_position: Option<i64>,
    /// The last one's position.
    pub last_position: Option<i64>,
    /// When the earliest happened.
    #[serde(with = "crate::domain::utc::option")]
    pub earliest: Option<OffsetDateTime>,
    /// When the latest happened.
    #[serde(with = "crate::domain::utc::option")]
    pub latest: Option<OffsetDateTime>,
}

impl Selection {
    /// Whether anything is said of which are meant.
    #[must_use]
    pub fn says_which(&self) -> bool {
        let rest = Self {
            all: false,
            ..self.clone()
        };
        rest != Self::default()
    }
}

impl Log {
    /// After and until which position the selected events are, as far as that can be told at once: none that comes later is
    /// meant.
    ///
    /// # Errors
    /// See [`Fault`], here and below.
    pub async fn bounds(&self, of: &Selection) -> Result<(i64, i64), Fault> {
        let (mut after, mut until) = (0, self.last().await?);
        if !of.subjects.is_empty() {
            let rows = self.rows(BOUNDS, &[&of.subjects]).await?;
            if let Some(row) = rows.first() {
                after = row.try_get("after").map_err(Fault::Refused)?;
                until = until.min(row.try_get("until").map_err(Fault::Refused)?);
            }
        }
        after = after.max(of.from_position.map_or(0, |first| first.saturating_sub(1)));
        until = until.min(of.until_position.unwrap_or(i64::MAX));
        Ok((after, until))
    }

    /// Counts what is selected in the next positions into `found`, and returns up to which position that is.
    pub async fn count(
        &self,
        of: &Selection,
        after: i64,
        until: i64,
        found: &mut Found,
    ) -> Result<i64, Fault> {
        let end = (after + WINDOW).min(until);
        let rows = self.chosen(COUNT, of, (after, end), None).await?;
        let mut add = || {
            for row in &rows {
                let events: i64 = row.try_get("events")?;
                found.events += events;
                *found.by_type.entry(row.try_get("type")?).or_default() += events;
                let (first, last) = (row.try_get("first")?, row.try_get("last")?);
                found.first_position = Some(found.first_position.map_or(first, |known| known.min(first)));
                found.last_position = Some(found.last_position.map_or(last, |known| known.max(last)));
                let earliest: Option<OffsetDateTime> = row.try_get("earliest")?;
                found.earliest = found.earliest.into_iter().chain(earliest).min();
                found.latest = found.latest.max(row.try_get("latest")?);
            }
            Ok(end)
        };
        add().map_err(Fault::Refused)
    }

    /// The next selected events, at most so many, and up to which position there are no others.
    pub async fn select(
        &self,
        of: &Selection,
        after: i64,
        until: i64,
        most: i64,
    ) -> Result<(Vec<Read>, i64), Fault> {
        let end = (after + WINDOW).min(until);
        let rows = self.chosen(SELECT, of, (after, end), Some(most)).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|events| events == most);
        let upto = match rows.last() {
            Some(last) if full => last.try_get("position").map_err(Fault::Refused)?,
            _ => end,
        };
        Ok((rows.iter().map(pending).collect(), upto))
    }

    async fn chosen(
        &self,
        sql: &str,
        of: &Selection,
        (after, until): (i64, i64),
        most: Option<i64>,
    ) -> Result<Vec<tokio_postgres::Row>, Fault> {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        let (subjects, types) = (some(&of.subjects), some(&of.types));
        let customer = of.customer.map(|id| id.to_string());
        let parameters: Parameters<'_> = &[
            &after, &until, &subjects, &customer, &types, &of.from, &of.before, &most,
        ];
        let count = if most.is_some() { 8 } else { 7 };
        self.rows(sql, &parameters[..count]).await
    }
}
