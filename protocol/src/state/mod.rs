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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Uuid,
        state::{
            groups::{GroupKey, OffsetCommitKey, OffsetCommitValue},
            metadata::{MetadataRecord, NoOpRecord, TopicRecord},
        },
    };

    #[test]
    fn a_key_begins_with_its_kind() {
        let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 };
        let bytes = GroupKey::OffsetCommit(key.clone()).encode();
        assert_eq!(bytes, [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3].as_slice());
        assert_eq!(GroupKey::decode(bytes), Ok(GroupKey::OffsetCommit(key)));
    }

    #[test]
    fn a_key_of_an_unknown_kind_is_refused() {
        let key = Bytes::from_static(&[0, 99, 0, 0]);
        assert_eq!(GroupKey::decode(key), Err(Malformed::UnknownId(99)));
    }

    #[test]
    fn a_value_begins_with_its_version() {
        let value = OffsetCommitValue { offset: 5, ..Default::default() };
        for number in OffsetCommitValue::VERSIONS {
            let bytes = encode_value(&value, number);
            assert_eq!(bytes.slice(..2), number.to_be_bytes().as_slice());
            assert_eq!(decode_value(bytes), Ok(value.clone()));
        }
        let newer = Bytes::from_static(&[0, 9]);
        assert_eq!(decode_value::<OffsetCommitValue>(newer), Err(Malformed::UnknownVersion(9)));
    }

    #[test]
    fn a_metadata_record_is_framed() {
        let topic_id = Uuid([7; 16]);
        let topic = MetadataRecord::from(TopicRecord { name: "t".into(), topic_id });
        let bytes = topic.encode(topic.latest_version());
        assert_eq!(bytes.slice(..5), [1, 2, 0, 2, b't'].as_slice());
        assert_eq!(MetadataRecord::decode(bytes), Ok(topic));
    }

    #[test]
    fn a_metadata_record_of_another_frame_or_kind_is_refused() {
        let mut bytes = MetadataRecord::from(NoOpRecord {}).encode(0).to_vec();
        assert_eq!(bytes, [1, 20, 0, 0]);
        bytes[1] = 99;
        let outcome = MetadataRecord::decode(bytes.clone().into());
        assert_eq!(outcome, Err(Malformed::UnknownId(99)));
        bytes[0] = 2;
        let outcome = MetadataRecord::decode(bytes.into());
        assert_eq!(outcome, Err(Malformed::UnknownVersion(2)));
    }
}
