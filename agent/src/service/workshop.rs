//! Gives the worker a thread of its own: what it compares, packs and writes in one go must not keep the agent from hearing
//! a stop, a pause or its revocation meanwhile.

use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::guarded::Panicked;
use super::worker::Ended;
use crate::diagnostic::Diagnostic;

/// Ready when the worker is to let go of everything.
#[derive(Debug)]
pub struct Closing(oneshot::Receiver<()>);

impl Closing {
    /// Works until that moment at the latest, and lets go at the next point where the work waits for something.
    pub async fn or(self, work: impl Future<Output = Ended>) -> Option<Ended> {
        tokio::select! {
            ended = work => Some(ended),
            _ = self.0 => None,
        }
    }
}

/// A worker on its thread. Dropped, it tells the worker to let go and does not wait for it.
#[derive(Debug)]
pub struct Workshop {
    close: Option<oneshot::Sender<()>>,
    ended: oneshot::Receiver<Option<Ended>>,
}

impl Workshop {
    /// Starts the thread. `work` is made there, so that it may hold what must stay on one thread.
    pub fn open<W>(work: impl FnOnce(Closing) -> W + Send + 'static) -> Result<Self, Diagnostic>
    where
        W: Future<Output = Option<Ended>>,
    {
        let (close, closing) = oneshot::channel();
        let (tell, ended) = oneshot::channel();
        let runtime = Handle::current();
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || {
                let ended = runtime.block_on(work(Closing(closing)));
                // Whoever started us may be gone.
                let _ = tell.send(ended);
            })
            .map_err(Diagnostic::unexpected)?;
        Ok(Self { close: Some(close), ended })
    }

    /// Ready when the worker has ended by itself.
    pub async fn ended(&mut self) -> Result<Ended, Panicked> {
        match (&mut self.ended).await {
            Ok(Some(ended)) => Ok(ended),
            Ok(None) | Err(_) => Err(Panicked),
        }
    }

    /// Tells the worker to let go, and waits until it has: from then on nobody writes its files.
    pub async fn close(&mut self) {
        // Both fail only when the worker has ended already.
        drop(self.close.take());
        let _ = (&mut self.ended).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn a_worker_that_does_not_pause_keeps_nobody_from_being_heard() {
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let mut workshop = Workshop::open(move |closing| {
            // As a comparison of very many people: no await in it.
            closing.or(async move {
                let _ = waits.recv();
                Ended::Revoked
            })
        })
        .unwrap();

        let started = Instant::now();
        let heard = tokio::time::timeout(Duration::from_millis(50), workshop.ended()).await;
        assert!(heard.is_err() && started.elapsed() < Duration::from_secs(5));

        drop(go_on);
        assert_eq!(workshop.ended().await, Ok(Ended::Revoked));
    }

    #[tokio::test]
    async fn a_worker_that_waits_lets_go_at_once() {
        let mut workshop = Workshop::open(|closing| closing.or(std::future::pending())).unwrap();

        tokio::time::timeout(Duration::from_secs(30), workshop.close()).await.unwrap();
    }

    #[tokio::test]
    async fn a_worker_that_breaks_is_noticed() {
        let mut workshop = Workshop::open(|closing| {
            closing.or(async {
                tokio::task::yield_now().await;
                std::panic::resume_unwind(Box::new("broken"))
            })
        })
        .unwrap();

        assert_eq!(workshop.ended().await, Err(Panicked));
    }
}
