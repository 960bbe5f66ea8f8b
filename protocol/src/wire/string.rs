//! Strings: slices of the frame that they came in.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
};

use bytes::{Buf, BufMut, Bytes};

use super::{FrameWriter, Malformed, Nullable, Version, varint};

/// UTF-8 text that shares the memory of the frame it was read from. Cloning is cheap; holding
/// one keeps the whole frame alive, so that text to be stored is better copied.
#[derive(Clone, Default)]
pub struct Str(Bytes);

impl Str {
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        #[expect(unsafe_code, reason = "checking again on every look would cost the hot path")]
        // SAFETY: the bytes are immutable, and every constructor takes them from a `str` or
        // checks that they are UTF-8.
        unsafe {
            std::str::from_utf8_unchecked(&self.0)
        }
    }

    /// The same text in memory of its own, so that the frame can be freed.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::from(self.as_str())
    }

    /// What a length field can count: the text, cut between two characters if it is longer.
    fn sendable(&self) -> &str {
        let text = self.as_str();
        text.get(..text.floor_char_boundary(STR_BYTES_MAX)).unwrap_or(text)
    }
}

impl Nullable for Str {
    fn decode_nullable(src: &mut Bytes, v: Version) -> Result<Option<Self>, Malformed> {
        let length = if v.flexible {
            match varint::read(src)?.checked_sub(1) {
                None => return Ok(None),
                Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
            }
        } else {
            match src.try_get_i16()? {
                -1 => return Ok(None),
                length => usize::try_from(length)
                    .map_err(|_| Malformed::NegativeLength(i32::from(length)))?,
            }
        };
        if length > STR_BYTES_MAX {
            return Err(Malformed::TooLong { length, max: STR_BYTES_MAX });
        }
        if length > src.len() {
            return Err(Malformed::Truncated { needed: length, left: src.len() });
        }
        let bytes = src.split_to(length);
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Some(Self(bytes))),
            Err(_) => Err(Malformed::NotUtf8),
        }
    }

    fn encode_nullable(value: Option<&Self>, dst: &mut FrameWriter, v: Version) {
        let text = value.map(Self::sendable);
        if v.flexible {
            let length = text.map_or(Ok(0), |text| u32::try_from(text.len() + 1));
            varint::write(dst, length.unwrap_or(u32::MAX));
        } else {
            let length = text.map_or(Ok(-1), |text| i16::try_from(text.len()));
            dst.buf().put_i16(length.unwrap_or(i16::MAX));
        }
        dst.put_slice(text.unwrap_or_default().as_bytes());
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Str {
    fn as_ref(&self) -> &str {
        self
    }
}

impl Borrow<str> for Str {
    fn borrow(&self) -> &str {
        self
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Str> for String {
    fn from(text: Str) -> Self {
        text.as_str().to_owned()
    }
}

impl PartialEq for Str {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Str {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Str {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// What the classic form's length field can count; Kafka holds the compact form to it, too.
pub const STR_BYTES_MAX: usize = 0x7fff;
