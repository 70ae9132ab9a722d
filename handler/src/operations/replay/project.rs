//! Events into the documents of the read model, in process: the direct way, without the bus.
//! Never stops at one that the documents cannot take: it is told, and the others go on.

use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::Cursor;
use crate::{
    error_chain::chain,
    log::LogEntry,
    operations::{Failed, failed::PATIENCE, incoming},
    read::{Projector, document::Generation, projector::ProjectError},
};

/// Events that are projected at the same time.
const TOGETHER: usize = 16;

/// Projects events into one generation, or else into all that live events go into, where what shows them wrongly is written
/// again; which were refused, and why.
///
/// # Errors
/// [`Failed`] when the store is away: some may be in by then.
pub(in crate::operations) async fn project(
    projector: &Projector,
    into: Option<Generation>,
    page: Vec<LogEntry>,
) -> Result<Vec<(Uuid, String)>, Failed> {
    let projected = stream::iter(page).map(|row| async move {
        let event_id = row.event.event_id;
        let event = match incoming(&row.event) {
            Ok(event) => event,
            Err(error) => return Ok(Some((event_id, error.to_string()))),
        };
        let projected = match into {
            Some(generation) => projector.project_into(generation, event, PATIENCE).await,
            None => projector.repair(event, PATIENCE).await,
        };
        match projected {
            Ok(()) => Ok(None),
            Err(ProjectError::Refused(error)) => Ok(Some((event_id, chain(&error).to_string()))),
            Err(away) => Err(Failed::from(away)),
        }
    });
    let outcomes: Vec<_> = projected.buffer_unordered(TOGETHER).try_collect().await?;
    Ok(outcomes.into_iter().flatten().collect())
}

impl Cursor {
    /// Projects a page of the log into the documents; everything up to `upto` is done then.
    pub(in crate::operations) async fn project(
        &mut self,
        projector: &Projector,
        page: Vec<LogEntry>,
        upto: i64,
    ) -> Result<(), Failed> {
        let events = i64::try_from(page.len()).unwrap_or(i64::MAX);
        let refused = project(projector, None, page).await?;
        self.done += events - i64::try_from(refused.len()).unwrap_or(i64::MAX);
        for (event_id, why) in refused {
            self.refuse(event_id, why);
        }
        self.position = upto;
        Ok(())
    }
}
