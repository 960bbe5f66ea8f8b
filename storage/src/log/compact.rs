//! Compaction of one log: what a pass may touch, and how its results replace segments.
//!
//! | files on disk                                   | after a crash, the next start ...        |
//! |-------------------------------------------------|------------------------------------------|
//! | `.cleaned`                                      | removes them                             |
//! | indexes `.swap`, the log still `.cleaned`       | removes them                             |
//! | the log `.swap`, all or some sources            | removes the sources, puts it in place    |
//! | the log in place                                | removes what is left as `.deleted`       |
//!
//! What is renamed to `.swap` was synced before, and the directory is synced before the first
//! source goes. A source that holds only offsets behind the last one kept may outlive a crash; the
//! pass was not noted then, and the next one finds it.

use std::{
    path::PathBuf,
    sync::{Arc, MutexGuard, atomic::Ordering},
};

use milena_protocol::{Offset, Timestamp};
use tracing::{info, warn};

use super::{
    DeletedSegment, Log,
    state::{Mark, State, Writer},
};
use crate::{
    compaction::{
        Bounds, Cleanable, CompactError, Compacted, Filter, Pace, Pass, Policy, SealedFacts,
        Transactions, cleanable, groups,
        rewrite::{self, Rewritten, Sources},
    },
    segment::{
        IndexSizes, Segment,
        name::{self, CLEANED, Kind, SWAP},
    },
};

impl Log {
    /// What a pass could compact. `settled` is what the caller knows to be committed and noted as
    /// durable: nothing at or above is touched, as nothing is that is not synced or belongs to an
    /// open transaction, nor the active segment.
    pub fn cleanable(
        &self,
        policy: &Policy,
        cleaned_to: Option<Offset>,
        settled: Offset,
        now: Timestamp,
    ) -> Cleanable {
        let unstable = self.writer().producers.first_unstable_offset();
        let settled = unstable.map_or(settled, |unstable| unstable.min(settled));
        let (segments, log_start, flushed) = {
            let state = self.state();
            (state.segments.clone(), state.start, state.flushed.offset)
        };
        let settled = settled.min(flushed);
        let bounds = Bounds { log_start, settled, cleaned_to, now };
        cleanable(&facts(&segments), policy, bounds)
    }

    /// Compacts what [`Log::cleanable`] found. Appends wait only while files are renamed, readers
    /// never; those that hold a segment that was replaced read on in it. Meant for one thread.
    ///
    /// # Errors
    /// Segments that were replaced before stay so, and are as good as the others were.
    pub fn compact(&self, pass: &Pass, pace: &mut dyn Pace) -> Result<Compacted, CompactError> {
        self.check_online()?;
        let segments = self.state().segments.clone();
        let facts = facts(&segments);
        let below = facts.iter().take_while(|segment| segment.end <= pass.until).count();
        let clean = facts.iter().take_while(|segment| segment.end <= pass.from).count();
        let dirty = segments.get(clean..below).unwrap_or_default();
        let transactions = Transactions::new(rewrite::aborted(&segments)?);
        // As long as compaction may take records, none is known to be missing.
        let context = &self.context(Offset(i64::MAX));
        let end_of = |facts: &[SealedFacts]| facts.last().map_or(pass.from, |last| last.end);
        let end = end_of(facts.get(..below).unwrap_or_default());
        let dirty = Sources { segments: dirty, end, context };
        let map = rewrite::map_keys(dirty, pass, transactions.clone(), pace)?;

        let config = self.config();
        let touched = facts.iter().take_while(|segment| segment.base < map.end()).count();
        let touched = touched.min(below);
        let facts = facts.get(..touched).unwrap_or_default();
        let (bytes_max, index_max) = (config.segment_bytes, config.segment_index_bytes.into());
        let mut done = Compacted { to: map.end(), keys: map.len(), ..Compacted::default() };
        let mut filter = Filter::new(&map, transactions, pass.now, pass.delete_retention_ms);
        for group in groups(facts, bytes_max, index_max) {
            let end = end_of(facts.get(group.clone()).unwrap_or_default());
            let sources = segments.get(group).unwrap_or_default();
            filter.set_producers(self.writer().producers.entries());
            let sizes = IndexSizes::of(&config);
            let whole = Sources { segments: sources, end, context };
            let replaced = rewrite::rewrite(&self.disk, &self.dir, whole, sizes, &mut filter, pace)
                .and_then(|rewritten| {
                    rewritten.map_or(Ok(None), |it| self.swap(sources, it).map(Some))
                });
            let base = sources.first().map_or(pass.from, |first| first.base);
            match replaced {
                Ok(None) => {}
                Ok(Some(Swapped { deleted, bytes_after })) => {
                    done.bytes_after += bytes_after;
                    for segment in deleted {
                        done.bytes_before += segment.bytes;
                        // Under a name that the next start removes.
                        if let Err(error) = segment.remove(&*self.disk) {
                            warn!(dir = %self.dir.display(), base = segment.base.0, %error,
                                "compacted segment not removed");
                        }
                    }
                }
                Err(error) => {
                    rewrite::discard(&*self.disk, &self.dir, base);
                    return Err(error);
                }
            }
        }
        done.records_dropped = filter.records_dropped();
        info!(dir = %self.dir.display(), from = pass.from.0, to = done.to.0, ?done, "compacted");
        Ok(done)
    }

