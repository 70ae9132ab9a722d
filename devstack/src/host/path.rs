//! Paths as the real host hands them on: decoded, without dot segments, and encoded again.
//! It never touches a query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that a segment holds as they are (RFC 3986, section 3.3), and the slash between segments.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// The path as the handler sees it, so `%41` is `A`, and `%2F` is `%252F`; `None` for one with an encoded NUL, which is refused.
pub(crate) fn normalize(path: &str) -> Option<String> {
    let path = without_dots(&decode(path)?);
    Some(utf8_percent_encode(&path, ENCODED).to_string())
}

/// Decodes all but an encoded slash, and what is no UTF-8.
pub(crate) fn decode(path: &str) -> Option<String> {
    let (mut decoded, mut run) = (String::new(), Vec::new());
    let mut rest = path;
    while let Some(letter) = rest.chars().next() {
        match encoded(rest) {
            Some(0) => return None,
            Some(byte) if byte != b'/' => {
                run.push(byte);
                rest = &rest[3..];
            }
            _ => {
                append(&mut decoded, &mut run);
                decoded.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    append(&mut decoded, &mut run);
    Some(decoded)
}

/// The byte that is encoded at the beginning of this text.
fn encoded(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

fn append(decoded: &mut String, run: &mut Vec<u8>) {
    for chunk in run.utf8_chunks() {
        decoded.push_str(chunk.valid());
        for byte in chunk.invalid() {
            decoded.push_str(&format!("%{byte:02X}"));
        }
    }
    run.clear();
}

/// RFC 3986, section 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        match *part {
            "." if is_last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if is_last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_encoded_again() {
        for (sent, seen) in [
            ("/api/orders", "/api/orders"),
            ("/api/%41%7e", "/api/A~"),
            ("/api/a%2Fb%2fc", "/api/a%252Fb%252fc"),
            ("/api/%c3%a9", "/api/%C3%A9"),
            ("/api/a%20b", "/api/a%20b"),
            ("/api/\"a\"", "/api/%22a%22"),
            ("/api/%3Ca%3E", "/api/%3Ca%3E"),
            ("/api/%C3(", "/api/%25C3("),
            ("/api/100%", "/api/100%25"),
            ("/api/%zz", "/api/%25zz"),
            ("/api//a/", "/api//a/"),
        ] {
            assert_eq!(normalize(sent).as_deref(), Some(seen), "{sent}");
        }
        assert_eq!(normalize("/api/%00"), None);
    }

    #[test]
    fn dot_segments_are_resolved_encoded_ones_too() {
        for (sent, seen) in [
            ("/api/x/../orders", "/api/orders"),
            ("/api/./orders/.", "/api/orders/"),
            ("/api/%2e%2E/orders/..", "/"),
            ("/../..", "/"),
            ("/api/..a/.b", "/api/..a/.b"),
        ] {
            assert_eq!(normalize(sent).as_deref(), Some(seen), "{sent}");
        }
    }
}
