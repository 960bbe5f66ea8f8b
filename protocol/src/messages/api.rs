//! The list of APIs: key, name, and where its messages are.

use std::{fmt, ops::RangeInclusive};

use super::*;
use crate::wire::{Malformed, Message};

/// Hands the whole list to the macro `$each`, a line per API, for tables that must be complete:
/// `key Name: NameRequest, NameResponse;`.
#[macro_export]
macro_rules! for_each_api {
    ($each:ident) => {
        $each! {
            0 Produce: ProduceRequest, ProduceResponse;
            1 Fetch: FetchRequest, FetchResponse;
            2 ListOffsets: ListOffsetsRequest, ListOffsetsResponse;
            3 Metadata: MetadataRequest, MetadataResponse;
            8 OffsetCommit: OffsetCommitRequest, OffsetCommitResponse;
            9 OffsetFetch: OffsetFetchRequest, OffsetFetchResponse;
            10 FindCoordinator: FindCoordinatorRequest, FindCoordinatorResponse;
            11 JoinGroup: JoinGroupRequest, JoinGroupResponse;
            12 Heartbeat: HeartbeatRequest, HeartbeatResponse;
            13 LeaveGroup: LeaveGroupRequest, LeaveGroupResponse;
            14 SyncGroup: SyncGroupRequest, SyncGroupResponse;
            15 DescribeGroups: DescribeGroupsRequest, DescribeGroupsResponse;
            16 ListGroups: ListGroupsRequest, ListGroupsResponse;
            17 SaslHandshake: SaslHandshakeRequest, SaslHandshakeResponse;
            18 ApiVersions: ApiVersionsRequest, ApiVersionsResponse;
            19 CreateTopics: CreateTopicsRequest, CreateTopicsResponse;
            20 DeleteTopics: DeleteTopicsRequest, DeleteTopicsResponse;
            21 DeleteRecords: DeleteRecordsRequest, DeleteRecordsResponse;
            22 InitProducerId: InitProducerIdRequest, InitProducerIdResponse;
            23 OffsetForLeaderEpoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
            24 AddPartitionsToTxn: AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
            25 AddOffsetsToTxn: AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
            26 EndTxn: EndTxnRequest, EndTxnResponse;
            27 WriteTxnMarkers: WriteTxnMarkersRequest, WriteTxnMarkersResponse;
            28 TxnOffsetCommit: TxnOffsetCommitRequest, TxnOffsetCommitResponse;
            29 DescribeAcls: DescribeAclsRequest, DescribeAclsResponse;
            30 CreateAcls: CreateAclsRequest, CreateAclsResponse;
            31 DeleteAcls: DeleteAclsRequest, DeleteAclsResponse;
            32 DescribeConfigs: DescribeConfigsRequest, DescribeConfigsResponse;
            33 AlterConfigs: AlterConfigsRequest, AlterConfigsResponse;
            34 AlterReplicaLogDirs: AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
            35 DescribeLogDirs: DescribeLogDirsRequest, DescribeLogDirsResponse;
            36 SaslAuthenticate: SaslAuthenticateRequest, SaslAuthenticateResponse;
            37 CreatePartitions: CreatePartitionsRequest, CreatePartitionsResponse;
            38 CreateDelegationToken: CreateDelegationTokenRequest, CreateDelegationTokenResponse;
            39 RenewDelegationToken: RenewDelegationTokenRequest, RenewDelegationTokenResponse;
            40 ExpireDelegationToken: ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
            41 DescribeDelegationToken: DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
            42 DeleteGroups: DeleteGroupsRequest, DeleteGroupsResponse;
            43 ElectLeaders: ElectLeadersRequest, ElectLeadersResponse;
            44 IncrementalAlterConfigs: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
            45 AlterPartitionReassignments: AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
            46 ListPartitionReassignments: ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
            47 OffsetDelete: OffsetDeleteRequest, OffsetDeleteResponse;
            48 DescribeClientQuotas: DescribeClientQuotasRequest, DescribeClientQuotasResponse;
            49 AlterClientQuotas: AlterClientQuotasRequest, AlterClientQuotasResponse;
            50 DescribeUserScramCredentials: DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
            51 AlterUserScramCredentials: AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
            52 Vote: VoteRequest, VoteResponse;
            53 BeginQuorumEpoch: BeginQuorumEpochRequest, BeginQuorumEpochResponse;
            54 EndQuorumEpoch: EndQuorumEpochRequest, EndQuorumEpochResponse;
            55 DescribeQuorum: DescribeQuorumRequest, DescribeQuorumResponse;
            56 AlterPartition: AlterPartitionRequest, AlterPartitionResponse;
            57 UpdateFeatures: UpdateFeaturesRequest, UpdateFeaturesResponse;
            58 Envelope: EnvelopeRequest, EnvelopeResponse;
            59 FetchSnapshot: FetchSnapshotRequest, FetchSnapshotResponse;
            60 DescribeCluster: DescribeClusterRequest, DescribeClusterResponse;
            61 DescribeProducers: DescribeProducersRequest, DescribeProducersResponse;
            62 BrokerRegistration: BrokerRegistrationRequest, BrokerRegistrationResponse;
            63 BrokerHeartbeat: BrokerHeartbeatRequest, BrokerHeartbeatResponse;
            64 UnregisterBroker: UnregisterBrokerRequest, UnregisterBrokerResponse;
            65 DescribeTransactions: DescribeTransactionsRequest, DescribeTransactionsResponse;
            66 ListTransactions: ListTransactionsRequest, ListTransactionsResponse;
            67 AllocateProducerIds: AllocateProducerIdsRequest, AllocateProducerIdsResponse;
            68 ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
            69 ConsumerGroupDescribe: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
            70 ControllerRegistration: ControllerRegistrationRequest, ControllerRegistrationResponse;
            71 GetTelemetrySubscriptions: GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse;
            72 PushTelemetry: PushTelemetryRequest, PushTelemetryResponse;
            73 AssignReplicasToDirs: AssignReplicasToDirsRequest, AssignReplicasToDirsResponse;
            74 ListConfigResources: ListConfigResourcesRequest, ListConfigResourcesResponse;
            75 DescribeTopicPartitions: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
            76 ShareGroupHeartbeat: ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse;
            77 ShareGroupDescribe: ShareGroupDescribeRequest, ShareGroupDescribeResponse;
            78 ShareFetch: ShareFetchRequest, ShareFetchResponse;
            79 ShareAcknowledge: ShareAcknowledgeRequest, ShareAcknowledgeResponse;
            80 AddRaftVoter: AddRaftVoterRequest, AddRaftVoterResponse;
            81 RemoveRaftVoter: RemoveRaftVoterRequest, RemoveRaftVoterResponse;
            82 UpdateRaftVoter: UpdateRaftVoterRequest, UpdateRaftVoterResponse;
            83 InitializeShareGroupState: InitializeShareGroupStateRequest, InitializeShareGroupStateResponse;
            84 ReadShareGroupState: ReadShareGroupStateRequest, ReadShareGroupStateResponse;
            85 WriteShareGroupState: WriteShareGroupStateRequest, WriteShareGroupStateResponse;
            86 DeleteShareGroupState: DeleteShareGroupStateRequest, DeleteShareGroupStateResponse;
            87 ReadShareGroupStateSummary: ReadShareGroupStateSummaryRequest, ReadShareGroupStateSummaryResponse;
            88 StreamsGroupHeartbeat: StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse;
            89 StreamsGroupDescribe: StreamsGroupDescribeRequest, StreamsGroupDescribeResponse;
            90 DescribeShareGroupOffsets: DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse;
            91 AlterShareGroupOffsets: AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse;
            92 DeleteShareGroupOffsets: DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse;
            93 StreamsGroupTopologyDescriptionUpdate: StreamsGroupTopologyDescriptionUpdateRequest, StreamsGroupTopologyDescriptionUpdateResponse;
            94 UnregisterController: UnregisterControllerRequest, UnregisterControllerResponse;
        }
    };
}
macro_rules! api_keys {
    ($($key:literal $name:ident: $request:ident, $response:ident;)*) => {
        /// Which API a request is of. The variants are in the order of their keys.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every key, by number.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The API's name, as Kafka spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The versions that a broker may advertise.
            #[must_use]
            pub const fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => <$request>::VERSIONS,)*
                }
            }

            /// The versions that the codec understands.
            #[must_use]
            pub const fn known_versions(self) -> RangeInclusive<i16> {
                match self {
                    $(Self::$name => <$request>::KNOWN_VERSIONS,)*
                }
            }

            /// The first flexible version, if there is one.
            #[must_use]
            pub const fn flexible_from(self) -> Option<i16> {
                match self {
                    $(Self::$name => <$request>::FLEXIBLE,)*
                }
            }

            const fn from_number(number: i16) -> Option<Self> {
                match number {
                    $($key => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

for_each_api!(api_keys);

impl ApiKey {
    /// What goes on the wire.
    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The key that a message names in its table; one that is not in the list does not compile.
    pub(crate) const fn known(number: i16) -> Self {
        match Self::from_number(number) {
            Some(key) => key,
            None => panic!("the list of APIs lacks this key"),
        }
    }
}

impl TryFrom<i16> for ApiKey {
    type Error = Malformed;

    fn try_from(number: i16) -> Result<Self, Malformed> {
        Self::from_number(number).ok_or(Malformed::UnknownId(number))
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
