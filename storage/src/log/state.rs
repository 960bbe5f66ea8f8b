//! What a log knows of itself: the parts that opening makes sure of, and that the log then guards.

use std::sync::Arc;

use milena_protocol::{Offset, Timestamp};

use crate::{epochs::EpochCache, producers::ProducerStates, segment::Segment};

/// What is known about a log before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenLog {
    /// Everything below was synced, and is believed.
    pub recovery_point: Offset,
    /// Where the log began when that was last noted.
    pub log_start: Offset,
    /// Below, records may be missing that compaction has dropped.
    pub gaps_below: Offset,
    /// The log was closed in order: nothing was written since the recovery point was noted.
    pub clean_stop: bool,
    /// After a stop that was not in order: who opens the log has made durable what it left, and
    /// will do so again before the log is used. Otherwise opening does, for it alone.
    pub settled: bool,
    pub now: Timestamp,
}

/// The end that is written to.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) active: Arc<Segment>,
    /// The active segment's length.
    pub(crate) position: u64,
    /// Where in it the last snapshot of the producers was taken, or earlier.
    pub(crate) snapshot_at: u64,
    pub(crate) next: Offset,
    pub(crate) producers: ProducerStates,
}

/// What readers see.
#[derive(Debug)]
pub(crate) struct State {
    /// By base offset; the last one is active. Never empty.
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) start: Offset,
    pub(crate) end: Mark,
    /// Everything below survives a crash.
    pub(crate) flushed: Mark,
    /// Sealed since the last sync.
    pub(crate) unsynced: Vec<Arc<Segment>>,
    /// Files were made or renamed since the directory was last synced.
    pub(crate) directory_unsynced: bool,
}

/// An offset at which a batch begins or the log ends, and where that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) offset: Offset,
    /// Base of the segment that holds it, or would.
    pub(crate) segment: Offset,
    pub(crate) position: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Epochs {
    pub(crate) cache: EpochCache,
    /// Not saved since the last change.
    pub(crate) dirty: bool,
    /// The last epoch has no records yet, and is not saved for its own sake: what has none is
    /// nobody's concern after a restart, which begins a new one, and a broker has many partitions.
    pub(crate) has_begun: bool,
}
