//! Which part of a log may be compacted, whether that is worth it, and which segments become one.

use std::ops::Range;

use milena_protocol::{Offset, Timestamp};

use super::Policy;

/// What the decisions need to know of one segment that is no longer written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedFacts {
    pub base: Offset,
    /// Base of the next segment.
    pub end: Offset,
    pub bytes: u64,
    /// Of the larger of its indexes.
    pub index_bytes: u64,
    /// The first batch's timestamp, if it has one.
    pub first: Option<Timestamp>,
    /// The greatest timestamp; where there is none, when the segment was made.
    pub newest: Timestamp,
}

/// The circumstances of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub log_start: Offset,
    /// Everything below is committed, decided and known to survive a crash.
    pub settled: Offset,
    /// Where earlier passes ended, as far as that is known.
    pub cleaned_to: Option<Offset>,
    pub now: Timestamp,
}

/// The part of a log that a pass could compact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cleanable {
    /// What lies below was compacted before.
    pub from: Offset,
    /// What lies at or above has to wait. A segment ends here.
    pub until: Offset,
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
    /// Something has waited for longer than `max.compaction.lag.ms`.
    pub overdue: bool,
}

impl Cleanable {
    /// The share of bytes that were not compacted yet, 0 of an empty log.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes is compared with a setting")]
    pub fn dirty_ratio(&self) -> f64 {
        let total = self.clean_bytes.saturating_add(self.dirty_bytes);
        if total == 0 { 0.0 } else { self.dirty_bytes as f64 / total as f64 }
    }

    /// Whether a pass is worth it.
    #[must_use]
    pub fn is_due(&self, policy: &Policy) -> bool {
        self.dirty_bytes > 0 && (self.overdue || self.dirty_ratio() > policy.min_dirty_ratio)
    }
}

/// Decides for `sealed`, ordered by base: all segments but the active one.
#[must_use]
pub fn cleanable(sealed: &[SealedFacts], policy: &Policy, bounds: Bounds) -> Cleanable {
    let Bounds { log_start, settled, cleaned_to, now } = bounds;
    let end = sealed.last().map_or(log_start, |segment| segment.end);
    // What was noted of a log that has changed since is worth nothing.
    let known = cleaned_to.filter(|to| log_start <= *to && *to <= end);
    let from = known.unwrap_or(log_start);
    let young = |segment: &SealedFacts| {
        policy.min_lag_ms > 0 && now.0.saturating_sub(segment.newest.0) < policy.min_lag_ms
    };
    let may_go =
        |segment: &&SealedFacts| segment.end <= settled && (segment.end <= from || !young(segment));
    let mut found = Cleanable { from, until: from, ..Cleanable::default() };
    let max_lag_ms = policy.max_lag_ms.max(policy.min_lag_ms);
    for segment in sealed.iter().take_while(may_go) {
        if segment.end <= from {
            found.clean_bytes += segment.bytes;
            continue;
        }
        found.until = segment.end;
        found.dirty_bytes += segment.bytes;
        let waits_since = segment.first.unwrap_or(segment.newest);
        found.overdue |= policy.max_lag_ms < i64::MAX
            && segment.bytes > 0
            && now.0.saturating_sub(waits_since.0) > max_lag_ms;
    }
    found
}

/// Which segments are written into one: neighbours, as long as together they are no larger than a
/// segment may be and their offsets are near enough to each other.
#[must_use]
pub fn groups(segments: &[SealedFacts], bytes_max: u64, index_bytes_max: u64) -> Vec<Range<usize>> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.takes(segment, bytes_max, index_bytes_max) => group.add(segment),
            _ => groups.push(Group {
                members: at..at + 1,
                base: segment.base,
                bytes: segment.bytes,
                index_bytes: segment.index_bytes,
            }),
        }
    }
    groups.into_iter().map(|group| group.members).collect()
}

struct Group {
    members: Range<usize>,
    base: Offset,
    bytes: u64,
    index_bytes: u64,
}

impl Group {
    fn takes(&self, segment: &SealedFacts, bytes_max: u64, index_bytes_max: u64) -> bool {
        let span = segment.end.0.saturating_sub(self.base.0);
        self.bytes.saturating_add(segment.bytes) <= bytes_max
            && self.index_bytes.saturating_add(segment.index_bytes) <= index_bytes_max
            // A segment without a batch brings no offset. The last offset is one before the end.
            && (segment.bytes == 0 || span <= i64::from(i32::MAX))
    }

