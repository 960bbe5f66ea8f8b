//! Which segments may go, decided purely.

use milena_protocol::{Offset, Timestamp};

use crate::log::config::LogConfig;

/// What the decision needs to know of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    pub base: Offset,
    pub bytes: u64,
    /// The greatest timestamp in it; where there is none, when it was made.
    pub newest: Timestamp,
}

/// The circumstances of a retention run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub now: Timestamp,
    /// Records at and above are not settled yet and stay.
    pub high_watermark: Offset,
    pub log_start: Offset,
    pub log_end: Offset,
}

/// How many segments go, counted from the oldest. Segments go in order only: an old one behind a
/// young one waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub below_start: usize,
    pub by_time: usize,
    pub by_size: usize,
}

impl Expired {
    #[must_use]
    pub fn total(self) -> usize {
        self.below_start + self.by_time + self.by_size
    }
}

/// Decides for `segments`, ordered by base; the last one is active. All of them may go: the
/// caller then begins a new one first. Timestamps in the future keep a segment.
#[must_use]
pub fn expired(segments: &[SegmentFacts], config: &LogConfig, moment: Moment) -> Expired {
    let ends = segments.iter().skip(1).map(|next| next.base).chain([moment.log_end]);
    let known: Vec<(SegmentFacts, Offset)> = segments.iter().copied().zip(ends).collect();
    // An empty active segment has nothing to give.
    let removable = known
        .iter()
        .take_while(|(segment, end)| segment.base < *end && *end <= moment.high_watermark)
        .count();
    let mut left = known.iter().take(removable);
    let mut expired = Expired {
        below_start: left
            .clone()
            .take_while(|(segment, end)| {
                *end <= moment.log_start && Some(segment.base) != last_base(segments)
            })
            .count(),
        ..Expired::default()
    };
    if !config.delete {
        return expired;
    }
    left = known.iter().take(removable);
    if let Some(retention_ms) = config.retention_ms {
        let old =
            |segment: &SegmentFacts| moment.now.0.saturating_sub(segment.newest.0) > retention_ms;
        expired.by_time =
            left.clone().skip(expired.total()).take_while(|(segment, _)| old(segment)).count();
    }
    if let Some(retention_bytes) = config.retention_bytes {
        let kept: u64 = segments.iter().skip(expired.total()).map(|segment| segment.bytes).sum();
        let mut excess = kept.saturating_sub(retention_bytes);
        expired.by_size = left
            .skip(expired.total())
            .take_while(|(segment, _)| {
                let goes = segment.bytes <= excess;
                excess = excess.saturating_sub(segment.bytes);
                // One that compaction left empty is in the way only of others.
                goes && (segment.bytes > 0 || excess > 0)
            })
            .count();
    }
    expired
}

fn last_base(segments: &[SegmentFacts]) -> Option<Offset> {
    segments.last().map(|segment| segment.base)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    /// Three full segments of 100 bytes and an active one, aged 400, 300, 200 and 100 ms.
    fn segments() -> Vec<SegmentFacts> {
        [(0, 400), (10, 300), (20, 200), (30, 100)]
            .map(|(base, age)| SegmentFacts {
                base: Offset(base),
                bytes: 100,
                newest: Timestamp(NOW.0 - age),
            })
            .to_vec()
    }

    fn moment() -> Moment {
        Moment { now: NOW, high_watermark: Offset(35), log_start: Offset(0), log_end: Offset(35) }
    }

    fn config(retention_ms: Option<i64>, retention_bytes: Option<u64>) -> LogConfig {
        LogConfig { retention_ms, retention_bytes, ..LogConfig::default() }
    }

    #[test]
    fn segments_go_by_age_from_the_oldest() {
        for (retention_ms, by_time) in [(500, 0), (400, 0), (399, 1), (250, 2), (150, 3), (0, 4)] {
            let found = expired(&segments(), &config(Some(retention_ms), None), moment());
            assert_eq!(found, Expired { by_time, ..Expired::default() }, "{retention_ms}");
        }
    }

    #[test]
    fn a_young_segment_shields_the_old_ones_behind_it() {
        let mut segments = segments();
        segments[1].newest = NOW;
        let found = expired(&segments, &config(Some(150), None), moment());
        assert_eq!(found, Expired { by_time: 1, ..Expired::default() });
    }

    #[test]
    fn a_timestamp_in_the_future_keeps_its_segment() {
        let mut segments = segments();
        segments[0].newest = Timestamp(i64::MAX);
        assert_eq!(expired(&segments, &config(Some(0), None), moment()), Expired::default());
    }

    #[test]
    fn segments_go_by_size_only_while_the_rest_is_still_large_enough() {
        for (retention_bytes, by_size) in [(500, 0), (400, 0), (301, 0), (300, 1), (200, 2), (0, 4)]
        {
            let found = expired(&segments(), &config(None, Some(retention_bytes)), moment());
            assert_eq!(found, Expired { by_size, ..Expired::default() }, "{retention_bytes}");
        }
    }

    #[test]
    fn what_is_not_settled_stays() {
        let unsettled = Moment { high_watermark: Offset(19), ..moment() };
        let found = expired(&segments(), &config(Some(0), Some(0)), unsettled);
        assert_eq!(found, Expired { by_time: 1, ..Expired::default() });
    }

    #[test]
    fn segments_below_the_start_go_even_if_the_policy_is_to_compact() {
        let config = LogConfig { delete: false, compact: true, ..config(Some(0), Some(0)) };
        for (start, below_start) in [(9, 0), (10, 1), (29, 2), (35, 3)] {
            let moment = Moment { log_start: Offset(start), ..moment() };
            let found = expired(&segments(), &config, moment);
            assert_eq!(found, Expired { below_start, ..Expired::default() }, "{start}");
        }
    }

    #[test]
    fn an_empty_active_segment_stays() {
        let moment = Moment { log_end: Offset(30), high_watermark: Offset(30), ..moment() };
        let found = expired(&segments(), &config(Some(0), None), moment);
        assert_eq!(found, Expired { by_time: 3, ..Expired::default() });
    }
}
