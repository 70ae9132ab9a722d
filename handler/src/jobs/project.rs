//! Events into the documents of the read model, in this process, without the bus.
//! Never stops at one that the documents cannot take: it is named, and the others go on.

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::{
    engine::{JobError, PATIENCE},
    events::incoming,
};
use crate::{
    error_chain::chain,
    log::LogEntry,
    read::{Projector, document::Generation, projector::ProjectError, store::Collection},
};

/// Events that are projected at the same time.
const TOGETHER: usize = 16;

/// Projects events into one generation, or else into all that live events go into, where what shows them wrongly is written
/// again; those that were refused, and why.
///
/// # Errors
/// [`JobError`] when the store is away: some may be in by then.
pub(super) async fn project(
    projector: &Projector<impl Collection>,
    into: Option<Generation>,
    page: Vec<LogEntry>,
) -> Result<Vec<(Uuid, String)>, JobError> {
    let projected = stream::iter(page).map(|row| async move {
        let event_id = row.event.event_id;
        let event = match incoming(&row.event) {
            Ok(event) => event,
            Err(error) => return Ok(Some((event_id, chain(&error).to_string()))),
        };
        let projected = match into {
            Some(generation) => projector.project_into(generation, event, PATIENCE).await,
            None => projector.repair(event, PATIENCE).await,
        };
        match projected {
            Ok(()) => Ok(None),
            Err(ProjectError::Refused(error)) => Ok(Some((event_id, chain(&error).to_string()))),
            Err(away) => Err(JobError::from(away)),
        }
    });
    let outcomes: Vec<_> = projected.buffer_unordered(TOGETHER).try_collect().await?;
    Ok(outcomes.into_iter().flatten().collect())
}
