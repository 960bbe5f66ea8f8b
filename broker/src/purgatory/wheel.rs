//! A hierarchical timing wheel (Varghese and Lauck, 1987): inserting and cancelling a timer are
//! O(1) however many are armed.
//!
//! A tick is a millisecond. Each level has 64 slots, and a slot of level *n* spans 64^*n* ticks, so
//! that six bits of a deadline choose the slot of each level and a word of bits shows which slots
//! are in use. A timer lies on the level of the highest bit in which its deadline differs from the
//! present, and moves down as that moment comes nearer. Levels are made when a deadline first needs
//! them: five span twelve days, eleven all of time.

#![expect(clippy::indexing_slicing, reason = "slot numbers are six bits; levels are made first")]

use super::lists::{List, Lists, NodeId};

/// Timers that carry a `T` each. Pure: it learns the time from [`TimingWheel::advance`] only.
#[derive(Debug)]
pub struct TimingWheel<T> {
    elapsed: u64,
    levels: Vec<Level>,
    timers: Lists<Timer<T>>,
}

/// Names an armed timer; harmless once that has expired or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId(NodeId);

impl<T> TimingWheel<T> {
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self { elapsed: now, levels: Vec::new(), timers: Lists::new() }
    }

    /// Timers that are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.timers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Arms a timer. One whose deadline has passed expires at the next [`TimingWheel::advance`].
    pub fn insert(&mut self, deadline: u64, value: T) -> TimerId {
        let deadline = deadline.max(self.elapsed);
        let place = Place::of(deadline, self.elapsed);
        self.grow_to(place.level());
        let level = &mut self.levels[place.level()];
        level.note(place.slot(), deadline);
        let timer = Timer { deadline, place, value };
        TimerId(self.timers.push(&mut level.slots[place.slot()], timer))
    }

    /// Disarms a timer and gives back what it carried; `None` if it is no longer armed.
    pub fn cancel(&mut self, id: TimerId) -> Option<T> {
        let place = self.timers.get(id.0)?.place;
        let level = &mut self.levels[place.level()];
        let timer = self.timers.remove(&mut level.slots[place.slot()], id.0)?;
        level.forget_if_empty(place.slot());
        Some(timer.value)
    }

    /// Moves time on to `now` and appends what expired to `expired`, earliest deadline first.
    pub fn advance(&mut self, now: u64, expired: &mut Vec<T>) {
        while let Some((level, slot, start)) = self.first_slot()
            && start <= now
        {
            self.elapsed = self.elapsed.max(start);
            let mut list = self.levels[level].take(slot);
            if level == 0 {
                while let Some(timer) = self.timers.pop(&mut list) {
                    expired.push(timer.value);
                }
            } else {
                self.move_down(list);
            }
        }
        self.elapsed = self.elapsed.max(now);
    }

    /// When [`TimingWheel::advance`] next has something to do; never later than the earliest
    /// deadline, and earlier only if the earliest timer was cancelled.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        let (level, slot, _) = self.first_slot()?;
        Some(self.levels[level].earliest[slot])
    }

    /// The first slot in use and when it begins. The lowest level in use has it: whatever lies on
    /// a higher one differs from the present in a higher digit.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.levels.iter().position(|level| level.used != 0)?;
        let slot = self.levels[level].used.trailing_zeros();
        let shift = shift_of(level);
        let block = self.elapsed.checked_shr(shift + SLOT_BITS).unwrap_or(0);
        let digits = (block << SLOT_BITS) | u64::from(slot);
        Some((level, slot as usize, digits << shift))
    }

    fn move_down(&mut self, mut list: List) {
        while let Some(id) = self.timers.first(list) {
            let Some(timer) = self.timers.get_mut(id) else { return };
            let (deadline, place) = (timer.deadline, Place::of(timer.deadline, self.elapsed));
            timer.place = place;
            let level = &mut self.levels[place.level()];
            level.note(place.slot(), deadline);
            self.timers.move_first(&mut list, &mut level.slots[place.slot()]);
        }
    }

    fn grow_to(&mut self, level: usize) {
        while self.levels.len() <= level {
            self.levels.push(Level::EMPTY);
        }
    }
}

#[derive(Debug)]
struct Timer<T> {
    deadline: u64,
    place: Place,
    value: T,
}

/// The list that a timer is in. Small: a million timers carry one each.
#[derive(Clone, Copy, Debug)]
struct Place {
    level: u8,
    slot: u8,
}

impl Place {
    /// Where a deadline belongs, seen from `now`, which is not after it.
    fn of(deadline: u64, now: u64) -> Self {
        debug_assert!(now <= deadline);
        let level = ((now ^ deadline) | SLOT_MASK).ilog2() / SLOT_BITS;
        let slot = (deadline >> (level * SLOT_BITS)) & SLOT_MASK;
        // There are eleven levels of six bits.
        let small = |number: u64| u8::try_from(number).unwrap_or_default();
        Self { level: small(level.into()), slot: small(slot) }
    }

    fn level(self) -> usize {
        self.level.into()
    }

    fn slot(self) -> usize {
        self.slot.into()
    }
}

#[derive(Debug)]
struct Level {
    /// Bit *n* is set while slot *n* holds timers.
    used: u64,
    slots: [List; SLOTS],
    /// At or before the earliest deadline in each used slot.
    earliest: [u64; SLOTS],
}

