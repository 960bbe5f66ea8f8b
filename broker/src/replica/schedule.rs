//! What has to be done from time to time, and when: retention, checkpoints, and freeing the space
//! of what was deleted. Pure; [`super::upkeep`] drives it.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// When which job is due. Pure: times come as arguments, on the monotonic clock.
#[derive(Debug)]
pub(super) struct Schedule<R> {
    retention: Recurring,
    checkpoint: Recurring,
    /// What was deleted, by the time at which its space is freed.
    removals: BinaryHeap<Reverse<Removal<R>>>,
    added: u64,
}

/// Something to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Job<R> {
    /// Roll old segments and delete what retention does not keep.
    Retain,
    /// Write recovery points and log starts down.
    Checkpoint,
    Remove(R),
}

impl<R> Schedule<R> {
    /// Both intervals begin at `now`.
    pub(super) fn new(retain_every: Duration, checkpoint_every: Duration, now: Duration) -> Self {
        Self {
            retention: Recurring::new(retain_every, now),
            checkpoint: Recurring::new(checkpoint_every, now),
            removals: BinaryHeap::new(),
            added: 0,
        }
    }

    /// Has `what` removed at `due`.
    pub(super) fn remove_at(&mut self, due: Duration, what: R) {
        self.added += 1;
        self.removals.push(Reverse(Removal { due, order: self.added, what }));
    }

    /// When there will be something to do, if nothing is added.
    pub(super) fn next(&self) -> Duration {
        let removal = self.removals.peek().map_or(Duration::MAX, |Reverse(removal)| removal.due);
        self.retention.due.min(self.checkpoint.due).min(removal)
    }

    /// Everything that is due, each once however long ago it was. Retention comes first, so that a
    /// checkpoint sees what it did.
    pub(super) fn take_due(&mut self, now: Duration) -> Vec<Job<R>> {
        let mut jobs = Vec::new();
        if self.retention.take(now) {
            jobs.push(Job::Retain);
        }
        if self.checkpoint.take(now) {
            jobs.push(Job::Checkpoint);
        }
        while self.removals.peek().is_some_and(|Reverse(removal)| removal.due <= now) {
            jobs.extend(self.removals.pop().map(|Reverse(removal)| Job::Remove(removal.what)));
        }
        jobs
    }
}

#[derive(Clone, Copy, Debug)]
struct Recurring {
    every: Duration,
    due: Duration,
}

impl Recurring {
    fn new(every: Duration, now: Duration) -> Self {
        Self { every, due: now.saturating_add(every) }
    }

    fn take(&mut self, now: Duration) -> bool {
        let due = self.due <= now;
        if due {
            self.due = now.saturating_add(self.every);
        }
        due
    }
}

/// Ordered by time, then by arrival.
#[derive(Debug)]
struct Removal<R> {
    due: Duration,
    order: u64,
    what: R,
}

impl<R> Ord for Removal<R> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl<R> PartialOrd for Removal<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> PartialEq for Removal<R> {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.order) == (other.due, other.order)
    }
}

impl<R> Eq for Removal<R> {}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn jobs_come_when_they_are_due_and_only_once() {
        let mut schedule = Schedule::new(s(300), s(60), s(0));
        schedule.remove_at(s(70), "b");
        schedule.remove_at(s(10), "a");
        schedule.remove_at(s(70), "c");
        let table = [
            (s(9), vec![], s(10)),
            (s(10), vec![Job::Remove("a")], s(60)),
            (s(60), vec![Job::Checkpoint], s(70)),
            (s(75), vec![Job::Remove("b"), Job::Remove("c")], s(120)),
            // A pause is not made up for.
            (s(900), vec![Job::Retain, Job::Checkpoint], s(960)),
            (s(901), vec![], s(960)),
        ];
        for (now, jobs, next) in table {
            assert_eq!(schedule.take_due(now), jobs, "at {now:?}");
            assert_eq!(schedule.next(), next, "after {now:?}");
        }
    }
}
