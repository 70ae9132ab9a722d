//! The queries, a file for each aggregate: access, wait for the consistency token, and answer.
//! Never changes anything, and never waits for a projection unless the reader hands in a token.

mod conditional;
pub(super) mod customers;
pub(super) mod listing;
pub(super) mod orders;
pub(super) mod products;
pub(super) mod sales;

use std::sync::Arc;

use super::{
    AppState,
    consistency::{EventArrival, ReadConsistency, ReadSource},
    problem::Problem,
};
use crate::{
    read::{ReadModel, position::ReadPosition, store::StoreError, view::Versioned},
    write::{self, Writer},
};

/// The read model, where this deployment has one.
fn read_model(state: &AppState) -> Result<&Arc<ReadModel>, Problem> {
    state
        .read_model
        .as_ref()
        .ok_or_else(|| Problem::not_configured("read model"))
}

/// One aggregate: from the read model, and where that does not show in time what the reader's token is about, from the
/// write model, if this deployment reaches it.
async fn read_one<T>(
    state: &AppState,
    consistency: &ReadConsistency,
    positions: &[ReadPosition],
    read: impl AsyncFnOnce(&ReadModel) -> Result<Option<Versioned<T>>, StoreError>,
    look_up: impl AsyncFnOnce(&Writer) -> Result<Option<Versioned<T>>, write::WriteError>,
) -> Result<(Option<Versioned<T>>, ReadSource), Problem> {
    let model = read_model(state)?;
    let Some(writer) = state.writer.as_ref().filter(|_| !positions.is_empty()) else {
        let source = consistency.require(model, positions).await?;
        return Ok((read(model).await?, source));
    };
    match consistency.wait(model, positions).await {
        Ok(EventArrival::InTime) => Ok((read(model).await?, ReadSource::ReadModel)),
        Ok(EventArrival::Late) | Err(StoreError::Away { .. } | StoreError::Busy { .. }) => {
            Ok((look_up(writer).await?, ReadSource::WriteModel))
        }
        Err(refused) => Err(refused.into()),
    }
}