    fn add(&mut self, segment: &SealedFacts) {
        self.members.end += 1;
        self.bytes += segment.bytes;
        self.index_bytes += segment.index_bytes;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests may")]

    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);
    const POLICY: Policy = Policy {
        min_dirty_ratio: 0.5,
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        delete_retention_ms: 1000,
    };

    /// Four segments of ten offsets and 100 bytes, aged 400, 300, 200 and 100 ms.
    fn sealed() -> Vec<SealedFacts> {
        [(0, 400), (10, 300), (20, 200), (30, 100)]
            .map(|(base, age)| SealedFacts {
                base: Offset(base),
                end: Offset(base + 10),
                bytes: 100,
                index_bytes: 8,
                first: Some(Timestamp(NOW.0 - age - 50)),
                newest: Timestamp(NOW.0 - age),
            })
            .to_vec()
    }

    fn bounds() -> Bounds {
        Bounds { log_start: Offset(0), settled: Offset(99), cleaned_to: None, now: NOW }
    }

    fn found(from: i64, until: i64, clean_bytes: u64, dirty_bytes: u64) -> Cleanable {
        let (from, until) = (Offset(from), Offset(until));
        Cleanable { from, until, clean_bytes, dirty_bytes, overdue: false }
    }

    #[test]
    fn what_was_compacted_before_is_clean_and_the_rest_is_dirty() {
        for (cleaned_to, expected) in [
            (None, found(0, 40, 0, 400)),
            (Some(10), found(10, 40, 100, 300)),
            (Some(15), found(15, 40, 100, 300)),
            (Some(40), found(40, 40, 400, 0)),
            // Of another log.
            (Some(41), found(0, 40, 0, 400)),
        ] {
            let bounds = Bounds { cleaned_to: cleaned_to.map(Offset), ..bounds() };
            assert_eq!(cleanable(&sealed(), &POLICY, bounds), expected, "{cleaned_to:?}");
        }
        let bounds = Bounds { log_start: Offset(20), cleaned_to: Some(Offset(10)), ..bounds() };
        assert_eq!(cleanable(&sealed(), &POLICY, bounds), found(20, 40, 200, 200));
    }

    #[test]
    fn what_is_not_settled_or_too_young_waits() {
        let unsettled = Bounds { settled: Offset(29), ..bounds() };
        assert_eq!(cleanable(&sealed(), &POLICY, unsettled), found(0, 20, 0, 200));
        for (min_lag_ms, until) in [(100, 40), (101, 30), (250, 20), (401, 0)] {
            let policy = Policy { min_lag_ms, ..POLICY };
            assert_eq!(cleanable(&sealed(), &policy, bounds()).until, Offset(until));
        }
    }

    #[test]
    fn a_pass_is_due_when_enough_is_dirty_or_something_waited_too_long() {
        for (cleaned_to, due) in [(0, true), (10, true), (20, false), (30, false), (40, false)] {
            let bounds = Bounds { cleaned_to: Some(Offset(cleaned_to)), ..bounds() };
            assert_eq!(cleanable(&sealed(), &POLICY, bounds).is_due(&POLICY), due, "{cleaned_to}");
        }
        for (max_lag_ms, due) in [(149, true), (150, false)] {
            let policy = Policy { max_lag_ms, ..POLICY };
            let bounds = Bounds { cleaned_to: Some(Offset(30)), ..bounds() };
            assert_eq!(cleanable(&sealed(), &policy, bounds).is_due(&policy), due, "{max_lag_ms}");
        }
    }

    #[test]
    fn neighbours_become_one_while_they_fit() {
        assert_eq!(groups(&sealed(), 200, 100), [0..2, 2..4]);
        assert_eq!(groups(&sealed(), 99, 100), [0..1, 1..2, 2..3, 3..4]);
        assert_eq!(groups(&sealed(), 1000, 16), [0..2, 2..4]);
        assert_eq!(groups(&[], 1, 1), Vec::<Range<usize>>::new());
    }

    #[test]
    fn offsets_that_are_too_far_apart_stay_in_segments_of_their_own() {
        let mut far = sealed();
        far[3].base = Offset(i64::from(i32::MAX));
        far[3].end = Offset(i64::from(i32::MAX) + 1);
        assert_eq!(groups(&far, 1000, 1000), [0..3, 3..4]);
        far[3].end = Offset(i64::from(i32::MAX));
        assert_eq!(groups(&far, 1000, 1000).len(), 1);
        far[3].end = Offset(i64::MAX);
        far[3].bytes = 0;
        assert_eq!(groups(&far, 1000, 1000).len(), 1);
    }
}
