//! One call of an HTTP function: the limit of its body, its caller, its mode, and its line in the log.
//! It never passes on who callers say they are, where App Service authentication is played: `sign_in` says it.

use std::{net::IpAddr, time::Duration};

use axum::{
    extract::{ConnectInfo, Request},
    response::Response,
};
use hyper::{StatusCode, header};
use uuid::Uuid;

use super::{
    envelope, forward,
    function::{Function, HttpTrigger},
    headers,
    http_options::HttpMode,
    http1::Peer,
    invoke::{CallTarget, Invoker},
    proxy::{self, BODY_LIMIT, empty},
    sign_in::SignIn,
};

/// The time that the real host takes to give up a request that it cannot send.
const GIVING_UP: Duration = Duration::from_millis(1_900);

/// The way in which HTTP functions are called.
pub(crate) struct HttpCalls {
    pub(crate) invoker: Invoker,
    pub(crate) mode: HttpMode,
    /// `None` where nothing stands before the host.
    pub(crate) sign_in: Option<SignIn>,
}

impl HttpCalls {
    /// Calls the function with the request as it came; a failed call is 500 with an empty body.
    pub(crate) async fn call(
        &self,
        function: &Function,
        trigger: &HttpTrigger,
        request: Request,
    ) -> Response {
        let length = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > BODY_LIMIT) {
            return empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let invoker = &self.invoker;
        let (name, id) = (&function.name, Uuid::new_v4());
        match self.answer(function, trigger, id, request).await {
            Ok(response) => {
                let line = format!("Executed 'Functions.{name}' (Succeeded, Id={id})");
                invoker.logger.debug(line);
                response
            }
            Err(reason) => {
                let line = format!("Executed 'Functions.{name}' (Failed, Id={id}): {reason}");
                invoker.logger.error(line);
                empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    async fn answer(
        &self,
        function: &Function,
        trigger: &HttpTrigger,
        id: Uuid,
        mut request: Request,
    ) -> Result<Response, String> {
        // First, so that a `Connection` header cannot name one of the platform's; and before any wait, because who is
        // signed in when the request comes is the caller.
        headers::drop_hop(request.headers_mut());
        if let Some(sign_in) = &self.sign_in {
            sign_in.apply(request.headers_mut())?;
        }
        headers::join(request.headers_mut());
        let invoker = &self.invoker;
        invoker.wait_ready().await?;
        let target = CallTarget::default();
        target.is_now(&invoker.handler);
        let sending = async {
            if self.mode != HttpMode::Envelope && headers::are_unsendable(request.headers()) {
                tokio::time::sleep(GIVING_UP).await;
                return Err("Request headers must contain only ASCII characters.".to_owned());
            }
            match self.mode {
                HttpMode::Proxying => {
                    let caller = caller(&request);
                    headers::proxied(request.headers_mut(), caller);
                    proxy::send(invoker, &target, id, request).await
                }
                HttpMode::Forwarding => forward::send(invoker, id, request).await,
                HttpMode::Envelope => envelope::send(invoker, function, trigger, id, request).await,
            }
        };
        invoker.limited(&function.name, id, &target, sending).await
    }
}

fn caller(request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.map(|ConnectInfo(Peer(address))| address.ip())
}
