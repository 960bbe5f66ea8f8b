//! Random values for tests: full ones, in which every field that a version has is drawn.

use bytes::Bytes;

use super::{Nullable, Records, Str, Version, Wire, tagged::TaggedOption};
use crate::{ErrorCode, Uuid};

/// A value drawn at random, such that encoding it in `v` loses nothing.
pub(crate) trait Arbitrary: Sized {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self;
}

/// A source of numbers that one seed replays (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).unwrap()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.draw().to_le_bytes()[0]).collect()
    }
}

macro_rules! integers {
    ($($integer:ty),*) => { $(
        impl Arbitrary for $integer {
            fn arbitrary(seed: &mut Seed, _: Version) -> Self {
                let drawn = seed.draw().to_le_bytes();
                <$integer>::from_le_bytes(drawn[..size_of::<Self>()].try_into().unwrap())
            }
        }
    )* };
}

integers!(i8, i16, u16, i32, i64);

impl Arbitrary for f64 {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self {
        f64::from(i32::arbitrary(seed, v)) / 8.0
    }
}

impl Arbitrary for bool {
    fn arbitrary(seed: &mut Seed, _: Version) -> Self {
        seed.below(2) == 1
    }
}

impl Arbitrary for Uuid {
    fn arbitrary(seed: &mut Seed, _: Version) -> Self {
        Uuid(seed.bytes(16).try_into().unwrap())
    }
}

impl Arbitrary for ErrorCode {
    fn arbitrary(seed: &mut Seed, _: Version) -> Self {
        let all = ErrorCode::ALL;
        all[seed.below(all.len())]
    }
}

impl Arbitrary for Str {
    fn arbitrary(seed: &mut Seed, _: Version) -> Self {
        let text = ["", "a", "topic-1", "naïve", "日本語", "🦀"];
        Str::from_static(text[seed.below(text.len())])
    }
}

impl Arbitrary for Bytes {
    fn arbitrary(seed: &mut Seed, _: Version) -> Self {
        let length = seed.below(20);
        seed.bytes(length).into()
    }
}

impl Arbitrary for Records {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self {
        Records::from(Bytes::arbitrary(seed, v))
    }
}

impl<T: Arbitrary> Arbitrary for Vec<T> {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self {
        (0..seed.below(4)).map(|_| T::arbitrary(seed, v)).collect()
    }
}

impl<T: Arbitrary + Nullable> Arbitrary for Option<T> {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self {
        (seed.below(3) > 0).then(|| T::arbitrary(seed, v))
    }
}

impl<T: Arbitrary> Arbitrary for TaggedOption<T> {
    fn arbitrary(seed: &mut Seed, v: Version) -> Self {
        Self((seed.below(3) > 0).then(|| T::arbitrary(seed, v)))
    }
}

/// Draws a field that may be null in this version or not.
pub(crate) fn nullable_when<T: Arbitrary + Nullable + Wire>(
    nullable: bool,
    seed: &mut Seed,
    v: Version,
) -> Option<T> {
    if nullable { Option::arbitrary(seed, v) } else { Some(T::arbitrary(seed, v)) }
}

macro_rules! field {
    ($seed:expr, $v:expr) => {
        $crate::wire::arbitrary::Arbitrary::arbitrary($seed, $v)
    };
    ($seed:expr, $v:expr, null $low:literal $(- $high:literal)?) => {
        $crate::wire::arbitrary::nullable_when(
            $crate::wire::covers!($v, $low $(- $high)?), $seed, $v,
        )
    };
}
pub(crate) use field;
