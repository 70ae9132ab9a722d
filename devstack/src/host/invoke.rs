//! Calls a function as `POST /<Name>` and reads the answer by the rules of the real host.
//! It never hangs on an empty answer, as the real host does: it fails the call and names the function.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{HeaderMap, Request, header};
use serde_json::Value;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};
use uuid::Uuid;

use super::{
    client::Http,
    handler::Handler,
    log::{Level, Logger},
};

/// The version in the headers: a recent one of the v4 host.
pub(crate) const VERSION: &str = "4.1052.200.0";
const READY_LIMIT: Duration = Duration::from_secs(120);

/// Calls functions of the one handler; cheap to clone.
#[derive(Clone)]
pub(crate) struct Invoker {
    pub(crate) handler: Handler,
    pub(crate) client: Http,
    pub(crate) logger: Logger,
    pub(crate) timeout: Option<Duration>,
    /// Counts the calls in flight, for a stop that waits for them.
    pub(crate) tracker: TaskTracker,
}

impl Invoker {
    /// Marks a call as being in flight until the token is dropped.
    pub(crate) fn track(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Waits for a handler that is starting, as long as the real host does.
    pub(crate) async fn wait_ready(&self) -> Result<(), String> {
        let ready = tokio::time::timeout(READY_LIMIT, self.handler.ready()).await;
        ready.unwrap_or_else(|_| Err("the handler did not get ready in 120 s".to_owned()))
    }

    /// Runs `call` under functionTimeout, after which the handler is killed with all it is doing.
    pub(crate) async fn limited<T>(
        &self,
        name: &str,
        id: Uuid,
        call: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let Some(limit) = self.timeout else {
            return call.await;
        };
        let pid = self.handler.pid();
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => {
                self.logger.warning(format!(
                    "A function timeout has occurred. Restarting worker process executing invocationId '{id}'."
                ));
                self.handler.restart(pid);
                Err(format!(
                    "Timeout value of {limit:?} exceeded by function 'Functions.{name}' (Id: '{id}')."
                ))
            }
        }
    }

    /// Calls the function; `Err` means that the trigger has to treat the call as failed.
    pub(crate) async fn invoke(&self, name: &str, body: Value) -> Result<(), String> {
        let _running = self.track();
        let id = Uuid::new_v4();
        let result = match self.wait_ready().await {
            Ok(()) => self.limited(name, id, self.call(name, id, body)).await,
            Err(reason) => Err(reason),
        };
        match &result {
            Ok(()) => self
                .logger
                .debug(format!("Executed 'Functions.{name}' (Succeeded, Id={id})")),
            Err(reason) => {
                self.logger
                    .error(format!("Executed 'Functions.{name}' (Failed, Id={id}): {reason}"));
            }
        }
        result
    }

    async fn call(&self, name: &str, id: Uuid, body: Value) -> Result<(), String> {
        let bytes = serde_json::to_vec(&body).map_err(|error| error.to_string())?;
        // A stream has no length, so the body is sent chunked as the real host sends it.
        let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(bytes))]);
        let request = Request::post(format!("http://127.0.0.1:{}/{name}", self.handler.port()))
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::USER_AGENT, format!("Azure-Functions-Host/{VERSION}"))
            .header("x-azure-functions-hostversion", VERSION)
            .header("x-azure-functions-invocationid", id.to_string())
            .header("traceparent", traceparent())
            .body(Body::from_stream(stream))
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| chain(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| chain(&error))?.to_bytes();
        if !head.status.is_success() {
            return Err(format!(
                "Response status code does not indicate success: {}.",
                head.status
            ));
        }
        self.answer(name, &head.headers, &body)
    }

    fn answer(&self, name: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
        let nothing = format!(
            "function '{name}' answered with an empty body: the real host would hang until functionTimeout, so send at least {{}}"
        );
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(nothing);
        }
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let media = content_type.split(';').next().unwrap_or("").trim();
        if !["application/json", "text/json"]
            .iter()
            .any(|json| media.eq_ignore_ascii_case(json))
        {
            let text = String::from_utf8_lossy(body);
            return Err(format!(
                "Invalid HttpResponseMessage: content type '{content_type}', body '{text}'"
            ));
        }
        let answer: Value =
            serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))?;
        let Value::Object(members) = answer else {
            return Err(if answer.is_null() {
                nothing
            } else {
                "the answer is no JSON object".to_owned()
            });
        };
        let logs = members
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case("Logs"))
            .map(|(_, logs)| logs);
        for line in logs
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            self.logger
                .write(Level::Information, &format!("Function.{name}.User"), line);
        }
        Ok(())
    }
}

/// A fresh W3C trace context, sampled.
pub(crate) fn traceparent() -> String {
    let span = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-01", Uuid::new_v4().simple(), &span[..16])
}

/// The error with its causes, which hold the part that explains it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
