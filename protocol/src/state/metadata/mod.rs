//! Records of the metadata log (KIP-746): each takes the image of the cluster one step further.

mod brokers;
mod cluster;
mod security;
mod topics;

pub use brokers::*;
pub use cluster::*;
pub use security::*;
pub use topics::*;

use bytes::Bytes;

use crate::wire::{FrameWriter, Malformed, Record, varint};

macro_rules! metadata_records {
    ($($kind:ident($record:ident),)*) => {
        /// A record of any kind.
        ///
        /// | bytes  | field         | meaning                             |
        /// |--------|---------------|-------------------------------------|
        /// | varint | frame version | 1                                   |
        /// | varint | id            | which kind of record                |
        /// | varint | version       | of this kind                        |
        /// | ..     | record        |                                     |
        #[derive(Clone, Debug, PartialEq)]
        pub enum MetadataRecord {
            $($kind($record),)*
        }

        $(impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$kind(record)
            }
        })*

        impl MetadataRecord {
            /// Reads the value of a record of the log.
            ///
            /// # Errors
            /// An unknown frame version, kind or version, or malformed bytes.
            pub fn decode(mut value: Bytes) -> Result<Self, Malformed> {
                let [frame, id, number] = [
                    read_small(&mut value)?,
                    read_small(&mut value)?,
                    read_small(&mut value)?,
                ];
                if frame != FRAME_VERSION {
                    return Err(Malformed::UnknownVersion(frame));
                }
                match Some(id) {
                    $($record::ID => Ok(Self::$kind($record::decode_body(value, number)?)),)*
                    _ => Err(Malformed::UnknownId(id)),
                }
            }

            /// The value to be written, in version `number` of its kind.
            #[must_use]
            pub fn encode(&self, number: i16) -> Bytes {
                match self {
                    $(Self::$kind(record) => framed(record, number),)*
                }
            }

            /// The newest version of this kind of record.
            #[must_use]
            pub fn latest_version(&self) -> i16 {
                match self {
                    $(Self::$kind(_) => *$record::VERSIONS.end(),)*
                }
            }

            /// The kind, for logs and dumps.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $record::NAME,)*
                }
            }
        }
    };
}

metadata_records! {
    RegisterBroker(RegisterBrokerRecord),
    UnregisterBroker(UnregisterBrokerRecord),
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    FenceBroker(FenceBrokerRecord),
    UnfenceBroker(UnfenceBrokerRecord),
    RegisterController(RegisterControllerRecord),
    UnregisterController(UnregisterControllerRecord),
    Topic(TopicRecord),
    RemoveTopic(RemoveTopicRecord),
    Partition(PartitionRecord),
    PartitionChange(PartitionChangeRecord),
    ClearElr(ClearElrRecord),
    Config(ConfigRecord),
    AccessControlEntry(AccessControlEntryRecord),
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord),
    UserScramCredential(UserScramCredentialRecord),
    RemoveUserScramCredential(RemoveUserScramCredentialRecord),
    DelegationToken(DelegationTokenRecord),
    RemoveDelegationToken(RemoveDelegationTokenRecord),
    ClientQuota(ClientQuotaRecord),
    FeatureLevel(FeatureLevelRecord),
    ProducerIds(ProducerIdsRecord),
    ZkMigrationState(ZkMigrationStateRecord),
    NoOp(NoOpRecord),
    BeginTransaction(BeginTransactionRecord),
    EndTransaction(EndTransactionRecord),
    AbortTransaction(AbortTransactionRecord),
}

fn framed<R: Record>(record: &R, number: i16) -> Bytes {
    let mut dst = FrameWriter::new();
    for small in [FRAME_VERSION, R::ID.unwrap_or_default(), number] {
        varint::write(&mut dst, u32::try_from(small).unwrap_or_default());
    }
    record.encode(&mut dst, R::version(number));
    dst.into_bytes()
}

fn read_small(src: &mut Bytes) -> Result<i16, Malformed> {
    i16::try_from(varint::read(src)?).map_err(|_| Malformed::VarintOverflow)
}

const FRAME_VERSION: i16 = 1;
