//! TxnOffsetCommit v0-6.

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        AddOffsetsToTxnRequest, FindCoordinatorRequest, IncrementalAlterConfigsRequest,
        OffsetCommitRequest, OffsetFetchRequest, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
        configs::incremental_alter_configs::{AlterConfigsResource, AlterableConfig},
        groups::{
            offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
        },
        txn::{
            txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
            write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
        },
    },
};
use milena_tests::{RawClient, TestBroker, wait_until};

use super::{Producer, broker, connect, end, initialize, initialized, producer, wait_for_state};
use crate::topics::create_topics::create;

/// A connection, and the id of a topic `u` of two partitions.
fn start(broker: &TestBroker) -> (RawClient, Uuid) {
    let mut client = connect(broker);
    let id = create(&mut client, "u", 2);
    let groups = FindCoordinatorRequest { key: "x".into(), ..FindCoordinatorRequest::default() };
    assert_eq!(client.ask(3, &groups).error_code, ErrorCode::None);
    (client, id)
}

/// Commits 42 for partition 0 of `u`, and for partition 7, which is not there.
fn commit(id: &str, by: Producer, topic_id: Uuid) -> TxnOffsetCommitRequest {
    let partition = |partition_index| TxnOffsetCommitRequestPartition {
        partition_index,
        committed_offset: 42,
        committed_metadata: Some("note".into()),
        ..TxnOffsetCommitRequestPartition::default()
    };
    let topic = TxnOffsetCommitRequestTopic {
        name: "u".into(),
        topic_id,
        partitions: vec![partition(0), partition(7)],
    };
    TxnOffsetCommitRequest {
        transactional_id: id.into(),
        group_id: id.into(),
        producer_id: by.id,
        producer_epoch: by.epoch,
        topics: vec![topic],
        ..TxnOffsetCommitRequest::default()
    }
}

fn told(client: &mut RawClient, version: i16, request: &TxnOffsetCommitRequest) -> Vec<ErrorCode> {
    let told = client.ask(version, request);
    let topics = told.topics.iter();
    topics.flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect()
}

fn add_offsets(client: &mut RawClient, id: &str, by: Producer) {
    let request = AddOffsetsToTxnRequest {
        transactional_id: id.into(),
        producer_id: by.id,
        producer_epoch: by.epoch,
        group_id: id.into(),
    };
    assert_eq!(client.ask(3, &request).error_code, ErrorCode::None);
}

/// What a reader is told of partition 0, and whether that may still change.
fn fetched(client: &mut RawClient, group: &str) -> (i64, ErrorCode) {
    let ask = |client: &mut RawClient, require_stable| {
        let topic = OffsetFetchRequestTopics {
            name: "u".into(),
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        };
        let group = OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: Some(vec![topic]),
            ..OffsetFetchRequestGroup::default()
        };
        let request =
            OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() };
        let told = client.ask(9, &request);
        let mut topics = told.groups.into_iter().flat_map(|group| group.topics);
        let found = topics.find_map(|topic| topic.partitions.into_iter().next());
        found.expect("an answer for partition 0")
    };
    let stable = ask(client, true).error_code;
    (ask(client, false).committed_offset, stable)
}

#[test]
fn an_offset_counts_once_the_transaction_is_committed_in_every_version() {
    let broker = broker();
    let (mut client, topic_id) = start(&broker);
    for version in 0..=6 {
        let id = format!("x{version}");
        let by = producer(&mut client, &id);
        let request = commit(&id, by, topic_id);
        let absent = ErrorCode::UnknownTopicOrPartition;
        if version < 5 {
            let refused = match version {
                4 => ErrorCode::TransactionAbortable,
                _ => ErrorCode::InvalidTxnState,
            };
            assert_eq!(told(&mut client, version, &request), [refused, absent]);
            add_offsets(&mut client, &id, by);
        }
        assert_eq!(told(&mut client, version, &request), [ErrorCode::None, absent]);
        assert_eq!(fetched(&mut client, &id), (-1, ErrorCode::UnstableOffsetCommit));
        assert_eq!(end(&mut client, 4, &id, by, true).error_code, ErrorCode::None);
        wait_for_state(&mut client, &id, "CompleteCommit");
        assert_eq!(fetched(&mut client, &id), (42, ErrorCode::None));
    }
}

#[test]
fn an_aborted_transaction_leaves_the_group_where_it_was() {
    let broker = broker();
    let (mut client, topic_id) = start(&broker);
    let by = producer(&mut client, "x");
    told(&mut client, 5, &commit("x", by, topic_id));
    assert_eq!(end(&mut client, 4, "x", by, false).error_code, ErrorCode::None);
    wait_for_state(&mut client, "x", "CompleteAbort");
    assert_eq!(fetched(&mut client, "x"), (-1, ErrorCode::None));
}

#[test]
fn a_producer_that_was_replaced_commits_nothing() {
    let broker = broker();
    let (mut client, topic_id) = start(&broker);
    let old = producer(&mut client, "x");
    let _new = producer(&mut client, "x");
    let fenced = ErrorCode::InvalidProducerEpoch;
    for version in [3, 4, 5, 6] {
        assert_eq!(told(&mut client, version, &commit("x", old, topic_id))[0], fenced);
    }
}

