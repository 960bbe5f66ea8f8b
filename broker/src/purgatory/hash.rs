//! A quick hash for keys that the broker itself makes, such as partitions. It is the same in every
//! run and gives no protection against keys that a client chose.

use std::hash::{BuildHasher, Hasher};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FastHash;

impl BuildHasher for FastHash {
    type Hasher = Multiply;

    fn build_hasher(&self) -> Multiply {
        Multiply(0)
    }
}

#[derive(Debug)]
pub(super) struct Multiply(u64);

impl Multiply {
    fn mix(&mut self, word: u64) {
        // The 128-bit product's halves together keep what either alone would lose.
        let product = u128::from(self.0 ^ word ^ SALT) * u128::from(ODD);
        let [low, high] = [product, product >> 64].map(|half| half & u128::from(u64::MAX));
        self.0 = u64::try_from(low ^ high).unwrap_or_default();
    }
}

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(ODD)
    }

    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(piece) {
                *to = *from;
            }
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_i32(&mut self, word: i32) {
        self.mix(u64::from(word.cast_unsigned()));
    }

    fn write_i64(&mut self, word: i64) {
        self.mix(word.cast_unsigned());
    }
}

const SALT: u64 = 0x9e37_79b9_7f4a_7c15;
const ODD: u64 = 0xd6e8_feb8_6659_fd93;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_spread_over_the_upper_bits() {
        let mut shards = std::collections::BTreeMap::new();
        for partition in 0_i32..6_400 {
            *shards.entry(FastHash.hash_one(([7_u8; 16], partition)) >> 58).or_insert(0) += 1;
        }
        assert_eq!(shards.len(), 64);
        assert!(shards.values().all(|&count| count < 200), "{shards:?}");
    }
}
