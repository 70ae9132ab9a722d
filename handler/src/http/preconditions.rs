//! Preconditions (RFC 9110, section 13): reads them from a request's headers, and checks those of reads against the answer.
//! Those of commands are checked where the version is known: `write::Preconditions`.
//! Never lets a write happen, and never answers 304, because of a tag that cannot be read; a date that cannot be read counts for nothing.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use time::OffsetDateTime;

use super::{
    fields::{self, Backslash},
    problem::Problem,
};
use crate::write::{self, FailedPrecondition, Versions};

/// The header fields by which one request is another.
pub(super) const FIELDS: [HeaderName; 3] = [
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_NONE_MATCH,
];

/// The value of `If-Match` or `If-None-Match`.
#[derive(Debug, PartialEq, Eq)]
enum TagCondition {
    /// `*`: whatever there is.
    Any,
    /// One of these; and whether there was something among them that is no entity tag.
    OneOf(Vec<EntityTag>, bool),
}

/// An entity tag (RFC 9110, section 8.8.3).
#[derive(Debug, PartialEq, Eq)]
struct EntityTag {
    weak: bool,
    /// The text between the quotes.
    opaque: String,
}

/// The outcome of a read.
#[derive(Debug, PartialEq, Eq)]
enum ReadOutcome {
    Answered,
    NotModified,
    Refused(FailedPrecondition),
}

impl EntityTag {
    fn parse(text: &str) -> Option<Self> {
        let (weak, quoted) = match text.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let opaque = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let fine = |letter: char| letter > ' ' && letter != '"' && letter != '\u{7f}';
        opaque.chars().all(fine).then(|| Self {
            weak,
            opaque: opaque.to_owned(),
        })
    }
}

impl TagCondition {
    fn parse(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        headers.get(name)?;
        let elements = fields::list(headers, name, Backslash::IsItself);
        if elements == ["*"] {
            return Some(Self::Any);
        }
        let tags: Vec<EntityTag> = elements
            .iter()
            .filter_map(|element| EntityTag::parse(element))
            .collect();
        let broken = tags.is_empty() || tags.len() < elements.len();
        Some(Self::OneOf(tags, broken))
    }

    /// True when the tag is among these. `strong` comparison takes no weak tag (RFC 9110, section 8.8.3.2).
    fn has(&self, opaque: Option<&str>, strong: bool) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(tags, _) => tags
                .iter()
                .any(|tag| !(strong && tag.weak) && Some(tag.opaque.as_str()) == opaque),
        }
    }

    /// The versions of an aggregate that are meant. A product is read under `"<version>-<seq>"`, and changed by its version: its
    /// stock is nobody's to expect.
    fn versions(&self, strong: bool, product: bool) -> Versions {
        let Self::OneOf(tags, _) = self else {
            return Versions::Any;
        };
        let version = |tag: &EntityTag| {
            let text = tag.opaque.as_str();
            let own = text.split_once('-').filter(|_| product);
            let own = own.map_or(text, |(version, _)| version);
            // As we write it, and no other way: comparison is by character.
            let number = own.parse().ok();
            number.filter(|number: &i64| number.to_string() == own)
        };
        let fit = tags.iter().filter(|tag| !(strong && tag.weak));
        Versions::OneOf(fit.filter_map(version).collect())
    }
}

/// The preconditions of a command. An `If-None-Match` that cannot be read holds for no version, so that the write does not happen.
pub(super) fn for_command(headers: &HeaderMap, product: bool) -> write::Preconditions {
    let matches = TagCondition::parse(headers, &header::IF_MATCH);
    let none = TagCondition::parse(headers, &header::IF_NONE_MATCH);
    write::Preconditions {
        matches: matches.map(|tags| tags.versions(true, product)),
        unmodified_since: fields::date(headers, &header::IF_UNMODIFIED_SINCE),
        matches_none: none.map(|tags| match tags {
            TagCondition::OneOf(_, true) => Versions::Any,
            tags => tags.versions(false, product),
        }),
    }
}

/// The headers of a read, for [`check_read`].
#[must_use]
pub fn of_read(request: &Request) -> Option<HeaderMap> {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    is_read.then(|| request.headers().clone())
}

/// Answers a read whose preconditions do not hold with 304 or 412: in the order of section 13.2.2, and only where the answer
/// would be a success.
#[must_use]
pub fn check_read(asked: &HeaderMap, answer: Response) -> Response {
    if !answer.status().is_success() {
        return answer;
    }
    match outcome(asked, answer.headers()) {
        ReadOutcome::Answered => answer,
        ReadOutcome::Refused(unmet) => {
            Problem::from(write::WriteError::PreconditionFailed(unmet, None)).into_response()
        }
        ReadOutcome::NotModified => {
            let (mut head, _) = answer.into_parts();
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(header::CONTENT_TYPE);
            head.headers.remove(header::CONTENT_LENGTH);
            // Of unknown length: a known one, 0, would be announced, and it is that of the 200 that it stands for (section 8.6).
            let nothing = stream::empty::<Result<Bytes, Infallible>>();
            Response::from_parts(head, Body::from_stream(nothing))
        }
    }
}

