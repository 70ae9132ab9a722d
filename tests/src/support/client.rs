//! Requests to the API, and their answers.
//! Never judges a status: a test does.

use std::sync::Arc;

use bytes::Bytes;
use devstack::stack::Stack;
use handler::config::Part;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{DEADLINE, parts::part_of};

/// Speaks the API at one address.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    /// Where the calls of each part go, when each has a process of its own.
    parts: Arc<[(Part, String)]>,
    /// Sent with every request.
    headers: Vec<(String, String)>,
    http: HttpClient<HttpConnector, Full<Bytes>>,
}

/// One request to the API, with a body of JSON.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str, body: Value) -> Self {
        Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
            body,
        }
    }

    pub(crate) fn post(path: &str, body: Value) -> Self {
        Self::new("POST", path, body)
    }

    pub(crate) fn put(path: &str, body: Value) -> Self {
        Self::new("PUT", path, body)
    }
}

/// An answer with its body as JSON (null when it is none).
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The id of what the answer shows.
    pub(crate) fn id(&self) -> &str {
        self.body["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no id: {self:?}"))
    }
}

impl Client {
    /// Where its commands go.
    pub(crate) fn address(&self) -> &str {
        self.url_of("POST", "/api/orders").trim_start_matches("http://")
    }

    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            parts: Arc::default(),
            headers: Vec::new(),
            http: HttpClient::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Speaks the API of a stack, whichever host serves a call; what each serves, that of operators.
    pub(crate) fn of(stack: &Stack) -> Self {
        let urls = stack.urls().into_iter().filter_map(|(part, url)| {
            let part = Part::ALL
                .into_iter()
                .find(|its| Some(its.name()) == part.map(|part| part.name()));
            Some((part?, url.to_owned()))
        });
        Self::over(urls.collect(), stack.url())
    }

    /// Speaks the API of several processes, each with its part; `whole` where there is one for all.
    pub(super) fn over(urls: Vec<(Part, String)>, whole: &str) -> Self {
        let operators = urls.iter().find(|(part, _)| *part == Part::Operator);
        let url = operators.map_or(whole, |(_, url)| url).to_owned();
        Self {
            parts: urls.into(),
            ..Self::new(url)
        }
    }

    /// Where this request goes.
    fn url_of(&self, method: &str, path: &str) -> &str {
        if self.parts.is_empty() {
            return &self.url;
        }
        let part = part_of(method, path);
        let mut urls = self.parts.iter();
        let found = urls.find(|(its, _)| part == Some(*its));
        found.map_or(&self.url, |(_, url)| url)
    }

    /// The same client, which sends this header with every request.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.try_send(method, path, body, headers)
            .await
            .expect("an answer")
    }

    /// Like [`Self::send`], where the answer may be lost.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<String>,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url_of(method, path)));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.into()))).unwrap();
        self.answer(request).await
    }

    /// The answer, or `None` when the connection broke before it was complete.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let response = timeout(DEADLINE, self.http.request(request))
            .await
            .unwrap()
            .ok()?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Some(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(&Call::post(path, body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(&Call::put(path, body)).await
    }

    pub(crate) async fn call(&self, call: &Call) -> Answer {
        self.try_call(call).await.expect("an answer")
    }

    /// Like [`Self::call`], where the answer may be lost.
    pub(crate) async fn try_call(&self, call: &Call) -> Option<Answer> {
        let json = [("content-type", "application/json")];
        self.try_send(&call.method, &call.path, call.body.to_string(), &json)
            .await
    }
}
