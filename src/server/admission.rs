//! How much is translated at once, and who is told to stop.
//!
//! What an article costs is its tokens. They aren't known before it is split and encoded, which is work itself, so its
//! characters stand for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::keys::Key;
use crate::config::Limits;
use crate::engine::Priority;
use crate::{Error, Result};

/// The shortest and the longest time after which a refused client is told to try again.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The one gate that all calls pass.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    /// A permit for each character.
    room: Arc<Semaphore>,
    /// What of that the patient may take: they leave enough for an article of the urgent, however long.
    patient_room: Arc<Semaphore>,
    capacity: u32,
    pace: Arc<Mutex<Pace>>,
    /// Whether the server is stopping. Each call in progress holds a receiver: by it a call hears of the stop, and
    /// by their number the server knows when the last call has ended.
    stopping: Arc<watch::Sender<bool>>,
}

/// Who asks for how much.
#[derive(Clone)]
pub(super) struct Demand {
    /// The key that pays for it; `None` where calls need no key.
    pub(super) key: Option<Arc<Key>>,
    pub(super) characters: u32,
    pub(super) priority: Priority,
}

/// A call in progress; the server doesn't stop while it lives, unless its time is up.
#[derive(Debug)]
pub(super) struct Call {
    stopping: watch::Receiver<bool>,
}

/// The right to translate one article, until it is dropped. What is done of it makes room for others before that.
#[derive(Debug)]
pub(super) struct Permit {
    room: OwnedSemaphorePermit,
    patient_room: Option<OwnedSemaphorePermit>,
    pace: Arc<Mutex<Pace>>,
}

/// How fast characters are translated.
#[derive(Debug)]
struct Pace {
    since: Instant,
    /// Done since then.
    characters: u32,
}

impl Admission {
    pub(super) fn new(capacity: u32) -> Self {
        // More than the semaphore can count is as good as no limit.
        let capacity = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX).min(capacity.max(1));
        let (stopping, _) = watch::channel(false);
        let largest = largest(capacity);
        Self {
            room: Arc::new(Semaphore::new(capacity as usize)),
            patient_room: Arc::new(Semaphore::new((capacity - largest).max(largest) as usize)),
            capacity,
            pace: Arc::new(Mutex::new(Pace { since: Instant::now(), characters: 0 })),
            stopping: Arc::new(stopping),
        }
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
    pub(super) fn permit(&self, demand: &Demand) -> Result<Permit> {
        let cost = self.cost(demand);
        let take = |room: &Arc<Semaphore>| {
            Arc::clone(room).try_acquire_many_owned(cost).map_err(|_| self.overloaded(cost, room))
        };
        let patient_room = self.patient_room(demand).map(take).transpose()?;
        let room = take(&self.room)?;
        demand.charge()?;
        Ok(self.granted(room, patient_room))
    }

    /// The right to translate an article, once it's this caller's turn and its key has enough left. Callers are served
    /// in order.
    pub(super) async fn permit_in_turn(self, demand: Demand) -> Result<Permit> {
        while let Err(error) = demand.charge() {
            let Error::Overloaded { retry_after, .. } = error else { return Err(error) };
            tokio::time::sleep(retry_after).await;
        }
        let cost = self.cost(&demand);
        let take = async |room: &Arc<Semaphore>| {
            // It is never closed.
            Arc::clone(room).acquire_many_owned(cost).await.map_err(|_| Error::ShuttingDown)
        };
        let patient_room = match self.patient_room(&demand) {
            Some(room) => Some(take(room).await?),
            None => None,
        };
        Ok(self.granted(take(&self.room).await?, patient_room))
    }

    /// Characters that are being translated.
    pub(super) fn in_progress(&self) -> usize {
        self.capacity as usize - self.room.available_permits()
    }

    /// Lets no more calls in and waits for the last one to end.
    pub(super) async fn drain(&self) {
        self.stopping.send_replace(true);
        self.stopping.closed().await;
    }

    fn cost(&self, demand: &Demand) -> u32 {
        demand.characters.max(Limits::LEAST_CHARACTERS).min(largest(self.capacity))
    }

    fn patient_room(&self, demand: &Demand) -> Option<&Arc<Semaphore>> {
        (demand.priority == Priority::Batch).then_some(&self.patient_room)
    }

    fn granted(&self, room: OwnedSemaphorePermit, patient_room: Option<OwnedSemaphorePermit>) -> Permit {
        if self.in_progress() == room.num_permits() {
            // Nothing else is in progress: time without work says nothing of the pace.
            *lock(&self.pace) = Pace { since: Instant::now(), characters: 0 };
        }
        Permit { room, patient_room, pace: Arc::clone(&self.pace) }
    }

    fn overloaded(&self, cost: u32, room: &Semaphore) -> Error {
        let missing = (cost as usize).saturating_sub(room.available_permits());
        let retry_after = lock(&self.pace).time_for(missing).unwrap_or(RETRY_AFTER.1);
        Error::Overloaded {
            problem: format!("{} of {} characters are being translated", self.in_progress(), self.capacity),
            retry_after: retry_after.clamp(RETRY_AFTER.0, RETRY_AFTER.1),
        }
    }
}

impl Demand {
    fn charge(&self) -> Result<()> {
        self.key.as_ref().map_or(Ok(()), |key| key.charge(self.characters))
    }
}

impl Call {
    /// Waits until the server is told to stop.
    pub(super) async fn stopping(&mut self) {
        // An error is the server gone, which is no different.
        let _ = self.stopping.wait_for(|stopping| *stopping).await;
    }
}

