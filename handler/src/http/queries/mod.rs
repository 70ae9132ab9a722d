//! The reads, a file for each thing that is read: who may see it, what it is waited for, and how it is answered.
//! Never changes anything, and never waits for a projection unless the reader hands in a token.

pub(super) mod customers;
mod fresh;
pub(super) mod listing;
pub(super) mod orders;
pub(super) mod products;
pub(super) mod sales;

use std::sync::Arc;

use super::{
    Reach,
    consistency::{Source, Wish},
    problem::Problem,
};
use crate::{
    read::{ReadModel, model::Mark, store::StoreError, view::Seen},
    write::{self, Writer},
};

/// The read model, where this deployment has one.
fn model(reach: &Reach) -> Result<&Arc<ReadModel>, Problem> {
    reach
        .read_model
        .as_ref()
        .ok_or_else(|| Problem::not_configured("read model"))
}

/// One aggregate: from the read model, and where that does not show in time what the reader's token is about, from the
/// write model, if this deployment reaches it.
async fn one<T>(
    reach: &Reach,
    (wish, marks): (&Wish, Vec<Mark>),
    read: impl AsyncFnOnce(&ReadModel) -> Result<Option<Seen<T>>, StoreError>,
    look_up: impl AsyncFnOnce(&Writer) -> Result<Option<Seen<T>>, write::WriteError>,
) -> Result<(Option<Seen<T>>, Source), Problem> {
    let model = model(reach)?;
    let Some(writer) = reach.writer.as_ref().filter(|_| !marks.is_empty()) else {
        let source = wish.insist(model, &marks).await?;
        return Ok((read(model).await?, source));
    };
    match wish.wait(model, &marks).await {
        Ok(true) => Ok((read(model).await?, Source::ReadModel)),
        Ok(false) | Err(StoreError::Away { .. } | StoreError::Busy { .. }) => {
            Ok((look_up(writer).await?, Source::WriteModel))
        }
        Err(refused) => Err(refused.into()),
    }
}
