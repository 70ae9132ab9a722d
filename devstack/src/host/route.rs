//! Route templates: which paths fit them, names without case.
//! It never says which of two routes goes first: the real host has no order but that of the functions' names.

use serde_json::{Map, Value};

use super::path;

/// The first segments of the host's own paths.
const RESERVED: [&str; 2] = ["admin", "runtime"];

/// A parsed template, with the route prefix in front.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    segments: Vec<Segment>,
    text: String,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        constraint: Option<Constraint>,
        optional: bool,
    },
    CatchAll {
        name: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Constraint {
    Integer,
    Guid,
    Alpha,
    Bool,
}

impl Route {
    pub(crate) fn parse(prefix: &str, template: &str) -> Result<Self, String> {
        let text = format!("{prefix}/{}", template.trim_matches('/'));
        let text = text.trim_matches('/').to_owned();
        let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
        let segments = parts
            .iter()
            .map(|part| Segment::parse(part))
            .collect::<Result<Vec<_>, _>>()?;
        let open = |segment: &Segment| {
            matches!(
                segment,
                Segment::CatchAll { .. } | Segment::Parameter { optional: true, .. }
            )
        };
        let inner = segments.len().saturating_sub(1);
        if segments[..inner].iter().any(open) {
            return Err("has a catch-all or an optional parameter before its end".to_owned());
        }
        Ok(Self { segments, text })
    }

    /// The template with its prefix, without a leading slash.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_reserved(&self) -> bool {
        matches!(self.segments.first(), Some(Segment::Literal(first)) if RESERVED.contains(&first.as_str()))
    }

    /// A slash at the end counts for nothing; an empty segment matches nothing, unless it is inside a catch-all.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut parts = segments(path);
        for segment in &self.segments {
            match (segment, parts.next()) {
                (_, Some("")) => return false,
                (Segment::CatchAll { .. }, _) => return true,
                (Segment::Parameter { optional: true, .. }, None) => return true,
                (Segment::Literal(text), Some(part)) if part.eq_ignore_ascii_case(text) => {}
                (Segment::Parameter { constraint, .. }, Some(part))
                    if constraint.is_none_or(|constraint| constraint.accepts(part)) => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }

    /// The parameters of a path that matches, by name.
    pub(crate) fn values(&self, path: &str) -> Map<String, Value> {
        let mut parts = segments(path);
        let mut values = Map::new();
        let mut put = |name: &str, text: &str| {
            let text = path::decode(text).unwrap_or_default();
            drop(values.insert(name.to_owned(), Value::from(text)));
        };
        for segment in &self.segments {
            match segment {
                Segment::CatchAll { name } => {
                    put(name, &parts.by_ref().collect::<Vec<_>>().join("/"));
                }
                Segment::Parameter { name, .. } => put(name, parts.next().unwrap_or_default()),
                Segment::Literal(_) => {
                    parts.next();
                }
            }
        }
        values
    }

    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&Segment, &Segment)| match (a, b) {
            (Segment::Literal(a), Segment::Literal(b)) => a == b,
            (Segment::Parameter { constraint: a, .. }, Segment::Parameter { constraint: b, .. }) => a == b,
            (Segment::CatchAll { .. }, Segment::CatchAll { .. }) => true,
            _ => false,
        };
        self.segments.len() == other.segments.len() && self.segments.iter().zip(&other.segments).all(same)
    }
}

/// True when the path belongs to the host itself, so that not even a catch-all gets it.
pub(crate) fn is_reserved(path: &str) -> bool {
    let first = segments(path).next().unwrap_or_default();
    RESERVED.iter().any(|word| first.eq_ignore_ascii_case(word))
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    (!path.is_empty()).then(|| path.split('/')).into_iter().flatten()
}

impl Segment {
    fn parse(part: &str) -> Result<Self, String> {
        let Some(inner) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            if part.contains(['{', '}']) {
                return Err(format!(
                    "mixes text and a parameter in '{part}', which the stand-in does not match"
                ));
            }
            return Ok(Self::Literal(part.to_ascii_lowercase()));
        };
        if inner.starts_with('*') {
            let name = inner.trim_start_matches('*').to_owned();
            return Ok(Self::CatchAll { name });
        }
        let (inner, optional) = inner
            .strip_suffix('?')
            .map_or((inner, false), |inner| (inner, true));
        let (name, constraint) = inner
            .split_once(':')
            .map_or((inner, None), |(name, c)| (name, Some(c)));
        if name.is_empty() || name.contains(['{', '}', '=']) {
            return Err(format!("has a parameter that cannot be read: '{part}'"));
        }
        let constraint = match constraint {
            None => None,
            Some("int" | "long") => Some(Constraint::Integer),
            Some("guid") => Some(Constraint::Guid),
            Some("alpha") => Some(Constraint::Alpha),
            Some("bool") => Some(Constraint::Bool),
            Some(other) => return Err(format!("has a constraint the stand-in does not check: '{other}'")),
        };
        Ok(Self::Parameter {
            name: name.to_owned(),
            constraint,
            optional,
        })
    }
}

impl Constraint {
    fn accepts(self, part: &str) -> bool {
        match self {
            Self::Integer => part.parse::<i64>().is_ok(),
            Self::Guid => uuid::Uuid::parse_str(part).is_ok(),
            Self::Alpha => part.chars().all(|letter| letter.is_ascii_alphabetic()),
            Self::Bool => part.eq_ignore_ascii_case("true") || part.eq_ignore_ascii_case("false"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(template: &str) -> Route {
        Route::parse("api", template).expect("a valid template")
    }

    #[test]
    fn a_template_matches_whole_segments_without_case() {
        assert!(route("orders/{id}").matches("/API/Orders/42"));
        assert!(!route("orders/{id}").matches("/api/orders"));
        assert!(!route("orders/{id}").matches("/api/orders/42/payment"));
        assert!(route("orders/{id?}").matches("/api/orders"));
        assert!(route("{*rest}").matches("/api/a/b/c"));
        assert!(!route("{id:int}").matches("/api/x"));
    }

    #[test]
    fn a_trailing_slash_is_ignored_and_only_a_catch_all_matches_empty_segments() {
        for path in ["/api", "/api/", "/api/a/", "/api/a//b"] {
            assert!(route("{*rest}").matches(path), "{path}");
        }
        assert!(!route("{*rest}").matches("/api//a"));
        assert!(route("orders/{id}").matches("/api/orders/42/"));
        assert!(!route("orders/{id}").matches("/api//orders/42"));
        assert!(!route("orders/{id}").matches("/api/orders//"));
    }

    #[test]
    fn the_parameters_of_a_path_are_read_by_name() {
        let values = route("orders/{id}/{*rest}").values("/api/orders/a%20b/c/d");
        assert_eq!(
            Value::from(values),
            serde_json::json!({ "id": "a b", "rest": "c/d" })
        );
    }
}
