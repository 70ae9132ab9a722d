//! Pages of lists: `limit`, `cursor`, and `Link: <…>; rel="next"` (RFC 8288).
//! Never puts a key of the platform into the address of the next page.

use std::{collections::BTreeMap, convert::Infallible};

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::Serialize;
use url::form_urlencoded;

use super::conditional;
use crate::{
    domain::order::OrderStatus,
    http::{
        AppState,
        problem::{Problem, ProblemKind},
        query,
    },
    read::view::{Page, PageRequest},
};

/// Items on a page where the caller does not say, and most that there can be.
const USUAL_LIMIT: usize = 50;
const LONGEST: usize = 200;

/// The query part of a URL, each parameter once.
pub(in crate::http) struct QueryParameters(BTreeMap<String, String>);

impl FromRequestParts<AppState> for QueryParameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Infallible> {
        Ok(Self(query::pairs(parts.uri.query()).collect()))
    }
}

/// A page as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(in crate::http) struct PageAnswer<T> {
    /// The items, in the list's order.
    items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl QueryParameters {
    pub(in crate::http) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `status`, if there is one.
    pub(super) fn status(&self) -> Result<Option<OrderStatus>, Problem> {
        let Some(text) = self.get("status") else {
            return Ok(None);
        };
        let status = OrderStatus::ALL.into_iter().find(|status| status.name() == text);
        let names = || OrderStatus::ALL.map(OrderStatus::name).join(", ");
        status
            .map(Some)
            .ok_or_else(|| invalid(format!("status is one of {}", names())))
    }

    /// `limit` and `cursor`; `key` reads a key that one of our cursors holds.
    pub(in crate::http) fn request<K>(
        &self,
        key: impl FnOnce(String) -> Option<K>,
    ) -> Result<PageRequest<K>, Problem> {
        let limit = match self.get("limit") {
            None => USUAL_LIMIT,
            Some(text) => {
                let limit = text.parse().ok().filter(|limit| (1..=LONGEST).contains(limit));
                limit.ok_or_else(|| invalid(format!("limit is a whole number from 1 to {LONGEST}")))?
            }
        };
        let after = match self.get("cursor") {
            None => None,
            Some(text) => {
                let bytes = URL_SAFE_NO_PAD.decode(text).ok();
                let after = bytes
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .and_then(key);
                Some(after.ok_or_else(|| invalid("cursor is not one of ours".to_owned()))?)
            }
        };
        Ok(PageRequest { limit, after })
    }

    /// The page, with the address of the next one; `key` is what a cursor remembers of the last item.
    pub(in crate::http) fn answer<T: Serialize>(
        &self,
        page: Page<T>,
        key: impl FnOnce(&T) -> String,
    ) -> Result<Response, Problem> {
        let last = page.items.last().filter(|_| page.more);
        let next = last.map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        let link = next.as_deref().map(|cursor| self.link(cursor));
        let mut answer = conditional::list(&PageAnswer {
            items: page.items,
            next,
        })?;
        if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            answer.headers_mut().insert(header::LINK, link);
        }
        Ok(answer)
    }

    /// Relative to the address that was asked, which is another one outside API Management than behind it.
    fn link(&self, cursor: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.0.iter().filter(|(name, _)| *name != "cursor"));
        query.append_pair("cursor", cursor);
        format!("<?{}>; rel=\"next\"", query.finish())
    }
}

/// A parameter that cannot be.
pub(super) fn invalid(detail: String) -> Problem {
    Problem::new(ProblemKind::InvalidQuery, detail)
}
