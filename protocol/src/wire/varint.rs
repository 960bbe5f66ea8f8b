//! Unsigned variable-length integers: seven bits a byte, the lowest first (KIP-482).

use bytes::{Buf, BufMut, Bytes};

use super::{FrameWriter, Malformed};

/// # Errors
/// The bytes end early, or the number does not fit 32 bits.
pub fn read(src: &mut Bytes) -> Result<u32, Malformed> {
    let mut value = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = u32::from(src.try_get_u8()?);
        let bits = byte & 0x7f;
        if shift == 28 && bits > 0x0f {
            return Err(Malformed::VarintOverflow);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed::VarintOverflow)
}

pub fn write(dst: &mut FrameWriter, value: u32) {
    let dst = dst.buf();
    let mut rest = value;
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return dst.put_u8(low & 0x7f);
        }
        dst.put_u8(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: u32) -> Bytes {
        let mut dst = FrameWriter::new();
        write(&mut dst, value);
        dst.into_bytes()
    }

    #[test]
    fn a_number_takes_one_byte_per_seven_bits() {
        assert_eq!(written(0), [0x00].as_slice());
        assert_eq!(written(127), [0x7f].as_slice());
        assert_eq!(written(128), [0x80, 0x01].as_slice());
        assert_eq!(written(u32::MAX), [0xff, 0xff, 0xff, 0xff, 0x0f].as_slice());
    }

    #[test]
    fn what_was_written_is_read() {
        for value in (0..32).flat_map(|bit| [1_u32 << bit, (1 << bit) - 1]) {
            assert_eq!(read(&mut written(value)), Ok(value));
        }
    }

    #[test]
    fn more_than_32_bits_overflow() {
        let mut six = Bytes::from_static(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
        assert_eq!(read(&mut six), Err(Malformed::VarintOverflow));
        let mut bit_33 = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x1f]);
        assert_eq!(read(&mut bit_33), Err(Malformed::VarintOverflow));
    }
}
