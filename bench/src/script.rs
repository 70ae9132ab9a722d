//! A pgbench script that sends a captured statement: the same text, its parameters written into it, fresh ids in them.
//! Never changes what the statement does; only its `with` gets two more members in front.

use anyhow::{Context as _, Result, ensure};

use crate::server_log::Statement;

/// A text of the captured parameters that must differ each time, and the SQL that makes another one.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) was: String,
    pub(crate) sql: String,
}

/// Writes the script. `types` are those of the parameters; `meta` are pgbench's own commands at its beginning.
pub(crate) fn write(
    statement: &Statement,
    types: &[String],
    fresh: &[Fresh],
    meta: &[&str],
) -> Result<String> {
    ensure!(
        statement.parameters.len() == types.len(),
        "the log has another number of parameters than the statement"
    );
    let mut made = Vec::new();
    let mut values = Vec::new();
    for (index, (parameter, kind)) in statement.parameters.iter().zip(types).enumerate() {
        let Some(text) = parameter else {
            values.push(format!("null::{kind}"));
            continue;
        };
        let varying = fresh
            .iter()
            .zip(1..)
            .filter(|(fresh, _)| text.contains(&fresh.was));
        let sql = varying.fold(literal(text), |sql, (fresh, number)| {
            format!("replace({sql}, {}, x{number})", literal(&fresh.was))
        });
        if sql == literal(text) {
            values.push(format!("{sql}::{kind}"));
        } else {
            // Made once, however often the statement looks at it, as with a parameter.
            made.push(format!("({sql})::{kind} as p{index}"));
            values.push(format!("(select p{index} from bench_p)"));
        }
    }
    for fresh in fresh {
        let found = statement
            .parameters
            .iter()
            .flatten()
            .any(|text| text.contains(&fresh.was));
        ensure!(
            found,
            "no parameter of the captured statement holds {}",
            fresh.was
        );
    }
    let ids = fresh
        .iter()
        .zip(1..)
        .map(|(fresh, number)| format!("{} as x{number}", fresh.sql));
    let ids = ids.collect::<Vec<_>>().join(", ");
    let body = fill_in(&statement.text, &values)?;
    let body = body.trim_start();
    let (first, others) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    let rest = if first.eq_ignore_ascii_case("with") {
        format!(",\n{others}")
    } else {
        format!("\n{body}")
    };
    Ok(format!(
        "{}\nwith bench_t as materialized ({TIME}),\nbench_x as materialized (select {ids} from bench_t),\n\
         bench_p as materialized (select {} from bench_x){rest};\n",
        meta.join("\n"),
        made.join(",\n    "),
    ))
}

/// Milliseconds since 1970, as a UUIDv7 begins with them.
const TIME: &str =
    "select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') as t";
/// A UUIDv7, which is what the handler makes: newer rows go to the end of an index.
pub(crate) const UUID_V7: &str =
    "left(t, 8) || '-' || right(t, 4) || '-7' || right(gen_random_uuid()::text, 21)";
/// A UUIDv4, which is what a client makes.
pub(crate) const UUID_V4: &str = "gen_random_uuid()::text";

/// The statement with values in place of `$1`, `$2`… and without comments.
fn fill_in(text: &str, values: &[String]) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("--") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if first == '\'' {
            let (content, after) = quoted(rest)?;
            out.push_str(&literal(&content));
            rest = after;
        } else if first.is_whitespace() {
            out.push(if first == '\n' { '\n' } else { ' ' });
            rest = rest.trim_start();
        } else if let Some((number, after)) = placeholder(rest) {
            let value = values.get(number.wrapping_sub(1));
            out.push_str(value.with_context(|| format!("there is no parameter ${number}"))?);
            rest = after;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

/// `$12`, and what follows it.
fn placeholder(text: &str) -> Option<(usize, &str)> {
    let digits = text.strip_prefix('$')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    Some((digits[..end].parse().ok()?, &digits[end..]))
}

/// The content of the literal at the beginning, and what follows it.
fn quoted(text: &str) -> Result<(String, &str)> {
    let mut content = String::new();
    let mut rest = &text[1..];
    loop {
        let (part, after) = rest.split_once('\'').context("a literal that does not end")?;
        content.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                content.push('\'');
                rest = more;
            }
            None => return Ok((content, after)),
        }
    }
}

/// A literal without colons: pgbench would take `:name` for a variable, inside of literals too.
fn literal(text: &str) -> String {
    let safe = text
        .replace('\\', "\\\\")
        .replace('\'', "''")
        .replace(':', "\\x3a");
    if safe == text {
        format!("'{text}'")
    } else {
        format!("E'{safe}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_in_and_what_varies_is_made_once() {
        let statement = Statement {
            text: "-- takes $9\nwith a as (select $1::jsonb->'k:v'), b as (select $2, $1, $3)\nselect 1"
                .to_owned(),
            parameters: vec![Some(r#"{"id": "X"}"#.to_owned()), Some("12:30".to_owned()), None],
        };
        let types = ["jsonb", "text", "int8"].map(str::to_owned);
        let fresh = [Fresh {
            was: "X".to_owned(),
            sql: UUID_V4.to_owned(),
        }];
        let script = write(&statement, &types, &fresh, &["\\set a 1"]).unwrap();
        assert!(script.starts_with("\\set a 1\nwith bench_t as"), "{script}");
        assert!(script.contains("gen_random_uuid()::text as x1"), "{script}");
        let made = r#"(replace(E'{"id"\x3a "X"}', 'X', x1))::jsonb as p0"#;
        assert!(script.contains(made), "{script}");
        let body = "a as (select (select p0 from bench_p)::jsonb->E'k\\x3av'), b as (select E'12\\x3a30'::text, \
             (select p0 from bench_p), null::int8)\nselect 1;\n";
        assert!(script.ends_with(body), "{script}");
    }

    #[test]
    fn an_id_that_is_nowhere_is_an_error() {
        let statement = Statement {
            text: "select $1".to_owned(),
            parameters: vec![Some("a".to_owned())],
        };
        let fresh = [Fresh {
            was: "X".to_owned(),
            sql: String::new(),
        }];
        assert!(write(&statement, &["text".to_owned()], &fresh, &[]).is_err());
    }
}
