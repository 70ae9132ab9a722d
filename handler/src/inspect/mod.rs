//! What operators look at: how the system is, and one order over every hop.
//! Never changes, locks or counts anything.

mod difference;
mod explanation;
mod status;

pub use difference::difference;
pub use explanation::{DocumentDifference, ExplainedEvent, OrderExplanation, explain};
pub use status::{OutboxStatus, SubscriptionStatus, SystemStatus, status};
