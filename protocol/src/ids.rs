//! Numbers that wear types: a position in a log is not a time, an epoch is not a count.

use std::fmt;

/// A record's position in its partition. Non-negative in every log; the wire's negative
/// sentinels (such as -1, "latest") never become an `Offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    pub const ZERO: Self = Self(0);

    /// The offset `count` records after this one.
    #[must_use]
    pub const fn plus(self, count: i64) -> Self {
        Self(self.0 + count)
    }

    /// The offset of the record after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        self.plus(1)
    }
}

/// How many leaders a partition has had (KIP-101). -1 on the wire means "unknown".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderEpoch(pub i32);

impl LeaderEpoch {
    pub const UNKNOWN: Self = Self(-1);
}

/// Wall-clock milliseconds since 1970-01-01T00:00:00Z. -1 means "no timestamp".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub const NONE: Self = Self(-1);
}

/// Names an idempotent producer (KIP-98). -1 means "not idempotent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

impl ProducerId {
    pub const NONE: Self = Self(-1);
}

/// Fences older incarnations of one producer id (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

impl ProducerEpoch {
    pub const NONE: Self = Self(-1);
}

/// A topic, cluster or directory id: 16 bytes, shown as 22 characters of URL-safe base64 (KIP-516).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    pub const ZERO: Self = Self([0; 16]);

    /// A random (version 4) id from 16 random bytes, never one that the protocol reserves
    /// (the first 100) nor one that begins with a dash when shown.
    #[must_use]
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        if bytes[0] >> 2 == DASH_INDEX {
            bytes[0] &= 0x7f;
        }
        Self(bytes)
    }

    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Reads the 22 characters that [`fmt::Display`] writes; `None` if they are anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TEXT_LEN {
            return None;
        }
        let mut value: u128 = 0;
        let mut last = 0;
        for (at, byte) in text.bytes().enumerate() {
            let six = u8::try_from(ALPHABET.iter().position(|&letter| letter == byte)?).ok()?;
            if at + 1 == TEXT_LEN {
                last = six;
            } else {
                value = (value << 6) | u128::from(six);
            }
        }
        // 21 characters hold 126 bits; the last one holds 2 and four zeros.
        (last & 0x0f == 0).then(|| Self(((value << 2) | u128::from(last >> 4)).to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        for at in 0..TEXT_LEN {
            let six = if at + 1 == TEXT_LEN { (value & 3) << 4 } else { value >> (122 - 6 * at) };
            let letter = usize::try_from(six & 0x3f).ok().and_then(|six| ALPHABET.get(six));
            write!(f, "{}", char::from(letter.copied().unwrap_or(b'?')))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DASH_INDEX: u8 = 62;
const TEXT_LEN: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_reads_what_it_shows() {
        for seed in 0..=255_u8 {
            let id = Uuid::from_random([seed.wrapping_mul(37); 16]);
            assert_eq!(Uuid::parse(&id.to_string()), Some(id));
            assert!(!id.to_string().starts_with('-'));
        }
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::parse("AAAAAAAAAAAAAAAAAAAAAB"), None);
        assert_eq!(Uuid::parse("short"), None);
    }
}
