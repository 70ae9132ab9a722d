//! Names in statements that take no parameters.
//! Never leaves a name as it came.

/// A name as SQL writes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
