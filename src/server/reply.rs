//! A streamed reply that doesn't outlive its client's patience, nor its client the server's.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument;

use super::metrics::{Metrics, Stage};
use crate::Error;

/// How long each side waits for the other.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// When the client stops waiting.
    pub(super) deadline: Option<Instant>,
    /// How long the server waits for the client to read.
    pub(super) stall: Duration,
}

/// `work` as a reply. It goes on only as fast as the client reads: one message waits for the client, one for that.
///
/// At the deadline, and when the client doesn't read for too long, `work` is dropped, and the reply ends with an error
/// once the client reads on; until then it holds one message. When the reply is dropped, `work` is too.
pub(super) fn reply<T: Send + 'static>(
    work: impl Stream<Item = Result<T, Status>> + Send + 'static,
    patience: Patience,
    metrics: Arc<Metrics>,
) -> BoxStream<'static, Result<T, Status>> {
    let (sender, receiver) = mpsc::channel(1);
    let Patience { deadline, stall } = patience;
    let sending = async move {
        let passed = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let ending = tokio::select! {
            () = sender.closed() => return,
            () = passed => Error::Expired("its deadline has passed"),
            ending = send(work, &sender, stall, &metrics) => match ending {
                Some(error) => error,
                None => return,
            },
        };
        tracing::info!(error = %ending, "reply cut short");
        // The client may never read it, but it may go, which ends this too.
        let _ = sender.send(Err(ending.into())).await;
    };
    tokio::spawn(sending.in_current_span());
    ReceiverStream::new(receiver).boxed()
}

/// Sends all of `work`; an error if the client doesn't take it.
async fn send<T>(
    work: impl Stream<Item = Result<T, Status>>,
    sender: &mpsc::Sender<Result<T, Status>>,
    stall: Duration,
    metrics: &Metrics,
) -> Option<Error> {
    let mut work = std::pin::pin!(work);
    while let Some(message) = work.next().await {
        let ready = Instant::now();
        let sent = timeout(stall, sender.send(message)).instrument(tracing::debug_span!("send")).await;
        match sent {
            Ok(Ok(())) => metrics.stage(Stage::Send, ready.elapsed()),
            Ok(Err(_)) => return None,
            Err(_) => return Some(Error::Expired("the client stopped reading")),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tonic::Code;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn replied(
        work: impl Stream<Item = u32> + Send + 'static,
        deadline: Option<Duration>,
    ) -> BoxStream<'static, Result<u32, Status>> {
        let deadline = deadline.map(|time| Instant::now() + time);
        reply(work.map(Ok), Patience { deadline, stall: SECOND }, Arc::new(Metrics::new()))
    }

    /// A stream of numbers that tells when it's dropped.
    fn watched(
        numbers: impl Stream<Item = u32> + Send + 'static,
    ) -> (BoxStream<'static, u32>, mpsc::Receiver<()>) {
        let (alive, dropped) = mpsc::channel(1);
        let numbers = numbers.map(move |number| {
            let _alive = &alive;
            number
        });
        (numbers.boxed(), dropped)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_gets_everything_however_long_it_takes() {
        let slow = stream::unfold(0, |n| async move {
            tokio::time::sleep(SECOND * 10).await;
            (n < 5).then_some((n, n + 1))
        });
        let got: Vec<_> = replied(slow, None).map(Result::unwrap).collect().await;
        assert_eq!(got, [0, 1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_work_of_a_client_that_stops_reading_is_dropped_before_it_reads_on() {
        let (numbers, mut dropped) = watched(stream::iter(0..));
        let mut reply = replied(numbers, None);
        assert_eq!(reply.next().await.unwrap().unwrap(), 0);
        assert!(dropped.recv().await.is_none());
        let rest: Vec<_> = reply.collect().await;
        let [Ok(1), Err(status)] = &*rest else { panic!("{rest:?}") };
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("stopped reading"), "{status}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_past_its_deadline_is_dropped() {
        let (numbers, mut dropped) = watched(stream::iter([7]).chain(stream::pending()));
        let reply = replied(numbers, Some(SECOND * 5));
        let begun = Instant::now();
        assert!(dropped.recv().await.is_none());
        assert_eq!(begun.elapsed(), SECOND * 5);
        let rest: Vec<_> = reply.collect().await;
        let [Ok(7), Err(status)] = &*rest else { panic!("{rest:?}") };
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_is_dropped_takes_its_work_along() {
        let (numbers, mut dropped) = watched(stream::pending());
        drop(replied(numbers, None));
        assert!(dropped.recv().await.is_none());
    }
}
