//! Brings one change into its document, whatever is there already and however long the store is away.
//! Never lets an older version overwrite a newer one, and never holds a message longer than its lock is renewed.

use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::Mutex;

use super::{
    document::{ORDER_DOCUMENT, OrderDocument},
    store::{Store, StoreError, Stored},
};

/// How long one invocation waits for the store; the host renews the lock for 5 minutes.
const PATIENCE: Duration = Duration::from_secs(4 * 60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a write is tried at once after somebody else was first.
const ATTEMPTS: usize = 5;

/// The change did not get in.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The store was away for too long: let the bus deliver again.
    #[error("the read store is away: {0}")]
    Away(String),
    /// The store will never take it.
    #[error("the read store refuses the document: {0}")]
    Refused(String),
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projected {
    /// The document shows it now.
    Written,
    /// The document was as new already, or newer.
    Older,
}

/// Writes order documents.
pub struct Projector {
    orders: std::sync::Arc<Store>,
    /// Held by the one invocation that tries while the store is away; the others wait here instead of trying too.
    trying: Mutex<()>,
}

impl Projector {
    /// A projector into this container.
    #[must_use]
    pub fn new(orders: std::sync::Arc<Store>) -> Self {
        Self {
            orders,
            trying: Mutex::new(()),
        }
    }

    /// Makes the document show at least this version.
    ///
    /// # Errors
    /// See [`ProjectError`]; nothing is half-written: it is one document.
    pub async fn project(&self, incoming: OrderDocument) -> Result<Projected, ProjectError> {
        let until = Instant::now() + PATIENCE;
        let waiting = tokio::time::timeout(PATIENCE, self.trying.lock()).await;
        drop(waiting.map_err(|_| ProjectError::Away("others are waiting for it".to_owned()))?);
        match self.attempt(&incoming).await {
            Err(StoreError::Away { .. }) => {}
            Err(other) => return Err(ProjectError::Refused(other.to_string())),
            Ok(projected) => return Ok(projected),
        }
        let left = until.saturating_duration_since(Instant::now());
        let turn = tokio::time::timeout(left, self.trying.lock()).await;
        let _turn = turn.map_err(|_| ProjectError::Away("others are waiting for it".to_owned()))?;
        self.keep_trying(&incoming, until).await
    }

    async fn keep_trying(&self, incoming: &OrderDocument, until: Instant) -> Result<Projected, ProjectError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let (why, asked) = match self.attempt(incoming).await {
                Ok(projected) => return Ok(projected),
                Err(StoreError::Away { why, retry_after }) => (why, retry_after),
                Err(other) => return Err(ProjectError::Refused(other.to_string())),
            };
            if pause == FIRST_PAUSE {
                tracing::warn!(error = %why, "read_store_away");
            }
            // As long as it asks for, and at least between half and all of our own pause, so that processes do not come back in step.
            let wait = asked
                .unwrap_or_default()
                .max(rand::rng().random_range(pause / 2..=pause));
            if Instant::now() + wait > until {
                return Err(ProjectError::Away(why));
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One read and one write, a few times over when somebody else writes in between.
    async fn attempt(&self, incoming: &OrderDocument) -> Result<Projected, StoreError> {
        // Nothing can be older than a first version, so it needs no read.
        if incoming.version() == 1 {
            return match self.orders.create(incoming.pk(), ORDER_DOCUMENT, incoming).await {
                Ok(()) => Ok(Projected::Written),
                Err(StoreError::Changed) => Ok(Projected::Older),
                Err(other) => Err(other),
            };
        }
        for _ in 0..ATTEMPTS {
            let stored: Option<Stored<OrderDocument>> =
                self.orders.read(incoming.pk(), ORDER_DOCUMENT).await?;
            let existing = stored.as_ref().map(|stored| &stored.document);
            let Some(next) = OrderDocument::over(incoming.clone(), existing) else {
                return Ok(Projected::Older);
            };
            let written = match &stored {
                None => self.orders.create(next.pk(), ORDER_DOCUMENT, &next).await,
                Some(read) => {
                    self.orders
                        .replace((next.pk(), ORDER_DOCUMENT), &next, read)
                        .await
                }
            };
            match written {
                Err(StoreError::Changed) => {}
                other => return other.map(|()| Projected::Written),
            }
        }
        // A replica that lags would show the old ETag again and again: then only time helps.
        Err(StoreError::Away {
            why: "the document keeps changing".to_owned(),
            retry_after: None,
        })
    }
}
