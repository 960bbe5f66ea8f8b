//! Records of the internal topics and of the metadata log, in the same notation as the messages.

pub mod consumer_protocol;
pub mod control;
pub mod groups;
pub mod metadata;
pub mod principal;
pub mod quorum_state;
pub mod share;
pub mod transactions;
pub mod voters;

/// The keys of an internal topic: a two-byte id says which kind of record follows, in its only
/// version.
macro_rules! keys {
    ($(#[$about:meta])* $keys:ident { $($kind:ident($record:ident),)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $keys {
            $($kind($record),)*
        }

        impl $keys {
            /// # Errors
            /// An id that this topic has no record for, or a malformed key.
            pub fn decode(mut key: ::bytes::Bytes) -> Result<Self, $crate::wire::Malformed> {
                use $crate::wire::Record;
                let id = ::bytes::Buf::try_get_i16(&mut key)?;
                match Some(id) {
                    $($record::ID => Ok(Self::$kind($record::decode_body(key, 0)?)),)*
                    _ => Err($crate::wire::Malformed::UnknownId(id)),
                }
            }

            #[must_use]
            pub fn encode(&self) -> ::bytes::Bytes {
                use $crate::wire::Record;
                match self {
                    $(Self::$kind(key) => {
                        $crate::state::prefixed($record::ID.unwrap_or_default(), key, 0)
                    })*
                }
            }
        }
    };
}
use keys;

use bytes::{Buf, BufMut, Bytes};

use crate::wire::{FrameWriter, Malformed, Record};

/// Reads the value of a record of an internal topic: two bytes of version, then the record.
///
/// # Errors
/// An unknown version or malformed bytes.
pub fn decode_value<R: Record>(mut value: Bytes) -> Result<R, Malformed> {
    let number = value.try_get_i16()?;
    R::decode_body(value, number)
}

/// Writes the value of a record of an internal topic in version `number`.
#[must_use]
pub fn encode_value<R: Record>(value: &R, number: i16) -> Bytes {
    prefixed(number, value, number)
}

fn prefixed<R: Record>(prefix: i16, record: &R, number: i16) -> Bytes {
    let mut dst = FrameWriter::new();
    dst.buf().put_i16(prefix);
    record.encode(&mut dst, R::version(number));
    dst.into_bytes()
}
