//! Records of `__consumer_offsets`: groups of every kind, and the offsets they committed.

pub mod classic;
pub mod consumer;
pub mod offset;
pub mod share;
pub mod streams;

pub use classic::{GroupMetadataKey, GroupMetadataValue};
pub use consumer::{
    ConsumerGroupCurrentMemberAssignmentKey, ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey, ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue, ConsumerGroupPartitionMetadataKey,
    ConsumerGroupPartitionMetadataValue, ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue, ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
};
pub use offset::{
    LegacyOffsetCommitKey, LegacyOffsetCommitValue, OffsetCommitKey, OffsetCommitValue,
};
pub use share::{
    ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue,
    ShareGroupMemberMetadataKey, ShareGroupMemberMetadataValue, ShareGroupMetadataKey,
    ShareGroupMetadataValue, ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue, ShareGroupTargetAssignmentMemberKey,
    ShareGroupTargetAssignmentMemberValue, ShareGroupTargetAssignmentMetadataKey,
    ShareGroupTargetAssignmentMetadataValue,
};
pub use streams::{
    StreamsGroupCurrentMemberAssignmentKey, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMemberMetadataKey, StreamsGroupMemberMetadataValue, StreamsGroupMetadataKey,
    StreamsGroupMetadataValue, StreamsGroupTargetAssignmentMemberKey,
    StreamsGroupTargetAssignmentMemberValue, StreamsGroupTargetAssignmentMetadataKey,
    StreamsGroupTargetAssignmentMetadataValue, StreamsGroupTopologyKey, StreamsGroupTopologyValue,
};

super::keys! {
    /// What a record of the topic is about; its value has the type of the same name.
    GroupKey {
        GroupMetadata(GroupMetadataKey),
        LegacyOffsetCommit(LegacyOffsetCommitKey),
        OffsetCommit(OffsetCommitKey),
        ConsumerGroupMetadata(ConsumerGroupMetadataKey),
        ConsumerGroupPartitionMetadata(ConsumerGroupPartitionMetadataKey),
        ConsumerGroupMemberMetadata(ConsumerGroupMemberMetadataKey),
        ConsumerGroupTargetAssignmentMetadata(ConsumerGroupTargetAssignmentMetadataKey),
        ConsumerGroupTargetAssignmentMember(ConsumerGroupTargetAssignmentMemberKey),
        ConsumerGroupCurrentMemberAssignment(ConsumerGroupCurrentMemberAssignmentKey),
        ConsumerGroupRegularExpression(ConsumerGroupRegularExpressionKey),
        ShareGroupMetadata(ShareGroupMetadataKey),
        ShareGroupMemberMetadata(ShareGroupMemberMetadataKey),
        ShareGroupTargetAssignmentMetadata(ShareGroupTargetAssignmentMetadataKey),
        ShareGroupTargetAssignmentMember(ShareGroupTargetAssignmentMemberKey),
        ShareGroupCurrentMemberAssignment(ShareGroupCurrentMemberAssignmentKey),
        ShareGroupStatePartitionMetadata(ShareGroupStatePartitionMetadataKey),
        StreamsGroupMetadata(StreamsGroupMetadataKey),
        StreamsGroupMemberMetadata(StreamsGroupMemberMetadataKey),
        StreamsGroupTargetAssignmentMetadata(StreamsGroupTargetAssignmentMetadataKey),
        StreamsGroupTargetAssignmentMember(StreamsGroupTargetAssignmentMemberKey),
        StreamsGroupCurrentMemberAssignment(StreamsGroupCurrentMemberAssignmentKey),
        StreamsGroupTopology(StreamsGroupTopologyKey),
    }
}
