//! Results on stdout, line by line.
//! Never panics because nobody reads on: `handler operations list | head -1` has what it wanted.

use std::{
    fmt,
    io::{self, Write},
    process,
};

/// Prints a line; ends the process when nobody reads any more.
pub(super) fn line(text: fmt::Arguments<'_>) {
    if writeln!(io::stdout().lock(), "{text}").is_err() {
        process::exit(0);
    }
}

/// Like `println!`, for results.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::line(format_args!($($text)*)) };
}
pub(super) use say;
