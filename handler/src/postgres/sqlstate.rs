//! The SQLSTATEs that decide what an error of PostgreSQL means.
//! Never by the words of the server: they may be in any language.

use crate::condition::StoreReason;

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
pub(super) fn reason(code: &str) -> Option<StoreReason> {
    if is_ours(code) || is_of_others(code) || OUTDATED.contains(&code) {
        return None;
    }
    Some(match (code, code.get(..2)) {
        ("25006", _) => StoreReason::ReadOnly,
        (MISSING_RIGHT, _) => StoreReason::Rights,
        (_, Some("53")) => StoreReason::Full,
        (_, Some("28")) => StoreReason::Credentials,
        (_, Some("3D")) => StoreReason::Missing,
        (_, Some("08" | "57")) => StoreReason::Unreachable,
        _ => StoreReason::Failing,
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
            ("25006", StoreReason::ReadOnly),
            ("53100", StoreReason::Full),
            ("53200", StoreReason::Full),
            ("53300", StoreReason::Full),
            ("53400", StoreReason::Full),
            ("28P01", StoreReason::Credentials),
            ("28000", StoreReason::Credentials),
            ("3D000", StoreReason::Missing),
            ("42501", StoreReason::Rights),
            ("57P01", StoreReason::Unreachable),
            ("08006", StoreReason::Unreachable),
            ("58030", StoreReason::Failing),
            ("XX000", StoreReason::Failing),
            ("P0001", StoreReason::Failing),
            ("ZZ999", StoreReason::Failing),
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