fn outcome(asked: &HeaderMap, answer: &HeaderMap) -> ReadOutcome {
    let tag = answer
        .get(header::ETAG)
        .and_then(|tag| EntityTag::parse(tag.to_str().ok()?));
    let tag = tag.as_ref().map(|tag| tag.opaque.as_str());
    let changed = fields::date(answer, &header::LAST_MODIFIED);
    let later_than = |date: OffsetDateTime| changed.map(|changed| changed > date);
    match TagCondition::parse(asked, &header::IF_MATCH) {
        Some(tags) if !tags.has(tag, true) => return ReadOutcome::Refused(FailedPrecondition::IfMatch),
        Some(_) => {}
        None => {
            let since = fields::date(asked, &header::IF_UNMODIFIED_SINCE);
            if since.and_then(later_than) == Some(true) {
                return ReadOutcome::Refused(FailedPrecondition::IfUnmodifiedSince);
            }
        }
    }
    let known = match TagCondition::parse(asked, &header::IF_NONE_MATCH) {
        Some(tags) => tags.has(tag, false),
        None => {
            let since = fields::date(asked, &header::IF_MODIFIED_SINCE);
            since.and_then(later_than) == Some(false)
        }
    };
    if known {
        ReadOutcome::NotModified
    } else {
        ReadOutcome::Answered
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().cloned();
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    const BEFORE: &str = "Wed, 25 Nov 2026 08:59:59 GMT";
    const THEN: &str = "Wed, 25 Nov 2026 09:00:00 GMT";

    #[test]
    fn a_read_is_answered_by_its_preconditions_in_the_order_of_the_standard() {
        use ReadOutcome::{Answered, NotModified, Refused};
        use header::{IF_MATCH as M, IF_MODIFIED_SINCE as S, IF_NONE_MATCH as N, IF_UNMODIFIED_SINCE as U};
        let stands = headers(&[(header::ETAG, "\"3\""), (header::LAST_MODIFIED, THEN)]);
        let cases: &[(&[(HeaderName, &'static str)], ReadOutcome)] = &[
            (&[], Answered),
            (&[(M, "*")], Answered),
            (&[(M, "\"3\"")], Answered),
            (&[(M, "\"1\""), (M, "\"2\", \"3\"")], Answered),
            (&[(M, "\"4\"")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "W/\"3\"")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "3")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "*, \"9\"")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "\"a,*,b\"")], Refused(FailedPrecondition::IfMatch)),
            (&[(M, "\"a,\\\"3\"\",b\"")], Refused(FailedPrecondition::IfMatch)),
            (&[(U, THEN)], Answered),
            (&[(U, BEFORE)], Refused(FailedPrecondition::IfUnmodifiedSince)),
            (&[(U, "yesterday")], Answered),
            (&[(M, "\"3\""), (U, BEFORE)], Answered),
            (&[(N, "*")], NotModified),
            (&[(N, "\"3\"")], NotModified),
            (&[(N, "W/\"3\"")], NotModified),
            (&[(N, "\"x\""), (N, "W/\"3\"")], NotModified),
            (&[(N, "\"a,*,b\"")], Answered),
            (&[(N, "\"a,\"3\",b\"")], Answered),
            (&[(N, "3")], Answered),
            (&[(S, THEN)], NotModified),
            (&[(S, BEFORE)], Answered),
            (&[(S, "never")], Answered),
            (&[(N, "\"4\""), (S, THEN)], Answered),
            (
                &[(M, "\"4\""), (N, "\"3\"")],
                Refused(FailedPrecondition::IfMatch),
            ),
            (&[(M, "\"3\""), (N, "\"3\"")], NotModified),
        ];
        for (asked, expected) in cases {
            assert_eq!(outcome(&headers(asked), &stands), *expected, "{asked:?}");
        }
        // What has neither tag nor date is there all the same.
        let bare = HeaderMap::new();
        for (asked, expected) in [
            ((M, "*"), Answered),
            ((M, "\"3\""), Refused(FailedPrecondition::IfMatch)),
            ((N, "*"), NotModified),
            ((U, BEFORE), Answered),
            ((S, THEN), Answered),
        ] {
            assert_eq!(
                outcome(&headers(std::slice::from_ref(&asked)), &bare),
                expected,
                "{asked:?}"
            );
        }
    }

    #[test]
    fn a_command_means_the_versions_whose_tags_we_have_given_out() {
        let of = |name: HeaderName, value| for_command(&headers(&[(name, value)]), false);
        let matches = |value| of(header::IF_MATCH, value).matches;
        let none = |value| of(header::IF_NONE_MATCH, value).matches_none;
        let one_of = |versions: &[i64]| Some(Versions::OneOf(versions.to_vec()));
        assert_eq!(matches("*"), Some(Versions::Any));
        assert_eq!(matches("\"a,*,b\""), one_of(&[]));
        assert_eq!(
            matches("\"1\", W/\"2\", \"03\", \"3-1\", x, \"4\""),
            one_of(&[1, 4])
        );
        assert_eq!(none("\"1\", W/\"2\""), one_of(&[1, 2]));
        // Which versions are not wanted cannot be read: none is.
        assert_eq!(none("1"), Some(Versions::Any));
        let product = for_command(&headers(&[(header::IF_MATCH, "\"3-1\"")]), true);
        assert_eq!(product.matches, one_of(&[3]));
    }
}
