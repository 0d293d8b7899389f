//! How many articles are translated at once, and who is told to stop.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{Error, Result};

/// The one gate that all calls pass.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    articles: Arc<Semaphore>,
    limit: usize,
    /// Whether the server is stopping. Each call in progress holds a receiver: by it a call hears of the stop, and
    /// by their number the server knows when the last call has ended.
    stopping: Arc<watch::Sender<bool>>,
}

/// A call in progress; the server doesn't stop while it lives, unless its time is up.
#[derive(Debug)]
pub(super) struct Call {
    stopping: watch::Receiver<bool>,
}

/// The right to translate one article, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(limit: usize) -> Self {
        // More than the semaphore can count is as good as no limit.
        let limit = limit.clamp(1, Semaphore::MAX_PERMITS);
        let (stopping, _) = watch::channel(false);
        Self { articles: Arc::new(Semaphore::new(limit)), limit, stopping: Arc::new(stopping) }
    }

    /// Lets a call in unless the server is stopping.
    pub(super) fn call(&self) -> Result<Call> {
        // The receiver comes first: a stop from here on waits for it.
        let stopping = self.stopping.subscribe();
        if *stopping.borrow() {
            return Err(Error::ShuttingDown);
        }
        Ok(Call { stopping })
    }

    /// The right to translate an article, now or not at all.
    pub(super) fn permit(&self) -> Result<Permit> {
        match Arc::clone(&self.articles).try_acquire_owned() {
            Ok(permit) => Ok(Permit { _permit: permit }),
            Err(_) => Err(Error::Overloaded(format!("{} articles are being translated", self.limit))),
        }
    }

    /// The right to translate an article, once it's this caller's turn. Callers are served in order.
    pub(super) async fn permit_in_turn(self) -> Result<Permit> {
        // The semaphore is never closed.
        let permit = self.articles.acquire_owned().await.map_err(|_| Error::ShuttingDown)?;
        Ok(Permit { _permit: permit })
    }

    /// Lets no more calls in and waits for the last one to end.
    pub(super) async fn drain(&self) {
        self.stopping.send_replace(true);
        self.stopping.closed().await;
    }
}

impl Call {
    /// Waits until the server is told to stop.
    pub(super) async fn stopping(&mut self) {
        // An error is the server gone, which is no different.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_limit_answers_at_once_and_a_dropped_permit_makes_room() {
        let admission = Admission::new(1);
        let held = admission.permit().unwrap();
        assert!(matches!(admission.permit(), Err(Error::Overloaded(_))));
        drop(held);
        admission.permit().unwrap();
    }

    #[test]
    fn those_who_wait_are_served_in_order_and_before_newcomers() {
        let admission = Admission::new(1);
        let held = admission.permit().unwrap();
        let mut first = Box::pin(admission.clone().permit_in_turn());
        let mut second = Box::pin(admission.clone().permit_in_turn());
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(admission.permit().is_err());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.now_or_never().is_some());
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn draining_refuses_new_calls_tells_the_old_ones_and_waits_for_them() {
        let admission = Admission::new(1);
        let mut call = admission.call().unwrap();
        assert!(call.stopping().now_or_never().is_none());
        let mut drained = Box::pin(admission.drain());
        assert!(drained.as_mut().now_or_never().is_none());
        assert!(matches!(admission.call(), Err(Error::ShuttingDown)));
        assert!(call.stopping().now_or_never().is_some());
        drop(call);
        assert!(drained.now_or_never().is_some());
    }

    #[test]
    fn a_limit_of_nothing_still_serves() {
        Admission::new(0).permit().unwrap();
        Admission::new(usize::MAX).permit().unwrap();
    }
}
