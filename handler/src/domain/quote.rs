//! Text of others, as it is told in an answer or in a log line.
//! Never more of it than shows what is meant.

use std::borrow::Cow;

/// Most characters that are quoted of input.
pub const MOST_QUOTED: usize = 100;

/// The text, or its beginning with an ellipsis: at most [`MOST_QUOTED`] characters of it.
#[must_use]
pub fn brief(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_up_to_a_hundred_characters_whatever_they_are_in_bytes() {
        for letter in ["a", "é", "☕"] {
            let (whole, long) = (letter.repeat(100), letter.repeat(900_000));
            assert_eq!(brief(&whole), whole);
            assert_eq!(brief(&long), format!("{whole}…"));
        }
    }
}
