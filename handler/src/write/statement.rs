//! Makes S2 of the parts of `write.sql` that a change set has rows for: a part without rows is not even planned.
//! Never builds SQL from values: parts are whole lines of that file, and every value is a parameter.

use std::sync::LazyLock;

use super::{
    change::ChangeSet,
    columns::{ArrayParameter, COLUMNS, ColumnValues, PARTS, StatementPart},
};

/// Begins a part of the template.
const MARK: &str = "\n-- @";

/// The parts of the template that a statement consists of, one bit for each of its marks.
pub(super) type StatementShape = u64;

/// A name in `write.sql` that is not in the table of columns and parts: a defect of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write.sql names {0:?}, and no change set has that")]
pub(super) struct UnknownName(&'static str);

/// `write.sql` with its names looked up.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<(&'static StatementPart, Vec<Segment>)>,
}

/// A piece of SQL, and the parameter that follows it.
#[derive(Debug)]
struct Segment {
    sql: String,
    then: Option<&'static ArrayParameter>,
}

/// One S2 as it is prepared.
#[derive(Debug, Default)]
pub(super) struct WriteStatement {
    pub(super) sql: String,
    /// `$1`, `$2`, ….
    parameters: Vec<&'static ArrayParameter>,
}

impl Template {
    /// The template, made once.
    ///
    /// # Errors
    /// [`UnknownName`], before any statement is made.
    pub(super) fn get() -> Result<&'static Self, UnknownName> {
        static TEMPLATE: LazyLock<Result<Template, UnknownName>> =
            LazyLock::new(|| Template::parse(include_str!("write.sql")));
        TEMPLATE.as_ref().map_err(Clone::clone)
    }

    /// Skips all before the first mark, which is about the file itself.
    fn parse(text: &'static str) -> Result<Self, UnknownName> {
        let parts = text.split(MARK).skip(1).map(|part| {
            let (name, lines) = part.split_once('\n').unwrap_or((part, ""));
            let known = PARTS.iter().find(|known| known.name == name);
            Ok((known.ok_or(UnknownName(name))?, segments(lines)?))
        });
        let parts = parts.collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }

    /// The shape that writes these changes.
    pub(super) fn shape(&self, changes: &ChangeSet) -> StatementShape {
        let needed = self.parts.iter().enumerate();
        needed
            .filter(|(_, (part, _))| (part.has_rows)(changes))
            .fold(0, |shape, (bit, _)| shape | 1 << bit)
    }

    /// The statement of this shape.
    pub(super) fn statement(&self, shape: StatementShape) -> WriteStatement {
        let mut statement = WriteStatement::default();
        for (bit, (_, segments)) in self.parts.iter().enumerate() {
            if shape & 1 << bit != 0 {
                segments.iter().for_each(|segment| statement.add(segment));
            }
        }
        statement
    }
}

/// Lines without comments, cut behind each name in braces.
fn segments(lines: &'static str) -> Result<Vec<Segment>, UnknownName> {
    let mut segments = Vec::new();
    for line in lines.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let mut rest = line;
        while let Some((before, (name, after))) = rest
            .split_once('{')
            .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        {
            let column = COLUMNS.iter().find(|known| known.name == name);
            segments.push(Segment {
                sql: before.to_owned(),
                then: Some(column.ok_or(UnknownName(name))?),
            });
            rest = after;
        }
        segments.push(Segment {
            sql: format!("{rest}\n"),
            then: None,
        });
    }
    Ok(segments)
}

impl WriteStatement {
    /// Values of the parameters, in their order.
    pub(super) fn values<'a>(&self, changes: &'a ChangeSet) -> Vec<ColumnValues<'a>> {
        let columns = self.parameters.iter();
        columns.map(|column| (column.values)(changes)).collect()
    }

    /// Appends a segment, with a number for its parameter.
    fn add(&mut self, segment: &Segment) {
        self.sql.push_str(&segment.sql);
        let Some(column) = segment.then else { return };
        let known = self.parameters.iter().position(|known| known.name == column.name);
        let number = known.unwrap_or_else(|| {
            self.parameters.push(column);
            self.parameters.len() - 1
        });
        self.sql.push_str(&format!("${}", number + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio_postgres::types::Type;

    use super::*;
    use crate::{postgres::types, write::pool::READ};

    fn whole() -> WriteStatement {
        Template::get().unwrap().statement(StatementShape::MAX)
    }

    #[test]
    fn every_parameter_says_its_type() {
        let whole = whole();
        let written = types(&whole.sql);
        assert_eq!(written.len(), whole.parameters.len());
        let read = types(READ);
        assert!(read.len() == 6 && !read.contains(&Type::UNKNOWN), "{read:?}");
        for (column, kind) in whole.parameters.iter().zip(written) {
            assert_ne!(kind, Type::UNKNOWN, "{}", column.name);
        }
    }

    #[test]
    fn every_part_and_every_name_of_the_template_is_known_and_used() {
        let template = Template::get().unwrap();
        assert!((2..=64).contains(&template.parts.len()));
        let parts: BTreeSet<&str> = template.parts.iter().map(|(part, _)| part.name).collect();
        assert_eq!(parts, PARTS.iter().map(|part| part.name).collect());
        let whole = whole();
        let used: BTreeSet<&str> = whole.parameters.iter().map(|column| column.name).collect();
        assert_eq!(used, COLUMNS.iter().map(|column| column.name).collect());
        assert!(!whole.sql.contains(['{', '}']));
    }

    #[test]
    fn a_name_that_no_change_set_has_is_an_error() {
        let refused = |text| Template::parse(text).map(drop);
        assert_eq!(refused("\n-- @\nselect {event}"), Ok(()));
        assert_eq!(refused("\n-- @\nselect {evnet}"), Err(UnknownName("evnet")));
        assert_eq!(refused("\n-- @nothing\nselect 1"), Err(UnknownName("nothing")));
    }

    #[test]
    fn a_part_without_rows_is_left_out() {
        let template = Template::get().unwrap();
        let statement = template.statement(template.shape(&ChangeSet::default()));
        assert!(!statement.sql.contains("order_lines") && statement.sql.contains("outbox"));
        assert!(statement.sql.contains("unnest($1::uuid[]") && !statement.sql.contains("-- "));
        assert!(
            statement.sql.contains("case when"),
            "a CASE needs a WHEN, also where there is no guard"
        );
    }
}
