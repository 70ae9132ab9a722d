//! Everything outside the processes, and what they share.
//! Never does anything itself.

use std::sync::Arc;

use crate::{
    database::SimulatedDatabase, documents::SimulatedStore, fault_plan::FaultPlan, job_table::JobTable,
    topic::SimulatedTopic,
};

/// Everything that processes share and that outlives them.
#[derive(Clone)]
pub(crate) struct Environment {
    pub(crate) plan: Arc<FaultPlan>,
    pub(crate) database: Arc<SimulatedDatabase>,
    pub(crate) topic: Arc<SimulatedTopic>,
    pub(crate) documents: Arc<SimulatedStore>,
    pub(crate) jobs: Arc<JobTable>,
    /// Messages that a host hands over at the same time.
    pub(crate) together: usize,
}
