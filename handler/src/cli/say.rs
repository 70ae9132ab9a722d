//! Results on stdout, line by line; what a terminal would obey is written out.
//! Never panics because nobody reads on: `handler jobs list | head -1` has what it wanted.

use std::{
    fmt,
    io::{self, Write},
    process,
};

use crate::escape;

/// Prints a line; ends the process when nobody reads any more.
pub(super) fn line(text: fmt::Arguments<'_>) {
    let text = text.to_string();
    if writeln!(io::stdout().lock(), "{}", escape::lines(&text)).is_err() {
        process::exit(0);
    }
}

/// Like `println!`, for results.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::line(format_args!($($text)*)) };
}
pub(super) use say;
