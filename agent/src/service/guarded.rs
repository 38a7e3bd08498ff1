//! Decides what a panic inside one cycle may do: end that cycle, and nothing else.
//!
//! Whatever a directory server sends, the service stays up. A cycle leaves nothing behind that a panic could have left
//! half done: its transaction is rolled back when it is dropped, and its reading is begun anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// The future panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs a future whose panics end nothing but itself.
pub async fn guarded<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_future_and_not_the_program() {
        let seen = guarded(async {
            tokio::task::yield_now().await;
            let nobody: Vec<u8> = Vec::new();
            nobody.iter().next().copied().unwrap()
        })
        .await;

        assert_eq!(seen, Err(Panicked));
        assert_eq!(guarded(async { 7 }).await, Ok(7));
    }
}
