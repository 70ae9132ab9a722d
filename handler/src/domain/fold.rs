//! An aggregate folded out of its events, one after the other, by the rules of the domain.
//! Never looks at the state that travels with an event.

use super::{
    aggregate::{Aggregate, AggregateId},
    event::{Event, EventType, RecordedEvent, UnreadableEvent},
    timestamp::Timestamp,
};

/// The fold of one stream of the log.
#[derive(Debug, Default)]
pub struct StreamFold {
    last: Option<(Aggregate, Timestamp)>,
}

/// A stream that no history of the domain can have left.
#[derive(Debug, thiserror::Error)]
pub enum BrokenStream {
    /// An event cannot be read.
    #[error(transparent)]
    Event(#[from] UnreadableEvent),
    /// The stream's name is no id of an aggregate that has such events.
    #[error("{subject:?} is no id of an aggregate with events {event_type}")]
    Subject {
        /// The stream's name.
        subject: String,
        /// Type of the event.
        event_type: EventType,
    },
    /// The event cannot have come after those before it.
    #[error("something happened that could not")]
    Order,
}

impl AggregateId {
    /// The aggregate that an event of the log belongs to.
    ///
    /// # Errors
    /// [`BrokenStream::Event`] for a type that is unknown, [`BrokenStream::Subject`] for a name that cannot be.
    pub fn of_event(event: &RecordedEvent) -> Result<Self, BrokenStream> {
        let event_type: EventType = event.kind.parse().map_err(UnreadableEvent::from)?;
        Self::parse(event_type.aggregate(), &event.subject).ok_or_else(|| BrokenStream::Subject {
            subject: event.subject.clone(),
            event_type,
        })
    }
}

impl StreamFold {
    /// Adds the next event.
    ///
    /// # Errors
    /// See [`BrokenStream`]; what was folded before is lost then.
    pub fn add(&mut self, event: &RecordedEvent) -> Result<(), BrokenStream> {
        let happened = Event::from_parts(&event.kind, &event.data)?;
        let id = AggregateId::of_event(event)?;
        let before = self.last.take().map(|(before, _)| before);
        let after = Aggregate::evolve(&id, before, &happened).ok_or(BrokenStream::Order)?;
        self.last = Some((after, event.occurred_at));
        Ok(())
    }

    /// The aggregate after the events so far, and the time of the last one.
    #[must_use]
    pub fn last(&self) -> Option<(&Aggregate, Timestamp)> {
        self.last.as_ref().map(|(after, at)| (after, *at))
    }
}
