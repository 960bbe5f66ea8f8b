//! How much memory one body may become. An element of an array takes a byte on the wire and a
//! hundred in memory, so a hostile frame could grow a hundredfold while every single array in it
//! keeps to its limits.

use std::cell::Cell;

use super::Malformed;

/// Runs `decode` with room for a body of `body_bytes`.
pub(super) fn within<T>(
    body_bytes: usize,
    decode: impl FnOnce() -> Result<T, Malformed>,
) -> Result<T, Malformed> {
    let room = body_bytes.saturating_mul(GROWTH_MAX).saturating_add(FREE_BYTES);
    let before = LEFT.replace(room);
    let decoded = decode();
    LEFT.set(before);
    decoded
}

/// Takes room for `count` elements of an array.
pub(super) fn charge<T>(count: usize) -> Result<(), Malformed> {
    let bytes = count.saturating_mul(size_of::<T>());
    let left = LEFT.get().checked_sub(bytes).ok_or(Malformed::TooLarge { bytes })?;
    LEFT.set(left);
    Ok(())
}

thread_local! {
    /// Decoding is synchronous and never nests one body in another's budget by accident: a value
    /// of the thread serves without a parameter through every structure.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Bytes in memory for each byte on the wire.
const GROWTH_MAX: usize = 4;
/// What a body of any size may take: requests of many short names are honest ones.
const FREE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_room_for_four_times_its_size_and_a_megabyte() {
        let take = |bytes: usize| within(1000, || charge::<u8>(bytes));
        assert_eq!(take(FREE_BYTES + 4000), Ok(()));
        let bytes = FREE_BYTES + 4001;
        assert_eq!(take(bytes), Err(Malformed::TooLarge { bytes }));
    }

    #[test]
    fn room_is_taken_by_all_arrays_of_a_body_together_and_given_back_after_it() {
        let spent = within(0, || {
            charge::<u8>(FREE_BYTES)?;
            charge::<u8>(1)
        });
        assert_eq!(spent, Err(Malformed::TooLarge { bytes: 1 }));
        assert_eq!(charge::<u8>(FREE_BYTES * 2), Ok(()));
    }
}
