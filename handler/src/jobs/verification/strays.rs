//! Documents of orders, customers and products that the log knows nothing of: a message was forged.
//! Never takes a document for made up because it is newer than what was compared: it is the log of now that is asked.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::{PartialReport, VerificationReport, is_chosen};
use crate::{
    jobs::{
        engine::{JobError, StepContext, patiently},
        read_model::ReadModelAdmin,
    },
    log::LogStore,
    read::{
        connection::CosmosContainer,
        document::{customer::CUSTOMER, order::ORDER, product::PRODUCT},
        store::{Collection, DocumentSearch, FoundDocument},
    },
};

/// The containers in which each aggregate has one document, of a kind that is called as its id is. Its others are beside this one.
const PLACES: [(CosmosContainer, &str); 3] = [
    (CosmosContainer::Orders, ORDER),
    (CosmosContainer::Customers, CUSTOMER),
    (CosmosContainer::Products, PRODUCT),
];
/// Most documents of one step.
const STEP: u32 = 200;
/// A query over all partitions may take so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The progress of this part.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct StrayCursor {
    /// Places that are looked through.
    searched: usize,
    /// Partitions up to this one are, in the place that is next.
    after: String,
}

impl StrayCursor {
    /// Looks through some more; true when there is no more. Strays are in the report then.
    pub(super) async fn advance(
        &mut self,
        admin: &ReadModelAdmin<impl LogStore, impl Collection>,
        percent: u32,
        report: &mut VerificationReport,
        context: &StepContext<'_>,
    ) -> Result<bool, JobError> {
        let Some((container, kind)) = PLACES.get(self.searched) else {
            return Ok(true);
        };
        let of = report.generation;
        let store = admin.container(*container);
        let search = DocumentSearch::OfKind {
            generation: of,
            kind,
            after: &self.after,
            most: STEP,
        };
        let found: Vec<Value> = patiently(|| async { Ok(store.find(search, PATIENCE).await?) }).await?;
        let Some(last) = found.last() else {
            (self.searched, self.after) = (self.searched + 1, String::new());
            return Ok(false);
        };
        let last = place(last).to_owned();
        let prefix = of.partition("");
        let streams = found
            .iter()
            .filter_map(|document| place(document).strip_prefix(&prefix));
        let streams: Vec<String> = streams
            .filter(|stream| is_chosen(stream, percent))
            .map(str::to_owned)
            .collect();
        let absent = patiently(|| async { Ok(admin.log.absent(&streams).await?) }).await?;
        // Only now: what a step knows is kept even when the rest of it fails.
        self.after = last;
        let absent: BTreeSet<String> = absent.iter().map(|stream| of.partition(stream)).collect();
        let mut compared = PartialReport::default();
        for document in found
            .into_iter()
            .filter(|document| absent.contains(place(document)))
        {
            let pk = place(&document).to_owned();
            compared.document(
                (&pk, kind),
                None,
                Some(FoundDocument::Document(own_fields(document))),
                false,
            );
        }
        report.add(compared);
        context.progress("documents looked up in the log", report.documents, 0);
        Ok(false)
    }
}

fn place(document: &Value) -> &str {
    document["pk"].as_str().unwrap_or_default()
}

/// Without what Cosmos DB adds to each.
fn own_fields(mut document: Value) -> Value {
    if let Some(fields) = document.as_object_mut() {
        fields.retain(|name, _| !name.starts_with('_'));
    }
    document
}
