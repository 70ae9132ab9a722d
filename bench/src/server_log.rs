//! Reads PostgreSQL's log: prepared statements that were executed, with the parameters they were given.
//! Never reads another format than the stock one (`log_line_prefix = '%m [%p] '`, on stderr).

/// A statement as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// With `$1`, `$2`… in it.
    pub(crate) text: String,
    /// One for each `$n`, as text; `None` is null.
    pub(crate) parameters: Vec<Option<String>>,
}

/// All executed prepared statements, in the order of the log.
pub(crate) fn statements(log: &str) -> Vec<Statement> {
    let mut found: Vec<Statement> = Vec::new();
    for message in messages(log) {
        if let Some((_, executed)) = message.split_once(" LOG:  execute ") {
            // The name of the statement, or `<unnamed>`, ends at the colon.
            if let Some((_, text)) = executed.split_once(": ") {
                found.push(Statement {
                    text: text.to_owned(),
                    parameters: Vec::new(),
                });
            }
        } else if let Some((_, detail)) = message.split_once(" DETAIL:  ") {
            // Newer servers begin it with a capital letter.
            let given = detail.strip_prefix(['p', 'P']);
            let given = given.and_then(|rest| rest.strip_prefix("arameters: "));
            if let (Some(given), Some(last)) = (given, found.last_mut()) {
                last.parameters = parameters(given);
            }
        }
    }
    found
}

/// The log's messages; further lines of one begin with a tab.
fn messages(log: &str) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    for line in log.split('\n') {
        match (line.strip_prefix('\t'), messages.last_mut()) {
            (Some(rest), Some(message)) => {
                message.push('\n');
                message.push_str(rest);
            }
            _ => messages.push(line.to_owned()),
        }
    }
    messages
}

/// `$1 = 'it''s', $2 = NULL`.
fn parameters(mut text: &str) -> Vec<Option<String>> {
    let mut found = Vec::new();
    while let Some((_, value)) = text.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            found.push(None);
            text = value;
            continue;
        };
        let mut content = String::new();
        let mut rest = quoted;
        while let Some((part, after)) = rest.split_once('\'') {
            content.push_str(part);
            rest = after;
            let Some(after) = rest.strip_prefix('\'') else {
                break;
            };
            content.push('\'');
            rest = after;
        }
        found.push(Some(content));
        text = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_of_several_lines_is_found_with_its_parameters() {
        let log = "2026-11-25 07:23:02.123 UTC [7] LOG:  execute s1: with a as (\n\tselect $1::text)\n\tselect 1\n\
            2026-11-25 07:23:02.123 UTC [7] DETAIL:  parameters: $1 = 'it''s = ''x'', $2 = NULL', $2 = NULL, $3 = '{1,2}'\n\
            2026-11-25 07:23:02.124 UTC [7] LOG:  statement: begin\n\
            2026-11-25 07:23:02.125 UTC [8] LOG:  execute <unnamed>: select 2\n";
        let some = |text: &str| Some(text.to_owned());
        let found = statements(log);
        assert_eq!(found[0].text, "with a as (\nselect $1::text)\nselect 1");
        assert_eq!(
            found[0].parameters,
            [some("it's = 'x', $2 = NULL"), None, some("{1,2}")]
        );
        assert_eq!((found.len(), found[1].text.as_str()), (2, "select 2"));
    }
}
