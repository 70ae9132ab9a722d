//! Writes a query so that the service in memory means by it what Azure means by what was asked.
//! It never changes what a query of plain paths and texts in single quotes says.

use super::checks::{AGGREGATES, gathers};
use super::clauses::{Clauses, close, find, list, path, selected};
use super::membership;
use super::names::BoundNames;
use super::tokens::{Token, TokenKind, cut, join};
use crate::cosmos::refusal::Refusal;

const NO_NUMBER: &str = "IS_DEFINED({}) AND NOT IS_NUMBER({})";
const LIST_OR_OBJECT: &str = "IS_ARRAY({}) OR IS_OBJECT({})";
/// Functions, what they compute wrongly, and the unknown function whose refusal says so.
const GUARDS: [(&str, &str, &str); 5] = [
    ("SUM", NO_NUMBER, "SUM_OF_WHAT_IS_NO_NUMBER"),
    ("AVG", NO_NUMBER, "AVG_OF_WHAT_IS_NO_NUMBER"),
    ("MIN", LIST_OR_OBJECT, "MIN_OF_A_LIST_OR_OBJECT"),
    ("MAX", LIST_OR_OBJECT, "MAX_OF_A_LIST_OR_OBJECT"),
    ("TOSTRING", LIST_OR_OBJECT, "TOSTRING_OF_A_LIST_OR_OBJECT"),
];

/// A text as a query writes it.
pub(super) fn text(value: &str) -> String {
    join(&[Token::new(TokenKind::Text, value)])
}

/// The query, with these conditions on what it finds.
pub(super) fn write(
    mut tokens: Vec<Token>,
    sources: &BoundNames,
    mut conditions: Vec<String>,
) -> Result<String, Refusal> {
    use_dots(&mut tokens);
    membership::keep_undefined(&mut tokens)?;
    guard_calls(&mut tokens);
    part_groups(&mut tokens)?;
    name_values(&mut tokens)?;
    quote_names(&mut tokens)?;
    let Some(clauses) = find(&tokens) else {
        return Ok(join(&tokens));
    };
    let (value, select) = selected(&tokens, &clauses);
    let shown = &tokens[select.clone()];
    let whole = shown.len() == 1 && sources.item.as_ref() == Some(&shown[0].text);
    // What is not defined is no row; the service in memory would make it null.
    if gathered_value(&tokens, &clauses) {
        let named = format!(" {} AS {GATHERED}", join(shown));
        tokens.splice(select.start - 1..select.end, cut(&named)?);
    } else if value && !whole && !shown.is_empty() && !shown[0].is_sign("{") {
        conditions.push(format!("IS_DEFINED({})", join(shown)));
    }
    let Some(clauses) = find(&tokens) else {
        return Ok(join(&tokens));
    };
    if !conditions.is_empty() {
        let mut condition = conditions.join(" AND ");
        if !clauses.filter.is_empty() {
            condition = format!("({}) AND {condition}", join(&tokens[clauses.filter.clone()]));
        }
        let begins = clauses.from.end;
        tokens.splice(
            begins..clauses.after_filter,
            cut(&format!(" WHERE {condition} "))?,
        );
    }
    Ok(join(&tokens))
}

/// The property that holds what `VALUE` of an aggregate or a group is, until the row is that again.
pub(crate) const GATHERED: &str = "gathered";

/// True when each row is one value made of many items. Conditions come before those are put together, so such a value
/// travels as a property, which is not there where it is not defined.
pub(super) fn gathered_value(tokens: &[Token], clauses: &Clauses) -> bool {
    selected(tokens, clauses).0 && gathers(tokens, clauses)
}

/// Groups also by what is defined, as Azure does: the service in memory puts what is not together with null.
fn part_groups(tokens: &mut Vec<Token>) -> Result<(), Refusal> {
    let Some(clauses) = find(tokens).filter(|clauses| !clauses.group.is_empty()) else {
        return Ok(());
    };
    let defined: String = list(tokens, clauses.group.clone())
        .into_iter()
        .map(|group| format!(", IS_DEFINED({})", join(&tokens[group])))
        .collect();
    let end = clauses.group.end;
    tokens.splice(end..end, cut(&format!("{defined} "))?);
    Ok(())
}

