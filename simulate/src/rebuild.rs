//! Another generation of the documents, filled from the log while everything goes on: the pointer's steps and the scan as
//! `jobs::rebuild` has them, through the real projector and the real pointer. Never skips the wait until all processes go by
//! the new pointer, and goes on where it was when it has been killed.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use handler::bus::CloudEvent;
use handler::error_chain::cause;
use handler::read::{
    PointerCache, Projector, apply,
    connection::CosmosContainer,
    document::Generation,
    generation::{BuildProgress, GenerationPointer, REMEMBERED},
    incoming,
    jitter::Jitter,
    projector::PATIENCE,
    store::StoreError,
};
use tokio::time::sleep;

use crate::{documents::SimulatedContainer, process::Environment};

/// The one that is filled.
const ANEW: Generation = Generation(2);
/// Events that are read, and projected at the same time.
const STEP: usize = 16;
const PAUSE: Duration = Duration::from_secs(1);

/// Fills it, step by step, until it is the one that is read.
pub(crate) async fn rebuild(outside: Environment) {
    let shelf = |container| outside.documents.shelf(container);
    let generations = Arc::new(PointerCache::with_store(shelf(CosmosContainer::Control)));
    let jitter = Jitter::seeded(outside.plan.between(0..=u64::MAX));
    let projector = Projector::with_parts(&generations, apply::DocumentWriter::with_stores(shelf), jitter);
    loop {
        match step(&outside, &generations, &projector).await {
            Ok(true) => return,
            Ok(false) => {}
            // Whatever it was, an operator would have it gone on with.
            Err(error) => {
                outside.plan.say(format_args!("the rebuild waits: {error}"));
                sleep(PAUSE).await;
            }
        }
    }
}

/// The next step, by what the pointer says; true when there is none.
async fn step(
    outside: &Environment,
    generations: &PointerCache<SimulatedContainer>,
    projector: &Projector<SimulatedContainer>,
) -> Result<bool, StoreError> {
    let read = generations.load().await?;
    let mut pointer = read
        .as_ref()
        .map_or_else(GenerationPointer::default, |read| read.document.clone());
    if pointer.live == ANEW {
        outside.plan.say(format_args!("the rebuild is done"));
        return Ok(true);
    }
    match pointer.building {
        None => {
            pointer.highest = ANEW;
            pointer.building = Some(BuildProgress {
                generation: ANEW,
                until: None,
                position: 0,
            });
        }
        Some(building @ BuildProgress { until: None, .. }) => {
            sleep(2 * REMEMBERED).await;
            let until = Some(outside.database.last());
            pointer.building = Some(BuildProgress { until, ..building });
        }
        Some(
            building @ BuildProgress {
                until: Some(until),
                position,
                ..
            },
        ) if position < until => {
            let page = outside.database.page(position, until, STEP);
            let position = page.last().map_or(until, |last| last.position);
            let projecting = page.iter().filter_map(|row| {
                let message = serde_json::to_value(CloudEvent::from(&row.event)).ok()?;
                Some(projector.project_into(ANEW, incoming::decode(message).ok()?, PATIENCE))
            });
            for projected in join_all(projecting).await {
                projected.map_err(|error| StoreError::Refused(cause(error)))?;
            }
            outside
                .plan
                .say(format_args!("the rebuild is at {position} of {until}"));
            pointer.building = Some(BuildProgress { position, ..building });
        }
        Some(_) => {
            pointer.previous = Some(pointer.live);
            (pointer.live, pointer.building) = (ANEW, None);
        }
    }
    generations.save(&pointer, read.as_ref()).await?;
    Ok(false)
}
