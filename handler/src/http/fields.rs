//! Header fields that are lists, and dates: as RFC 9110 writes them, over as many lines as they come on.
//! Never cuts a list at a comma inside quotes.

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName};
use time::OffsetDateTime;

/// The meaning of a backslash in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslash {
    /// It quotes the next character: a quoted-string (RFC 9110, section 5.6.4).
    Escapes,
    /// Itself: an entity tag (RFC 9110, section 8.8.3).
    IsItself,
}

/// The elements of a list (RFC 9110, section 5.6.1), lines in their order, without empty elements and the white space around
/// each. Bytes that are no ASCII are taken as characters of ISO 8859-1, as they were once meant.
pub(super) fn list(headers: &HeaderMap, name: &HeaderName, backslash: Backslash) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let lines = lines.map(|line| {
        line.as_bytes()
            .iter()
            .copied()
            .map(char::from)
            .collect::<String>()
    });
    let elements = lines.flat_map(|line| {
        let parts = split(&line, ',', backslash).map(str::to_owned);
        parts.collect::<Vec<_>>()
    });
    elements.filter(|element| !element.is_empty()).collect()
}

/// The parts of a text between separators that are outside of quotes, without the white space around each.
pub(super) fn split(text: &str, separator: char, backslash: Backslash) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = text.split(move |letter| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted && backslash == Backslash::Escapes => escaped = true,
            '"' => quoted = !quoted,
            letter if letter == separator && !quoted => return true,
            _ => {}
        }
        false
    });
    parts.map(|part| part.trim_matches([' ', '\t']))
}

/// The date of a field that has one (RFC 9110, section 5.6.7); `None` for anything else, for which such fields are ignored.
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<OffsetDateTime> {
    let mut lines = headers.get_all(name).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return None;
    };
    let date: SystemTime = httpdate::parse_http_date(line.to_str().ok()?).ok()?;
    Some(date.into())
}

/// The text of a token or a quoted-string (RFC 9110, sections 5.6.2 and 5.6.4).
pub(super) fn word(text: &str) -> Option<String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
        let token = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || mark(byte));
        return token.then(|| text.to_owned());
    };
    let mut letters = quoted.chars();
    let mut said = String::new();
    loop {
        match letters.next()? {
            '\\' => said.push(letters.next()?),
            '"' => return letters.next().is_none().then_some(said),
            letter => said.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("list");

    fn of(lines: &[&'static str], backslash: Backslash) -> Vec<String> {
        let lines = lines
            .iter()
            .map(|line| (NAME, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
        list(&lines.collect(), &NAME, backslash)
    }

    #[test]
    fn a_list_goes_over_lines_and_is_not_cut_inside_quotes() {
        use Backslash::{Escapes, IsItself};
        assert_eq!(of(&["a, b ,,", "", "c"], Escapes), ["a", "b", "c"]);
        assert_eq!(of(&[r#""a,*,b", "c""#], IsItself), [r#""a,*,b""#, r#""c""#]);
        assert_eq!(of(&[r#""a\", "1""#], IsItself), [r#""a\""#, r#""1""#]);
        assert_eq!(
            of(&[r#"foo="a\",wait=9", wait=1"#], Escapes),
            [r#"foo="a\",wait=9""#, "wait=1"]
        );
        assert_eq!(of(&["\"é\", \"1\""], IsItself).len(), 2);
    }

    #[test]
    fn a_word_is_a_token_or_a_whole_quoted_string() {
        for (text, said) in [
            ("9", Some("9")),
            (r#""9""#, Some("9")),
            (r#""a\"b""#, Some("a\"b")),
        ] {
            assert_eq!(word(text).as_deref(), said, "{text}");
        }
        for text in ["", "a b", "a\"", "\"a", "\"a\"b", "\"a\\\""] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
