//! Error codes of the protocol: number, name, text, and whether a client should retry.

use std::fmt;

macro_rules! error_codes {
    ($($number:literal $(#[$attribute:meta])? $code:ident, $name:literal, $retry:ident, $message:literal;)*) => {
        /// What went wrong, as a number that every client knows.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(#[doc = $message] $(#[$attribute])? $code = $number,)*
        }

        impl ErrorCode {
            /// Every code, by number.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The name that Kafka's tools show.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// What happened, in a sentence.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$code => $message,)*
                }
            }

            /// Whether the same request may succeed if it is sent again.
            #[must_use]
            pub const fn is_retriable(self) -> bool {
                match self {
                    $(Self::$code => error_codes!(@retry $retry),)*
                }
            }
        }

        /// A number that no code has becomes [`ErrorCode::UnknownServerError`].
        impl From<i16> for ErrorCode {
            fn from(number: i16) -> Self {
                match number {
                    $($number => Self::$code,)*
                    _ => Self::UnknownServerError,
                }
            }
        }
    };
    (@retry again) => { true };
    (@retry final) => { false };
}

impl ErrorCode {
    /// What goes on the wire.
    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }

    #[must_use]
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::None)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

error_codes! {
    -1 UnknownServerError, "UNKNOWN_SERVER_ERROR", final,
        "Something went wrong that no other code describes.";
    0 #[default] None, "NONE", final,
        "No error.";
    1 OffsetOutOfRange, "OFFSET_OUT_OF_RANGE", final,
        "The offset is outside the range that this partition still holds.";
    2 CorruptMessage, "CORRUPT_MESSAGE", again,
        "A record batch is damaged: its checksum, size or format does not hold, or a compacted topic got a record without a key.";
    3 UnknownTopicOrPartition, "UNKNOWN_TOPIC_OR_PARTITION", again,
        "No such topic or partition is hosted here.";
    4 InvalidFetchSize, "INVALID_FETCH_SIZE", final,
        "The size asked for in the fetch makes no sense.";
    5 LeaderNotAvailable, "LEADER_NOT_AVAILABLE", again,
        "The partition has no leader at the moment; an election may be under way.";
    6 NotLeaderOrFollower, "NOT_LEADER_OR_FOLLOWER", again,
        "This broker is not the leader, or not a replica, of the partition.";
    7 RequestTimedOut, "REQUEST_TIMED_OUT", again,
        "The time allowed for the request ran out.";
    8 BrokerNotAvailable, "BROKER_NOT_AVAILABLE", final,
        "The broker is not up.";
    9 ReplicaNotAvailable, "REPLICA_NOT_AVAILABLE", again,
        "The replica is not there to answer for the partition.";
    10 MessageTooLarge, "MESSAGE_TOO_LARGE", final,
        "A record batch is larger than the topic accepts.";
    11 StaleControllerEpoch, "STALE_CONTROLLER_EPOCH", final,
        "The sender's controller has been succeeded by another.";
    12 OffsetMetadataTooLarge, "OFFSET_METADATA_TOO_LARGE", final,
        "The metadata string sent with a committed offset is too long.";
    13 NetworkException, "NETWORK_EXCEPTION", again,
        "The connection broke before an answer came.";
    14 CoordinatorLoadInProgress, "COORDINATOR_LOAD_IN_PROGRESS", again,
        "The coordinator is still reading its state; try again soon.";
    15 CoordinatorNotAvailable, "COORDINATOR_NOT_AVAILABLE", again,
        "No coordinator can be reached at the moment.";
    16 NotCoordinator, "NOT_COORDINATOR", again,
        "Another broker coordinates this group or transaction.";
    17 InvalidTopicException, "INVALID_TOPIC_EXCEPTION", final,
        "The topic name is not allowed, or the topic may not be used this way.";
    18 RecordListTooLarge, "RECORD_LIST_TOO_LARGE", final,
        "A record batch is larger than a log segment may be.";
    19 NotEnoughReplicas, "NOT_ENOUGH_REPLICAS", again,
        "Fewer replicas are in sync than the topic demands; nothing was written.";
    20 NotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", again,
        "The records were written, but fewer replicas are in sync than the topic demands.";
    21 InvalidRequiredAcks, "INVALID_REQUIRED_ACKS", final,
        "The number of acknowledgements asked for is not -1, 0 or 1.";
    22 IllegalGeneration, "ILLEGAL_GENERATION", final,
        "The group has moved on to another generation.";
    23 InconsistentGroupProtocol, "INCONSISTENT_GROUP_PROTOCOL", final,
        "The member offers no protocol that the other members of the group also have, or none at all.";
    24 InvalidGroupId, "INVALID_GROUP_ID", final,
        "The group id is empty or not allowed.";
    25 UnknownMemberId, "UNKNOWN_MEMBER_ID", final,
        "The group has no member with this id.";
    26 InvalidSessionTimeout, "INVALID_SESSION_TIMEOUT", final,
        "The session timeout is outside the bounds that the broker sets.";
    27 RebalanceInProgress, "REBALANCE_IN_PROGRESS", final,
        "The group is rebalancing; join again.";
    28 InvalidCommitOffsetSize, "INVALID_COMMIT_OFFSET_SIZE", final,
        "The committed offset does not fit into a record.";
    29 TopicAuthorizationFailed, "TOPIC_AUTHORIZATION_FAILED", final,
        "Access to the topic is denied.";
    30 GroupAuthorizationFailed, "GROUP_AUTHORIZATION_FAILED", final,
        "Access to the group is denied.";
    31 ClusterAuthorizationFailed, "CLUSTER_AUTHORIZATION_FAILED", final,
        "The operation on the cluster is denied.";
    32 InvalidTimestamp, "INVALID_TIMESTAMP", final,
        "A record's timestamp is further from now than the topic allows.";
    33 UnsupportedSaslMechanism, "UNSUPPORTED_SASL_MECHANISM", final,
        "The broker does not offer this SASL mechanism.";
    34 IllegalSaslState, "ILLEGAL_SASL_STATE", final,
        "The request does not belong at this point of the SASL exchange.";
    35 UnsupportedVersion, "UNSUPPORTED_VERSION", final,
        "The broker does not serve this version of the API.";
    36 TopicAlreadyExists, "TOPIC_ALREADY_EXISTS", final,
        "A topic with this name is already there.";
    37 InvalidPartitions, "INVALID_PARTITIONS", final,
        "The number of partitions is not allowed.";
    38 InvalidReplicationFactor, "INVALID_REPLICATION_FACTOR", final,
        "The replication factor is below one or above the number of brokers.";
    39 InvalidReplicaAssignment, "INVALID_REPLICA_ASSIGNMENT", final,
        "The assignment of replicas to brokers is not valid.";
    40 InvalidConfig, "INVALID_CONFIG", final,
        "The configuration is not valid.";
    41 NotController, "NOT_CONTROLLER", again,
        "This node is not the active controller.";
    42 InvalidRequest, "INVALID_REQUEST", final,
        "The request contradicts itself or lacks something.";
    43 UnsupportedForMessageFormat, "UNSUPPORTED_FOR_MESSAGE_FORMAT", final,
        "The partition's record format cannot do this.";
    44 PolicyViolation, "POLICY_VIOLATION", final,
        "A policy of the broker refuses the request.";
    45 OutOfOrderSequenceNumber, "OUT_OF_ORDER_SEQUENCE_NUMBER", final,
        "A batch arrived out of order: the producer's sequence has a gap.";
    46 DuplicateSequenceNumber, "DUPLICATE_SEQUENCE_NUMBER", final,
        "The producer has sent this batch before.";
    47 InvalidProducerEpoch, "INVALID_PRODUCER_EPOCH", final,
        "The producer's epoch is older than the one known here.";
    48 InvalidTxnState, "INVALID_TXN_STATE", final,
        "The transaction is in a state that does not allow this.";
    49 InvalidProducerIdMapping, "INVALID_PRODUCER_ID_MAPPING", final,
        "The producer id does not belong to this transactional id.";
    50 InvalidTransactionTimeout, "INVALID_TRANSACTION_TIMEOUT", final,
        "The transaction timeout is above the broker's limit.";
    51 ConcurrentTransactions, "CONCURRENT_TRANSACTIONS", again,
        "Another operation on the same transaction is still under way.";
    52 TransactionCoordinatorFenced, "TRANSACTION_COORDINATOR_FENCED", final,
        "The transaction coordinator that sent the marker has been succeeded by another.";
    53 TransactionalIdAuthorizationFailed, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", final,
        "Access to the transactional id is denied.";
    54 SecurityDisabled, "SECURITY_DISABLED", final,
        "The broker runs without the security feature that this needs.";
    55 OperationNotAttempted, "OPERATION_NOT_ATTEMPTED", final,
        "The broker did not get to this part of the request.";
    56 KafkaStorageError, "KAFKA_STORAGE_ERROR", again,
        "The disk failed under this partition.";
    57 LogDirNotFound, "LOG_DIR_NOT_FOUND", final,
        "The broker has no such log directory.";
    58 SaslAuthenticationFailed, "SASL_AUTHENTICATION_FAILED", final,
        "The credentials were not accepted.";
    59 UnknownProducerId, "UNKNOWN_PRODUCER_ID", final,
        "The broker remembers nothing of this producer id; its records may have expired.";
    60 ReassignmentInProgress, "REASSIGNMENT_IN_PROGRESS", final,
        "A reassignment of the partition is already under way.";
    61 DelegationTokenAuthDisabled, "DELEGATION_TOKEN_AUTH_DISABLED", final,
        "Delegation tokens are switched off.";
    62 DelegationTokenNotFound, "DELEGATION_TOKEN_NOT_FOUND", final,
        "The delegation token is not known here.";
    63 DelegationTokenOwnerMismatch, "DELEGATION_TOKEN_OWNER_MISMATCH", final,
        "The delegation token belongs to someone else.";
    64 DelegationTokenRequestNotAllowed, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED", final,
        "A delegation token cannot be asked for over a connection of this kind.";
    65 DelegationTokenAuthorizationFailed, "DELEGATION_TOKEN_AUTHORIZATION_FAILED", final,
        "Access to the delegation token is denied.";
    66 DelegationTokenExpired, "DELEGATION_TOKEN_EXPIRED", final,
        "The delegation token has expired.";
    67 InvalidPrincipalType, "INVALID_PRINCIPAL_TYPE", final,
        "Principals of this type cannot be used here.";
    68 NonEmptyGroup, "NON_EMPTY_GROUP", final,
        "The group still has members.";
    69 GroupIdNotFound, "GROUP_ID_NOT_FOUND", final,
        "There is no group with this id.";
    70 FetchSessionIdNotFound, "FETCH_SESSION_ID_NOT_FOUND", again,
        "The fetch session is not known here; start a new one.";
    71 InvalidFetchSessionEpoch, "INVALID_FETCH_SESSION_EPOCH", again,
        "The fetch session is at another epoch; start a new one.";
    72 ListenerNotFound, "LISTENER_NOT_FOUND", again,
        "The partition's leader has no listener of the name that this request came through.";
    73 TopicDeletionDisabled, "TOPIC_DELETION_DISABLED", final,
        "Deleting topics is switched off.";
    74 FencedLeaderEpoch, "FENCED_LEADER_EPOCH", again,
        "The request names an older leader epoch than the broker's.";
    75 UnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH", again,
        "The request names a leader epoch that the broker has not heard of yet.";
    76 UnsupportedCompressionType, "UNSUPPORTED_COMPRESSION_TYPE", final,
        "The client is too old for the compression that this partition uses.";
    77 StaleBrokerEpoch, "STALE_BROKER_EPOCH", final,
        "The broker has registered anew since this epoch.";
    78 OffsetNotAvailable, "OFFSET_NOT_AVAILABLE", again,
        "The new leader does not yet know how far the log is safe to read.";
    79 MemberIdRequired, "MEMBER_ID_REQUIRED", final,
        "Join again with the member id that came with this answer.";
    80 PreferredLeaderNotAvailable, "PREFERRED_LEADER_NOT_AVAILABLE", again,
        "The preferred leader is not up.";
    81 GroupMaxSizeReached, "GROUP_MAX_SIZE_REACHED", final,
        "The group has as many members as it may have.";
    82 FencedInstanceId, "FENCED_INSTANCE_ID", final,
        "A newer member has taken over this static instance id.";
    83 EligibleLeadersNotAvailable, "ELIGIBLE_LEADERS_NOT_AVAILABLE", again,
        "None of the replicas that may lead is up.";
    84 ElectionNotNeeded, "ELECTION_NOT_NEEDED", again,
        "The partition already has the leader that an election would give it.";
    85 NoReassignmentInProgress, "NO_REASSIGNMENT_IN_PROGRESS", final,
        "The partition is not being reassigned.";
    86 GroupSubscribedToTopic, "GROUP_SUBSCRIBED_TO_TOPIC", final,
        "A member of the group still subscribes to the topic.";
    87 InvalidRecord, "INVALID_RECORD", final,
        "The broker's checks refused a record; see the errors by record.";
    88 UnstableOffsetCommit, "UNSTABLE_OFFSET_COMMIT", again,
        "A transaction with pending offsets of this group has not ended yet.";
    89 ThrottlingQuotaExceeded, "THROTTLING_QUOTA_EXCEEDED", again,
        "A quota is exhausted; try again later.";
    90 ProducerFenced, "PRODUCER_FENCED", final,
        "A newer producer with the same transactional id has taken over.";
    91 ResourceNotFound, "RESOURCE_NOT_FOUND", final,
        "The request names something that does not exist.";
    92 DuplicateResource, "DUPLICATE_RESOURCE", final,
        "The request names the same thing twice.";
    93 UnacceptableCredential, "UNACCEPTABLE_CREDENTIAL", final,
        "The credential does not meet the requirements.";
    94 InconsistentVoterSet, "INCONSISTENT_VOTER_SET", final,
        "The voters that the sender assumes are not those of this quorum.";
    95 InvalidUpdateVersion, "INVALID_UPDATE_VERSION", final,
        "The version asked for cannot be set.";
    96 FeatureUpdateFailed, "FEATURE_UPDATE_FAILED", final,
        "The finalized features could not be changed.";
    97 PrincipalDeserializationFailure, "PRINCIPAL_DESERIALIZATION_FAILURE", final,
        "The principal inside a forwarded request could not be read.";
    98 SnapshotNotFound, "SNAPSHOT_NOT_FOUND", final,
        "There is no such snapshot.";
    99 PositionOutOfRange, "POSITION_OUT_OF_RANGE", final,
        "The position lies outside the snapshot.";
    100 UnknownTopicId, "UNKNOWN_TOPIC_ID", again,
        "No topic with this id is hosted here.";
    101 DuplicateBrokerRegistration, "DUPLICATE_BROKER_REGISTRATION", final,
        "Another running broker has registered with this id.";
    102 BrokerIdNotRegistered, "BROKER_ID_NOT_REGISTERED", final,
        "No broker has registered with this id.";
    103 InconsistentTopicId, "INCONSISTENT_TOPIC_ID", again,
        "The topic id is not that of the log that the broker holds.";
    104 InconsistentClusterId, "INCONSISTENT_CLUSTER_ID", final,
        "The request is meant for another cluster.";
    105 TransactionalIdNotFound, "TRANSACTIONAL_ID_NOT_FOUND", final,
        "There is no such transactional id.";
    106 FetchSessionTopicIdError, "FETCH_SESSION_TOPIC_ID_ERROR", again,
        "A fetch session must use topic ids throughout or not at all.";
    107 IneligibleReplica, "INELIGIBLE_REPLICA", final,
        "A replica that cannot be in sync was proposed to be.";
    108 NewLeaderElected, "NEW_LEADER_ELECTED", final,
        "The change was made, and with it the partition got a new leader.";
    109 OffsetMovedToTieredStorage, "OFFSET_MOVED_TO_TIERED_STORAGE", final,
        "The offset has moved to tiered storage.";
    110 FencedMemberEpoch, "FENCED_MEMBER_EPOCH", final,
        "The member's epoch has passed; give up all partitions and join again.";
    111 UnreleasedInstanceId, "UNRELEASED_INSTANCE_ID", final,
        "A member that has not left yet holds this static instance id.";
    112 UnsupportedAssignor, "UNSUPPORTED_ASSIGNOR", final,
        "The group cannot use this assignor, or not in this version.";
    113 StaleMemberEpoch, "STALE_MEMBER_EPOCH", final,
        "The member's epoch is not the current one; the next heartbeat brings it.";
    114 MismatchedEndpointType, "MISMATCHED_ENDPOINT_TYPE", final,
        "The request was meant for the other kind of node: broker or controller.";
    115 UnsupportedEndpointType, "UNSUPPORTED_ENDPOINT_TYPE", final,
        "Endpoints of this type are not served.";
    116 UnknownControllerId, "UNKNOWN_CONTROLLER_ID", final,
        "No controller with this id is known.";
    117 UnknownSubscriptionId, "UNKNOWN_SUBSCRIPTION_ID", final,
        "The telemetry subscription has changed; ask for it again.";
    118 TelemetryTooLarge, "TELEMETRY_TOO_LARGE", final,
        "The telemetry pushed is larger than the broker takes.";
    119 InvalidRegistration, "INVALID_REGISTRATION", final,
        "The controller finds something wrong with the registration.";
    120 TransactionAbortable, "TRANSACTION_ABORTABLE", final,
        "This transaction cannot be committed; abort it to go on.";
    121 InvalidRecordState, "INVALID_RECORD_STATE", final,
        "The record is not in a state in which it can be acknowledged so.";
    122 ShareSessionNotFound, "SHARE_SESSION_NOT_FOUND", again,
        "The share session is not known here; start a new one.";
    123 InvalidShareSessionEpoch, "INVALID_SHARE_SESSION_EPOCH", again,
        "The share session is at another epoch; start a new one.";
    124 FencedStateEpoch, "FENCED_STATE_EPOCH", final,
        "The state epoch is not the one that the coordinator holds.";
    125 InvalidVoterKey, "INVALID_VOTER_KEY", final,
        "The voter's directory id is not that of the replica reached.";
    126 DuplicateVoter, "DUPLICATE_VOTER", final,
        "The voter is in the quorum already.";
    127 VoterNotFound, "VOTER_NOT_FOUND", final,
        "The voter is not in the quorum.";
    128 InvalidRegularExpression, "INVALID_REGULAR_EXPRESSION", final,
        "The regular expression cannot be compiled.";
    129 RebootstrapRequired, "REBOOTSTRAP_REQUIRED", final,
        "The client's view of the cluster is outdated; start again from the bootstrap servers.";
    130 StreamsInvalidTopology, "STREAMS_INVALID_TOPOLOGY", final,
        "The streams topology is not valid.";
    131 StreamsInvalidTopologyEpoch, "STREAMS_INVALID_TOPOLOGY_EPOCH", final,
        "The topology epoch is not valid.";
    132 StreamsTopologyFenced, "STREAMS_TOPOLOGY_FENCED", final,
        "The topology epoch has been succeeded by a newer one.";
    133 ShareSessionLimitReached, "SHARE_SESSION_LIMIT_REACHED", again,
        "The broker holds as many share sessions as it may.";
    134 GroupDeletionFailed, "GROUP_DELETION_FAILED", final,
        "The group could not be deleted; its error message says why.";
    135 StreamsTopologyDescriptionUpdateFailed, "STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED", final,
        "The topology description could not be updated; the error message says why.";
    136 ControllerIdNotRegistered, "CONTROLLER_ID_NOT_REGISTERED", final,
        "No controller has registered with this id.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_number() {
        for (code, number) in ErrorCode::ALL.iter().zip(-1..) {
            assert_eq!(code.number(), number);
            assert_eq!(ErrorCode::from(number), *code);
        }
        assert_eq!(ErrorCode::ALL.len(), 138);
    }

    #[test]
    fn a_number_without_a_code_is_an_unknown_error() {
        for number in [-2, 137, i16::MAX, i16::MIN] {
            assert_eq!(ErrorCode::from(number), ErrorCode::UnknownServerError);
        }
    }
}
