//! All rows, by what they are about.
//! Never a row twice.

mod answers;
mod bus;
mod exits;
mod forwarding;
mod http;
mod payloads;
mod resends;
mod routing;
mod start;
mod stop;
mod storage;

use crate::row::Row;

/// The files with rows, in the order of the notes.
const FILES: [&[Row]; 11] = [
    routing::ROWS,
    resends::ROWS,
    storage::ROWS,
    stop::ROWS,
    http::ROWS,
    forwarding::ROWS,
    payloads::ROWS,
    bus::ROWS,
    answers::ROWS,
    exits::ROWS,
    start::ROWS,
];

pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    FILES.into_iter().flatten()
}
