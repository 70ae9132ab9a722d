//! Calls a function as `POST /<Name>` and waits for the outcome, under functionTimeout.
//! It never ends a call whose answer was empty: like the real host it hangs, and says so in the log.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use hyper::{header, http::request};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    client::Http,
    handler::Handler,
    log::{Level, Logger},
    outcome::{self, CallOutcome},
    redirect,
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
}

/// The process that has a call: each time that it is sent, it may be another one.
#[derive(Debug, Default)]
pub(crate) struct CallTarget(AtomicU32);

impl CallTarget {
    pub(crate) fn is_now(&self, handler: &Handler) {
        self.0.store(handler.pid().unwrap_or_default(), Relaxed);
    }
}

impl Invoker {
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
        target: &CallTarget,
        call: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let Some(limit) = self.timeout else {
            return call.await;
        };
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => {
                self.logger.warning(format!(
                    "A function timeout has occurred. Restarting worker process executing invocationId '{id}'."
                ));
                self.handler.restart(target.0.load(Relaxed));
                Err(format!(
                    "Timeout value of {limit:?} exceeded by function 'Functions.{name}' (Id: '{id}')."
                ))
            }
        }
    }

    /// Calls the function; `Err` means that the trigger has to treat the call as failed.
    pub(crate) async fn invoke(&self, name: &str, body: Vec<u8>) -> Result<(), String> {
        let id = Uuid::new_v4();
        let result = match self.wait_ready().await {
            Ok(()) => {
                let target = CallTarget::default();
                target.is_now(&self.handler);
                self.limited(name, id, &target, self.call(name, id, body)).await
            }
            Err(reason) => Err(reason),
        };
        match &result {
            Ok(_) => self
                .logger
                .debug(format!("Executed 'Functions.{name}' (Succeeded, Id={id})")),
            Err(reason) => {
                self.logger
                    .error(format!("Executed 'Functions.{name}' (Failed, Id={id}): {reason}"));
            }
        }
        result.map(drop)
    }

    /// Sends the call, and gives the members of the answer.
    pub(crate) async fn call(
        &self,
        name: &str,
        id: Uuid,
        body: Vec<u8>,
    ) -> Result<Map<String, Value>, String> {
        let url = format!("http://127.0.0.1:{}/{name}", self.handler.port());
        let (head, body) =
            redirect::follow(&self.client, &url, |request| invocation(request, id), body).await?;
        if !head.status.is_success() {
            return Err(format!(
                "Response status code does not indicate success: {}.",
                head.status
            ));
        }
        match outcome::read(&head.headers, &body)? {
            CallOutcome::Nothing => {
                self.logger.error(format!(
                    "Functions.{name} answered with nothing: the call hangs until functionTimeout (Id={id}). Send at least {{}}."
                ));
                std::future::pending().await
            }
            CallOutcome::Success(members) => {
                for line in outcome::logs(&members) {
                    self.logger
                        .write(Level::Information, &format!("Function.{name}.User"), line);
                }
                Ok(members)
            }
        }
    }
}

/// The headers of a call.
fn invocation(request: request::Builder, id: Uuid) -> request::Builder {
    request
        .header(header::USER_AGENT, format!("Azure-Functions-Host/{VERSION}"))
        .header("x-azure-functions-hostversion", VERSION)
        .header("x-azure-functions-invocationid", id.to_string())
        .header("traceparent", traceparent())
}

/// A fresh W3C trace context, sampled.
pub(crate) fn traceparent() -> String {
    let span = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-01", Uuid::new_v4().simple(), &span[..16])
}
