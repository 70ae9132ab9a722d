//! The query part of a URL: each call has the parameters that its description names.
//! Never takes one that it does not know: a misspelt `dryRun` would silently be none.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::problem::{Problem, ProblemKind};
use crate::domain::quote;

/// Parameters that are not ours: the Functions host's key, and API Management's.
const OF_PLATFORM: [&str; 2] = ["code", "subscription-key"];

/// The parameters that are for us, in their order.
pub(super) fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let ours = pairs.filter(|(name, _)| !OF_PLATFORM.contains(&&**name));
    ours.map(|(name, value)| (name.into_owned(), value.into_owned()))
}

/// Lets a call through that has no parameters but these, each at most once.
pub(super) async fn refuse_unknown(known: Arc<[&'static str]>, request: Request, next: Next) -> Response {
    let mut seen = BTreeSet::new();
    for (name, _) in pairs(request.uri().query()) {
        let Some(name) = known.iter().find(|known| **known == name) else {
            let there_is = match known[..] {
                [] => "none".to_owned(),
                _ => known.join(", "),
            };
            let detail = format!("{} is unknown here; there is {there_is}", quote::brief(&name));
            return Problem::new(ProblemKind::InvalidQuery, detail).into_response();
        };
        if !seen.insert(name) {
            return Problem::new(
                ProblemKind::InvalidQuery,
                format!("{name} is there more than once"),
            )
            .into_response();
        }
    }
    next.run(request).await
}
