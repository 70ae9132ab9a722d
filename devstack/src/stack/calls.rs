//! The part of the system that serves a call, by the API's description.
//! It never asks a host: what is in no description is everybody's.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::parts::Part;

/// The description, in the repository.
const DESCRIPTION: &str = "docs/openapi.json";

/// The calls of the API, each with its part.
#[derive(Debug)]
pub(super) struct CallTable(Vec<(String, String, Part)>);

impl CallTable {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text =
            std::fs::read(root.join(DESCRIPTION)).with_context(|| format!("cannot read {DESCRIPTION}"))?;
        let document: Value = serde_json::from_slice(&text).context(DESCRIPTION)?;
        let mut calls = Vec::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, call) in methods.as_object().into_iter().flatten() {
                let part = call["x-part"].as_str().and_then(Part::named);
                calls.extend(part.map(|part| (method.to_uppercase(), path.clone(), part)));
            }
        }
        Ok(Self(calls))
    }

    /// The part of this call; `None` where each serves it.
    pub(super) fn part(&self, method: &str, path: &str) -> Option<Part> {
        let path = path.split('?').next().unwrap_or_default();
        let mut calls = self.0.iter();
        let found = calls.find(|(its, template, _)| its == method && fits(template, path));
        found.map(|(.., part)| *part)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(expected), Some(found)) if expected == found || expected.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_folder::workspace_root;

    #[test]
    fn each_call_of_the_description_leads_to_its_part() {
        let table = CallTable::read(&workspace_root()).expect("it is readable");
        for (method, path, part) in [
            ("POST", "/api/orders", Some(Part::Command)),
            ("GET", "/api/orders?limit=3", Some(Part::Query)),
            ("GET", "/api/orders/7", Some(Part::Query)),
            ("GET", "/api/operations/status", Some(Part::Operator)),
            ("GET", "/api/health", None),
            ("GET", "/api/orders/7/nothing", None),
        ] {
            assert_eq!(table.part(method, path), part, "{method} {path}");
        }
    }
}
