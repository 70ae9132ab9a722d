//! All rows, by what they are about.
//! Never a row twice.

mod forwarding;
mod http;
mod payloads;
mod routing;

use crate::row::Row;

/// The files with rows, in the order of the notes.
const FILES: [&[Row]; 4] = [routing::ROWS, http::ROWS, forwarding::ROWS, payloads::ROWS];

pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    FILES.into_iter().flatten()
}
