//! When a snapshot is taken, and what goes once it is there. Pure; [`super::Snapshots`] acts on it.

use std::time::Duration;

use milena_protocol::Timestamp;

use super::SnapshotId;
use crate::config::BrokerConfig;

/// How often snapshots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`; zero: never because of time alone.
    pub interval: Duration,
}

impl Policy {
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        let bytes = u64::try_from(config.metadata_snapshot_bytes).unwrap_or(u64::MAX);
        let interval = u64::try_from(config.metadata_snapshot_interval_ms).unwrap_or(0);
        Self { bytes, interval: Duration::from_millis(interval) }
    }

    /// Whether it is time for a snapshot, `elapsed` after the last one or the start.
    pub(super) fn is_due(&self, appended: Appended, elapsed: Duration) -> bool {
        let late = !self.interval.is_zero() && elapsed >= self.interval;
        appended.bytes >= self.bytes || (late && appended.bytes > 0)
    }
}

/// What was appended to the log since the last snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::metadata) struct Appended {
    pub(super) bytes: u64,
    /// Of the last append.
    pub(super) timestamp: Timestamp,
}

impl Default for Appended {
    fn default() -> Self {
        Self { bytes: 0, timestamp: Timestamp::NONE }
    }
}

impl Appended {
    pub(in crate::metadata) fn add(&mut self, bytes: u64, timestamp: Timestamp) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.timestamp = timestamp;
    }

    /// A snapshot holds what was `covered`.
    pub(super) fn subtract(&mut self, covered: Self) {
        self.bytes = self.bytes.saturating_sub(covered.bytes);
    }
}

/// What is of no more use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superseded {
    /// The log below this is.
    pub(super) log_start: Option<i64>,
    pub(super) snapshots: Vec<SnapshotId>,
}

/// What of `present` goes now that `newest` is there. The one before it, known to be whole, stays,
/// and so does the log from there on: if `newest` is ever found damaged, nothing is lost.
pub(super) fn superseded(
    newest: SnapshotId,
    previous: Option<SnapshotId>,
    present: &[SnapshotId],
) -> Superseded {
    let goes = |id: &&SnapshotId| **id < newest && Some(**id) != previous;
    Superseded {
        log_start: previous.map(|previous| previous.end),
        snapshots: present.iter().filter(goes).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use milena_protocol::LeaderEpoch;

    use super::*;

    const fn id(end: i64) -> SnapshotId {
        SnapshotId { end, epoch: LeaderEpoch(1) }
    }

    #[test]
    fn a_snapshot_is_due_by_bytes_or_by_time_but_never_of_nothing_new() {
        let policy = Policy { bytes: 100, interval: Duration::from_secs(60) };
        let untimed = Policy { interval: Duration::ZERO, ..policy };
        for (policy, bytes, elapsed_s, due) in [
            (policy, 0, 0, false),
            (policy, 99, 59, false),
            (policy, 100, 0, true),
            (policy, 1, 60, true),
            (policy, 0, 60, false),
            (untimed, 99, 1_000_000, false),
            (untimed, 100, 0, true),
        ] {
            let appended = Appended { bytes, ..Appended::default() };
            let elapsed = Duration::from_secs(elapsed_s);
            assert_eq!(policy.is_due(appended, elapsed), due, "{bytes} bytes, {elapsed_s} s");
        }
    }

    #[test]
    fn the_two_newest_whole_snapshots_stay_and_the_log_from_the_older_one_on() {
        let present = [id(10), id(20), id(30), id(40)];
        assert_eq!(
            superseded(id(40), Some(id(20)), &present),
            Superseded { log_start: Some(20), snapshots: vec![id(10), id(30)] }
        );
    }

    #[test]
    fn the_first_snapshot_leaves_the_log_as_it_is() {
        let expected = Superseded { log_start: None, snapshots: Vec::new() };
        assert_eq!(superseded(id(10), None, &[id(10)]), expected);
    }
}
