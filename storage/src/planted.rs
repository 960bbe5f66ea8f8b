//! Bugs planted on purpose, to show that the tests which break the disk find them. The switch
//! exists in this crate's own unit tests alone: no other build, let alone a release, can have one.

/// What a test may have go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A flush that does not sync the file that is written.
    ActiveNotSynced,
    /// A flush that forgets the files that were closed since the last.
    SealedNotSynced,
    /// A flush that leaves the names of new files to chance.
    DirectoryNotSynced,
    /// An index entry that is believed without a look at the batch.
    IndexTrusted,
    /// A torn tail that is cut within a batch.
    TailCutWithinBatch,
    /// Recovery reads headers and compares no checksum.
    ChecksumNotCompared,
    /// What recovery has read is taken for durable.
    RecoveredNotSynced,
    /// A restart knows nothing of what producers had written.
    ProducersForgotten,
    /// More is noted as durable than was synced.
    RecoveryPointTooHigh,
    /// More is noted as durable than the time index holds.
    TimesNotSynced,
    /// A checkpoint takes its name before its contents are on the disk.
    CheckpointNotSynced,
    /// The mark of a stop in order outlives the start.
    CleanStopMarkKept,
    /// A log that took a failed sync goes on as if nothing had been.
    FailedSyncIgnored,
}

#[cfg(not(test))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}

#[cfg(test)]
pub(crate) use in_tests::{is_planted, plant};

#[cfg(test)]
mod in_tests {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    pub(crate) fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    /// Lets this thread, and no other, have the bug from here on; `None` takes it away.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }
}
