//! Where readers left off: a reader that goes through a segment finds its next batch without a
//! look at the index or the file.

use std::sync::{Mutex, MutexGuard, PoisonError};

use milena_protocol::Offset;

use super::Located;

/// The batches that the last reads ended in front of, as they stand in the file. Takes memory only
/// once a read ended before its segment did.
#[derive(Debug, Default)]
pub(super) struct LeftOff {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    batches: Vec<Located>,
    /// How often all was forgotten.
    generation: u64,
}

impl LeftOff {
    /// To be asked before the file is looked at, and told to [`LeftOff::note`].
    pub(super) fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Takes note of a batch that was found in the file since the generation was asked for.
    pub(super) fn note(&self, batch: Located, generation: u64) {
        let mut state = self.state();
        let is_known = state.batches.iter().any(|known| known.position == batch.position);
        if is_known || state.generation != generation {
            return;
        }
        if state.batches.len() >= NOTED_MAX {
            state.batches.remove(0);
        }
        state.batches.push(batch);
    }

    /// The batch that holds `offset`, if it was noted and lies below `end`.
    pub(super) fn holding(&self, offset: Offset, end: u64) -> Option<Located> {
        let holds = |batch: &&Located| {
            let header = &batch.header;
            header.base_offset <= offset && offset <= header.last_offset() && batch.end() <= end
        };
        self.state().batches.iter().find(holds).cloned()
    }

    /// To be called once the file has been cut, before anything is written behind the cut.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.generation += 1;
        state.batches = Vec::new();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Readers of one segment that are remembered.
const NOTED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use milena_protocol::{
        Timestamp,
        compression::Codec,
        records::{BatchBuilder, BatchHeader},
    };

    use super::*;

    /// A batch of one record.
    fn batch(offset: i64, position: u64) -> Located {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(Timestamp(7), None, Some(b"value"), &[]).unwrap();
        let mut header = BatchHeader::read(&builder.build().unwrap()).unwrap();
        header.base_offset = Offset(offset);
        Located { position, header }
    }

    #[test]
    fn a_batch_is_found_by_what_it_holds() {
        let left_off = LeftOff::default();
        let noted = batch(5, 1000);
        let end = noted.end();
        left_off.note(noted, left_off.generation());
        let found = |offset, end| left_off.holding(Offset(offset), end).map(|it| it.position);
        assert_eq!(found(5, end), Some(1000));
        assert_eq!(found(5, end - 1), None, "not wholly below the end");
        assert_eq!((found(4, end), found(6, end)), (None, None));
    }

    #[test]
    fn the_latest_few_are_kept() {
        let left_off = LeftOff::default();
        for at in 0..10 {
            left_off.note(batch(at, at.unsigned_abs() * 1000), left_off.generation());
            left_off.note(batch(at, at.unsigned_abs() * 1000), left_off.generation());
        }
        let kept: Vec<i64> =
            (0..10).filter(|&at| left_off.holding(Offset(at), u64::MAX).is_some()).collect();
        assert_eq!(kept, [6, 7, 8, 9]);
    }

    #[test]
    fn what_was_seen_before_a_cut_is_not_noted_after_it() {
        let left_off = LeftOff::default();
        let before = left_off.generation();
        left_off.note(batch(1, 100), before);
        left_off.forget();
        left_off.note(batch(2, 200), before);
        let found = [1, 2].map(|offset| left_off.holding(Offset(offset), u64::MAX).is_some());
        assert_eq!(found, [false, false]);
    }
}
