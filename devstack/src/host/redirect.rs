//! Posts a trigger's call and follows redirects, as the real host's HTTP client does.
//! It never follows one that leaves plain HTTP or has no place: its answer is then the answer.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Method, Request, StatusCode, header,
    http::{request, response},
};
use url::Url;

use super::{client::Http, error_chain::chain};

/// As many as .NET follows.
const MOST: u32 = 50;

/// The last answer, whose body has been read to its end.
pub(crate) async fn follow(
    client: &Http,
    url: &str,
    headers: impl Fn(request::Builder) -> request::Builder,
    body: Vec<u8>,
) -> Result<(response::Parts, Bytes), String> {
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    let (mut method, body) = (Method::POST, Bytes::from(body));
    let mut followed = 0;
    loop {
        let request = headers(Request::builder().method(method.clone()).uri(url.as_str()));
        let request = if method == Method::POST {
            // A stream has no length, so the body is sent chunked as the real host sends it.
            let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(body.clone())]);
            let request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
            request.body(Body::from_stream(stream))
        } else {
            request.body(Body::empty())
        };
        let request = request.map_err(|error| error.to_string())?;
        let response = client.request(request).await.map_err(|error| chain(&error))?;
        let (head, answer) = response.into_parts();
        let answer = answer.collect().await.map_err(|error| chain(&error))?.to_bytes();
        match next(&url, &head) {
            Some(place) if followed < MOST => {
                if !keeps_method(head.status) {
                    method = Method::GET;
                }
                (url, followed) = (place, followed + 1);
            }
            _ => return Ok((head, answer)),
        }
    }
}

/// The place that the answer sends its caller to.
fn next(from: &Url, head: &response::Parts) -> Option<Url> {
    let redirects = matches!(head.status.as_u16(), 300..=303 | 307 | 308);
    let location = head.headers.get(header::LOCATION)?.to_str().ok()?;
    let place = from.join(location).ok()?;
    (redirects && place.scheme() == "http").then_some(place)
}

fn keeps_method(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
    )
}