/// Turns `c["n"]` into `c.n`, which the service in memory can plan an order by.
pub(super) fn use_dots(tokens: &mut Vec<Token>) {
    let mut at = 1;
    while at + 2 < tokens.len() {
        let before = &tokens[at - 1];
        let after_value = before.kind == TokenKind::Word || before.is_sign("]");
        let text = &tokens[at + 1];
        let plain = |text: &str| {
            let begins = text.starts_with(|sign: char| sign == '_' || sign.is_ascii_alphabetic());
            begins
                && text
                    .chars()
                    .all(|sign| sign == '_' || sign.is_ascii_alphanumeric())
        };
        let opens = tokens[at].is_sign("[") && tokens[at].is_glued() && tokens[at + 2].is_sign("]");
        if opens && after_value && text.kind == TokenKind::Text && plain(&text.text) {
            let name = text.text.clone();
            let member = [
                Token::new(TokenKind::Sign, ".").glued(),
                Token::new(TokenKind::Word, name).glued(),
            ];
            tokens.splice(at..at + 3, member);
        }
        at += 1;
    }
}

/// Makes functions fail by name on what they would compute wrongly: an unknown function is refused as soon as it is
/// called, and a condition's other side is never looked at. A sum of nothing is 0.
fn guard_calls(tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at + 1 < tokens.len() {
        let called = tokens[at + 1].is_sign("(") && (at == 0 || !tokens[at - 1].is_sign("."));
        let end = close(tokens, at + 1);
        let guard = GUARDS.iter().find(|(name, ..)| tokens[at].is_word(name));
        if let Some((name, wrong, refusal)) = guard.filter(|_| called && end <= tokens.len()) {
            let value = join(&tokens[at + 2..end - 1]);
            let wrong = wrong.replace("{}", &value);
            let mut guarded = format!(" {name}((({wrong}) ? {refusal}() : {value}))");
            if *name == "SUM" {
                guarded = format!(" ({guarded} ?? 0)");
            }
            if let Ok(guarded) = cut(&guarded) {
                let length = guarded.len();
                tokens.splice(at..end, guarded);
                at += length;
                continue;
            }
        }
        at += 1;
    }
}

/// Names what is selected without a name as Azure does: `$1`, `$2`, in the order of those.
fn name_values(tokens: &mut Vec<Token>) -> Result<(), Refusal> {
    let Some(clauses) = find(tokens) else {
        return Ok(());
    };
    let (value, select) = selected(tokens, &clauses);
    if value {
        return Ok(());
    }
    let items = list(tokens, select);
    let mut unnamed = Vec::new();
    for item in &items {
        let shown = &tokens[item.clone()];
        let ends_in_place = shown.len() > 1 && shown[shown.len() - 2].kind == TokenKind::Number;
        let is_path = path(shown).is_some() && !ends_in_place;
        let star = shown.len() == 1 && shown[0].is_sign("*");
        if !(star || is_path || shown.is_empty() || has_name(shown)) {
            unnamed.push(item.end);
        }
    }
    for (number, end) in unnamed.iter().enumerate().rev() {
        tokens.splice(*end..*end, cut(&format!(" AS '${}' ", number + 1))?);
    }
    Ok(())
}

/// True when something selected ends with a name of its own.
pub(super) fn has_name(shown: &[Token]) -> bool {
    let [.., before, last] = shown else { return false };
    let named = matches!(last.kind, TokenKind::Word | TokenKind::Text) && !last.is_word("null");
    let after_value = [")", "]", "}"].iter().any(|sign| before.is_sign(sign))
        || matches!(
            before.kind,
            TokenKind::Number | TokenKind::Text | TokenKind::Parameter
        )
        || (before.kind == TokenKind::Word && !is_operator(before));
    named && (before.is_word("AS") || after_value)
}

