//! Which parts of a segment were seen to be right: what this process appended, and what it has
//! read the headers of. Whoever reads them again need not look.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use milena_protocol::Offset;

use super::order::Before;

/// Positions whose batches have the offsets and epochs that they should have, as they stood in the
/// file when they were looked at. What becomes of the medium later is not noticed here.
#[derive(Debug, Default)]
pub(crate) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In order; no two of them touch.
    spans: Vec<Span>,
    /// How often something was forgotten.
    generation: u64,
    /// Where damage was told of.
    told: Vec<u64>,
}

/// From a position where a batch starts to one where one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// What stands before a batch at `to`.
    pub(crate) after: Before,
}

impl Known {
    /// To be asked before the file is looked at, and told to [`Known::note`].
    pub(super) fn generation(&self) -> u64 {
        self.state().generation
    }

    /// Takes note of what was looked at since the generation was asked for.
    pub(super) fn note(&self, span: Span, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.insert(span);
        }
    }

    /// Takes note of what was just written.
    pub(crate) fn append(&self, span: Span) {
        self.state().insert(span);
    }

    /// To be called once the file has been cut, before anything is written behind the cut.
    pub(super) fn cut(&self, position: u64) {
        let mut state = self.state();
        state.generation += 1;
        state.spans.retain(|span| span.to <= position);
        state.told.clear();
    }

    /// True the first time for a position, as far as that is remembered.
    pub(super) fn is_news(&self, position: u64) -> bool {
        let mut state = self.state();
        let news = !state.told.contains(&position);
        if news {
            if state.told.len() >= TOLD_MAX {
                state.told.remove(0);
            }
            state.told.push(position);
        }
        news
    }

    pub(super) fn covers(&self, positions: Range<u64>) -> bool {
        self.state().holding(positions.start).is_some_and(|span| span.to >= positions.end)
    }

    /// The end of what is known around `position`, a batch's start or end.
    pub(super) fn end_of(&self, position: u64) -> Option<(u64, Before)> {
        let state = self.state();
        let touching = state.spans.iter().rfind(|span| span.from <= position);
        let touching = touching.filter(|span| position <= span.to);
        touching.map(|span| (span.to, span.after))
    }

    /// Where the next known part behind `position` begins.
    pub(super) fn next_behind(&self, position: u64) -> Option<u64> {
        self.state().spans.iter().map(|span| span.from).find(|from| *from > position)
    }

    /// The last end of a known part below `limit` behind which `offset` may be found.
    pub(super) fn last_before(&self, offset: Offset, limit: u64) -> Option<Span> {
        let state = self.state();
        let before = |span: &&Span| span.after.expected <= offset && span.to < limit;
        state.spans.iter().rfind(before).copied()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holding(&self, position: u64) -> Option<&Span> {
        // The end is what is read most.
        let span = self.spans.iter().rfind(|span| span.from <= position)?;
        (position < span.to).then_some(span)
    }

    fn insert(&mut self, mut span: Span) {
        if span.from == span.to {
            return;
        }
        // An append goes on where the last one ended.
        if let Some(last) = self.spans.last_mut()
            && last.to == span.from
        {
            (last.to, last.after) = (span.to, span.after);
            return;
        }
        let Span { from, to, .. } = span;
        let touched = self.spans.extract_if(.., |it| it.from <= to && from <= it.to);
        for it in touched {
            span.from = span.from.min(it.from);
            if it.to > span.to {
                (span.to, span.after) = (it.to, it.after);
            }
        }
        let at = self.spans.partition_point(|it| it.from < span.from);
        self.spans.insert(at, span);
        if self.spans.len() > SPANS_MAX {
            // The smallest costs least to look at again, and nobody waits at the end for that.
            let others = self.spans.iter().enumerate().rev().skip(1);
            if let Some((smallest, _)) = others.min_by_key(|(_, span)| span.to - span.from) {
                self.spans.remove(smallest);
            }
        }
    }
}

/// As many readers may go through a segment at different places, each leaving a part behind.
const SPANS_MAX: usize = 32;
/// Damaged places that are not told of again.
const TOLD_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten bytes an offset.
    fn span(from: u64, to: u64) -> Span {
        Span { from, to, after: before(to) }
    }

    fn before(position: u64) -> Before {
        Before::a_batch_at(Offset(i64::try_from(position / 10).unwrap()))
    }

    fn spans(known: &Known) -> Vec<Span> {
        known.state().spans.clone()
    }

    #[test]
    fn parts_that_touch_become_one() {
        let known = Known::default();
        known.append(span(100, 120));
        known.append(span(120, 130));
        for (from, to) in [(0, 10), (30, 50), (60, 70), (10, 20), (50, 60), (40, 65)] {
            known.note(span(from, to), 0);
        }
        assert_eq!(spans(&known), [span(0, 20), span(30, 70), span(100, 130)]);
        known.note(span(20, 100), 0);
        assert_eq!(spans(&known), [span(0, 130)]);
        assert!(known.covers(0..130) && !known.covers(0..131) && !known.covers(130..140));
    }

    #[test]
    fn what_is_known_ends_and_goes_on() {
        let known = Known::default();
        known.append(span(10, 30));
        known.append(span(50, 70));
        let ends = [0, 10, 20, 30, 40, 70, 80].map(|at| known.end_of(at).map(|(end, _)| end));
        assert_eq!(ends, [None, Some(30), Some(30), Some(30), None, Some(70), None]);
        assert_eq!(known.end_of(20), Some((30, before(30))));
        let next = [0, 10, 30, 50].map(|at| known.next_behind(at));
        assert_eq!(next, [Some(10), Some(50), Some(50), None]);
        let last = [2, 3, 6, 7].map(|at| known.last_before(Offset(at), 1000).map(|it| it.to));
        assert_eq!(last, [None, Some(30), Some(30), Some(70)]);
        assert_eq!(known.last_before(Offset(7), 70), Some(span(10, 30)), "not at the limit");
    }

    #[test]
    fn what_reaches_behind_a_cut_is_forgotten_and_not_noted_late() {
        let known = Known::default();
        known.append(span(10, 30));
        known.append(span(50, 70));
        let seen = known.generation();
        assert_eq!([known.is_news(20), known.is_news(20)], [true, false]);
        known.cut(60);
        known.note(span(50, 70), seen);
        assert_eq!(spans(&known), [span(10, 30)]);
        known.note(span(30, 40), known.generation());
        assert_eq!((spans(&known), known.is_news(20)), (vec![span(10, 40)], true));
    }

    #[test]
    fn of_too_many_parts_the_smallest_goes_but_never_the_last() {
        let known = Known::default();
        let max = u64::try_from(SPANS_MAX).unwrap();
        for at in 1..=max {
            known.append(span(at * 1000, at * 1000 + 10 * at));
        }
        known.append(span(max * 10_000, max * 10_000 + 1));
        let left = spans(&known);
        assert_eq!(
            (left.len(), left[0].from, left[SPANS_MAX - 1].from),
            (SPANS_MAX, 2000, max * 10_000)
        );
    }
}
