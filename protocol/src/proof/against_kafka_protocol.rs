//! Another implementation reads what this one wrote, and writes the same bytes again.
//!
//! The crate `kafka-protocol` is generated from Kafka 4.1's schemas; what it does not know yet
//! (newer versions, newer APIs, the records of internal logs) is left to the other proofs.

use bytes::BytesMut;
use kafka_protocol::{
    messages as theirs,
    protocol::{Decodable, Encodable, Message as TheirMessage},
};

use crate::{
    messages as ours,
    state::{consumer_protocol, control, principal},
    wire::{
        FrameWriter, Message, Record, Version, Wire,
        arbitrary::{Arbitrary, Seed},
    },
};

/// Compares every version that both know; how many those are.
fn compare<Ours, Theirs>(
    name: &str,
    versions: impl Iterator<Item = i16>,
    flexible: Option<i16>,
) -> usize
where
    Ours: Wire + Arbitrary,
    Theirs: Decodable + Encodable + TheirMessage,
{
    let mut seed = Seed(6);
    let mut compared = 0;
    let known = Theirs::VERSIONS.min..=Theirs::VERSIONS.max;
    for number in versions.filter(|number| known.contains(number)) {
        compared += 1;
        for _ in 0..ROUNDS {
            let v = Version::new(number, flexible);
            let mut dst = FrameWriter::new();
            Ours::arbitrary(&mut seed, v).encode(&mut dst, v);
            let ours = dst.into_bytes();
            let mut src = ours.clone();
            let value = Theirs::decode(&mut src, number)
                .unwrap_or_else(|refused| panic!("{name} v{number} {ours:02x?}: {refused:#}"));
            assert!(src.is_empty(), "{name} v{number}: {} bytes not read", src.len());
            let mut theirs = BytesMut::new();
            value.encode(&mut theirs, number).unwrap();
            assert_eq!(theirs, ours, "{name} v{number}");
        }
    }
    compared
}

macro_rules! messages_agree {
    ($($name:ident)*) => {
        [$((
            stringify!($name),
            compare::<ours::$name, theirs::$name>(
                stringify!($name), ours::$name::KNOWN_VERSIONS, ours::$name::FLEXIBLE,
            ),
        ),)*]
    };
}

macro_rules! records_agree {
    ($($module:ident::$name:ident;)*) => {
        [$((
            stringify!($name),
            compare::<$module::$name, theirs::$name>(
                stringify!($name), $module::$name::VERSIONS, $module::$name::FLEXIBLE,
            ),
        ),)*]
    };
}

