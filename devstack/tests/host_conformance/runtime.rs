//! Where what a row needs beside its host runs: its bus, its storage account and the wires before them.
//! Never ends before the suite does.

use std::sync::LazyLock;

use tokio::runtime::Runtime;

/// Waits for this; what it has started goes on.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
    RUNTIME.block_on(future)
}
