//! A server's two lines to the process that started it: where it listens, and how long it is still wanted.
//! Never says anything that was not asked for.

use std::{fmt::Display, net::SocketAddr};

use anyhow::Result;

use crate::process::LISTENING;

/// Tells where the server listens.
pub(super) fn tell(address: SocketAddr) {
    println!("{LISTENING}{address}");
}

/// Answers each line of the input, until the other process closes it or is gone.
pub(super) async fn until_alone<T: Display>(answer: impl Fn() -> T + Send + 'static) -> Result<()> {
    let listening = move || {
        for _line in std::io::stdin().lines().map_while(Result::ok) {
            println!("{}", answer());
        }
    };
    Ok(tokio::task::spawn_blocking(listening).await?)
}
