//! The notation that every versioned structure is written in, and the machinery behind it.
//!
//! A value meets the wire through [`Wire`]. The [`Version`] that is handed down says which fields
//! exist and whether they are written in the compact form of KIP-482, so that no message has a
//! branch of its own. Nothing here panics on input, and nothing takes memory by a claimed length.

#[cfg(test)]
pub(crate) mod arbitrary;
mod array;
mod budget;
mod frame;
pub mod header;
mod malformed;
mod notation;
mod number;
mod records;
mod string;
pub mod tagged;
pub mod varint;

use std::{fmt::Debug, ops::RangeInclusive};

use bytes::Bytes;

use crate::messages::ApiKey;

pub use array::{ARRAY_ELEMENTS_MAX, Nullable};
pub(crate) use array::{decode_nullable_when, encode_nullable_when};
pub use frame::{Chunk, Frame, FrameWriter, Range, Source};
pub use malformed::Malformed;
pub(crate) use notation::{api, covers, or_default, read_field, record, structs, write_field};
pub use records::Records;
pub use string::{STR_BYTES_MAX, Str};

/// Which form of a structure is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub number: i16,
    /// Compact lengths and a section of tagged fields after every structure (KIP-482).
    pub flexible: bool,
}

impl Version {
    /// Version `number` of a structure that is flexible from `flexible_from` on.
    #[must_use]
    pub const fn new(number: i16, flexible_from: Option<i16>) -> Self {
        let flexible = matches!(flexible_from, Some(first) if number >= first);
        Self { number, flexible }
    }
}

/// A value that the protocol can carry.
pub trait Wire: Sized {
    /// Takes a value off the front of `src`.
    ///
    /// # Errors
    /// What is wrong with the bytes; how much of `src` is left is then unspecified.
    fn decode(src: &mut Bytes, v: Version) -> Result<Self, Malformed>;

    /// Adds the value to `dst`. A field that `v` does not know is left out.
    fn encode(&self, dst: &mut FrameWriter, v: Version);
}

/// A request or a response.
pub trait Message: Wire + Default + Clone + Debug + PartialEq {
    const NAME: &'static str;
    const KEY: ApiKey;
    /// What a broker may advertise.
    const VERSIONS: RangeInclusive<i16>;
    /// What the codec understands: [`Self::VERSIONS`] and those that Kafka marks unstable.
    const KNOWN_VERSIONS: RangeInclusive<i16>;
    /// The first flexible version, if there is one.
    const FLEXIBLE: Option<i16>;

    #[must_use]
    fn version(number: i16) -> Version {
        Version::new(number, Self::FLEXIBLE)
    }

    /// Reads a whole body: what follows the header, to the end of the frame.
    ///
    /// # Errors
    /// A version outside [`Self::KNOWN_VERSIONS`], malformed bytes, or bytes left over.
    fn decode_body(body: Bytes, number: i16) -> Result<Self, Malformed> {
        decode_whole(body, number, &Self::KNOWN_VERSIONS, Self::FLEXIBLE)
    }
}

/// A message that asks for another.
pub trait Request: Message {
    type Response: Message;

    /// Reads what a client asks. Bytes behind it are passed over, as in Kafka: librdkafka 2.15
    /// ends Metadata version 13 with three that no schema knows.
    ///
    /// # Errors
    /// A version outside [`Message::KNOWN_VERSIONS`] or malformed bytes.
    fn decode_request(mut body: Bytes, number: i16) -> Result<Self, Malformed> {
        decode_leading(&mut body, number, &Self::KNOWN_VERSIONS, Self::FLEXIBLE)
    }
}

/// A structure that is stored rather than sent: a record of an internal topic or of the metadata
/// log, or a payload that the broker only passes on.
pub trait Record: Wire + Default + Clone + Debug + PartialEq {
    const NAME: &'static str;
    /// The number that tells this kind of record from others in the same log.
    const ID: Option<i16>;
    const VERSIONS: RangeInclusive<i16>;
    /// The first flexible version, if there is one.
    const FLEXIBLE: Option<i16>;

    #[must_use]
    fn version(number: i16) -> Version {
        Version::new(number, Self::FLEXIBLE)
    }

    /// Reads a whole record; whatever says which version it is has been read before.
    ///
    /// # Errors
    /// A version outside [`Self::VERSIONS`], malformed bytes, or bytes left over.
    fn decode_body(body: Bytes, number: i16) -> Result<Self, Malformed> {
        decode_whole(body, number, &Self::VERSIONS, Self::FLEXIBLE)
    }
}

fn decode_whole<T: Wire>(
    mut body: Bytes,
    number: i16,
    known: &RangeInclusive<i16>,
    flexible_from: Option<i16>,
) -> Result<T, Malformed> {
    let value = decode_leading(&mut body, number, known, flexible_from)?;
    if body.is_empty() { Ok(value) } else { Err(Malformed::Trailing { bytes: body.len() }) }
}

fn decode_leading<T: Wire>(
    body: &mut Bytes,
    number: i16,
    known: &RangeInclusive<i16>,
    flexible_from: Option<i16>,
) -> Result<T, Malformed> {
    if !known.contains(&number) {
        return Err(Malformed::UnknownVersion(number));
    }
    let version = Version::new(number, flexible_from);
    budget::within(body.len(), || T::decode(body, version))
}
