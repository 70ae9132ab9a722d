//! What containers are, so that it is not asked for with each request.
//! It never outlives a request that may have changed one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// The definitions that have been asked for, by the container's path.
#[derive(Debug, Default)]
pub(super) struct Definitions(Mutex<HashMap<String, Arc<Value>>>);

impl Definitions {
    pub(super) fn get(&self, path: &str) -> Option<Arc<Value>> {
        self.lock().get(path).map(Arc::clone)
    }

    pub(super) fn keep(&self, path: &str, definition: Value) -> Arc<Value> {
        let definition = Arc::new(definition);
        self.lock().insert(path.to_owned(), Arc::clone(&definition));
        definition
    }

    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
