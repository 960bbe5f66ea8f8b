//! Commits, and how long they are kept.

mod transactions;

use std::time::Duration;

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, Uuid,
    messages::{
        OffsetDeleteRequest,
        groups::{
            offset_commit::OffsetCommitRequestPartition,
            offset_delete::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
            offset_fetch::OffsetFetchRequestGroup,
        },
    },
};

use crate::coordinator::group::{
    Limits, Reply, Request,
    bench::{Bench, GROUP, TOPIC_ID, commit, fetch, join_request, joiner, limits, sync},
};

#[test]
fn an_offset_of_a_deleted_topic_is_not_one_of_its_successor() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 42));
    let Request::Fetch { request: mut of_successor, .. } = fetch() else { panic!("a fetch") };
    if let Some(topic) = of_successor.topics.iter_mut().flatten().next() {
        topic.topic_id = Uuid([9; 16]);
    }
    let Reply::Fetch(found) = bench.answer(Request::Fetch { request: of_successor, stable: false })
    else {
        panic!("offsets")
    };
    assert_eq!(found.topics[0].partitions[0].committed_offset, -1);
    assert_eq!(committed(&mut bench), 42);
}

fn committed(bench: &mut Bench) -> i64 {
    match bench.answer(fetch()) {
        Reply::Fetch(group) => group.topics[0].partitions[0].committed_offset,
        other => panic!("{other:?}"),
    }
}

fn commit_code(bench: &mut Bench, request: Request) -> ErrorCode {
    match bench.answer(request) {
        Reply::Commit(response) => response.topics[0].partitions[0].error_code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_consumer_without_a_group_commits_as_generation_minus_one() {
    let mut bench = Bench::new();
    assert_eq!(committed(&mut bench), -1);
    assert_eq!(commit_code(&mut bench, commit("", -1, 42)), ErrorCode::None);
    assert_eq!(committed(&mut bench), 42);
    assert_eq!(committed(&mut bench.restarted()), 42);
}

#[test]
fn the_record_is_kafkas() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 42));
    let record = &bench.records()[0];
    let key: &[u8] = &[0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 0];
    let mut value = vec![0, 4, 0, 0, 0, 0, 0, 0, 0, 42, 0xff, 0xff, 0xff, 0xff, 2, b'm'];
    value.extend(bench.now().wall.0.to_be_bytes());
    value.extend([1, 0, 16]);
    value.extend(TOPIC_ID.0);
    assert_eq!(
        (&record.key, record.value.as_ref()),
        (&Bytes::from(key), Some(&Bytes::from(value)))
    );
}

#[test]
fn metadata_that_is_too_long_is_refused_and_the_rest_is_not() {
    let mut bench = Bench::with(Limits { metadata_max_bytes: 0, ..limits() });
    let told = commit_code(&mut bench, commit("", -1, 42));
    assert_eq!(told, ErrorCode::OffsetMetadataTooLarge);
    assert_eq!(committed(&mut bench), -1);
    assert!(bench.group().is_none());
}

#[test]
fn all_topics_of_a_group_can_be_asked_for() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 42));
    let all =
        OffsetFetchRequestGroup { group_id: GROUP.into(), topics: None, ..Default::default() };
    let Reply::Fetch(found) = bench.answer(Request::Fetch { request: all, stable: false }) else {
        panic!("offsets")
    };
    assert_eq!(found.topics.len(), 1);
    assert_eq!(found.topics[0].partitions[0].metadata, Some("m".into()));
}

#[test]
fn a_lone_commit_expires_by_its_age_and_its_group_with_it() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 42));
    bench.advance(Duration::from_millis(u64::try_from(limits().retention_ms).unwrap() - 1_000_000));
    assert_eq!(committed(&mut bench), 42);
    bench.advance(Duration::from_secs(2_000));
    assert_eq!(committed(&mut bench), -1);
    assert!(bench.group().is_none() && bench.restarted().group().is_none());
}

#[test]
fn an_offset_with_a_time_of_its_own_goes_then() {
    let mut bench = Bench::new();
    let Request::Commit { mut request, speaks_epochs } = commit("", -1, 42) else {
        panic!("a commit");
    };
    request.retention_time_ms = 3_600_000;
    bench.answer(Request::Commit { request, speaks_epochs });
    bench = bench.restarted();
    bench.advance(Duration::from_secs(3_000));
    assert_eq!(committed(&mut bench), 42);
    bench.advance(Duration::from_secs(2_000));
    assert_eq!(committed(&mut bench), -1);
}

