//! Panics of a piece of work: caught, told in the log, and kept from ending more than that piece.
//! Never hides one, and never makes a defect look like an answer.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::FutureExt;

/// Does the work to its end.
///
/// # Errors
/// The text of the panic that it ended with.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.map_err(|panic| text(panic.as_ref()))
}

/// The text of a panic, by what it left behind.
#[must_use]
pub fn text(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    let text = owned.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    text.unwrap_or_else(|| "nothing that is text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_ends_with_the_text_of_its_panic() {
        assert_eq!(caught(async { 7 }).await, Ok(7));
        assert_eq!(
            caught(async { panic!("at once") }).await,
            Err::<(), _>("at once".to_owned())
        );
        let late = async {
            tokio::task::yield_now().await;
            panic!("number {}", 7)
        };
        assert_eq!(caught(late).await, Err::<(), _>("number 7".to_owned()));
    }
}
