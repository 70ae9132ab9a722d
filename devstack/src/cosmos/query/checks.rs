//! Refuses by name what the service in memory would answer wrongly, or only as soon as it meets an item.
//! It never depends on what is stored.

use serde_json::Value;

use super::clauses::{Clauses, close, list, selected};
use super::names::{self, BoundNames};
use super::tokens::{Token, TokenKind};
use crate::cosmos::refusal::Refusal;

/// Functions that the service in memory computes, with the number of arguments that it looks at.
const FUNCTIONS: [(&str, usize); 40] = [
    ("IS_DEFINED", 1),
    ("IS_NULL", 1),
    ("IS_BOOL", 1),
    ("IS_NUMBER", 1),
    ("IS_STRING", 1),
    ("IS_ARRAY", 1),
    ("IS_OBJECT", 1),
    ("CONTAINS", 3),
    ("STARTSWITH", 3),
    ("ENDSWITH", 3),
    ("UPPER", 1),
    ("LOWER", 1),
    ("LENGTH", 1),
    ("LTRIM", 1),
    ("RTRIM", 1),
    ("TRIM", 1),
    ("CONCAT", usize::MAX),
    ("SUBSTRING", 3),
    ("REPLACE", 3),
    ("LEFT", 2),
    ("RIGHT", 2),
    ("TOSTRING", 1),
    ("ABS", 1),
    ("CEILING", 1),
    ("FLOOR", 1),
    ("ROUND", 1),
    ("POWER", 2),
    ("SQRT", 1),
    ("LOG", 1),
    ("LOG10", 1),
    ("EXP", 1),
    ("SIGN", 1),
    ("ARRAY_CONTAINS", 2),
    ("ARRAY_LENGTH", 1),
    ("ARRAY_SLICE", 3),
    ("COUNT", 1),
    ("SUM", 1),
    ("AVG", 1),
    ("MIN", 1),
    ("MAX", 1),
];
/// Words that a bracket may follow without their being functions.
const WORDS: [&str; 18] = [
    "IN", "AND", "OR", "NOT", "VALUE", "WHERE", "BY", "BETWEEN", "LIKE", "AS", "DISTINCT", "SELECT", "ON",
    "IS", "FROM", "TOP", "ESCAPE", "ORDER",
];

/// Functions that make one value of many items.
pub(super) const AGGREGATES: [&str; 5] = ["COUNT", "SUM", "AVG", "MIN", "MAX"];

pub(super) fn no_subquery(tokens: &[Token]) -> Result<(), Refusal> {
    let inner = |at: usize| {
        let before = &tokens[at - 1];
        tokens[at].is_word("SELECT") && !before.is_sign(".") && !before.is_word("AS")
    };
    if (1..tokens.len()).any(inner) {
        let what = "a subquery (EXISTS, ARRAY or SELECT in brackets)";
        return Err(Refusal::unsupported_query(what));
    }
    Ok(())
}

pub(super) fn check(
    tokens: &[Token],
    clauses: &Clauses,
    sources: &BoundNames,
    parameters: &Value,
) -> Result<(), Refusal> {
    for at in 0..tokens.len() {
        function(tokens, at)?;
        parameter(&tokens[at], parameters)?;
    }
    let (value, select) = selected(tokens, clauses);
    let everything = !value && select.len() == 1 && tokens[select.start].is_sign("*");
    if everything && (sources.joins || sources.item.is_none()) {
        let message = "'SELECT *' is only valid with a single input set.";
        return Err(Refusal::bad(message));
    }
    if !clauses.group.is_empty() && !clauses.order.is_empty() {
        return Err(Refusal::bad(
            "'ORDER BY' is not supported in a query with 'GROUP BY'.",
        ));
    }
    let tops = tokens[clauses.select.start..select.start]
        .iter()
        .any(|token| token.is_word("TOP"));
    if value && !clauses.group.is_empty() && (tops || clauses.group.end < tokens.len()) {
        let what = "TOP or OFFSET of VALUE with GROUP BY";
        return Err(Refusal::unsupported_query(what));
    }
    names::check(tokens, clauses, sources)
}

/// True when one value is made of many items: by an aggregate or by `GROUP BY`.
pub(super) fn gathers(tokens: &[Token], clauses: &Clauses) -> bool {
    let calls = |at: usize| {
        tokens.get(at + 1).is_some_and(|next| next.is_sign("("))
            && AGGREGATES.iter().any(|name| tokens[at].is_word(name))
    };
    !clauses.group.is_empty() || clauses.select.clone().any(calls)
}

fn function(tokens: &[Token], at: usize) -> Result<(), Refusal> {
    let name = &tokens[at];
    let called = tokens.get(at + 1).is_some_and(|next| next.is_sign("("));
    if name.kind != TokenKind::Word || !called || WORDS.iter().any(|word| name.is_word(word)) {
        return Ok(());
    }
    if at > 1 && tokens[at - 1].is_sign(".") && tokens[at - 2].is_word("udf") {
        return Err(Refusal::unsupported_query("a user-defined function"));
    }
    let known = FUNCTIONS.iter().find(|(known, _)| name.is_word(known));
    let Some((_, most)) = known else {
        return Err(Refusal::unsupported_query(&format!("the function {}", name.text)));
    };
    let end = close(tokens, at + 1);
    let arguments = list(tokens, at + 2..end - 1);
    if let Some(extra) = arguments.get(*most) {
        // The argument that is left out by saying so is one that can be left out.
        let default = extra.len() == 1 && tokens[extra.start].is_word("false");
        if !default {
            return Err(Refusal::unsupported_query(&format!(
                "more than {most} arguments of {}",
                name.text
            )));
        }
    }
    Ok(())
}

fn parameter(token: &Token, parameters: &Value) -> Result<(), Refusal> {
    let given = |parameter: &Value| parameter["name"] == token.text.as_str();
    let known = parameters.as_array().is_some_and(|all| all.iter().any(given));
    if token.kind != TokenKind::Parameter || known {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "The query has no value for the parameter {}.",
        token.text
    )))
}