fn is_operator(token: &Token) -> bool {
    let operators = ["AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "ESCAPE"];
    operators.iter().any(|operator| token.is_word(operator))
        || AGGREGATES.iter().any(|name| token.is_word(name))
}

/// A text after `AS` is a name.
fn quote_names(tokens: &mut [Token]) -> Result<(), Refusal> {
    for at in 1..tokens.len() {
        if tokens[at - 1].is_word("AS") && tokens[at].kind == TokenKind::Text {
            if tokens[at].text.contains('"') {
                return Err(Refusal::unsupported_query("a name with a quote in it"));
            }
            tokens[at].kind = TokenKind::Name;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::names::sources;
    use super::*;

    fn written(query: &str, conditions: &[&str]) -> String {
        let tokens = cut(query).unwrap();
        let sources = sources(&tokens, &find(&tokens).unwrap()).unwrap();
        let conditions = conditions.iter().map(|text| (*text).to_owned()).collect();
        let written = write(tokens, &sources, conditions).unwrap();
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_plain_query_stays_as_it_is() {
        for query in [
            "SELECT * FROM c WHERE c.kind = 'event' ORDER BY c.version",
            "SELECT TOP 3 c.pk, c.id FROM c WHERE c.gen = @gen",
            "SELECT c._rid, [{'item': c.n}] AS orderByItems, c AS payload FROM c ORDER BY c.n",
            "SELECT COUNT(1) AS n FROM c",
        ] {
            assert_eq!(written(query, &[]), query);
        }
    }

    #[test]
    fn what_is_not_defined_is_no_row() {
        assert_eq!(
            written("SELECT VALUE c.n FROM c", &[]),
            "SELECT VALUE c.n FROM c WHERE IS_DEFINED(c.n)"
        );
        assert_eq!(
            written(
                "SELECT VALUE c.n FROM c WHERE c.a = 1 OR c.b = 2 ORDER BY c.n",
                &[]
            ),
            "SELECT VALUE c.n FROM c WHERE (c.a = 1 OR c.b = 2) AND IS_DEFINED(c.n) ORDER BY c.n"
        );
        assert_eq!(
            written("SELECT VALUE c FROM c", &["true"]),
            "SELECT VALUE c FROM c WHERE true"
        );
        assert_eq!(
            written("SELECT VALUE COUNT(1) FROM c", &["true"]),
            "SELECT COUNT(1) AS gathered FROM c WHERE true"
        );
    }

    #[test]
    fn what_is_not_defined_is_a_group_of_its_own() {
        assert_eq!(
            written("SELECT c.a FROM c GROUP BY c.a, LOWER(c.b)", &[]),
            "SELECT c.a FROM c GROUP BY c.a, LOWER(c.b), IS_DEFINED(c.a), IS_DEFINED(LOWER(c.b))"
        );
    }

    #[test]
    fn what_has_no_name_is_named_by_its_number() {
        assert_eq!(
            written(
                "SELECT c.id, COUNT(1), c.a AS b, c.n + 1, c.tags[0], c.n x FROM c",
                &[]
            ),
            "SELECT c.id, COUNT(1) AS \"$1\", c.a AS b, c.n + 1 AS \"$2\", c.tags[0] AS \"$3\", c.n x FROM c"
        );
    }

    #[test]
    fn a_name_in_brackets_is_one_after_a_dot() {
        assert_eq!(
            written(
                r#"SELECT c["a b"], c["n"] FROM c WHERE c["in"]["x"] = "y" AND [ 'n' ] = c.l"#,
                &[]
            ),
            "SELECT c['a b'], c.n FROM c WHERE c.in.x = 'y' AND [ 'n' ] = c.l"
        );
    }

    #[test]
    fn a_sum_of_texts_fails_by_name_and_one_of_nothing_is_0() {
        let summed = written("SELECT VALUE SUM(c.n) FROM c", &[]);
        assert!(summed.ends_with(" ?? 0) AS gathered FROM c"), "{summed}");
        assert!(
            summed.contains("NOT IS_NUMBER(c.n)) ? SUM_OF_WHAT_IS_NO_NUMBER() : c.n"),
            "{summed}"
        );
        let text = written("SELECT VALUE ToString(c.n) FROM c", &[]);
        assert!(
            text.contains("IS_OBJECT(c.n)) ? TOSTRING_OF_A_LIST_OR_OBJECT() : c.n"),
            "{text}"
        );
    }
}
