//! What a body says: JSON of the shape that the API's description gives, or all that is wrong with it at once.
//! Never tells a caller the names of types of ours, nor more of the input than shows what is meant.

mod faults;
mod shape;
pub(super) mod tree;

use std::{
    any::TypeId,
    collections::HashMap,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

pub(super) use faults::Faults;
use shape::Shape;
use tree::Tree;

/// A type that a body can be.
pub(super) trait Content: DeserializeOwned + JsonSchema + 'static {}

impl<T: DeserializeOwned + JsonSchema + 'static> Content for T {}

/// Why a body is not what was asked for.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is not JSON; the words say where it stops to be.
    NotJson(String),
    /// It is JSON, with these faults.
    Wrong(Faults),
}

/// The body as a `T`.
pub(super) fn read<T: Content>(bytes: &[u8]) -> Result<T, Unread> {
    let mut tree: Tree = serde_json::from_slice(bytes).map_err(|error| Unread::NotJson(error.to_string()))?;
    let mut faults = Faults::default();
    shape::<T>().check(&mut tree, &mut faults);
    if faults.count() > 0 {
        return Err(Unread::Wrong(faults));
    }
    // What the schema does not say, the type may still refuse: a time out of range.
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => index.to_string(),
            other => other.to_string(),
        };
        let steps: Vec<String> = error.path().iter().map(step).collect();
        faults.at(&steps, |faults| faults.add(error.inner().to_string()));
        Unread::Wrong(faults)
    })
}

/// The shape of a type, made once.
fn shape<T: Content>() -> Arc<Shape> {
    static SHAPES: LazyLock<RwLock<HashMap<TypeId, Arc<Shape>>>> = LazyLock::new(RwLock::default);
    let id = TypeId::of::<T>();
    let known = SHAPES
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&id)
        .cloned();
    known.unwrap_or_else(|| {
        let mut shapes = SHAPES.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shapes.entry(id).or_insert_with(|| Arc::new(Shape::of::<T>())))
    })
}