/// A group with one member that subscribes to `topic`.
fn subscribed_to(topic: &'static str) -> Bench {
    let mut bench = Bench::new();
    let mut subscription = vec![0, 0, 0, 0, 0, 1, 0, 1];
    subscription.extend(topic.as_bytes());
    subscription.extend([0, 0, 0, 0]);
    let mut request = join_request("", &[("range", b"")]);
    request.protocols[0].metadata = subscription.into();
    let mut joiner = joiner("1");
    joiner.joins_twice = false;
    bench.ask(Request::Join(request, joiner));
    bench.advance(Duration::from_secs(3));
    bench.ask(sync("client-1", 1, &[("client-1", b"x")]));
    bench
}

fn work(bench: &mut Bench, time: Duration) {
    let rounds = time.as_secs() / 9;
    for _ in 0..rounds {
        bench.advance(Duration::from_secs(9));
        assert_eq!(bench.heartbeat("client-1", 1), ErrorCode::None);
    }
}

#[test]
fn what_members_read_stays_and_what_they_do_not_read_goes() {
    let retention = Duration::from_secs(7 * 24 * 3600 + 1000);
    for (topic, kept) in [("t", 42), ("u", -1)] {
        let mut bench = subscribed_to(topic);
        assert_eq!(commit_code(&mut bench, commit("client-1", 1, 42)), ErrorCode::None);
        work(&mut bench, retention);
        assert_eq!(committed(&mut bench), kept, "subscribed to {topic}");
    }
}

#[test]
fn offsets_of_an_empty_group_go_by_how_long_it_has_been_empty() {
    let mut bench = subscribed_to("t");
    bench.answer(commit("client-1", 1, 42));
    work(&mut bench, Duration::from_secs(6 * 24 * 3600));
    // Its only member falls silent: from there on the time counts.
    bench.advance(Duration::from_secs(6 * 24 * 3600));
    assert_eq!(committed(&mut bench), 42);
    bench.advance(Duration::from_secs(24 * 3600 + 2_000));
    assert_eq!(committed(&mut bench), -1);
}

#[test]
fn offsets_can_be_deleted_unless_a_member_reads_the_topic() {
    let delete = || {
        let partition = OffsetDeleteRequestPartition { partition_index: 0 };
        let topic = OffsetDeleteRequestTopic { name: "t".into(), partitions: vec![partition] };
        let request = OffsetDeleteRequest { group_id: GROUP.into(), topics: vec![topic] };
        Request::DeleteOffsets(request)
    };
    for (topic, code, left) in
        [("t", ErrorCode::GroupSubscribedToTopic, 42), ("u", ErrorCode::None, -1)]
    {
        let mut bench = subscribed_to(topic);
        bench.answer(commit("client-1", 1, 42));
        let Reply::DeleteOffsets(told) = bench.answer(delete()) else { panic!("a deletion") };
        assert_eq!(told.topics[0].partitions[0].error_code, code);
        assert_eq!(committed(&mut bench.restarted()), left);
    }
    let Reply::DeleteOffsets(told) = Bench::new().answer(delete()) else { panic!("a deletion") };
    assert_eq!(told.error_code, ErrorCode::GroupIdNotFound);
}

#[test]
fn a_deleted_topic_takes_its_offsets_along() {
    let mut bench = Bench::new();
    bench.answer(commit("", -1, 42));
    bench.answer(Request::Forget(vec![("t".into(), Uuid([9; 16]))]));
    assert_eq!(committed(&mut bench), 42, "it was another of that name");
    bench.answer(Request::Forget(vec![("t".into(), TOPIC_ID)]));
    assert_eq!(committed(&mut bench), -1);
    assert_eq!(committed(&mut bench.restarted()), -1);
}

/// A group with offsets whose tombstones are far more than one batch holds.
fn large() -> Bench {
    let mut bench = Bench::with(Limits { retention_ms: 600_000, ..limits() });
    let Request::Commit { mut request, speaks_epochs } = commit("", -1, 42) else {
        panic!("a commit");
    };
    let one = request.topics[0].partitions[0].clone();
    let partition =
        |partition_index| OffsetCommitRequestPartition { partition_index, ..one.clone() };
    request.topics[0].partitions = (0..30_000).map(partition).collect();
    bench.answer(Request::Commit { request, speaks_epochs });
    bench
}

#[test]
fn much_that_is_too_old_goes_in_many_turns() {
    let mut bench = large();
    bench.advance(Duration::from_secs(2 * 600));
    assert!(bench.group().is_none() && bench.restarted().group().is_none());
    assert!(bench.largest_turn < 200_000, "{}", bench.largest_turn);
}

#[test]
fn a_deleted_topic_takes_many_offsets_along_in_many_turns() {
    let mut bench = large();
    bench.answer(Request::Forget(vec![("t".into(), TOPIC_ID)]));
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.group().map(|group| group.offsets.is_empty()), Some(true));
    assert_eq!(committed(&mut bench.restarted()), -1);
    assert!(bench.largest_turn < 200_000, "{}", bench.largest_turn);
}