#[test]
fn messages_are_the_same_bytes() {
    let compared = messages_agree! {
        ProduceRequest
        ProduceResponse
        FetchRequest
        FetchResponse
        ListOffsetsRequest
        ListOffsetsResponse
        OffsetForLeaderEpochRequest
        OffsetForLeaderEpochResponse
        DeleteRecordsRequest
        DeleteRecordsResponse
        ApiVersionsRequest
        ApiVersionsResponse
        MetadataRequest
        MetadataResponse
        DescribeClusterRequest
        DescribeClusterResponse
        DescribeLogDirsRequest
        DescribeLogDirsResponse
        AlterReplicaLogDirsRequest
        AlterReplicaLogDirsResponse
        UpdateFeaturesRequest
        UpdateFeaturesResponse
        BrokerRegistrationRequest
        BrokerRegistrationResponse
        BrokerHeartbeatRequest
        BrokerHeartbeatResponse
        UnregisterBrokerRequest
        UnregisterBrokerResponse
        ControllerRegistrationRequest
        ControllerRegistrationResponse
        AlterPartitionRequest
        AlterPartitionResponse
        AssignReplicasToDirsRequest
        AssignReplicasToDirsResponse
        EnvelopeRequest
        EnvelopeResponse
        CreateTopicsRequest
        CreateTopicsResponse
        DeleteTopicsRequest
        DeleteTopicsResponse
        CreatePartitionsRequest
        CreatePartitionsResponse
        DescribeTopicPartitionsRequest
        DescribeTopicPartitionsResponse
        ElectLeadersRequest
        ElectLeadersResponse
        AlterPartitionReassignmentsRequest
        AlterPartitionReassignmentsResponse
        ListPartitionReassignmentsRequest
        ListPartitionReassignmentsResponse
        DescribeConfigsRequest
        DescribeConfigsResponse
        AlterConfigsRequest
        AlterConfigsResponse
        IncrementalAlterConfigsRequest
        IncrementalAlterConfigsResponse
        ListConfigResourcesRequest
        ListConfigResourcesResponse
        DescribeClientQuotasRequest
        DescribeClientQuotasResponse
        AlterClientQuotasRequest
        AlterClientQuotasResponse
        FindCoordinatorRequest
        FindCoordinatorResponse
        JoinGroupRequest
        JoinGroupResponse
        SyncGroupRequest
        SyncGroupResponse
        HeartbeatRequest
        HeartbeatResponse
        LeaveGroupRequest
        LeaveGroupResponse
        OffsetCommitRequest
        OffsetCommitResponse
        OffsetFetchRequest
        OffsetFetchResponse
        OffsetDeleteRequest
        OffsetDeleteResponse
        DescribeGroupsRequest
        DescribeGroupsResponse
        ListGroupsRequest
        ListGroupsResponse
        DeleteGroupsRequest
        DeleteGroupsResponse
        ConsumerGroupHeartbeatRequest
        ConsumerGroupHeartbeatResponse
        ConsumerGroupDescribeRequest
        ConsumerGroupDescribeResponse
        ShareGroupHeartbeatRequest
        ShareGroupHeartbeatResponse
        ShareGroupDescribeRequest
        ShareGroupDescribeResponse
        ShareFetchRequest
        ShareFetchResponse
        ShareAcknowledgeRequest
        ShareAcknowledgeResponse
        DescribeShareGroupOffsetsRequest
        DescribeShareGroupOffsetsResponse
        AlterShareGroupOffsetsRequest
        AlterShareGroupOffsetsResponse
        DeleteShareGroupOffsetsRequest
        DeleteShareGroupOffsetsResponse
        InitializeShareGroupStateRequest
        InitializeShareGroupStateResponse
        ReadShareGroupStateRequest
        ReadShareGroupStateResponse
        WriteShareGroupStateRequest
        WriteShareGroupStateResponse
        DeleteShareGroupStateRequest
        DeleteShareGroupStateResponse
        ReadShareGroupStateSummaryRequest
        ReadShareGroupStateSummaryResponse
        InitProducerIdRequest
        InitProducerIdResponse
        AddPartitionsToTxnRequest
        AddPartitionsToTxnResponse
        AddOffsetsToTxnRequest
        AddOffsetsToTxnResponse
        EndTxnRequest
        EndTxnResponse
        WriteTxnMarkersRequest
        WriteTxnMarkersResponse
        TxnOffsetCommitRequest
        TxnOffsetCommitResponse
        DescribeProducersRequest
        DescribeProducersResponse
        DescribeTransactionsRequest
        DescribeTransactionsResponse
        ListTransactionsRequest
        ListTransactionsResponse
        AllocateProducerIdsRequest
        AllocateProducerIdsResponse
        SaslHandshakeRequest
        SaslHandshakeResponse
        SaslAuthenticateRequest
        SaslAuthenticateResponse
        DescribeAclsRequest
        DescribeAclsResponse
        CreateAclsRequest
        CreateAclsResponse
        DeleteAclsRequest
        DeleteAclsResponse
        CreateDelegationTokenRequest
        CreateDelegationTokenResponse
        RenewDelegationTokenRequest
        RenewDelegationTokenResponse
        ExpireDelegationTokenRequest
        ExpireDelegationTokenResponse
        DescribeDelegationTokenRequest
        DescribeDelegationTokenResponse
        DescribeUserScramCredentialsRequest
        DescribeUserScramCredentialsResponse
        AlterUserScramCredentialsRequest
        AlterUserScramCredentialsResponse
        VoteRequest
        VoteResponse
        BeginQuorumEpochRequest
        BeginQuorumEpochResponse
        EndQuorumEpochRequest
        EndQuorumEpochResponse
        DescribeQuorumRequest
        DescribeQuorumResponse
        FetchSnapshotRequest
        FetchSnapshotResponse
        AddRaftVoterRequest
        AddRaftVoterResponse
        RemoveRaftVoterRequest
        RemoveRaftVoterResponse
        UpdateRaftVoterRequest
        UpdateRaftVoterResponse
        GetTelemetrySubscriptionsRequest
        GetTelemetrySubscriptionsResponse
        PushTelemetryRequest
        PushTelemetryResponse
    };
    for (name, versions) in compared {
        assert!(versions > 0, "{name} has no version in common");
    }
    let versions: usize = compared.iter().map(|(_, versions)| versions).sum();
    assert_eq!(versions, VERSIONS_IN_COMMON);
}

/// Without `LeaderChangeMessage` and `VotersRecord`, which `kafka-protocol` decodes in no version.
#[test]
fn records_are_the_same_bytes() {
    let compared = records_agree! {
        consumer_protocol::ConsumerProtocolSubscription;
        consumer_protocol::ConsumerProtocolAssignment;
        control::EndTxnMarker;
        control::SnapshotHeaderRecord;
        control::SnapshotFooterRecord;
        control::KRaftVersionRecord;
        principal::DefaultPrincipalData;
    };
    for (name, versions) in compared {
        assert!(versions > 0, "{name} has no version in common");
    }
}

const ROUNDS: usize = 20;
/// Guards against a comparison that compares nothing.
const VERSIONS_IN_COMMON: usize = 577;
