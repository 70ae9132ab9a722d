//! A subscription that is to get messages of its own, and whether its rules let them in, and nobody else's do.
//! Never guesses: where a rule cannot be read for sure, it says so and lets the operator decide.

use super::engine::JobError;
use crate::bus::{
    self, BusError, NamespaceAddress, ReplayAdmission, SubscriptionName, SubscriptionRule, TopicAddress,
};

/// One subscription of the topic.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The namespace.
    pub address: NamespaceAddress,
    /// The topic.
    pub topic: String,
    /// The subscription's name.
    pub name: SubscriptionName,
}

/// The reason why nothing is sent to a subscription.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The bus is away, slow, or refuses us.
    #[error(transparent)]
    Bus(BusError),
    /// There is no such subscription.
    #[error("topic {topic} has no subscription {subscription}")]
    Unknown {
        /// The topic.
        topic: String,
        /// The subscription.
        subscription: SubscriptionName,
    },
    /// Messages would reach others as well, or not be sure to arrive.
    #[error(
        "subscription {subscription} has no rule that lets in just replay = '{subscription}', so others may get what is \
         sent; its rules: {rules}; --force does it all the same"
    )]
    NoRule {
        /// The subscription.
        subscription: SubscriptionName,
        /// Its rules, in words.
        rules: String,
    },
    /// Messages would not arrive, and would be lost.
    #[error(
        "no rule of subscription {subscription} lets in replay = '{subscription}', so what is sent would be lost; \
         its rules: {rules}"
    )]
    Closed {
        /// The subscription.
        subscription: SubscriptionName,
        /// Its rules, in words.
        rules: String,
    },
}

impl From<SubscriptionError> for JobError {
    fn from(error: SubscriptionError) -> Self {
        match error {
            SubscriptionError::Bus(error) => Self::Bus(error),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl Subscription {
    /// The subscription of this name.
    #[must_use]
    pub fn new(topic: &TopicAddress, name: &SubscriptionName) -> Self {
        Self {
            address: topic.address.clone(),
            topic: topic.name.clone(),
            name: name.clone(),
        }
    }

    /// Asks the bus for its rules. `force` overrules [`SubscriptionError::NoRule`], and nothing else.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn admits_replays(&self, force: bool) -> Result<(), SubscriptionError> {
        let rules = bus::rules(&self.address, &self.topic, &self.name).await;
        let rules = rules.map_err(|error| self.explained(error))?;
        let best = rules.iter().map(|rule| rule.admits(self.name.as_str())).max();
        let words: Vec<String> = rules.iter().map(SubscriptionRule::to_string).collect();
        let (subscription, rules) = (self.name.clone(), words.join(", "));
        match best {
            Some(ReplayAdmission::Own) => Ok(()),
            Some(ReplayAdmission::Perhaps) if force => Ok(()),
            Some(ReplayAdmission::Perhaps) => Err(SubscriptionError::NoRule { subscription, rules }),
            Some(ReplayAdmission::Never) | None => Err(SubscriptionError::Closed { subscription, rules }),
        }
    }

    /// Names what is missing.
    pub(crate) fn explained(&self, error: BusError) -> SubscriptionError {
        match error {
            BusError::NotFound(_) => SubscriptionError::Unknown {
                topic: self.topic.clone(),
                subscription: self.name.clone(),
            },
            other => SubscriptionError::Bus(other),
        }
    }
}
