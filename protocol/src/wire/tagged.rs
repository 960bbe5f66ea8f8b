//! The section of tagged fields that ends every flexible structure (KIP-482): a count, then each
//! field as tag, length and value. A field that holds its default is not written.

use bytes::Bytes;

use super::{FrameWriter, Malformed, Version, Wire, varint};

/// Reads a section field by field.
#[derive(Debug)]
pub struct Section {
    left: u32,
}

impl Section {
    /// # Errors
    /// No count, or more fields than [`FIELDS_MAX`].
    pub fn open(src: &mut Bytes) -> Result<Self, Malformed> {
        let left = varint::read(src)?;
        if left > FIELDS_MAX {
            let length = usize::try_from(left).unwrap_or(usize::MAX);
            return Err(Malformed::TooLong { length, max: 10_000 });
        }
        Ok(Self { left })
    }

    /// The next field, with its tag; `None` after the last.
    ///
    /// # Errors
    /// The bytes end before the field does.
    pub fn next(&mut self, src: &mut Bytes) -> Result<Option<(u32, Field)>, Malformed> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let tag = varint::read(src)?;
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

/// Kafka 4.4 refuses more, too.
pub const FIELDS_MAX: u32 = 10_000;
