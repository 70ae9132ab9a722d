//! Writes `IN` and `BETWEEN` so that what is not defined stays so: the service in memory makes it false, and the opposite
//! true. Azure's meaning is that of Microsoft's own interpreter of queries (`OfflineEngine` in the tests of its .NET client).
//! It never changes what `JOIN` and `FROM` mean by `IN`.

use super::clauses::{close, depths, find};
use super::tokens::{Token, cut, join};
use crate::cosmos::refusal::Refusal;

/// Words that no operand reaches beyond.
const WORDS: [&str; 16] = [
    "SELECT", "DISTINCT", "VALUE", "FROM", "JOIN", "WHERE", "GROUP", "ORDER", "BY", "OFFSET", "AND", "OR",
    "NOT", "AS", "ASC", "DESC",
];
const SIGNS: [&str; 3] = [",", "?", ":"];

pub(super) fn keep_undefined(tokens: &mut Vec<Token>) -> Result<(), Refusal> {
    let mut at = 1;
    while at < tokens.len() {
        let in_from = find(tokens).is_some_and(|clauses| clauses.from.contains(&at));
        let is_member = tokens[at - 1].is_sign(".");
        let next = |sign: &str| tokens.get(at + 1).is_some_and(|next| next.is_sign(sign));
        if !in_from && !is_member && tokens[at].is_word("IN") && next("(") {
            at = write_in(tokens, at)?;
        } else if !in_from && !is_member && tokens[at].is_word("BETWEEN") && !next(":") {
            at = write_between(tokens, at)?;
        } else {
            at += 1;
        }
    }
    Ok(())
}

/// Writes `x IN (…)` as `(IS_DEFINED(x) ? x IN (…) : undefined)`, and gives the place where its list begins.
fn write_in(tokens: &mut Vec<Token>, at: usize) -> Result<usize, Refusal> {
    let (begins, negated) = operand_before(tokens, at);
    let operand = join(&tokens[begins..at - usize::from(negated)]);
    let end = close(tokens, at + 1);
    let list = join(&tokens[at + 1..end]);
    let not = if negated { " NOT" } else { "" };
    let tested = cut(&format!(" (IS_DEFINED({operand}) ? ({operand}{not} IN"))?;
    let follows = cut(&format!(" {list}) : undefined)"))?;
    let list_begins = begins + tested.len();
    tokens.splice(begins..end, tested.into_iter().chain(follows));
    Ok(list_begins + 1)
}

/// Writes `x BETWEEN a AND b` as `(x >= a AND x <= b)`, which it stands for, and gives the place after its operand.
fn write_between(tokens: &mut Vec<Token>, at: usize) -> Result<usize, Refusal> {
    let (begins, negated) = operand_before(tokens, at);
    let operand = join(&tokens[begins..at - usize::from(negated)]);
    let and = operand_after(tokens, at + 1);
    if !tokens.get(and).is_some_and(|token| token.is_word("AND")) {
        return Err(Refusal::bad("Syntax error: BETWEEN without AND."));
    }
    let end = operand_after(tokens, and + 1);
    let (low, high) = (join(&tokens[at + 1..and]), join(&tokens[and + 1..end]));
    let not = if negated { "NOT " } else { "" };
    let written = cut(&format!(
        " ({not}(({operand}) >= ({low}) AND ({operand}) <= ({high})))"
    ))?;
    tokens.splice(begins..end, written);
    Ok(begins + 1)
}

fn ends_operand(token: &Token, before: Option<&Token>) -> bool {
    let is_member = before.is_some_and(|before| before.is_sign("."));
    let is_word = WORDS.iter().any(|word| token.is_word(word));
    (is_word && !is_member) || SIGNS.iter().any(|sign| token.is_sign(sign))
}

/// The beginning of the operand before a word, and whether `NOT` stands between them.
fn operand_before(tokens: &[Token], at: usize) -> (usize, bool) {
    let negated = tokens[at - 1].is_word("NOT");
    let end = at - usize::from(negated);
    let around: Vec<usize> = depths(tokens).map(|(_, depth)| depth).collect();
    let is_end = |place: &usize| {
        let place = *place;
        let before = place.checked_sub(1).map(|before| &tokens[before]);
        around[place] < around[at] || (around[place] == around[at] && ends_operand(&tokens[place], before))
    };
    let boundary = (0..end).rev().find(is_end);
    (boundary.map_or(0, |place| place + 1), negated)
}

/// The end of the operand that begins at a place.
fn operand_after(tokens: &[Token], begins: usize) -> usize {
    let mut depth = 0_usize;
    for at in begins..tokens.len() {
        let token = &tokens[at];
        let is = |signs: [&str; 3]| signs.iter().any(|sign| token.is_sign(sign));
        if depth == 0 && (is([")", "]", "}"]) || ends_operand(token, tokens.get(at - 1))) {
            return at;
        }
        if is(["(", "[", "{"]) {
            depth += 1;
        } else if is([")", "]", "}"]) {
            depth -= 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(filter: &str) -> String {
        let mut tokens = cut(&format!(
            "SELECT * FROM c JOIN t IN c.tags WHERE {filter} ORDER BY c.n"
        ))
        .unwrap();
        keep_undefined(&mut tokens).unwrap();
        let written = join(&tokens);
        let filter = written.split_once(" WHERE ").unwrap().1;
        let filter = filter.strip_suffix("ORDER BY c.n").unwrap();
        filter.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_list_is_looked_through_only_for_what_is_defined() {
        for (query, expected) in [
            ("c.n IN (1)", "(IS_DEFINED(c.n) ? (c.n IN (1)) : undefined)"),
            (
                "c.x = 1 AND LOWER(c.in) NOT IN (1, @p) OR t = 'x'",
                "c.x = 1 AND (IS_DEFINED(LOWER(c.in)) ? (LOWER(c.in) NOT IN (1, @p)) : undefined) OR t = 'x'",
            ),
            (
                "NOT (c.l[0].n + 1 IN (1, (c.m IN (2) ? 1 : 2)))",
                "NOT ( (IS_DEFINED(c.l[0].n + 1) ? (c.l[0].n + 1 IN (1, ( (IS_DEFINED(c.m) ? (c.m IN (2)) : undefined) \
                 ? 1 : 2))) : undefined))",
            ),
        ] {
            assert_eq!(written(query), expected, "{query}");
        }
    }

    #[test]
    fn a_range_is_two_comparisons() {
        for (query, expected) in [
            ("c.n BETWEEN 1 AND 2", "(((c.n) >= (1) AND (c.n) <= (2)))"),
            (
                "c.a AND c.n NOT BETWEEN (c.between + 1) AND f(2, 3) AND c.b",
                "c.a AND (NOT ((c.n) >= ((c.between + 1)) AND (c.n) <= (f(2, 3)))) AND c.b",
            ),
            (
                "(c.n BETWEEN 1 AND 2 ? c.m BETWEEN 3 AND 4 : false)",
                "( (((c.n) >= (1) AND (c.n) <= (2))) ? (((c.m) >= (3) AND (c.m) <= (4))) : false)",
            ),
        ] {
            assert_eq!(written(query), expected, "{query}");
        }
        let mut tokens = cut("SELECT * FROM c WHERE c.n BETWEEN 1").unwrap();
        assert!(keep_undefined(&mut tokens).is_err());
    }
}
