//! The list of everything that is written in the notation, and what each entry can be asked.

use std::{fmt::Debug, ops::RangeInclusive};

use bytes::Bytes;

use crate::{
    for_each_api, messages,
    state::{
        consumer_protocol, control, groups, metadata, principal, quorum_state, share, transactions,
        voters,
    },
    wire::{
        FrameWriter, Malformed, Message, Record, Version, Wire,
        arbitrary::{Arbitrary, Seed},
    },
};

/// One message or record, its type forgotten.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) versions: RangeInclusive<i16>,
    flexible: Option<i16>,
    encode_default: fn(Version) -> Bytes,
    encode_arbitrary: fn(&mut Seed, Version) -> Bytes,
    decode: fn(&mut Bytes, Version) -> Result<Bytes, Malformed>,
    survives: fn(&mut Seed, Version) -> bool,
}

impl Subject {
    fn of<T: Wire + Default + Debug + PartialEq + Arbitrary>(
        name: &'static str,
        versions: RangeInclusive<i16>,
        flexible: Option<i16>,
    ) -> Self {
        Self {
            name,
            versions,
            flexible,
            encode_default: |v| encode(&T::default(), v),
            encode_arbitrary: |seed, v| encode(&T::arbitrary(seed, v), v),
            decode: |src, v| Ok(encode(&T::decode(src, v)?, v)),
            survives: |seed, v| {
                let value = T::arbitrary(seed, v);
                let mut bytes = encode(&value, v);
                T::decode(&mut bytes, v) == Ok(value) && bytes.is_empty()
            },
        }
    }

    fn message<M: Message + Arbitrary>() -> Self {
        Self::of::<M>(M::NAME, M::KNOWN_VERSIONS, M::FLEXIBLE)
    }

    fn record<R: Record + Arbitrary>() -> Self {
        Self::of::<R>(R::NAME, R::VERSIONS, R::FLEXIBLE)
    }

    pub(super) fn versions(&self) -> impl Iterator<Item = Version> {
        let flexible = self.flexible;
        self.versions.clone().map(move |number| Version::new(number, flexible))
    }

    pub(super) fn encode_default(&self, v: Version) -> Bytes {
        (self.encode_default)(v)
    }

    pub(super) fn encode_arbitrary(&self, seed: &mut Seed, v: Version) -> Bytes {
        (self.encode_arbitrary)(seed, v)
    }

    /// Decodes from the front of `src`, and encodes again what came out.
    pub(super) fn decode(&self, src: &mut Bytes, v: Version) -> Result<Bytes, Malformed> {
        (self.decode)(src, v)
    }

    /// Whether a random value is the same after it was encoded and decoded.
    pub(super) fn survives(&self, seed: &mut Seed, v: Version) -> bool {
        (self.survives)(seed, v)
    }
}

fn encode<T: Wire>(value: &T, v: Version) -> Bytes {
    let mut dst = FrameWriter::new();
    value.encode(&mut dst, v);
    dst.into_bytes()
}

macro_rules! message_subjects {
    ($($key:literal $name:ident: $request:ident, $response:ident;)*) => {
        vec![$(
            Subject::message::<messages::$request>(),
            Subject::message::<messages::$response>(),
        )*]
    };
}

macro_rules! record_subjects {
    ($($module:ident: $($record:ident)*;)*) => {
        [$($(Subject::record::<$module::$record>(),)*)*]
    };
}

/// Every message and every record.
pub(super) fn all() -> Vec<Subject> {
    let mut all = for_each_api!(message_subjects);
    all.extend(record_subjects! {
        groups:
            GroupMetadataKey GroupMetadataValue LegacyOffsetCommitKey
            LegacyOffsetCommitValue OffsetCommitKey OffsetCommitValue
            ConsumerGroupMetadataKey ConsumerGroupMetadataValue
            ConsumerGroupPartitionMetadataKey ConsumerGroupPartitionMetadataValue
            ConsumerGroupMemberMetadataKey ConsumerGroupMemberMetadataValue
            ConsumerGroupTargetAssignmentMetadataKey
            ConsumerGroupTargetAssignmentMetadataValue
            ConsumerGroupTargetAssignmentMemberKey
            ConsumerGroupTargetAssignmentMemberValue
            ConsumerGroupCurrentMemberAssignmentKey
            ConsumerGroupCurrentMemberAssignmentValue ConsumerGroupRegularExpressionKey
            ConsumerGroupRegularExpressionValue ShareGroupMetadataKey
            ShareGroupMetadataValue ShareGroupMemberMetadataKey
            ShareGroupMemberMetadataValue ShareGroupTargetAssignmentMetadataKey
            ShareGroupTargetAssignmentMetadataValue ShareGroupTargetAssignmentMemberKey
            ShareGroupTargetAssignmentMemberValue ShareGroupCurrentMemberAssignmentKey
            ShareGroupCurrentMemberAssignmentValue ShareGroupStatePartitionMetadataKey
            ShareGroupStatePartitionMetadataValue StreamsGroupMetadataKey
            StreamsGroupMetadataValue StreamsGroupMemberMetadataKey
            StreamsGroupMemberMetadataValue StreamsGroupTargetAssignmentMetadataKey
            StreamsGroupTargetAssignmentMetadataValue
            StreamsGroupTargetAssignmentMemberKey
            StreamsGroupTargetAssignmentMemberValue
            StreamsGroupCurrentMemberAssignmentKey
            StreamsGroupCurrentMemberAssignmentValue StreamsGroupTopologyKey
            StreamsGroupTopologyValue;
        transactions:
            TransactionLogKey TransactionLogValue;
        share:
            ShareSnapshotKey ShareSnapshotValue ShareUpdateKey ShareUpdateValue;
        consumer_protocol:
            ConsumerProtocolSubscription ConsumerProtocolAssignment;
        control:
            EndTxnMarker AbortedTxn LeaderChangeMessage SnapshotHeaderRecord
            SnapshotFooterRecord KRaftVersionRecord;
        voters:
            VotersRecord;
        quorum_state:
            QuorumStateData;
        principal:
            DefaultPrincipalData;
        metadata:
            RegisterBrokerRecord UnregisterBrokerRecord BrokerRegistrationChangeRecord
            FenceBrokerRecord UnfenceBrokerRecord RegisterControllerRecord
            UnregisterControllerRecord TopicRecord RemoveTopicRecord PartitionRecord
            PartitionChangeRecord ClearElrRecord ConfigRecord AccessControlEntryRecord
            RemoveAccessControlEntryRecord UserScramCredentialRecord
            RemoveUserScramCredentialRecord DelegationTokenRecord
            RemoveDelegationTokenRecord ClientQuotaRecord FeatureLevelRecord
            ProducerIdsRecord ZkMigrationStateRecord NoOpRecord BeginTransactionRecord
            EndTransactionRecord AbortTransactionRecord;
    });
    all
}
