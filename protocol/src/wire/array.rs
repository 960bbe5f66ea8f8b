//! Values of any length: arrays, byte strings, and what may be null.

use bytes::{Buf, BufMut, Bytes};

use super::{FrameWriter, Malformed, Version, Wire, budget, varint};

/// A value that the protocol can leave out: it then has a form for "nothing here".
pub trait Nullable: Sized {
    /// Takes a value, or the mark of its absence, off the front of `src`.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    fn decode_nullable(src: &mut Bytes, v: Version) -> Result<Option<Self>, Malformed>;

    fn encode_nullable(value: Option<&Self>, dst: &mut FrameWriter, v: Version);
}

impl<T: Nullable> Wire for Option<T> {
    fn decode(src: &mut Bytes, v: Version) -> Result<Self, Malformed> {
        T::decode_nullable(src, v)
    }

    fn encode(&self, dst: &mut FrameWriter, v: Version) {
        T::encode_nullable(self.as_ref(), dst, v);
    }
}

/// For every kind of value whose form is the same whether or not it may be null.
macro_rules! never_null {
    ($([$($generics:tt)*] $value:ty;)*) => { $(
        impl<$($generics)*> Wire for $value {
            fn decode(src: &mut Bytes, v: Version) -> Result<Self, Malformed> {
                Self::decode_nullable(src, v)?.ok_or(Malformed::UnexpectedNull)
            }

            fn encode(&self, dst: &mut FrameWriter, v: Version) {
                Self::encode_nullable(Some(self), dst, v);
            }
        }
    )* };
}

never_null! {
    [] super::Str;
    [] super::Records;
    [] Bytes;
    [T: Wire] Vec<T>;
}

impl Nullable for Bytes {
    fn decode_nullable(src: &mut Bytes, v: Version) -> Result<Option<Self>, Malformed> {
        let Some(length) = read_length(src, v)? else { return Ok(None) };
        if length > src.len() {
            return Err(Malformed::Truncated { needed: length, left: src.len() });
        }
        Ok(Some(src.split_to(length)))
    }

    fn encode_nullable(value: Option<&Self>, dst: &mut FrameWriter, v: Version) {
        write_length(dst, v, value.map(Self::len));
        if let Some(bytes) = value {
            dst.put_bytes(bytes.clone());
        }
    }
}

impl<T: Wire> Nullable for Vec<T> {
    fn decode_nullable(src: &mut Bytes, v: Version) -> Result<Option<Self>, Malformed> {
        let Some(count) = read_length(src, v)? else { return Ok(None) };
        if count > ARRAY_ELEMENTS_MAX {
            return Err(Malformed::TooLong { length: count, max: ARRAY_ELEMENTS_MAX });
        }
        // No element takes less than a byte.
        if count > src.len() {
            return Err(Malformed::Truncated { needed: count, left: src.len() });
        }
        budget::charge::<T>(count)?;
        let mut elements = Self::with_capacity(room::<T>(count, src.len()));
        for _ in 0..count {
            elements.push(T::decode(src, v)?);
        }
        Ok(Some(elements))
    }

    fn encode_nullable(value: Option<&Self>, dst: &mut FrameWriter, v: Version) {
        write_length(dst, v, value.map(Self::len));
        for element in value.into_iter().flatten() {
            element.encode(dst, v);
        }
    }
}

/// Reads a field that may be null in this version or not.
pub(crate) fn decode_nullable_when<T: Nullable + Wire>(
    nullable: bool,
    src: &mut Bytes,
    v: Version,
) -> Result<Option<T>, Malformed> {
    if nullable { T::decode_nullable(src, v) } else { T::decode(src, v).map(Some) }
}

/// Writes a field that may be null in this version or not; where it may not, nothing becomes
/// empty.
pub(crate) fn encode_nullable_when<T: Nullable + Wire + Default>(
    value: Option<&T>,
    nullable: bool,
    dst: &mut FrameWriter,
    v: Version,
) {
    match value {
        None if !nullable => T::default().encode(dst, v),
        value => T::encode_nullable(value, dst, v),
    }
}

/// The length of a byte string or the count of an array; `None` stands for null.
pub(super) fn read_length(src: &mut Bytes, v: Version) -> Result<Option<usize>, Malformed> {
    if v.flexible {
        let length = varint::read(src)?.checked_sub(1);
        return Ok(length.map(|length| usize::try_from(length).unwrap_or(usize::MAX)));
    }
    match src.try_get_i32()? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) => Ok(Some(length)),
            Err(_) => Err(Malformed::NegativeLength(length)),
        },
    }
}

/// A length that no field can hold is cut to the highest that one can: the frame around it is
/// above 2 GiB then and is refused as a whole.
pub(super) fn write_length(dst: &mut FrameWriter, v: Version, length: Option<usize>) {
    if v.flexible {
        let length = length.map_or(Ok(0), |length| u32::try_from(length.saturating_add(1)));
        varint::write(dst, length.unwrap_or(u32::MAX));
    } else {
        dst.buf().put_i32(length.map_or(Ok(-1), i32::try_from).unwrap_or(i32::MAX));
    }
}

/// For how many elements to make room at once: never more memory than the bytes that are there.
fn room<T>(count: usize, left: usize) -> usize {
    count.min(left / size_of::<T>().max(1))
}

/// Kafka 4.4 refuses longer arrays, too.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_exactly_their_room() {
        assert_eq!(room::<i32>(1000, 4000), 1000);
        assert_eq!(room::<i32>(1000, 5000), 1000);
    }

    #[test]
    fn no_more_room_is_made_than_the_bytes_left_take() {
        assert_eq!(room::<[u8; 64]>(1_000_000, 1_000_000), 15_625);
        assert_eq!(room::<()>(5, 9), 5);
    }
}
