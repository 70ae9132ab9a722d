//! One connection, and the two ways a statement runs on it: prepared once under a name, or sent whole each time.
//! Never asks the server for the type of a parameter: the SQL says it beside one, as a cast (`$1::uuid[]`).

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;
use tokio_postgres::{
    Client, Error, Row, Statement,
    types::{ToSql, Type},
};

use super::{error::PostgresError, target::PostgresTarget};
use crate::error_chain::chain;

/// A pooler between this process and the server (`PG_POOLER`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PoolerMode {
    /// None, or one that keeps a client on one connection of the server: a statement is prepared once, under a name.
    #[default]
    None,
    /// Each transaction may run on another connection of the server, where a name means nothing or something else: every
    /// statement is sent whole, and without one.
    Transaction,
}

/// SqlParameters of a statement, in the order of their numbers.
pub type SqlParameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// An open connection. A statement sent by its text takes one round trip, through a pooler too.
#[derive(Debug)]
pub struct PostgresConnection {
    client: Client,
    pooler: PoolerMode,
    /// The task that moves the bytes.
    wire: AbortHandle,
    /// An answer is due.
    waits: AtomicBool,
}

/// A statement that is sent again and again.
#[derive(Debug)]
pub struct PreparedStatement(StatementForm);

#[derive(Debug)]
enum StatementForm {
    /// The server knows it by name, on this connection.
    Named(Statement),
    /// It goes along with each question.
    Whole(String, Vec<Type>),
}

impl PostgresConnection {
    pub(super) async fn open(target: &PostgresTarget, pooler: PoolerMode) -> Result<Self, PostgresError> {
        let (client, wire) = target.connect().await?;
        let stop = wire.abort_handle();
        tokio::spawn(async move {
            if let Ok(Err(error)) = wire.await {
                tracing::warn!(error = %chain(&error), "database_connection_closed");
            }
        });
        Ok(Self {
            client,
            pooler,
            wire: stop,
            waits: AtomicBool::new(false),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Rows of a statement.
    ///
    /// # Errors
    /// When the server refuses it or the connection breaks, here and below.
    pub async fn query(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Vec<Row>, Error> {
        let typed = typed(parameters, &types(sql));
        self.answer(self.client.query_typed(sql, &typed)).await
    }

    /// The one row of a statement.
    ///
    /// # Errors
    /// And when there is none, or more than one.
    pub async fn query_one(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<Row, Error> {
        let typed = typed(parameters, &types(sql));
        self.answer(self.client.query_typed_one(sql, &typed)).await
    }

    /// The number of rows that a statement has changed.
    ///
    /// # Errors
    /// See [`Self::query`].
    pub async fn execute(&self, sql: &str, parameters: SqlParameters<'_>) -> Result<u64, Error> {
        let typed = typed(parameters, &types(sql));
        self.answer(self.client.execute_typed(sql, &typed)).await
    }

    /// Runs statements that have no parameters and return nothing.
    ///
    /// # Errors
    /// See [`Self::query`].
    pub async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.answer(self.client.batch_execute(sql)).await
    }

    /// Prepares a statement: one round trip, and none where it must be sent whole.
    ///
    /// # Errors
    /// See [`Self::query`].
    pub async fn prepare(&self, sql: &str) -> Result<PreparedStatement, Error> {
        let types = types(sql);
        Ok(PreparedStatement(match self.pooler {
            PoolerMode::None => {
                StatementForm::Named(self.answer(self.client.prepare_typed(sql, &types)).await?)
            }
            PoolerMode::Transaction => StatementForm::Whole(sql.to_owned(), types),
        }))
    }

    /// Rows of a statement that was prepared on this connection.
    ///
    /// # Errors
    /// See [`Self::query`].
    pub async fn query_prepared(
        &self,
        statement: &PreparedStatement,
        parameters: SqlParameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        match &statement.0 {
            StatementForm::Named(statement) => self.answer(self.client.query(statement, parameters)).await,
            StatementForm::Whole(sql, types) => {
                let typed = typed(parameters, types);
                self.answer(self.client.query_typed(sql, &typed)).await
            }
        }
    }

    /// Marks the time in which an answer is due, for [`Drop`]: only the caller's task uses the connection, so no order of memory
    /// is needed.
    async fn answer<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.waits.store(true, Ordering::Relaxed);
        let answer = question.await;
        self.waits.store(false, Ordering::Relaxed);
        answer
    }
}

impl Drop for PostgresConnection {
    /// Breaks off when an answer is due that its caller does not wait for any more: left to itself the connection would stay
    /// until it comes, and there would be more of them than the pool may have.
    fn drop(&mut self) {
        if *self.waits.get_mut() {
            self.wire.abort();
        }
    }
}

/// Each parameter beside its type.
fn typed<'a>(parameters: SqlParameters<'a>, types: &[Type]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let types = types.iter().cloned().chain(std::iter::repeat(Type::UNKNOWN));
    parameters.iter().copied().zip(types).collect()
}

/// The types of `$1`, `$2`, … by the casts in the SQL; [`Type::UNKNOWN`] for one that has none, which no value can be sent as
/// but a text.
#[must_use]
pub fn types(sql: &str) -> Vec<Type> {
    let mut types = Vec::new();
    for rest in sql.split('$').skip(1) {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        let Some(index) = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1)) else {
            continue;
        };
        if index >= types.len() {
            types.resize(index + 1, Type::UNKNOWN);
        }
        if let Some(cast) = rest.strip_prefix("::") {
            types[index] = named(cast);
        }
    }
    types
}

/// The type whose name the text begins with.
fn named(text: &str) -> Type {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let (one, array) = match name {
        "bigint" => (Type::INT8, Type::INT8_ARRAY),
        "date" => (Type::DATE, Type::DATE_ARRAY),
        "integer" => (Type::INT4, Type::INT4_ARRAY),
        "jsonb" => (Type::JSONB, Type::JSONB_ARRAY),
        "text" => (Type::TEXT, Type::TEXT_ARRAY),
        "timestamptz" => (Type::TIMESTAMPTZ, Type::TIMESTAMPTZ_ARRAY),
        "uuid" => (Type::UUID, Type::UUID_ARRAY),
        _ => (Type::UNKNOWN, Type::UNKNOWN),
    };
    if rest.starts_with("[]") { array } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameters_type_is_the_cast_beside_it() {
        let sql = "select $2::bigint, $1::uuid[], cardinality($1::uuid[]), '$$' where x = $4 and y > $3::timestamptz";
        let expected = [Type::UUID_ARRAY, Type::INT8, Type::TIMESTAMPTZ, Type::UNKNOWN];
        assert_eq!(types(sql), expected);
        assert_eq!(types("select 1"), []);
        assert_eq!(types("select $1::money"), [Type::UNKNOWN]);
    }
}
