//! What a shard of groups can be asked, and what it answers: the protocol's own messages.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest,
        HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
        LeaveGroupResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
        OffsetDeleteResponse, SyncGroupRequest, SyncGroupResponse, TxnOffsetCommitRequest,
        TxnOffsetCommitResponse,
        groups::{
            consumer_group_describe::DescribedGroup as DescribedConsumerGroup,
            delete_groups::DeletableGroupResult,
            describe_groups::DescribedGroup,
            list_groups::ListedGroup,
            offset_fetch::{OffsetFetchRequestGroup, OffsetFetchResponseGroup},
        },
    },
    wire::Str,
};

use super::Refused;
use milena_storage::producers::EndMarker;

/// Text and bytes may be slices of a frame: what is kept of them is copied.
#[derive(Clone, Debug)]
pub enum Request {
    Join(JoinGroupRequest, Joiner),
    Sync(SyncGroupRequest),
    Heartbeat(HeartbeatRequest),
    Leave(LeaveGroupRequest),
    ConsumerHeartbeat(ConsumerGroupHeartbeatRequest, Client),
    Describe(Str),
    DescribeConsumer(Str),
    List,
    Delete(Str),
    Commit {
        request: OffsetCommitRequest,
        /// The request's version knows that members have epochs.
        speaks_epochs: bool,
    },
    CommitInTransaction(InTransaction),
    /// `stable` refuses offsets that an open transaction may still change.
    Fetch {
        request: OffsetFetchRequestGroup,
        stable: bool,
    },
    DeleteOffsets(OffsetDeleteRequest),
    /// These topics are no more: so are the offsets in them.
    Forget(Vec<(Str, Uuid)>),
    /// A transaction is decided that offsets may have been committed in. Whether the marker's epoch
    /// is the one after the transaction's.
    EndTransaction(EndMarker, bool),
}

/// A commit whose offsets count once the transaction of its producer is committed.
#[derive(Clone, Debug)]
pub struct InTransaction {
    pub request: TxnOffsetCommitRequest,
    /// What a member of a group that does not exist is told.
    pub absent_group: ErrorCode,
    /// What a member is told that names another epoch than its own.
    pub stale_epoch: ErrorCode,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: Str,
    /// As Kafka spells it, with a slash in front.
    pub host: Str,
}

/// Who wants to join.
#[derive(Clone, Debug)]
pub struct Joiner {
    pub client_id: Str,
    /// As Kafka spells it, with a slash in front.
    pub client_host: Str,
    /// Never used before: becomes part of the member's id if it has none.
    pub unique: String,
    /// The same, as the whole of its id in a group of the consumer protocol.
    pub plain_id: Str,
    /// It must come back with the id that it is given (KIP-394).
    pub joins_twice: bool,
    /// It understands that a leader may be told not to assign anything (KIP-814).
    pub can_skip_assignment: bool,
}

/// The answer to the request of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    Leave(LeaveGroupResponse),
    ConsumerHeartbeat(Result<ConsumerGroupHeartbeatResponse, Refused>),
    Describe(Described),
    /// The group, unless it is not there or not of this kind.
    DescribeConsumer(Result<DescribedConsumerGroup, Refused>),
    List(Vec<ListedGroup>),
    Delete(DeletableGroupResult),
    Commit(OffsetCommitResponse),
    CommitInTransaction(TxnOffsetCommitResponse),
    Fetch(OffsetFetchResponseGroup),
    DeleteOffsets(OffsetDeleteResponse),
    Forget,
    EndTransaction,
}

/// What DescribeGroups finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Described {
    Group(DescribedGroup),
    NotClassic,
    NotThere,
}
