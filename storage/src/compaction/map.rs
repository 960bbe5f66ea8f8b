//! The last offset of each key, in memory of a fixed size.

use std::hash::{DefaultHasher, Hasher};

use milena_protocol::Offset;

/// Knows keys by 128 bits of a keyed hash, so that their length does not matter; that two of them
/// share all bits is not to be expected, and nobody who does not know the seed can make it so.
///
/// Open addressing: a key lies in the first free slot from where its hash points.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    seed: u64,
    len: usize,
    len_max: usize,
    end: Offset,
}

/// Two words of hash, then the offset and one; all zeros where nothing lies.
type Slot = [u64; 3];

impl OffsetMap {
    /// A map that takes at most `bytes_max`, and no more than `keys_max` keys can need.
    pub(crate) fn new(bytes_max: usize, keys_max: u64, seed: u64, start: Offset) -> Self {
        let affordable = (bytes_max / size_of::<Slot>()).max(SLOTS_MIN);
        let needed = usize::try_from(keys_max).unwrap_or(usize::MAX);
        let needed = needed.saturating_mul(FULL_OF).saturating_div(FULL).saturating_add(1);
        let slots = affordable.min(needed.max(SLOTS_MIN));
        let len_max = (slots.saturating_mul(FULL) / FULL_OF).max(1);
        Self { slots: vec![[0; 3]; slots], seed, len: 0, len_max, end: start }
    }

    /// Notes that `key` is at `offset`, later than before; `false` if there is no room for it.
    pub(crate) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let room = self.len < self.len_max;
        let Some(at) = self.find(hash) else { return false };
        let Some(slot) = self.slots.get_mut(at) else { return false };
        if *slot == [0; 3] {
            if !room {
                return false;
            }
            self.len += 1;
        }
        let [first, second] = hash;
        *slot = [first, second, offset.0.cast_unsigned() + 1];
        true
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Offset> {
        let [_, _, stored] = *self.slots.get(self.find(self.hash(key))?)?;
        stored.checked_sub(1).map(|offset| Offset(offset.cast_signed()))
    }

    /// Everything below was put into the map.
    pub(crate) fn end(&self) -> Offset {
        self.end
    }

    pub(crate) fn set_end(&mut self, end: Offset) {
        self.end = end;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The slot that has this hash, or the free one that it would get.
    fn find(&self, [first, second]: [u64; 2]) -> Option<usize> {
        let count = self.slots.len();
        let home = usize::try_from(first % u64::try_from(count).ok()?).ok()?;
        // There always is a free one, as the map is never filled wholly.
        (home..count).chain(0..home).find(|&at| {
            self.slots.get(at).is_some_and(|slot| {
                let [a, b, stored] = *slot;
                stored == 0 || (a == first && b == second)
            })
        })
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        [0, 1].map(|half| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(self.seed);
            hasher.write_u8(half);
            hasher.write(key);
            hasher.finish()
        })
    }
}

/// Nine slots of ten are filled, as by Kafka's default (`log.cleaner.io.buffer.load.factor`).
const FULL: usize = 9;
const FULL_OF: usize = 10;
/// One for a key, one that stays free.
const SLOTS_MIN: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_of_each_key_is_found() {
        let mut map = OffsetMap::new(1 << 20, 1000, 7, Offset(0));
        for round in 0..3 {
            for key in 0..1000_i64 {
                assert!(map.put(&key.to_be_bytes(), Offset(round * 1000 + key)));
            }
        }
        for key in 0..1000_i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(2000 + key)));
        }
        assert_eq!((map.len(), map.get(b"another")), (1000, None));
    }

    #[test]
    fn a_full_map_takes_later_offsets_of_its_keys_but_no_other_key() {
        let mut map = OffsetMap::new(size_of::<Slot>() * 10, u64::MAX, 7, Offset(0));
        for key in 0..9_u8 {
            assert!(map.put(&[key], Offset(0)));
        }
        assert!(!map.put(&[9], Offset(1)));
        assert!(map.put(&[8], Offset(2)));
        assert_eq!((map.get(&[8]), map.get(&[9])), (Some(Offset(2)), None));
    }

    #[test]
    fn the_smallest_map_holds_a_key() {
        let mut map = OffsetMap::new(0, 0, 7, Offset(0));
        assert!(map.put(b"", Offset(0)));
        assert!(!map.put(b"another", Offset(1)));
        assert_eq!(map.get(b""), Some(Offset(0)));
    }
}
