//! Which pages of other origins may call this host: `Host.CORS` of local.settings.json, as Core Tools reads it.
//! Never in Azure: there the platform or the gateway does this, and the handler has no part in it.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use hyper::{HeaderMap, Method, StatusCode, header};

use super::{
    error::Error,
    json::{self, JsonNode},
    proxy,
};

const FILE: &str = "local.settings.json";

/// The pages that may call: their origins, and whether they may send cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cors {
    origins: Vec<String>,
    credentials: bool,
}

impl Cors {
    /// `None` where nothing is said: then no header is ever added.
    pub(crate) fn read(root: &Path) -> Result<Option<Self>, Error> {
        let path = root.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let document = json::read(&path, FILE)?;
        let host = JsonNode::root(FILE, &document).get("Host");
        let Some(list) = host.get("CORS").text()? else {
            return Ok(None);
        };
        let origins: Vec<String> = list
            .split(',')
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect();
        let credentials = host.get("CORSCredentials").flag()? == Some(true);
        let any = origins.iter().any(|origin| origin == "*");
        if any && credentials {
            let rule = "cannot be true while CORS is \"*\": browsers refuse that";
            return Err(host.get("CORSCredentials").error(rule));
        }
        Ok((!origins.is_empty()).then_some(Self { origins, credentials }))
    }

    /// Answers preflight requests, and marks the answers that a page of an allowed origin may read.
    pub(crate) fn layer(cors: Option<Self>, router: Router) -> Router {
        match cors {
            Some(cors) => router.layer(middleware::from_fn_with_state(Arc::new(cors), answer)),
            None => router,
        }
    }

    fn takes_any(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// Adds what the origin of these headers is allowed; nothing when that is nothing.
    fn allow(&self, asked: &HeaderMap, answer: &mut Response) -> bool {
        let Some(origin) = asked.get(header::ORIGIN) else {
            return false;
        };
        let named = self.origins.iter().any(|allowed| origin == allowed.as_str());
        let headers = answer.headers_mut();
        if self.takes_any() {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_ORIGIN,
                header::HeaderValue::from_static("*"),
            );
            return true;
        }
        if self.origins.len() > 1 {
            headers.append(header::VARY, header::HeaderValue::from_static("Origin"));
        }
        if !named {
            return false;
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            let yes = header::HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        true
    }
}

async fn answer(State(cors): State<Arc<Cors>>, request: Request, next: Next) -> Response {
    let asked = request.headers().clone();
    let method = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD).cloned();
    let is_preflight = request.method() == Method::OPTIONS && asked.contains_key(header::ORIGIN);
    let (Some(method), true) = (method, is_preflight) else {
        let mut answer = next.run(request).await;
        cors.allow(&asked, &mut answer);
        return answer;
    };
    // A preflight never reaches a function, wherever it comes from.
    let mut answer = proxy::empty(StatusCode::NO_CONTENT);
    if cors.allow(&asked, &mut answer) {
        answer
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            answer
                .headers_mut()
                .insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
    }
    answer
}
