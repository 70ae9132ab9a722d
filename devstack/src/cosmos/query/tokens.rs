//! Cuts the text of a query into words, texts, numbers, parameters and signs, and puts it together again.
//! It never knows what they mean; comments are dropped.

use std::fmt::Write as _;

use crate::cosmos::refusal::Refusal;

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    /// A text in quotes of either sort; the token holds what they mean.
    Text,
    /// The same where a name must stand, as after `AS`.
    Name,
    Number,
    Parameter,
    Sign,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) text: String,
    /// True when nothing stood between it and the one before.
    glued: bool,
}

impl Token {
    pub(super) fn new(kind: TokenKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            kind,
            text,
            glued: false,
        }
    }

    /// The same with nothing before it.
    pub(super) fn glued(mut self) -> Self {
        self.glued = true;
        self
    }

    pub(super) fn is_glued(&self) -> bool {
        self.glued
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.kind == TokenKind::Sign && self.text == sign
    }
}

/// The tokens of a query.
pub(super) fn cut(query: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = query;
    loop {
        let before = rest.len();
        rest = skip(rest)?;
        let glued = before == rest.len();
        let Some(first) = rest.chars().next() else {
            return Ok(tokens);
        };
        let (kind, text, length) = match first {
            '\'' | '"' => {
                let (text, length) = quoted(rest, first)?;
                (TokenKind::Text, text, length)
            }
            '@' => plain(rest, TokenKind::Parameter, 1 + word(&rest[1..])),
            '0'..='9' => plain(rest, TokenKind::Number, number(rest)),
            _ if first == '_' || first.is_alphabetic() => plain(rest, TokenKind::Word, word(rest)),
            _ => plain(rest, TokenKind::Sign, first.len_utf8()),
        };
        tokens.push(Token { kind, text, glued });
        rest = &rest[length..];
    }
}

/// The text that these tokens are, every text in single quotes.
pub(super) fn join(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let texts = token.kind == TokenKind::Text && at > 0 && tokens[at - 1].kind == TokenKind::Text;
        if at > 0 && (!token.glued || texts) {
            text.push(' ');
        }
        // The service in memory knows one escape, a doubled quote, and takes a text in double quotes for a name.
        let _ = match token.kind {
            TokenKind::Text => write!(text, "'{}'", token.text.replace('\'', "''")),
            TokenKind::Name => write!(text, "\"{}\"", token.text),
            _ => write!(text, "{}", token.text),
        };
    }
    text
}

fn plain(rest: &str, kind: TokenKind, length: usize) -> (TokenKind, String, usize) {
    (kind, rest[..length].to_owned(), length)
}

fn skip(mut rest: &str) -> Result<&str, Refusal> {
    loop {
        rest = rest.trim_start();
        if rest.starts_with("--") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            let end = comment.find("*/").ok_or_else(|| fault("a comment has no end"))?;
            rest = &comment[end + 2..];
        } else {
            return Ok(rest);
        }
    }
}

fn word(rest: &str) -> usize {
    let end = rest.find(|sign: char| sign != '_' && !sign.is_alphanumeric());
    end.unwrap_or(rest.len())
}

/// Digits, a fraction, an exponent; hexadecimal numbers are words to it and refused by the service in memory.
fn number(rest: &str) -> usize {
    let digits = |from: usize| {
        let after = rest[from..].find(|sign: char| !sign.is_ascii_digit());
        after.map_or(rest.len(), |length| from + length)
    };
    let mut end = digits(0);
    if rest[end..].starts_with('.') && digits(end + 1) > end + 1 {
        end = digits(end + 1);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        if digits(end + 1 + sign) > end + 1 + sign {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// The meaning of a text in quotes, and its length with them.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), Refusal> {
    let mut text = String::new();
    let mut signs = rest.char_indices().skip(1).peekable();
    while let Some((at, sign)) = signs.next() {
        if sign == quote {
            // A doubled quote is one: clients that know no other escape write it so.
            if signs.next_if(|(_, next)| *next == quote).is_none() {
                return Ok((text, at + 1));
            }
            text.push(quote);
        } else if sign == '\\' {
            let escaped = signs.next().map(|(_, escaped)| escaped);
            text.push(match escaped {
                Some(sign @ ('\'' | '"' | '\\' | '/')) => sign,
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('u') => {
                    unicode(&mut signs).ok_or_else(|| fault("a \\u is not followed by a character"))?
                }
                _ => return Err(fault("a \\ is followed by no escape")),
            });
        } else {
            text.push(sign);
        }
    }
    Err(fault("a text has no end"))
}

/// A character of four hexadecimal digits, or of two such halves.
fn unicode(signs: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let first = unit(signs)?;
    if !(0xD800..0xDC00).contains(&first) {
        return char::from_u32(u32::from(first));
    }
    let escape = signs.next()?.1 == '\\' && signs.next()?.1 == 'u';
    let second = escape.then(|| unit(signs)).flatten()?;
    char::decode_utf16([first, second]).next()?.ok()
}

fn unit(signs: &mut impl Iterator<Item = (usize, char)>) -> Option<u16> {
    let digits: String = signs.take(4).map(|(_, digit)| digit).collect();
    u16::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 4)
}

fn fault(what: &str) -> Refusal {
    Refusal::bad(format!("Syntax error: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(query: &str) -> String {
        join(&cut(query).unwrap())
    }

    #[test]
    fn a_text_in_double_quotes_is_one_in_single_quotes() {
        assert_eq!(again(r#"c.id = "d5""#), "c.id = 'd5'");
        assert_eq!(again(r#"c["n"]=3"#), "c['n']=3");
        assert_eq!(again(r#"{"a": "it's"}"#), "{'a': 'it''s'}");
        assert_eq!(again(r#"'say "it"'"#), r#"'say "it"'"#);
    }

    #[test]
    fn escapes_mean_what_they_mean_in_json() {
        assert_eq!(again(r"'it\'s'"), "'it''s'");
        assert_eq!(again(r#""a\"b\\c""#), r#"'a"b\c'"#);
        assert_eq!(again(r"'\u017e\uD83D\uDE00\n'"), "'ž😀\n'");
        assert_eq!(again("'it''s'"), "'it''s'");
        for broken in [r"'\x'", r"'\u12'", "'open", "\"open", "/* open"] {
            assert!(cut(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn everything_else_stays_as_it_was_but_for_comments() {
        let query = "SELECT TOP 3 c.a[0]??1.5e-3 FROM c WHERE c.n>=@n AND c.b!=-1 {documentdb-filter}";
        assert_eq!(again(query), query);
        assert_eq!(again("SELECT 1 -- \"one\n, /* 'two' */ 2"), "SELECT 1 , 2");
    }
}
