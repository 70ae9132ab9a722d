//! The SQLSTATEs that decide what an error of PostgreSQL means.
//! Never by the words of the server: they may be in any language.

use crate::condition::Reason;

/// A prepared statement that is not there, or whose result would have other columns by now; or something that the server cannot
/// do.
pub(super) const OUTDATED: [&str; 2] = ["26000", "0A000"];

/// True when a statement of ours is to blame, whatever the state of the database (PostgreSQL: "Appendix A. PostgreSQL Error
/// Codes"): cardinality, data, constraints, schemas, syntax and names. A right that is missing is for operators to mend.
pub(super) fn is_ours(code: &str) -> bool {
    const CLASSES: [&str; 5] = ["21", "22", "23", "3F", "42"];
    code != MISSING_RIGHT && CLASSES.iter().any(|class| code.starts_with(class))
}

/// True for what others were doing at the same time: rolled back for them, waited too long, or one of our guards.
pub(super) fn is_of_others(code: &str) -> bool {
    code.starts_with("40") || ["55P03", "57014", "OM001"].contains(&code)
}

const MISSING_RIGHT: &str = "42501";

/// The trouble that the database is in when it refuses with this SQLSTATE, if it is in any.
pub(super) fn reason(code: &str) -> Option<Reason> {
    if is_ours(code) || is_of_others(code) || OUTDATED.contains(&code) {
        return None;
    }
    Some(match (code, code.get(..2)) {
        ("25006", _) => Reason::ReadOnly,
        (MISSING_RIGHT, _) => Reason::Rights,
        (_, Some("53")) => Reason::Full,
        (_, Some("28")) => Reason::Credentials,
        (_, Some("3D")) => Reason::Missing,
        (_, Some("08" | "57")) => Reason::Unreachable,
        _ => Reason::Failing,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_list_of_sqlstates_is_ours() {
        for code in [
            "21000", "22021", "22P05", "23514", "3F000", "42601", "42P01", "42P05",
        ] {
            assert!(is_ours(code), "{code}");
            assert_eq!(reason(code), None, "{code}");
        }
        for (code, reason_of_it) in [
            ("25006", Reason::ReadOnly),
            ("53100", Reason::Full),
            ("53200", Reason::Full),
            ("53300", Reason::Full),
            ("53400", Reason::Full),
            ("28P01", Reason::Credentials),
            ("28000", Reason::Credentials),
            ("3D000", Reason::Missing),
            ("42501", Reason::Rights),
            ("57P01", Reason::Unreachable),
            ("08006", Reason::Unreachable),
            ("58030", Reason::Failing),
            ("XX000", Reason::Failing),
            ("P0001", Reason::Failing),
            ("ZZ999", Reason::Failing),
        ] {
            assert!(!is_ours(code), "{code}");
            assert_eq!(reason(code), Some(reason_of_it), "{code}");
        }
    }

    #[test]
    fn what_others_are_doing_is_no_trouble_of_the_database() {
        for code in ["40001", "40P01", "55P03", "57014", "OM001", "26000", "0A000"] {
            assert!(!is_ours(code), "{code}");
            assert_eq!(reason(code), None, "{code}");
        }
    }
}
