//! What arrives of a call: in time, and within what the server has room for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use prost::bytes::Bytes;
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::Error;

/// When a client that found no room is told to try again: others' messages are read within moments or time out.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Bytes that may have arrived and not yet be at work, over all calls.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What a call has taken of the budget; it goes back when the last clone is dropped, or before.
#[derive(Debug, Clone)]
pub(super) struct Received(Arc<Share>);

#[derive(Debug)]
struct Share {
    budget: Budget,
    bytes: AtomicUsize,
}

/// A request's body that fails when its client stops sending or the server has no room for more.
pub(super) struct Receiving<B = tonic::body::Body> {
    body: B,
    received: Received,
    /// How long the client may be silent before the body has ended.
    patience: Option<Duration>,
    /// Runs while the client is silent.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }
}

impl Received {
    pub(super) fn new(budget: &Budget) -> Self {
        Self(Arc::new(Share { budget: budget.clone(), bytes: AtomicUsize::new(0) }))
    }

    /// What has arrived so far is at work, and makes room.
    pub(super) fn release(&self) {
        self.0.release();
    }

    fn take(&self, bytes: usize) -> Result<(), Error> {
        let left = &self.0.budget.0;
        let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map_err(|_| Error::Overloaded {
            problem: "too much is arriving at once".into(),
            retry_after: RETRY_AFTER,
        })?;
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Share {
    fn release(&self) {
        self.budget.0.fetch_add(self.bytes.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

impl<B> Receiving<B> {
    pub(super) fn new(body: B, received: Received, patience: Option<Duration>) -> Self {
        Self { body, received, patience, silence: None }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Receiving<B>
where
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => {
                this.silence = None;
                Poll::Ready(frame.map(|frame| {
                    let frame = frame.map_err(|error| Status::from_error(Box::new(error)))?;
                    this.received.take(frame.data_ref().map_or(0, Bytes::len))?;
                    Ok(frame)
                }))
            }
            Poll::Pending => {
                let Some(patience) = this.patience else { return Poll::Pending };
                let silence = this.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
                silence.as_mut().poll(context).map(|()| {
                    Some(Err(
                        Error::Expired("the client stopped sending before its message was complete").into()
                    ))
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tonic::Code;

    use super::*;

    type Frames = Vec<Result<Frame<Bytes>, Infallible>>;

    fn frames(sizes: &[usize]) -> Frames {
        sizes.iter().map(|&size| Ok(Frame::data(vec![0; size].into()))).collect()
    }

    #[tokio::test]
    async fn the_budget_is_shared_and_what_is_at_work_goes_back_to_it() {
        let budget = Budget::new(10);
        let [one, other] = [(); 2].map(|()| Received::new(&budget));
        let body = |received: &Received, sizes: &[usize]| {
            Receiving::new(StreamBody::new(stream::iter(frames(sizes))), received.clone(), None).collect()
        };
        body(&one, &[4, 4]).await.unwrap();
        let refused = body(&other, &[3]).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        body(&other, &[2]).await.unwrap();
        one.release();
        body(&other, &[8]).await.unwrap();
        drop((one, other));
        body(&Received::new(&budget), &[10]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_be_slow_but_not_silent() {
        let received = Received::new(&Budget::new(100));
        let second = Duration::from_secs(1);
        let slow = stream::unfold(0, |n| async move {
            sleep(Duration::from_millis(900)).await;
            (n < 10).then(|| (frames(&[1]).remove(0), n + 1))
        });
        let body = StreamBody::new(Box::pin(slow));
        Receiving::new(body, received.clone(), Some(second)).collect().await.unwrap();

        let silent = StreamBody::new(Box::pin(stream::pending::<Result<Frame<Bytes>, Infallible>>()));
        let ended = Receiving::new(silent, received, Some(second)).collect().await.unwrap_err();
        assert_eq!(ended.code(), Code::DeadlineExceeded);
    }
}