impl Level {
    const EMPTY: Self = Self { used: 0, slots: [List::EMPTY; SLOTS], earliest: [u64::MAX; SLOTS] };

    fn note(&mut self, slot: usize, deadline: u64) {
        self.used |= 1 << slot;
        self.earliest[slot] = self.earliest[slot].min(deadline);
    }

    fn forget_if_empty(&mut self, slot: usize) {
        if self.slots[slot].is_empty() {
            self.take(slot);
        }
    }

    fn take(&mut self, slot: usize) -> List {
        self.used &= !(1 << slot);
        self.earliest[slot] = u64::MAX;
        std::mem::replace(&mut self.slots[slot], List::EMPTY)
    }
}

fn shift_of(level: usize) -> u32 {
    u32::try_from(level).unwrap_or_default() * SLOT_BITS
}

const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
const _: () = assert!(SLOTS == u64::BITS as usize, "one bit of a word for each slot");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::clock::{Rng, SeededRng};

    fn expired_at(wheel: &mut TimingWheel<u64>, now: u64) -> Vec<u64> {
        let mut expired = Vec::new();
        wheel.advance(now, &mut expired);
        expired
    }

    #[test]
    fn a_timer_expires_at_its_deadline_and_not_before() {
        for deadline in [0, 1, 63, 64, 65, 4_095, 4_096, 300_000, 1 << 40, u64::MAX] {
            let mut wheel = TimingWheel::new(0);
            wheel.insert(deadline, deadline);
            assert_eq!(wheel.next_deadline(), Some(deadline));
            if let Some(before) = deadline.checked_sub(1) {
                assert_eq!(expired_at(&mut wheel, before), Vec::<u64>::new());
            }
            assert_eq!(expired_at(&mut wheel, deadline), [deadline]);
            assert_eq!(wheel.next_deadline(), None);
        }
    }

    #[test]
    fn a_deadline_that_has_passed_expires_at_once() {
        let mut wheel = TimingWheel::new(1_000);
        wheel.insert(5, 5);
        assert_eq!(expired_at(&mut wheel, 1_000), [5]);
    }

    #[test]
    fn levels_are_made_when_a_deadline_needs_them() {
        let mut wheel = TimingWheel::new(0);
        wheel.insert(63, 0);
        assert_eq!(wheel.levels.len(), 1);
        wheel.insert(64 * 64, 0);
        assert_eq!(wheel.levels.len(), 3);
    }

    #[test]
    fn cancelling_leaves_nothing_to_wake_up_for() {
        let mut wheel = TimingWheel::new(0);
        let ids: Vec<_> = (0..1_000).map(|n| wheel.insert(n * 77, n)).collect();
        for (n, id) in (0..).zip(ids) {
            assert_eq!(wheel.cancel(id), Some(n));
            assert_eq!(wheel.cancel(id), None);
        }
        assert_eq!((wheel.len(), wheel.next_deadline()), (0, None));
    }

    /// The model is a sorted map; every step of every seed must agree with it.
    #[test]
    fn the_wheel_does_what_a_sorted_map_does() {
        for seed in 0..300 {
            let rng = SeededRng::new(seed);
            let mut now = rng.next_u64() >> (rng.next_u64() % 64);
            let mut wheel = TimingWheel::new(now);
            let mut model: BTreeMap<(u64, u64), TimerId> = BTreeMap::new();
            for step in 0..400 {
                match rng.next_u64() % 4 {
                    0 | 1 => {
                        let after = (rng.next_u64() % 64) * (1 << (rng.next_u64() % 30));
                        let deadline = now.saturating_add(after);
                        model.insert((deadline, step), wheel.insert(deadline, step));
                    }
                    2 if !model.is_empty() => {
                        let nth = usize::try_from(rng.next_u64()).unwrap() % model.len();
                        let (&key, &id) = model.iter().nth(nth).unwrap();
                        model.remove(&key);
                        assert_eq!(wheel.cancel(id), Some(key.1), "seed {seed}");
                    }
                    _ => {
                        now = now.saturating_add(rng.next_u64() % (1 << (rng.next_u64() % 32)));
                        let mut expired = Vec::new();
                        wheel.advance(now, &mut expired);
                        let later = model.split_off(&(now.saturating_add(1), 0));
                        let mut due: Vec<_> =
                            std::mem::replace(&mut model, later).into_keys().collect();
                        // Timers of one tick expire in no particular order.
                        let deadline_of: BTreeMap<u64, u64> =
                            due.iter().map(|&(deadline, step)| (step, deadline)).collect();
                        let mut got: Vec<_> =
                            expired.iter().map(|step| (deadline_of[step], *step)).collect();
                        assert!(got.is_sorted_by_key(|&(deadline, _)| deadline), "seed {seed}");
                        got.sort_unstable();
                        due.sort_unstable();
                        assert_eq!(got, due, "seed {seed}");
                    }
                }
                assert_eq!(wheel.len(), model.len());
                let earliest = model.keys().next().map(|&(deadline, _)| deadline);
                assert_eq!(wheel.next_deadline().is_some(), earliest.is_some());
                assert!(wheel.next_deadline() <= earliest, "seed {seed}");
            }
        }
    }
}