impl Permit {
    /// The characters that it still holds.
    pub(super) fn characters(&self) -> usize {
        self.room.num_permits()
    }

    /// Makes room for others: so many characters of the article are done.
    pub(super) fn done(&mut self, characters: usize) {
        let characters = characters.min(self.room.num_permits());
        drop(self.room.split(characters));
        drop(self.patient_room.as_mut().map(|room| room.split(characters)));
        let mut pace = lock(&self.pace);
        pace.characters = pace.characters.saturating_add(small(characters));
    }
}

impl Pace {
    /// How long so many characters take; `None` where nothing is known of it.
    fn time_for(&self, characters: usize) -> Option<Duration> {
        let ratio = f64::from(small(characters)) / f64::from(self.characters);
        Duration::try_from_secs_f64(self.since.elapsed().as_secs_f64() * ratio).ok()
    }
}

/// What one article counts for at most: most of a long one waits in its own stream, so it stands in nobody's way for all
/// of its length.
fn largest(capacity: u32) -> u32 {
    (capacity / Limits::LARGEST_SHARE).max(1)
}

/// A number of characters, of which there are never more than the capacity.
fn small(characters: usize) -> u32 {
    u32::try_from(characters).unwrap_or(u32::MAX)
}

/// The pace is two numbers: one who panicked between them has spoilt nothing.
fn lock(pace: &Mutex<Pace>) -> std::sync::MutexGuard<'_, Pace> {
    pace.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn of(characters: u32) -> Demand {
        Demand { key: None, characters, priority: Priority::Interactive }
    }

    fn patient(characters: u32) -> Demand {
        Demand { priority: Priority::Batch, ..of(characters) }
    }

    fn full(admission: &Admission) -> Vec<Permit> {
        std::iter::from_fn(|| admission.permit(&of(1000)).ok()).collect()
    }

    #[test]
    fn the_limit_answers_at_once_and_a_dropped_permit_makes_room() {
        let admission = Admission::new(8000);
        let mut held = full(&admission);
        assert_eq!((held.len(), admission.in_progress()), (8, 8000));
        assert!(matches!(admission.permit(&of(1)), Err(Error::Overloaded { .. })));
        held.pop();
        let _held = admission.permit(&of(600)).unwrap();
        admission.permit(&of(400)).unwrap();
        admission.permit(&of(401)).unwrap_err();
    }

    #[test]
    fn an_article_counts_for_no_more_than_its_share_and_no_less_than_a_tiny_one() {
        let admission = Admission::new(8000);
        let _long = admission.permit(&of(u32::MAX)).unwrap();
        assert_eq!(admission.in_progress(), 1000);
        let _tiny = admission.permit(&of(0)).unwrap();
        assert_eq!(admission.in_progress(), 1200);
    }

    #[test]
    fn what_is_done_of_an_article_makes_room_before_its_end() {
        let admission = Admission::new(8000);
        let mut held = admission.permit(&of(1000)).unwrap();
        held.done(300);
        assert_eq!(admission.in_progress(), 700);
        held.done(5000);
        assert_eq!(admission.in_progress(), 0);
        drop(held);
        assert_eq!(admission.in_progress(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_to_try_again_follows_the_pace() {
        let retry_after = |admission: &Admission, characters| match admission.permit(&of(characters)) {
            Err(Error::Overloaded { retry_after, .. }) => retry_after.as_secs(),
            other => panic!("{other:?}"),
        };
        let admission = Admission::new(8000);
        let mut held = full(&admission);
        assert_eq!(retry_after(&admission, 1000), 60, "nothing is known of the pace");
        tokio::time::advance(Duration::from_secs(10)).await;
        held[0].done(500);
        // 50 characters a second; 500 are free.
        assert_eq!(retry_after(&admission, 1000), 10);
        assert_eq!(retry_after(&admission, 501), 1);
    }

    #[test]
    fn those_who_wait_are_served_in_order_and_before_newcomers() {
        let admission = Admission::new(8000);
        let mut held = full(&admission);
        let mut first = Box::pin(admission.clone().permit_in_turn(of(1000)));
        let mut second = Box::pin(admission.clone().permit_in_turn(of(200)));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        held.pop();
        assert!(admission.permit(&of(200)).is_err());
        assert!(second.as_mut().now_or_never().is_none());
        assert!(first.now_or_never().is_some());
        assert!(second.now_or_never().is_some());
    }

    #[test]
    fn the_patient_leave_room_for_the_urgent() {
        let admission = Admission::new(8000);
        let mut held: Vec<_> = std::iter::from_fn(|| admission.permit(&patient(1000)).ok()).collect();
        assert_eq!(held.len(), 7);
        let mut waiting = Box::pin(admission.clone().permit_in_turn(patient(1000)));
        assert!(waiting.as_mut().now_or_never().is_none());
        let urgent = admission.permit(&of(u32::MAX)).unwrap();
        // The place of the urgent isn't for them either, once it is free.
        drop(urgent);
        assert!(waiting.as_mut().now_or_never().is_none());
        held[0].done(500);
        admission.permit(&patient(500)).unwrap_err();
        held[0].done(500);
        assert!(waiting.now_or_never().is_some());
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
        Admission::new(0).permit(&of(1)).unwrap();
        Admission::new(0).permit(&patient(1)).unwrap();
        Admission::new(u32::MAX).permit(&of(1)).unwrap();
    }
}
