//! What clients were told is written, but would not survive a crash yet. Pure.

use std::{collections::VecDeque, time::Duration};

use milena_protocol::Offset;

/// The acknowledged part of a log that is not synced, by age. Never tells less than there is.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    marks: VecDeque<Mark>,
}

/// Everything before `end` that no earlier mark covers was acknowledged at `since` or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    end: Offset,
    since: Duration,
}

impl Unsynced {
    pub(super) fn acknowledged(&mut self, end: Offset, now: Duration) {
        let full = self.marks.len() == MARKS_MAX;
        match self.marks.back_mut() {
            Some(last) if full || now.saturating_sub(last.since) < RESOLUTION => {
                last.end = last.end.max(end);
            }
            Some(last) if last.end >= end => {}
            _ => self.marks.push_back(Mark { end, since: now }),
        }
    }

    pub(super) fn synced(&mut self, end: Offset) {
        while self.marks.front().is_some_and(|first| first.end <= end) {
            self.marks.pop_front();
        }
    }

    /// How long the oldest of it has been waiting; `None` if there is none.
    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        self.marks.front().map(|first| now.saturating_sub(first.since))
    }
}

/// What was acknowledged within this time is as old as its first.
const RESOLUTION: Duration = Duration::from_millis(10);
const MARKS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_oldest_that_no_sync_has_covered_counts() {
        let mut unsynced = Unsynced::default();
        assert_eq!(unsynced.age(ms(5)), None);
        for (end, at) in [(1, 100), (2, 105), (3, 200)] {
            unsynced.acknowledged(Offset(end), ms(at));
        }
        unsynced.acknowledged(Offset(2), ms(300));
        assert_eq!(unsynced.age(ms(300)), Some(ms(200)));
        unsynced.synced(Offset(1));
        assert_eq!(unsynced.age(ms(300)), Some(ms(200)), "the second is not covered");
        unsynced.synced(Offset(2));
        assert_eq!(unsynced.age(ms(300)), Some(ms(100)));
        unsynced.synced(Offset(3));
        assert_eq!(unsynced.age(ms(300)), None);
    }

    #[test]
    fn what_is_never_synced_takes_no_more_room_and_gets_no_younger() {
        let mut unsynced = Unsynced::default();
        for at in 0..10_000 {
            unsynced.acknowledged(Offset(at), ms(u64::try_from(at).unwrap() * 20));
        }
        assert!(unsynced.marks.len() <= MARKS_MAX);
        unsynced.synced(Offset(9_998));
        assert!(unsynced.age(ms(200_000)) >= Some(ms(20)));
    }
}