    /// Puts a new segment in the place of `sources`, unless they are not what the log consists of
    /// any more.
    fn swap(
        &self,
        sources: &[Arc<Segment>],
        rewritten: Rewritten,
    ) -> Result<Swapped, CompactError> {
        let writer = self.open_writer()?;
        let at = self.place_of(sources, &writer).ok_or(CompactError::Interrupted)?;
        let Rewritten { segment, kinds } = rewritten;
        let file = |kind, suffix: &str| -> PathBuf {
            self.dir.join(name::file_name(segment.base, kind) + suffix)
        };
        // The log last: with it the result counts.
        for &kind in &kinds {
            self.disk.rename(&file(kind, CLEANED), &file(kind, SWAP)).inspect_err(|_| {
                for &kind in &kinds {
                    let _ = self.disk.remove_file(&file(kind, SWAP));
                }
            })?;
        }
        let replaced = self.disk.sync_dir(&self.dir).and_then(|()| {
            let mut deleted = Vec::with_capacity(sources.len());
            for source in sources {
                // What producers had written before the first one is still true.
                let stays = (source.base == segment.base).then_some(Kind::Snapshot);
                deleted.push(self.delete_files_but(source, stays)?);
            }
            for &kind in &kinds {
                self.disk.rename(&file(kind, SWAP), &file(kind, ""))?;
            }
            self.disk.sync_dir(&self.dir)?;
            Ok(deleted)
        });
        let deleted = replaced.map_err(|error| {
            self.go_offline(format_args!("a compacted segment is not in place: {error}"))
        })?;
        segment.moved("");
        let bytes_after = segment.size();
        self.show_swapped(at, sources.len(), segment);
        Ok(Swapped { deleted, bytes_after })
    }

    /// Where in the log `sources` are, all of them sealed.
    fn place_of(
        &self,
        sources: &[Arc<Segment>],
        _writer: &MutexGuard<'_, Writer>,
    ) -> Option<usize> {
        let state = self.state();
        let first = sources.first()?;
        let at = state.segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let present = state.segments.get(at..at + sources.len())?;
        let same = present.iter().zip(sources).all(|(a, b)| Arc::ptr_eq(a, b));
        (same && at + sources.len() < state.segments.len()).then_some(at)
    }

    fn show_swapped(&self, at: usize, count: usize, segment: Segment) {
        let mut state = self.state_mut();
        let replaced = at..at + count;
        let bases = state.segments.get(replaced.clone()).unwrap_or_default();
        let end = state.segments.get(replaced.end).map_or(state.end.offset, |next| next.base);
        self.gaps_below.fetch_max(end.0, Ordering::AcqRel);
        let bases: Vec<Offset> = bases.iter().map(|segment| segment.base).collect();
        if let Some(next) = state.segments.get(replaced.end).map(|next| next.base) {
            // Positions in a file that is gone. All that is replaced was flushed, up to its end.
            let beginning = Mark { offset: next, segment: next, position: 0 };
            let State { end, flushed, .. } = &mut *state;
            for mark in [end, flushed] {
                if bases.contains(&mark.segment) {
                    *mark = beginning;
                }
            }
        }
        state.segments.splice(replaced, [Arc::new(segment)]);
    }
}

#[derive(Debug)]
struct Swapped {
    deleted: Vec<DeletedSegment>,
    bytes_after: u64,
}

/// Of all segments but the last, which is active.
fn facts(segments: &[Arc<Segment>]) -> Vec<SealedFacts> {
    segments
        .iter()
        .zip(segments.iter().skip(1))
        .map(|(segment, next)| {
            let newest = segment.newest().map(|newest| newest.timestamp);
            let newest = newest.filter(|newest| *newest > Timestamp::NONE);
            SealedFacts {
                base: segment.base,
                end: next.base,
                bytes: segment.size(),
                index_bytes: segment.index_bytes(),
                first: segment.first_timestamp(),
                newest: newest.unwrap_or(segment.created()),
            }
        })
        .collect()
}