#[test]
fn topics_groups_and_generations_are_checked() {
    let broker = broker();
    let (mut client, topic_id) = start(&broker);
    let by = producer(&mut client, "x");
    let unknown = commit("x", by, Uuid([9; 16]));
    assert_eq!(told(&mut client, 6, &unknown), [ErrorCode::UnknownTopicId; 2]);
    let mut of_no_group = commit("x", by, topic_id);
    of_no_group.group_id = "".into();
    assert_eq!(told(&mut client, 5, &of_no_group)[0], ErrorCode::InvalidGroupId);
    let mut of_a_member = commit("x", by, topic_id);
    of_a_member.generation_id_or_member_epoch = 1;
    of_a_member.member_id = "member".into();
    assert_eq!(told(&mut client, 5, &of_a_member)[0], ErrorCode::IllegalGeneration);
    assert_eq!(told(&mut client, 6, &of_a_member)[0], ErrorCode::GroupIdNotFound);
}

#[test]
fn what_is_pending_outlives_a_restart() {
    let mut broker = broker();
    let (mut client, topic_id) = start(&broker);
    let by = producer(&mut client, "x");
    told(&mut client, 5, &commit("x", by, topic_id));
    broker.restart();
    let mut client = broker.connect();
    initialized(&mut client, 5, &initialize("another", None));
    wait_until("the group to be loaded", || {
        fetched(&mut client, "x").1 == ErrorCode::UnstableOffsetCommit
    });
    assert_eq!(fetched(&mut client, "x").0, -1);
    wait_until("the end to be taken", || {
        end(&mut client, 4, "x", by, true).error_code == ErrorCode::None
    });
    wait_for_state(&mut client, "x", "CompleteCommit");
    assert_eq!(fetched(&mut client, "x"), (42, ErrorCode::None));
}

#[test]
fn a_marker_of_version_2_that_comes_late_commits_no_offsets() {
    let broker = TestBroker::start(&[
        ("transaction.state.log.num.partitions", "1"),
        ("offsets.topic.num.partitions", "1"),
    ]);
    let (mut client, topic_id) = start(&broker);
    let by = producer(&mut client, "x");
    wait_until("the group's coordinator", || {
        told(&mut client, 5, &commit("x", by, topic_id))[0] == ErrorCode::None
    });
    let mut marked = |version, epoch| {
        let topic = WritableTxnMarkerTopic {
            name: "__consumer_offsets".into(),
            partition_indexes: vec![0],
        };
        let marker = WritableTxnMarker {
            producer_id: by.id,
            producer_epoch: epoch,
            transaction_result: true,
            topics: vec![topic],
            transaction_version: 2,
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        client.ask(version, &request).markers[0].topics[0].partitions[0].error_code
    };
    // It bears the epoch after that of the transaction before.
    assert_eq!(marked(2, by.epoch), ErrorCode::InvalidProducerEpoch);
    assert_eq!(marked(2, by.epoch + 1), ErrorCode::None);
    assert_eq!(fetched(&mut client, "x"), (42, ErrorCode::None));
}

/// Has the topic of groups synced when the operating system chooses.
fn sync_no_offsets(client: &mut RawClient) {
    let policy = AlterableConfig {
        name: "flush.policy".into(),
        value: Some("os".into()),
        ..AlterableConfig::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: "__consumer_offsets".into(),
        configs: vec![policy],
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    assert_eq!(client.ask(1, &request).responses[0].error_code, ErrorCode::None);
}

fn commit_outside(client: &mut RawClient) {
    let topic = OffsetCommitRequestTopic {
        name: "u".into(),
        partitions: vec![OffsetCommitRequestPartition::default()],
        ..OffsetCommitRequestTopic::default()
    };
    let request = OffsetCommitRequest {
        group_id: "plain".into(),
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    let told = client.ask(8, &request);
    assert_eq!(told.topics[0].partitions[0].error_code, ErrorCode::None);
}

#[test]
fn where_offsets_are_not_synced_those_of_transactions_are() {
    let broker = TestBroker::start(&[("offsets.topic.num.partitions", "1")]);
    let (mut client, topic_id) = start(&broker);
    let at_risk =
        || broker.metric("milena_acknowledged_unsynced_bytes", Some("__consumer_offsets")) > 0;
    let by = producer(&mut client, "x");
    wait_until("the group's coordinator", || fetched(&mut client, "x").1 == ErrorCode::None);
    commit_outside(&mut client);
    assert!(!at_risk(), "by default they are synced");
    sync_no_offsets(&mut client);
    commit_outside(&mut client);
    assert!(at_risk());
    assert_eq!(told(&mut client, 5, &commit("x", by, topic_id))[0], ErrorCode::None);
    assert!(!at_risk());
    commit_outside(&mut client);
    assert!(at_risk());
    assert_eq!(end(&mut client, 5, "x", by, true).error_code, ErrorCode::None);
    wait_for_state(&mut client, "x", "CompleteCommit");
    assert!(!at_risk());
    assert_eq!(fetched(&mut client, "x"), (42, ErrorCode::None));
}
