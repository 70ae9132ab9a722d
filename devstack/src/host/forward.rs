//! Forwards an HTTP function to the handler, as hosts did before they could proxy: the request is made anew, and some of it is
//! lost. It never streams an answer.

use std::convert::Infallible;

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::{StatusCode, Uri, body::Body as _, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded;
use uuid::Uuid;

use super::{error_chain::chain, headers, invoke::Invoker};

/// What .NET's encoder leaves as it is (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Sends the request once, and takes the whole answer in.
pub(crate) async fn send(invoker: &Invoker, id: Uuid, request: Request) -> Result<Response, String> {
    let (mut head, body) = request.into_parts();
    let length = head.headers.get(header::CONTENT_LENGTH);
    let has_body = length.is_some_and(|length| length != "0");
    if !has_body && !body.is_end_stream() {
        return Err(
            "'Transfer-Encoding: chunked' header can not be used when content object is not specified."
                .to_owned(),
        );
    }
    headers::forwarded(&mut head.headers, has_body);
    headers::add(&mut head.headers, id)?;
    let query = head.uri.query().map(merged).unwrap_or_default();
    let url = format!(
        "http://127.0.0.1:{}{}{query}",
        invoker.handler.port(),
        head.uri.path()
    );
    let url: Uri = url
        .parse()
        .map_err(|error| format!("the path cannot be sent on: {error}"))?;
    let body = if has_body { body } else { Body::empty() };
    let mut again = hyper::Request::new(body);
    *again.method_mut() = head.method;
    *again.uri_mut() = url;
    *again.headers_mut() = head.headers;
    let answer = invoker
        .client
        .request(again)
        .await
        .map_err(|error| chain(&error))?;
    let (mut head, body) = answer.into_parts();
    headers::drop_hop(&mut head.headers);
    let body = body.collect().await.map_err(|error| chain(&error))?.to_bytes();
    if head.status != StatusCode::NOT_MODIFIED {
        return Ok(Response::from_parts(head, Body::from(body)));
    }
    let nothing = header::HeaderValue::from_static("0");
    head.headers.insert(header::CONTENT_LENGTH, nothing);
    // Of a body of unknown length the header's word is taken, and goes out.
    let body = stream::empty::<Result<Bytes, Infallible>>();
    Ok(Response::from_parts(head, Body::from_stream(body)))
}

/// The query with the values of each name joined, where the name is first.
fn merged(query: &str) -> String {
    let mut names: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match names
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => names.push((name.into_owned(), value.into_owned())),
        }
    }
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs = names
        .iter()
        .map(|(name, values)| format!("{}={}", encoded(name), encoded(values)));
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_one_name_are_joined() {
        for (sent, seen) in [
            ("a=1&b=x&A=2", "?a=1%2C2&b=x"),
            ("y", "?y="),
            ("q=a+b%20c", "?q=a%20b%20c"),
            ("", ""),
        ] {
            assert_eq!(merged(sent), seen, "{sent}");
        }
    }
}
