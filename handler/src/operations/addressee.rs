//! A subscription that is to get messages of its own, and whether its rules let them in, and nobody else's do.
//! Never guesses: where a rule cannot be read for sure, it says so and lets the operator decide.

use crate::bus::{self, BusError, NamespaceAddress, ReplayAdmission, SubscriptionRule};

/// One subscription of the topic.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The namespace.
    pub address: NamespaceAddress,
    /// The topic.
    pub topic: String,
    /// The subscription's name.
    pub name: String,
}

/// Why nothing is sent to a subscription.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// The bus is away, slow, or does not let us in.
    #[error(transparent)]
    Bus(BusError),
    /// There is no such subscription.
    #[error("topic {topic} has no subscription {subscription}")]
    Unknown {
        /// The topic.
        topic: String,
        /// The subscription.
        subscription: String,
    },
    /// What is sent would reach others as well, or not be sure to arrive.
    #[error(
        "subscription {subscription} has no rule that lets in just replay = '{subscription}', so others may get what is \
         sent; its rules: {rules}; --force does it all the same"
    )]
    NoRule {
        /// The subscription.
        subscription: String,
        /// Its rules, in words.
        rules: String,
    },
    /// What is sent would not arrive, and would be lost.
    #[error(
        "no rule of subscription {subscription} lets in replay = '{subscription}', so what is sent would be lost; \
         its rules: {rules}"
    )]
    Closed {
        /// The subscription.
        subscription: String,
        /// Its rules, in words.
        rules: String,
    },
}

impl Subscription {
    /// Asks the bus for its rules. `force` overrules [`Unfit::NoRule`], and nothing else.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub async fn admits_replays(&self, force: bool) -> Result<(), Unfit> {
        let rules = bus::rules(&self.address, &self.topic, &self.name).await;
        let rules = rules.map_err(|error| self.known(error))?;
        let best = rules.iter().map(|rule| rule.admits(&self.name)).max();
        let words: Vec<String> = rules.iter().map(SubscriptionRule::to_string).collect();
        let (subscription, rules) = (self.name.clone(), words.join(", "));
        match best {
            Some(ReplayAdmission::Own) => Ok(()),
            Some(ReplayAdmission::Perhaps) if force => Ok(()),
            Some(ReplayAdmission::Perhaps) => Err(Unfit::NoRule { subscription, rules }),
            Some(ReplayAdmission::Never) | None => Err(Unfit::Closed { subscription, rules }),
        }
    }

    /// Names what is missing.
    pub(super) fn known(&self, error: BusError) -> Unfit {
        match error {
            BusError::NotFound(_) => Unfit::Unknown {
                topic: self.topic.clone(),
                subscription: self.name.clone(),
            },
            other => Unfit::Bus(other),
        }
    }
}
