//! Makes all documents of the read model anew beside the ones that are read, proves them, and switches over; goes back, and
//! removes what nobody reads any more. Never stops live traffic: what happens meanwhile goes into both.
//!
//! Safe at any kill: the pointer in the container `control` says how far it is, and running it again goes on from there. An
//! event that was committed before the scan began is in the scan; a later one is projected by an invocation that has seen
//! the new generation in the pointer, since nobody goes by one that is older than [`REMEMBERED`].

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use tokio_postgres::Config;

use super::{
    Failed, Tell, incoming,
    verify::{Report, Verify},
};
use crate::{
    read::{
        Account, Connection, Generations, Projector,
        document::Generation,
        generation::{Building, Pointer, REMEMBERED},
        store::Stored,
    },
    write::{log::Log, outbox::Pending},
};

/// Events of one step; the pointer is written after each.
const STEP: i64 = 500;
/// Events that are projected at the same time.
const TOGETHER: usize = 16;

/// The read model of an account and the log that it shows.
pub struct Rebuild {
    log: Log,
    connection: Arc<Connection>,
    generations: Arc<Generations>,
    projector: Projector,
}

impl Rebuild {
    /// Connects when first used.
    #[must_use]
    pub fn new(postgres: Config, account: Account) -> Self {
        let connection = Arc::new(Connection::new(account));
        let generations = Arc::new(Generations::new(&connection));
        Self {
            log: Log::new(postgres),
            projector: Projector::new(&connection, &generations),
            connection,
            generations,
        }
    }

    /// The pointer as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pointer(&self) -> Result<Pointer, Failed> {
        let found = self.generations.load().await?;
        Ok(found.map_or_else(Pointer::default, |found| found.document))
    }

    /// Fills a new generation, or goes on with the one that was begun, proves it and switches over to it; at most `rate`
    /// events a second.
    ///
    /// # Errors
    /// [`Failed`]; what was done stays done. With differences found nothing is switched.
    pub async fn run(&self, rate: Option<NonZeroU32>, tell: Tell<'_>) -> Result<Report, Failed> {
        let (mut pointer, mut building) = self.begin().await?;
        let until = match building.until {
            Some(until) => until,
            None => {
                tell("waiting until everybody knows the new generation", 0, 0);
                tokio::time::sleep(2 * REMEMBERED).await;
                let until = self.log.last().await?;
                building.until = Some(until);
                pointer = self.save(pointer, |it| it.building = Some(building)).await?;
                until
            }
        };
        while building.position < until {
            let begun = Instant::now();
            let page = self.log.page(building.position, until, STEP).await?;
            let events = page.len();
            building.position = page.last().map_or(until, |last| last.position);
            self.project(building.generation, page).await?;
            pointer = self.save(pointer, |it| it.building = Some(building)).await?;
            tell("events of the log", building.position, until);
            let least = rate.map_or(Duration::ZERO, |rate| {
                Duration::from_secs(events as u64) / rate.get()
            });
            tokio::time::sleep_until(begun + least).await;
        }
        let report = self.verify(building.generation, 100, tell).await?;
        if report.different == 0 {
            self.save(pointer, |it| {
                it.previous = Some(it.live);
                it.live = building.generation;
                it.building = None;
            })
            .await?;
        }
        Ok(report)
    }

    /// Compares a generation with the log, all of it or so many percent of the aggregates.
    ///
    /// # Errors
    /// When the log or the store cannot be read.
    pub async fn verify(&self, of: Generation, percent: u32, tell: Tell<'_>) -> Result<Report, Failed> {
        let verify = Verify::new(&self.log, &self.connection, of);
        verify.run(percent, tell).await
    }

    /// Reads what was live before again; what was live stays written, so that this can be undone by itself.
    ///
    /// # Errors
    /// [`Failed`] when there is nothing to go back to.
    pub async fn roll_back(&self) -> Result<Pointer, Failed> {
        let read = self.load().await?;
        let Some(previous) = read.document.previous else {
            return Err(Failed::refused("no generation was live before this one"));
        };
        let turned = self.save(read, |it| {
            it.previous = Some(it.live);
            it.live = previous;
        });
        Ok(turned.await?.document)
    }

    /// Gives up the generation that is being built; [`Self::retire`] removes it.
    ///
    /// # Errors
    /// [`Failed`] when there is none, or another one is being removed.
    pub async fn cancel(&self) -> Result<Pointer, Failed> {
        let read = self.load().await?;
        let Some(building) = read.document.building else {
            return Err(Failed::refused("no rebuild is under way"));
        };
        if read.document.retiring.is_some() {
            return Err(Failed::refused(
                "another generation is being removed: finish that by `retire`",
            ));
        }
        let given_up = self.save(read, |it| {
            it.building = None;
            it.retiring = Some(building.generation);
        });
        Ok(given_up.await?.document)
    }

    /// The generation to be filled, with the pointer that names it.
    async fn begin(&self) -> Result<(Stored<Pointer>, Building), Failed> {
        let read = self.load().await?;
        if let Some(building) = read.document.building {
            return Ok((read, building));
        }
        if read.document.previous.is_some() || read.document.retiring.is_some() {
            return Err(Failed::refused(
                "the generation before is still there: remove it first by `retire`, or go back to it by `rollback`",
            ));
        }
        let building = Building {
            generation: Generation(read.document.highest.0 + 1),
            until: None,
            position: 0,
        };
        let begun = self.save(read, |it| {
            it.building = Some(building);
            it.highest = building.generation;
        });
        Ok((begun.await?, building))
    }

    /// The pointer with its ETag; written first where there was none.
    pub(super) async fn load(&self) -> Result<Stored<Pointer>, Failed> {
        match self.generations.load().await? {
            Some(found) => Ok(found),
            None => Ok(self.generations.save(&Pointer::default(), None).await?),
        }
    }

    /// Changes the pointer, unless somebody else has.
    pub(super) async fn save(
        &self,
        read: Stored<Pointer>,
        change: impl FnOnce(&mut Pointer),
    ) -> Result<Stored<Pointer>, Failed> {
        let mut pointer = read.document.clone();
        change(&mut pointer);
        Ok(self.generations.save(&pointer, Some(&read)).await?)
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    async fn project(&self, into: Generation, page: Vec<Pending>) -> Result<(), Failed> {
        let projected = stream::iter(page).map(|row| async move {
            let event = incoming(&row.event)?;
            Ok::<_, Failed>(self.projector.project_into(Some(into), event).await?)
        });
        projected.buffer_unordered(TOGETHER).try_collect().await
    }
}
