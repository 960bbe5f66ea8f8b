//! The section of tagged fields that ends every flexible structure (KIP-482): a count, then each
//! field as tag, length and value. A field that holds its default is not written.

use bytes::Bytes;

use super::{FrameWriter, Malformed, Version, Wire, varint};

/// Reads a section field by field.
#[derive(Debug)]
pub struct Section {
    left: u32,
    /// The lowest tag that may come next; `None` after the highest that there is.
    from: Option<u32>,
}

impl Section {
    /// # Errors
    /// No count, or more fields than [`FIELDS_MAX`].
    pub fn open(src: &mut Bytes) -> Result<Self, Malformed> {
        let left = varint::read(src)?;
        let length = usize::try_from(left).unwrap_or(usize::MAX);
        if length > FIELDS_MAX {
            return Err(Malformed::TooLong { length, max: FIELDS_MAX });
        }
        Ok(Self { left, from: Some(0) })
    }

    /// The next field, with its tag; `None` after the last.
    ///
    /// # Errors
    /// The bytes end before the field does, or its tag is not above the one before it.
    pub fn next(&mut self, src: &mut Bytes) -> Result<Option<(u32, Field)>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let tag = varint::read(src)?;
        if self.from.is_none_or(|from| tag < from) {
            return Err(Malformed::TagOrder { tag });
        }
        self.from = tag.checked_add(1);
        let length = usize::try_from(varint::read(src)?).unwrap_or(usize::MAX);
        if length > src.len() {
            return Err(Malformed::Truncated { needed: length, left: src.len() });
        }
        Ok(Some((tag, Field(src.split_to(length)))))
    }
}

/// The value of a tagged field, not looked into yet.
#[derive(Debug)]
pub struct Field(Bytes);

impl Field {
    /// # Errors
    /// The value is malformed or shorter than the field.
    pub fn read<T: Wire>(self, v: Version) -> Result<T, Malformed> {
        let Self(mut bytes) = self;
        let value = T::decode(&mut bytes, v)?;
        if bytes.is_empty() { Ok(value) } else { Err(Malformed::Trailing { bytes: bytes.len() }) }
    }

    /// Passes over a field that this version does not know.
    pub fn skip(self) {}
}

/// Writes one field; the count stands before the first.
pub fn write<T: Wire>(dst: &mut FrameWriter, tag: u32, value: &T, v: Version) {
    let mut field = FrameWriter::default();
    value.encode(&mut field, v);
    varint::write(dst, tag);
    varint::write(dst, u32::try_from(field.len()).unwrap_or(u32::MAX));
    dst.append(field);
}

/// Passes over a whole section.
///
/// # Errors
/// The section is malformed.
pub fn skip(src: &mut Bytes) -> Result<(), Malformed> {
    let mut section = Section::open(src)?;
    while let Some((_, field)) = section.next(src)? {
        field.skip();
    }
    Ok(())
}

/// A structure that may be null in a tagged field. Unlike elsewhere a varint, 0 or 1, says whether
/// it is there, and a field that is missing stands for an empty structure, not for null.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggedOption<T>(pub Option<T>);

impl<T: Default> Default for TaggedOption<T> {
    fn default() -> Self {
        Self(Some(T::default()))
    }
}

impl<T: Wire> Wire for TaggedOption<T> {
    fn decode(src: &mut Bytes, v: Version) -> Result<Self, Malformed> {
        let there = varint::read(src)? > 0;
        there.then(|| T::decode(src, v)).transpose().map(Self)
    }

    fn encode(&self, dst: &mut FrameWriter, v: Version) {
        varint::write(dst, u32::from(self.0.is_some()));
        if let Some(value) = &self.0 {
            value.encode(dst, v);
        }
    }
}

/// Kafka 4.4 refuses more, too.
pub const FIELDS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_rise() {
        let section = |bytes: &'static [u8]| skip(&mut Bytes::from_static(bytes));
        assert_eq!(section(&[2, 0, 0, 1, 0]), Ok(()));
        assert_eq!(section(&[2, 1, 0, 1, 0]), Err(Malformed::TagOrder { tag: 1 }));
        assert_eq!(section(&[2, 5, 0, 4, 0]), Err(Malformed::TagOrder { tag: 4 }));
    }
}
