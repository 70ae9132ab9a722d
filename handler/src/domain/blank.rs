//! Which characters show nothing: a name made of these alone looks empty. One table for the check and for the schema's pattern.
//! Never says what a text may hold besides: that is the value type's rule.

/// First and last character of each range that shows nothing: `White_Space`, `Default_Ignorable_Code_Point` (Hangul fillers,
/// zero-width characters, variation selectors, tags) and the general category `Cf` of Unicode 16, and the empty Braille pattern.
const RANGES: [(char, char); 32] = [
    ('\u{9}', '\u{d}'),
    ('\u{20}', '\u{20}'),
    ('\u{85}', '\u{85}'),
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Control characters (general category `Cc`), as a regular expression writes them within a class.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";

/// Nothing of it can be seen.
pub(super) fn is_blank(text: &str) -> bool {
    text.chars().all(shows_nothing)
}

/// Not empty, and each character can be seen; nor is there an `@`.
pub(super) fn is_all_visible(text: &str) -> bool {
    let visible = |character: char| !shows_nothing(character) && !character.is_control() && character != '@';
    !text.is_empty() && text.chars().all(visible)
}

fn shows_nothing(character: char) -> bool {
    RANGES
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&character))
}

/// Text without control characters in which something can be seen, as a regular expression (ECMA-262) for a schema. It knows
/// the characters up to U+FFFF: engines differ in how they write those above.
pub(super) fn pattern() -> String {
    let blank = ranges();
    format!("^[^{CONTROL}]*[^{CONTROL}{blank}][^{CONTROL}]*$")
}

/// Two texts of visible characters with one `@` between them, and no quotation marks.
pub(super) fn address_pattern() -> String {
    let visible = format!("[^@\"{CONTROL}{}]+", ranges());
    format!("^{visible}@{visible}$")
}

fn ranges() -> String {
    let ranges = RANGES.iter().filter(|(_, last)| *last <= '\u{ffff}');
    let range =
        |(first, last): &(char, char)| format!(r"\u{:04x}-\u{:04x}", u32::from(*first), u32::from(*last));
    ranges.map(range).collect()
}
