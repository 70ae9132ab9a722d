//! ISO 8601 durations as entity properties have them.
//! Never takes years, months or weeks, which have no fixed length or no place in a property.

/// A duration of days, hours, minutes and seconds, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let (days, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return None,
        None => (text.strip_prefix('P')?, ""),
    };
    let mut total = 0.0;
    for (mut rest, units) in [(days, "D"), (time, "HMS")] {
        let mut allowed = units;
        while !rest.is_empty() {
            let at = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
            let unit = rest[at..].chars().next()?;
            allowed = &allowed[allowed.find(unit)? + 1..];
            let scale = match unit {
                'D' => 86_400_000.0,
                'H' => 3_600_000.0,
                'M' => 60_000.0,
                _ => 1_000.0,
            };
            total += rest[..at].parse::<f64>().ok()? * scale;
            rest = &rest[at + 1..];
        }
    }
    (text.len() > 1 && total.is_finite()).then_some(total as i64)
}
