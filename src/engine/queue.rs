//! What waits for a replica. Every request has a lane of its own, and lanes are served in turn: a request of a
//! thousand sentences holds up one of two by no more than a sentence a turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Priority;

/// Turns of urgent lanes after which one that isn't has a turn though urgent ones wait.
const URGENT_TURNS: usize = 8;

/// A queue of jobs in lanes, between any number of requests and any number of replicas.
pub(super) struct Queue<J> {
    state: Mutex<State<J>>,
    changed: Condvar,
}

/// How busy both sides of a queue are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Jobs that wait.
    pub(super) waiting: usize,
    /// Replicas that have nothing to do.
    pub(super) idle: usize,
}

struct State<J> {
    /// What waits in each lane; a lane in which nothing waits isn't here.
    lanes: HashMap<u64, VecDeque<J>>,
    /// The lanes in which something waits, in the order of their turns.
    urgent: VecDeque<u64>,
    patient: VecDeque<u64>,
    /// Turns of urgent lanes since a patient one had its own.
    urgent_turns: usize,
    waiting: usize,
    /// Replicas that have nothing to do.
    idle: usize,
    next_lane: u64,
    closed: bool,
}

impl<J> Queue<J> {
    pub(super) fn new() -> Self {
        let state = State {
            lanes: HashMap::new(),
            urgent: VecDeque::new(),
            patient: VecDeque::new(),
            urgent_turns: 0,
            waiting: 0,
            idle: 0,
            next_lane: 0,
            closed: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The number of a new lane.
    pub(super) fn new_lane(&self) -> u64 {
        let mut state = self.lock();
        state.next_lane += 1;
        state.next_lane
    }

    /// Puts a job at the end of a lane.
    pub(super) fn push(&self, lane: u64, priority: Priority, job: J) {
        let mut state = self.lock();
        let jobs = state.lanes.entry(lane).or_default();
        jobs.push_back(job);
        if jobs.len() == 1 {
            state.turns(priority).push_back(lane);
        }
        state.waiting += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// The next job, if one waits.
    pub(super) fn try_take(&self) -> Option<J> {
        self.lock().take()
    }

    /// The next job, as soon as there is one; `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<J> {
        let mut state = self.lock();
        state.idle += 1;
        while state.waiting == 0 && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle -= 1;
        state.take()
    }

    /// How busy both sides are.
    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load { waiting: state.waiting, idle: state.idle }
    }

    /// No job comes any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> State<J> {
    fn turns(&mut self, priority: Priority) -> &mut VecDeque<u64> {
        match priority {
            Priority::Interactive => &mut self.urgent,
            Priority::Batch => &mut self.patient,
        }
    }

    fn take(&mut self) -> Option<J> {
        let owed = self.urgent_turns >= URGENT_TURNS && !self.patient.is_empty();
        let priority = if self.urgent.is_empty() || owed { Priority::Batch } else { Priority::Interactive };
        let lane = self.turns(priority).pop_front()?;
        self.urgent_turns = if priority == Priority::Interactive { self.urgent_turns + 1 } else { 0 };
        let jobs = self.lanes.get_mut(&lane)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.lanes.remove(&lane);
        } else {
            self.turns(priority).push_back(lane);
        }
        self.waiting -= 1;
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &Queue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.try_take()).collect()
    }

    #[test]
    fn lanes_are_served_in_turn_and_each_in_its_order() {
        let queue = Queue::new();
        let (long, short) = (queue.new_lane(), queue.new_lane());
        for job in ["a1", "a2", "a3", "a4"] {
            queue.push(long, Priority::Interactive, job);
        }
        for job in ["b1", "b2"] {
            queue.push(short, Priority::Interactive, job);
        }
        assert_eq!(queue.load(), Load { waiting: 6, idle: 0 });
        assert_eq!(drain(&queue), ["a1", "b1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn what_is_urgent_comes_first_but_does_not_starve_the_rest() {
        let queue = Queue::new();
        let (batch, urgent) = (queue.new_lane(), queue.new_lane());
        queue.push(batch, Priority::Batch, "patient");
        for _ in 0..2 * URGENT_TURNS {
            queue.push(urgent, Priority::Interactive, "urgent");
        }
        let order = drain(&queue);
        assert_eq!(order.iter().position(|job| *job == "patient"), Some(URGENT_TURNS));
        assert_eq!(order.len(), 2 * URGENT_TURNS + 1);
    }

    #[test]
    fn a_closed_queue_is_emptied_first() {
        let queue = Queue::new();
        queue.push(queue.new_lane(), Priority::Batch, "last");
        queue.close();
        assert_eq!((queue.take(), queue.take()), (Some("last"), None));
    }
}
