//! Reads a body as JSON of the shape that the API's description gives, or finds all of its faults at once.
//! Never tells a caller the names of our types, nor more of the input than shows which part is meant.

mod faults;
mod rules;
mod schema;
mod shape;

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::access::Scope;
use crate::json::JsonTree;
pub(super) use faults::BodyFaults;
use schema::BodySchema;

/// A type that a body can be.
pub(super) trait BodyType: DeserializeOwned + JsonSchema + 'static {}

impl<T: DeserializeOwned + JsonSchema + 'static> BodyType for T {}

/// The reason for which a body is not read.
#[derive(Debug)]
pub(super) enum BodyError {
    /// It is not JSON; the words say where it stops to be.
    NotJson(String),
    /// It is JSON, with these faults.
    Wrong(BodyFaults),
}

/// The body as a `T`, from a caller whose call reaches this far.
pub(super) fn read<T: BodyType>(bytes: &[u8], scope: Scope) -> Result<T, BodyError> {
    let mut tree: JsonTree =
        serde_json::from_slice(bytes).map_err(|error| BodyError::NotJson(error.to_string()))?;
    let mut faults = BodyFaults::default();
    shape::check(&schema::<T>(), &mut tree, scope, &mut faults);
    if faults.count() > 0 {
        return Err(BodyError::Wrong(faults));
    }
    // What the schema does not say, the type may still refuse: a time out of range.
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => index.to_string(),
            other => other.to_string(),
        };
        let steps: Vec<String> = error.path().iter().map(step).collect();
        faults.at(&steps, |faults| faults.add(error.inner().to_string()));
        BodyError::Wrong(faults)
    })
}

/// The schema of a type, made once.
fn schema<T: BodyType>() -> Arc<BodySchema> {
    static SCHEMAS: LazyLock<RwLock<HashMap<TypeId, Arc<BodySchema>>>> = LazyLock::new(RwLock::default);
    let id = TypeId::of::<T>();
    let known = SCHEMAS
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned();
    known.unwrap_or_else(|| {
        let mut schemas = SCHEMAS.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            schemas
                .entry(id)
                .or_insert_with(|| Arc::new(BodySchema::for_type::<T>())),
        )
    })
}
