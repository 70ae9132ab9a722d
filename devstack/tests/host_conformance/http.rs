//! HTTP/1.1 as bytes: what a row sends is what goes over the wire, and nothing else.
//! Never mends a request: hosts are asked for what they do with bad ones.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// The real host gives up some requests after seconds only.
const LIMIT: Duration = Duration::from_secs(30);

/// A request that is being written; it asks for the connection to be closed.
#[derive(Clone)]
pub(crate) struct Call {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    named: bool,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            named: false,
            body: Vec::new(),
        }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.header_bytes(name, value.as_bytes())
    }

    pub(crate) fn header_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.named |= name.eq_ignore_ascii_case("host");
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A body with its length.
    pub(crate) fn body(mut self, body: &str) -> Self {
        self.headers
            .push(("Content-Length".to_owned(), body.len().to_string().into_bytes()));
        self.body = body.as_bytes().to_vec();
        self
    }

    /// A body in one chunk.
    pub(crate) fn chunked(mut self, body: &str) -> Self {
        self.headers
            .push(("Transfer-Encoding".to_owned(), b"chunked".to_vec()));
        self.body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes();
        self
    }

    fn bytes(&self, address: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !self.named {
            bytes.extend(format!("Host: {address}\r\n").into_bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        bytes.extend(b"Connection: close\r\n\r\n");
        bytes.extend(&self.body);
        bytes
    }

    pub(crate) fn send(&self, host: impl AsRef<str>) -> Answer {
        self.try_send(host).expect("an answer")
    }

    /// The answer, if there is one.
    pub(crate) fn try_send(&self, host: impl AsRef<str>) -> Option<Answer> {
        let address = host.as_ref();
        Answer::read(&raw(address, &self.bytes(address))?)
    }

    /// What the probe says of the request that reached it.
    pub(crate) fn seen(&self, host: impl AsRef<str>) -> Value {
        let answer = self.send(host);
        assert_eq!(answer.status, 418, "the probe answers: {answer:?}");
        answer.json()
    }
}

/// Sends these bytes and reads until the connection ends; `None` when there is nobody.
pub(crate) fn raw(host: impl AsRef<str>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(host.as_ref()).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    // A host that refuses early may close before all is sent: its answer counts.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Some(answer)
}

impl Answer {
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers
            .iter()
            .any(|(name, value)| name == "transfer-encoding" && value == "chunked")
        {
            body = unchunked(&body);
        }
        Some(Self {
            status,
            headers,
            body,
        })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|part| part == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or_default();
        let from = end + 2;
        let Some(chunk) = rest.get(from..from + size).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        body.extend(chunk);
        rest = rest.get(from + size + 2..).unwrap_or_default();
    }
    body
}

/// The values of a header, line by line, as they reached the probe.
pub(crate) fn lines<'a>(seen: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = seen["lines"].as_array().expect("lines").iter();
    let named = lines.filter(|line| line[0] == name);
    named.filter_map(|line| line[1].as_str()).collect()
}
