//! Text of others as it may stand on a terminal or in a line of a log: what moves the cursor, begins a line, hides, or turns the
//! direction of reading is written as JSON writes it (CWE-150).
//! Never changes what only shows itself.

use std::{borrow::Cow, fmt::Write};

/// The text on one line.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(shows) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if shows(letter) => plain.push(letter),
            '\n' => plain.push_str("\\n"),
            '\r' => plain.push_str("\\r"),
            '\t' => plain.push_str("\\t"),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(plain, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(plain)
}

/// Control characters do not, nor do those that only say how others are shown (Unicode's bidirectional and other format
/// characters, and its separators of lines).
fn shows(letter: char) -> bool {
    let formats = matches!(
        letter,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !(letter.is_control() || formats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out_and_what_shows_itself_stays() {
        for (text, plain) in [
            ("Ada \u{e9}\u{4e2d} \"\\\"", "Ada \u{e9}\u{4e2d} \"\\\""),
            ("\u{1b}[31mred\u{9b}0m", "\\u001b[31mred\\u009b0m"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\u0000"),
            ("\u{202e}txt.exe\u{2066}\u{200f}", "\\u202etxt.exe\\u2066\\u200f"),
            ("a\u{2028}b\u{feff}\u{e0041}", "a\\u2028b\\ufeff\\udb40\\udc41"),
        ] {
            assert_eq!(line(text), plain);
        }
    }
}
