//! Chance that can be had again: SplitMix64.

#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another one, as random as this.
    pub(crate) fn split(&mut self) -> Self {
        Self(self.roll())
    }

    /// From 0 to below `sides`.
    pub(crate) fn below(&mut self, sides: u32) -> u32 {
        let sides = u64::from(sides.max(1));
        u32::try_from(self.roll() % sides).unwrap_or_default()
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
