//! The names that a query binds, and the ones that it uses without.
//! It never looks at the properties of items.

use std::ops::Range;

use super::clauses::{Clauses, selected, split};
use super::tokens::{Token, TokenKind};
use crate::cosmos::refusal::Refusal;

/// Words that are no names where an expression is.
const WORDS: [&str; 24] = [
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "ESCAPE",
    "ASC",
    "DESC",
    "TRUE",
    "FALSE",
    "NULL",
    "UNDEFINED",
    "AS",
    "VALUE",
    "TOP",
    "DISTINCT",
    "EXISTS",
    "ARRAY",
    "IS",
    "ORDER",
    "BY",
    "OFFSET",
    "LIMIT",
];

/// The names that `FROM` binds.
#[derive(Debug, Default)]
pub(super) struct BoundNames {
    /// The name of the item, unless only parts of it are named.
    pub(super) item: Option<String>,
    bound: Vec<String>,
    pub(super) joins: bool,
}

/// The sources, which are the item and lists in it.
pub(super) fn sources(tokens: &[Token], clauses: &Clauses) -> Result<BoundNames, Refusal> {
    let mut sources = BoundNames::default();
    if clauses.from.is_empty() {
        return Err(Refusal::unsupported_query("SELECT without FROM"));
    }
    for (number, part) in split(tokens, clauses.from.clone(), |token| token.is_word("JOIN"))
        .into_iter()
        .enumerate()
    {
        sources.joins |= number > 0;
        bind(&mut sources, &tokens[part], number == 0)?;
    }
    Ok(sources)
}

fn bind(sources: &mut BoundNames, part: &[Token], first: bool) -> Result<(), Refusal> {
    let [name, rest @ ..] = part else { return Ok(()) };
    if rest.first().is_some_and(|token| token.is_word("IN")) {
        let list = rest.get(1).map(|token| token.text.as_str()).unwrap_or_default();
        if !first && !sources.bound.iter().any(|bound| bound == list) {
            return Err(unresolved(list));
        }
        sources.bound.push(name.text.clone());
        return Ok(());
    }
    let alias = match rest {
        [] => &name.text,
        [alias] | [_, alias] if alias.kind == TokenKind::Word && !rest[0].is_sign(".") => &alias.text,
        _ => return Err(Refusal::unsupported_query("a part of an item in FROM without IN")),
    };
    if !first {
        return Err(Refusal::unsupported_query("JOIN without IN"));
    }
    sources.item = Some(alias.clone());
    sources.bound.push(alias.clone());
    Ok(())
}

/// Refuses a name that nothing binds: the service in memory would take it for a property of the item.
pub(super) fn check(tokens: &[Token], clauses: &Clauses, sources: &BoundNames) -> Result<(), Refusal> {
    let (_, select) = selected(tokens, clauses);
    let parts = [&select, &clauses.filter, &clauses.group, &clauses.order];
    for at in parts.into_iter().cloned().flatten() {
        let token = &tokens[at];
        let used = token.kind == TokenKind::Word && is_used(tokens, at, &select);
        if used && !sources.bound.contains(&token.text) {
            return Err(unresolved(&token.text));
        }
    }
    Ok(())
}

fn is_used(tokens: &[Token], at: usize, select: &Range<usize>) -> bool {
    let before = &tokens[at - 1];
    let next = |sign: &str| tokens.get(at + 1).is_some_and(|next| next.is_sign(sign));
    let is_member = before.is_sign(".");
    let is_alias = before.is_word("AS") || (select.contains(&at) && at > select.start && ends(before));
    let is_key = next(":") && (before.is_sign("{") || before.is_sign(","));
    let is_word = WORDS.iter().any(|word| tokens[at].is_word(word));
    !(is_member || is_alias || is_key || is_word || next("("))
}

/// True when an expression can end with it, so that a word after it is a name given to it.
fn ends(token: &Token) -> bool {
    let is_word = WORDS.iter().any(|word| token.is_word(word));
    match token.kind {
        TokenKind::Sign => [")", "]", "}"].contains(&token.text.as_str()),
        TokenKind::Word => {
            !is_word
                || ["TRUE", "FALSE", "NULL", "UNDEFINED"]
                    .iter()
                    .any(|word| token.is_word(word))
        }
        _ => true,
    }
}

fn unresolved(name: &str) -> Refusal {
    Refusal::bad(format!("Identifier '{name}' could not be resolved."))
}
