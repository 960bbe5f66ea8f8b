//! Sets of places in a session.

/// A set of small numbers: a bit for each up to the greatest one ever in it.
#[derive(Debug, Default)]
pub(super) struct Places {
    words: Vec<u64>,
}

impl Places {
    /// All numbers below `end`.
    pub(super) fn below(end: usize) -> Self {
        let mut words = vec![u64::MAX; end / WORD_BITS];
        if !end.is_multiple_of(WORD_BITS) {
            words.push((1 << (end % WORD_BITS)) - 1);
        }
        Self { words }
    }

    /// Adds a number; false if it was there already.
    pub(super) fn insert(&mut self, place: usize) -> bool {
        let at = place / WORD_BITS;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let (Some(word), bit) = (self.words.get_mut(at), 1 << (place % WORD_BITS)) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    pub(super) fn remove(&mut self, place: usize) {
        if let Some(word) = self.words.get_mut(place / WORD_BITS) {
            *word &= !(1 << (place % WORD_BITS));
        }
    }

    /// The least number in the set from `place` on.
    pub(super) fn next_from(&self, place: usize) -> Option<usize> {
        let first = place / WORD_BITS;
        // What lies below in the word that the place is in does not count.
        let mut mask = u64::MAX << (place % WORD_BITS);
        for (at, word) in self.words.iter().enumerate().skip(first) {
            let found = word & mask;
            if found != 0 {
                let bit = usize::try_from(found.trailing_zeros()).unwrap_or(0);
                return Some(at * WORD_BITS + bit);
            }
            mask = u64::MAX;
        }
        None
    }

    /// Moves all numbers of `other` over.
    pub(super) fn take_all(&mut self, other: &mut Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&mut other.words) {
            *word |= std::mem::take(more);
        }
    }
}

const WORD_BITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(places: &Places) -> Vec<usize> {
        let next = |place: &usize| places.next_from(place + 1);
        std::iter::successors(places.next_from(0), next).collect()
    }

    #[test]
    fn numbers_come_in_order_until_they_are_taken_out() {
        let mut places = Places::default();
        assert_eq!(all(&places), [0; 0]);
        let added = [200, 3, 64, 63, 3].map(|place| places.insert(place));
        assert_eq!(added, [true, true, true, true, false]);
        assert_eq!(all(&places), [3, 63, 64, 200]);
        places.remove(63);
        places.remove(9_999);
        assert_eq!(all(&places), [3, 64, 200]);
        assert_eq!(places.next_from(201), None);
    }

    #[test]
    fn a_range_has_no_more_than_it_says() {
        for end in [0, 1, 63, 64, 65, 128, 1000] {
            assert_eq!(all(&Places::below(end)), (0..end).collect::<Vec<_>>());
        }
    }

    #[test]
    fn taking_all_leaves_nothing() {
        let (mut few, mut many) = (Places::default(), Places::below(70));
        few.insert(100);
        many.insert(300);
        few.take_all(&mut many);
        assert_eq!(all(&many), [0; 0]);
        let expected: Vec<usize> = (0..70).chain([100, 300]).collect();
        assert_eq!(all(&few), expected);
    }
}
