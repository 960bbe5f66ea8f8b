//! Numbers of variable length inside records: groups of 7 bits, lowest first, in zigzag order.

use bytes::BufMut;

/// Takes an i32 off the front of `src`; `None` if it ends early or does not fit.
pub(super) fn read_i32(src: &mut &[u8]) -> Option<i32> {
    // Most numbers in a record are below 64.
    if let Some((&first, rest)) = src.split_first()
        && first < MORE
    {
        *src = rest;
        return Some(i32::from(first >> 1) ^ -i32::from(first & 1));
    }
    let folded = u32::try_from(read_u64(src)?).ok()?;
    Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
}

/// Takes an i64 off the front of `src`; `None` if it ends early or does not fit.
pub(super) fn read_i64(src: &mut &[u8]) -> Option<i64> {
    let folded = read_u64(src)?;
    Some((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed())
}

pub(super) fn put_i32(into: &mut Vec<u8>, value: i32) {
    put_u64(into, u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()));
}

pub(super) fn put_i64(into: &mut Vec<u8>, value: i64) {
    put_u64(into, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Bytes that [`put_i32`] writes.
pub(super) fn len_i32(value: i32) -> usize {
    len_u64(u64::from(((value << 1) ^ (value >> 31)).cast_unsigned()))
}

/// Bytes that [`put_i64`] writes.
pub(super) fn len_i64(value: i64) -> usize {
    len_u64(((value << 1) ^ (value >> 63)).cast_unsigned())
}

fn read_u64(src: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = src.split_first()?;
        *src = rest;
        let bits = u64::from(byte & !MORE);
        if bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < MORE {
            return Some(value);
        }
    }
    None
}

fn put_u64(into: &mut Vec<u8>, mut value: u64) {
    while value >= u64::from(MORE) {
        let [.., low] = value.to_be_bytes();
        into.put_u8(low | MORE);
        value >>= 7;
    }
    let [.., low] = value.to_be_bytes();
    into.put_u8(low);
}

fn len_u64(value: u64) -> usize {
    match value.checked_ilog2() {
        // At most 64 / 7 + 1.
        Some(top) => usize::from(u8::try_from(top / 7).unwrap_or(0)) + 1,
        None => 1,
    }
}

/// Set in every byte but the last.
const MORE: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let edges = [0, 1, -1, 63, -64, 64, -65, 8191, 8192, i32::MAX.into(), i32::MIN.into()];
        for value in edges.into_iter().chain([i64::MAX, i64::MIN, 1 << 62]) {
            let mut bytes = Vec::new();
            put_i64(&mut bytes, value);
            assert_eq!(bytes.len(), len_i64(value));
            assert_eq!(read_i64(&mut &bytes[..]), Some(value));
            let short = i32::try_from(value).ok();
            assert_eq!(read_i32(&mut &bytes[..]), short);
            if let Some(short) = short {
                let mut as_short = Vec::new();
                put_i32(&mut as_short, short);
                assert_eq!((as_short.len(), &as_short), (len_i32(short), &bytes));
            }
            assert_eq!(read_i64(&mut &bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn a_number_too_long_is_refused() {
        assert_eq!(read_i64(&mut &[0xff; 11][..]), None);
        assert_eq!(
            read_i64(&mut &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2][..]),
            None
        );
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x10][..]), None);
    }
}
