//! Makes S2 of the parts of `s2_write.sql` that a change set has rows for: what nobody needs is not even planned.
//! Never builds SQL from values: parts are whole lines of that file, and every value is a parameter.

use std::sync::LazyLock;

use super::{change::ChangeSet, columns::Column};

const TEMPLATE: &str = include_str!("s2_write.sql");
/// Begins a part of the template.
const MARK: &str = "\n-- @";

/// Which parts of the template a statement consists of, one bit for each of its marks.
pub(super) type Shape = u64;

/// One S2 as it is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) sql: String,
    /// The names of `$1`, `$2`, ….
    parameters: Vec<&'static str>,
}

/// The shape that writes these changes.
pub(super) fn shape(changes: &ChangeSet) -> Shape {
    let parts = parts().enumerate();
    parts
        .filter(|(_, (part, _))| changes.has(part) == Some(true))
        .fold(0, |shape, (bit, _)| shape | 1 << bit)
}

impl Statement {
    /// The statement of this shape.
    pub(super) fn of(shape: Shape) -> Self {
        let mut statement = Self {
            sql: String::new(),
            parameters: Vec::new(),
        };
        for (bit, (_, lines)) in parts().enumerate() {
            if shape & 1 << bit != 0 {
                statement.add(lines);
            }
        }
        statement
    }

    /// The parameters' values; `None` when the template names one that no change set has.
    pub(super) fn values<'a>(&self, changes: &'a ChangeSet) -> Option<Vec<Column<'a>>> {
        self.parameters.iter().map(|name| changes.column(name)).collect()
    }

    /// Appends lines, without comments, and with a number for each name in braces.
    fn add(&mut self, lines: &'static str) {
        for line in lines.lines().filter(|line| !line.trim_start().starts_with("--")) {
            let mut rest = line;
            while let Some((before, (name, after))) = rest
                .split_once('{')
                .and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
            {
                let known = self.parameters.iter().position(|known| *known == name);
                let number = known.unwrap_or_else(|| {
                    self.parameters.push(name);
                    self.parameters.len() - 1
                });
                self.sql.push_str(before);
                self.sql.push_str(&format!("${}", number + 1));
                rest = after;
            }
            self.sql.push_str(rest);
            self.sql.push('\n');
        }
    }
}

/// The template's parts with their names; what stands before the first mark is about the file itself.
fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    static PARTS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let marked = TEMPLATE.split(MARK).skip(1);
        marked
            .map(|part| part.split_once('\n').unwrap_or((part, "")))
            .collect()
    });
    PARTS.iter().copied()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::types::Type;

    use super::*;
    use crate::{postgres::types, write::pool::READ};

    #[test]
    fn every_parameter_says_its_type() {
        let whole = Statement::of(Shape::MAX);
        let written = types(&whole.sql);
        assert_eq!(written.len(), whole.parameters.len());
        let read = types(READ);
        assert!(read.len() == 6 && !read.contains(&Type::UNKNOWN), "{read:?}");
        for (name, kind) in whole.parameters.iter().zip(written) {
            assert_ne!(kind, Type::UNKNOWN, "{name}");
        }
    }

    #[test]
    fn every_part_and_every_name_of_the_template_is_known() {
        assert!((2..=64).contains(&parts().count()));
        let nothing = ChangeSet::default();
        for (part, _) in parts() {
            assert!(nothing.has(part).is_some(), "part {part}");
        }
        let whole = Statement::of(Shape::MAX);
        assert!(whole.values(&nothing).is_some(), "{:?}", whole.parameters);
        assert!(whole.parameters.contains(&"eventState") && !whole.sql.contains(['{', '}']));
    }

    #[test]
    fn a_part_without_rows_is_left_out() {
        let statement = Statement::of(shape(&ChangeSet::default()));
        assert!(!statement.sql.contains("order_lines") && statement.sql.contains("outbox"));
        assert!(statement.sql.contains("unnest($1::uuid[]") && !statement.sql.contains("-- "));
        assert!(
            statement.sql.contains("case when"),
            "a CASE needs a WHEN, also where there is no guard"
        );
    }
}
