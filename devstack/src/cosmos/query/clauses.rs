//! Finds the clauses of a query in its tokens.
//! It never judges them; what is no query at all the service in memory refuses itself.

use std::ops::Range;

use super::tokens::{Token, TokenKind};

/// The content of each clause, without the words that begin it; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Clauses {
    pub(super) select: Range<usize>,
    pub(super) from: Range<usize>,
    pub(super) filter: Range<usize>,
    pub(super) group: Range<usize>,
    pub(super) order: Range<usize>,
    /// The first token that belongs to none of `SELECT`, `FROM` and `WHERE`.
    pub(super) after_filter: usize,
}

/// The words that begin a clause, in the order in which they come.
const BEGINNINGS: [&[&str]; 6] = [
    &["SELECT"],
    &["FROM"],
    &["WHERE"],
    &["GROUP", "BY"],
    &["ORDER", "BY"],
    &["OFFSET"],
];

/// The clauses, if the tokens begin with `SELECT`.
pub(super) fn find(tokens: &[Token]) -> Option<Clauses> {
    tokens.first().filter(|token| token.is_word("SELECT"))?;
    let mut begun: [Option<(usize, usize)>; 6] = Default::default();
    let mut next = 0;
    for (at, depth) in depths(tokens) {
        let is_part = at > 0 && (tokens[at - 1].is_sign(".") || tokens[at - 1].is_word("AS"));
        if depth > 0 || is_part {
            continue;
        }
        for (clause, words) in BEGINNINGS.iter().enumerate().skip(next) {
            let here = tokens.get(at..at + words.len());
            if here.is_some_and(|here| here.iter().zip(*words).all(|(token, word)| token.is_word(word))) {
                begun[clause] = Some((at, at + words.len()));
                next = clause + 1;
                break;
            }
        }
    }
    let end = tokens.len();
    let content = |clause: usize| {
        let (_, start) = begun[clause]?;
        let following = begun[clause + 1..].iter().flatten().next();
        Some(start..following.map_or(end, |(at, _)| *at))
    };
    let after_filter = begun[3..].iter().flatten().next();
    Some(Clauses {
        select: content(0)?,
        from: content(1).unwrap_or_default(),
        filter: content(2).unwrap_or_default(),
        group: content(3).unwrap_or_default(),
        order: content(4).unwrap_or_default(),
        after_filter: after_filter.map_or(end, |(at, _)| *at),
    })
}

/// Each token's place and how many brackets are open around it.
pub(super) fn depths(tokens: &[Token]) -> impl Iterator<Item = (usize, usize)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().map(move |(at, token)| {
        let opens = ["(", "[", "{"].iter().any(|sign| token.is_sign(sign));
        let closes = [")", "]", "}"].iter().any(|sign| token.is_sign(sign));
        if closes {
            depth = depth.saturating_sub(1);
        }
        let around = depth;
        depth += usize::from(opens);
        (at, around)
    })
}

/// The parts of a range between those tokens outside of brackets that `divides` says divide it.
pub(super) fn split(
    tokens: &[Token],
    range: Range<usize>,
    divides: impl Fn(&Token) -> bool,
) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    for (at, depth) in depths(&tokens[range.clone()]) {
        let at = range.start + at;
        if depth == 0 && divides(&tokens[at]) {
            parts.push(start..at);
            start = at + 1;
        }
    }
    parts.push(start..range.end);
    parts
}

/// The parts of a list, between its commas.
pub(super) fn list(tokens: &[Token], range: Range<usize>) -> Vec<Range<usize>> {
    split(tokens, range, |token| token.is_sign(","))
}

/// The place after the bracket that closes the one at `open`.
pub(super) fn close(tokens: &[Token], open: usize) -> usize {
    let closing = depths(&tokens[open..]).skip(1).find(|(_, depth)| *depth == 0);
    closing.map_or(tokens.len(), |(at, _)| open + at + 1)
}

/// The selected `VALUE` or list, without `DISTINCT` and `TOP`.
pub(super) fn selected(tokens: &[Token], clauses: &Clauses) -> (bool, Range<usize>) {
    let mut range = clauses.select.clone();
    let begins = |range: &Range<usize>, word: &str| !range.is_empty() && tokens[range.start].is_word(word);
    if begins(&range, "DISTINCT") {
        range.start += 1;
    }
    if begins(&range, "TOP") {
        range.start = (range.start + 2).min(range.end);
    }
    let value = begins(&range, "VALUE");
    range.start += usize::from(value);
    (value, range)
}

/// The names of a path such as `c.lines[0]["sku"]`, if these tokens are one; a place in a list is its number.
pub(super) fn path(tokens: &[Token]) -> Option<Vec<String>> {
    let (first, mut rest) = tokens.split_first()?;
    let mut path = vec![(first.kind == TokenKind::Word).then(|| first.text.clone())?];
    while let Some((sign, after)) = rest.split_first() {
        let (name, after) = after.split_first()?;
        if sign.is_sign(".") && name.kind == TokenKind::Word {
            rest = after;
        } else if sign.is_sign("[") && matches!(name.kind, TokenKind::Text | TokenKind::Number) {
            rest = after.split_first().filter(|(end, _)| end.is_sign("]"))?.1;
        } else {
            return None;
        }
        path.push(name.text.clone());
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::super::tokens::{cut, join};
    use super::*;

    #[test]
    fn each_clause_has_its_content() {
        let query = "SELECT c.order, {from: (1)} AS where FROM c WHERE c.x IN (1) AND c['group'] = 2 \
                     GROUP BY c.y ORDER BY c.z DESC OFFSET 1 LIMIT 2";
        let tokens = cut(query).unwrap();
        let clauses = find(&tokens).unwrap();
        let text = |range: &Range<usize>| join(&tokens[range.clone()]).trim().to_owned();
        assert_eq!(text(&clauses.select), "c.order, {from: (1)} AS where");
        assert_eq!(text(&clauses.from), "c");
        assert_eq!(text(&clauses.filter), "c.x IN (1) AND c['group'] = 2");
        assert_eq!(text(&clauses.group), "c.y");
        assert_eq!(text(&clauses.order), "c.z DESC");
        assert!(tokens[clauses.after_filter].is_word("GROUP"));
    }

    #[test]
    fn a_query_may_have_no_more_than_select() {
        let tokens = cut("select distinct top 3 value c").unwrap();
        let clauses = find(&tokens).unwrap();
        assert_eq!(selected(&tokens, &clauses), (true, 5..6));
        assert!(clauses.from.is_empty() && clauses.after_filter == tokens.len());
        assert_eq!(find(&cut("FROM c").unwrap()), None);
    }

    #[test]
    fn a_path_is_read_in_all_its_forms() {
        let of = |text: &str| path(&cut(text).unwrap());
        assert_eq!(of(r#"c.lines[0]["sku"]"#).unwrap(), ["c", "lines", "0", "sku"]);
        assert_eq!(of("c").unwrap(), ["c"]);
        assert!(of("c.n + 1").is_none() && of("c[c.n]").is_none() && of("f(c)").is_none());
    }
}
