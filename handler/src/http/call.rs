//! The part that all calls share: the caller and their scope, and for a command its headers and body.
//! Never lets a call through that has no access rule.

use std::convert::Infallible;

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, HeaderName, request::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    AppState,
    access::{AccessRule, Scope},
    body,
    content::BodyType,
    preconditions,
    principal::principal,
    problem::{Problem, ProblemKind},
};
use crate::{
    domain::{command::Command, timestamp::Timestamp},
    jobs::Requester,
    write::{AcceptedCommand, CommandContext, IdempotencyKey, Preconditions, WriteError},
};

/// The caller of a call that they may make.
pub(super) struct Caller {
    /// Their stable id.
    pub(super) id: String,
    /// The things that the call may see and change.
    pub(super) scope: Scope,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = principal(&parts.headers, &state.auth)?;
        let Some(access) = parts.extensions.get::<AccessRule>() else {
            tracing::error!(path = parts.uri.path(), "call_without_access_rule");
            return Err(Problem::new(ProblemKind::Forbidden, "nobody may make this call"));
        };
        let scope = access.admit(&caller)?;
        Ok(Self { id: caller.id, scope })
    }
}

/// The name in a path; one that cannot be read is empty, and names nothing that exists.
pub(super) struct PathId(pub(super) String);

impl FromRequestParts<AppState> for PathId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let read = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(read.map(|Path(name)| name).unwrap_or_default()))
    }
}

/// A command's body, and the call that it came with.
pub(super) struct CommandRequest<T> {
    pub(super) call: CommandCall,
    pub(super) body: T,
}

/// A command's call: its caller, and what its headers say.
pub(super) struct CommandCall {
    state: AppState,
    pub(super) caller: Caller,
    traceparent: Option<String>,
    preconditions: Preconditions,
    /// The Idempotency-Key, with a digest of the whole request.
    once: Option<IdempotencyKey>,
}

impl<T: BodyType> FromRequest<AppState> for CommandRequest<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        // It has been read and measured already: `body::buffer`.
        let sent = to_bytes(body, usize::MAX).await;
        let sent = sent.map_err(|error| Problem::broken(error.to_string()))?;
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let scope = caller.scope;
        let of_product = parts.uri.path().starts_with("/api/products/");
        let key = idempotency_key(&parts.headers)?;
        let call = CommandCall {
            state: state.clone(),
            caller,
            preconditions: preconditions::for_command(&parts.headers, of_product),
            once: key.map(|key| IdempotencyKey {
                key,
                fingerprint: fingerprint(&parts, &sent),
            }),
            traceparent: traceparent(&parts.headers),
        };
        Ok(Self {
            call,
            body: body::parse(&parts.headers, &sent, scope)?,
        })
    }
}

impl CommandCall {
    /// Refuses what is not to be made, of a job: that has no versions.
    pub(super) fn check_creates(&self) -> Result<(), Problem> {
        let unmet = self.preconditions.hold(None, None).err();
        unmet.map_or(Ok(()), |unmet| {
            Err(WriteError::PreconditionFailed(unmet, None).into())
        })
    }

    /// Refuses what is not to be changed, of what is there and has no versions: no tag is its own.
    pub(super) fn check_changes(&self) -> Result<(), Problem> {
        let unmet = self.preconditions.hold(Some(0), None).err();
        unmet.map_or(Ok(()), |unmet| {
            Err(WriteError::PreconditionFailed(unmet, None).into())
        })
    }

    /// The caller as one who asks for a job, and the key of the request.
    pub(super) fn requester(&self) -> Requester<'_> {
        let once = self.once.as_ref();
        Requester {
            by: &self.caller.id,
            key: once.map(|once| (once.key.as_str(), once.fingerprint.as_str())),
        }
    }

    /// Runs the command; ids and time of its event are made here, once for the request.
    pub(super) async fn execute(self, command: Command) -> Result<AcceptedCommand, Problem> {
        let writer = self
            .state
            .writer
            .ok_or_else(|| Problem::not_configured("PostgreSQL"))?;
        let context = CommandContext {
            event_id: Uuid::now_v7(),
            at: now()?,
            caller: self.caller.id,
            only: self.caller.scope.only(),
            traceparent: self.traceparent,
            preconditions: self.preconditions,
            idempotency_key: self.once,
        };
        Ok(writer.execute(command, context).await?)
    }
}

/// The form that W3C Trace Context gives it (version 00, section 3.2): anything else is not worth keeping for ever. A trace
/// or a span of nothing but zeros is none.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = parts.iter().map(|part| part.len());
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    lengths.eq([2, 32, 16, 2])
        && parts.iter().all(|part| part.bytes().all(hex))
        && parts[0] != "ff"
        && parts[1..3].iter().all(|id| id.bytes().any(|byte| byte != b'0'))
}

/// `traceparent`, where there is one of it.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let mut lines = headers.get_all("traceparent").iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let text = line.to_str().ok()?;
    is_traceparent(text).then(|| text.to_owned())
}

/// 1 to 255 visible ASCII characters, in quotes as the draft has it or bare as most clients send it.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let bare = quoted.unwrap_or(text);
    let sound =
        (1..=255).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if sound && values.next().is_none() {
        return Ok(Some(bare.to_owned()));
    }
    let rule = "send one Idempotency-Key, of 1 to 255 visible ASCII characters";
    Err(Problem::new(ProblemKind::InvalidIdempotencyKey, rule))
}

/// A digest of the parts that make a request the same as another: method, path, preconditions and body.
fn fingerprint(parts: &Parts, sent: &Bytes) -> String {
    let values = |name: &HeaderName| {
        let values = parts.headers.get_all(name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        values.join(",")
    };
    let [tags, others @ ..] = &preconditions::FIELDS;
    let mut head = format!("{} {}\n{}\n", parts.method, parts.uri.path(), values(tags));
    for name in others.iter().filter(|name| parts.headers.contains_key(*name)) {
        head.push_str(&format!("{name}: {}\n", values(name)));
    }
    STANDARD.encode(Sha256::new().chain_update(head).chain_update(sent).finalize())
}

/// In whole microseconds, which is what PostgreSQL keeps: state in the log and state in the tables stay equal.
fn now() -> Result<Timestamp, Problem> {
    let now = OffsetDateTime::now_utc();
    let whole = now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now);
    Timestamp::try_from(whole).map_err(|rule| Problem::broken(rule.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_kept_when_it_is_one() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        assert!(is_traceparent(&format!("00-{trace}-{span}-01")));
        for bad in [
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}"),
            String::new(),
        ] {
            assert!(!is_traceparent(&bad), "{bad}");
        }
    }
}
