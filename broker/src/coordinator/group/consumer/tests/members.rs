//! Members that come, share, go away and come back.

use std::time::Duration;

use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupHeartbeatRequest, OffsetCommitRequest, TxnOffsetCommitRequest,
        groups::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        txn::txn_offset_commit::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
};

use super::{
    super::{Progress, State},
    Owned, Table, alive, given, join, owning,
};
use crate::coordinator::group::{InTransaction, Reply, Request, bench::GROUP};

/// `a` and `b` share the four partitions of `t` in epoch 2; what each reads.
fn two_members(table: &mut Table) -> (Owned, Owned) {
    let all = given(&table.join("a", &["t"])).expect("a full request");
    assert_eq!(all, table.all("t"));
    assert_eq!(given(&table.join("b", &["t"])), Some(Owned::new()));
    let told = table.heartbeat(alive("a", 2)).unwrap();
    let kept = given(&told).expect("less than before");
    assert_eq!((told.member_epoch, kept.len()), (2, 2));
    let told = table.heartbeat(owning("a", 2, &kept)).unwrap();
    assert_eq!((told.member_epoch, given(&told)), (3, None));
    let told = table.heartbeat(alive("b", 3)).unwrap();
    let taken = given(&told).expect("more than before");
    assert!(kept.is_disjoint(&taken) && &kept | &taken == all);
    assert_eq!(table.group().state(), State::Stable);
    (kept, taken)
}

#[test]
fn what_one_has_to_give_up_another_is_given_only_afterwards() {
    let mut table = Table::new(&[("t", 4)]);
    two_members(&mut table);
    table.compare_with_replay();
}

#[test]
fn a_heartbeat_that_brings_nothing_new_writes_nothing() {
    let mut table = Table::new(&[("t", 4)]);
    let (kept, _) = two_members(&mut table);
    let written = table.bench.log.len();
    for _ in 0..3 {
        let told = table.heartbeat(alive("a", 3)).unwrap();
        assert_eq!((told.member_epoch, given(&told)), (3, None));
        table.heartbeat(owning("a", 3, &kept)).unwrap();
    }
    assert_eq!(table.bench.log.len(), written);
}

#[test]
fn a_member_in_another_epoch_is_fenced_unless_it_missed_the_last_answer() {
    let mut table = Table::new(&[("t", 4)]);
    let (kept, taken) = two_members(&mut table);
    assert_eq!(table.refusal(alive("a", 4)), ErrorCode::FencedMemberEpoch);
    assert_eq!(table.refusal(alive("a", 2)), ErrorCode::FencedMemberEpoch);
    assert_eq!(table.refusal(owning("a", 2, &taken)), ErrorCode::FencedMemberEpoch);
    assert_eq!(table.heartbeat(owning("a", 2, &kept)).unwrap().member_epoch, 3);
    assert_eq!(table.refusal(alive("c", 3)), ErrorCode::UnknownMemberId);
}

#[test]
fn a_member_that_joins_again_is_told_where_it_stands() {
    let mut table = Table::new(&[("t", 4)]);
    let (kept, _) = two_members(&mut table);
    let told = table.join("a", &["t"]);
    assert_eq!((told.member_epoch, given(&told)), (3, Some(kept)));
}

#[test]
fn what_a_silent_member_had_goes_to_the_others_when_its_session_ends() {
    let mut table = Table::new(&[("t", 4)]);
    two_members(&mut table);
    table.bench.advance(Duration::from_secs(44));
    table.heartbeat(alive("a", 3)).unwrap();
    table.bench.advance(Duration::from_secs(2));
    let told = table.heartbeat(alive("a", 3)).unwrap();
    assert_eq!((told.member_epoch, given(&told)), (4, Some(table.all("t"))));
    assert_eq!(table.refusal(alive("b", 3)), ErrorCode::UnknownMemberId);
    table.compare_with_replay();
}

#[test]
fn whoever_does_not_give_up_in_time_is_out() {
    let mut table = Table::new(&[("t", 4)]);
    table.join("a", &["t"]);
    table.join("b", &["t"]);
    table.heartbeat(alive("a", 2)).unwrap();
    for _ in 0..2 {
        table.bench.advance(Duration::from_secs(29));
        table.heartbeat(alive("a", 2)).unwrap();
        table.heartbeat(alive("b", 3)).unwrap();
    }
    table.bench.advance(Duration::from_secs(3));
    assert_eq!(table.refusal(alive("a", 2)), ErrorCode::UnknownMemberId);
    let told = table.heartbeat(alive("b", 3)).unwrap();
    assert_eq!(given(&told), Some(table.all("t")));
}

#[test]
fn a_restart_gives_everyone_a_session_and_forgets_nothing() {
    let mut table = Table::new(&[("t", 4)]);
    table.join("a", &["t"]);
    table.join("b", &["t"]);
    let kept = given(&table.heartbeat(alive("a", 2)).unwrap()).unwrap();
    table.restart();
    table.bench.advance(Duration::from_secs(40));
    table.heartbeat(owning("a", 2, &kept)).unwrap();
    let taken = given(&table.heartbeat(alive("b", 3)).unwrap()).expect("what a gave up");
    assert_eq!(&kept | &taken, table.all("t"));
    table.bench.advance(Duration::from_secs(46));
    assert!(table.group().is_empty());
}

#[test]
fn a_static_member_that_comes_back_is_what_it_was() {
    let mut table = Table::new(&[("t", 4)]);
    let named = |member: &str, epoch: i32| ConsumerGroupHeartbeatRequest {
        instance_id: Some("i".into()),
        member_epoch: epoch,
        ..if epoch == 0 { join(member, &["t"]) } else { alive(member, epoch) }
    };
    table.heartbeat(named("a", 0)).unwrap();
    table.join("b", &["t"]);
    let kept = given(&table.heartbeat(named("a", 2)).unwrap()).unwrap();
    assert_eq!(table.refusal(named("a2", 0)), ErrorCode::UnreleasedInstanceId);
    assert_eq!(table.refusal(named("a2", 2)), ErrorCode::FencedInstanceId);
    table
        .heartbeat(ConsumerGroupHeartbeatRequest {
            instance_id: Some("i".into()),
            ..owning("a", 2, &kept)
        })
        .unwrap();
    assert_eq!(table.heartbeat(named("a", -2)).unwrap().member_epoch, -2);
    let epoch = table.group().epoch;
    let told = table.heartbeat(named("a2", 0)).unwrap();
    assert_eq!((told.member_epoch, given(&told)), (3, Some(kept)));
    assert_eq!(table.group().epoch, epoch);
    assert_eq!(table.refusal(named("a", 3)), ErrorCode::FencedInstanceId);
    table.compare_with_replay();
}

#[test]
fn a_group_that_is_full_takes_nobody_but_its_members() {
    let mut table = Table::new(&[("t", 4)]);
    let mut limits = crate::coordinator::group::bench::limits();
    limits.consumer.members_max = 1;
    table.use_limits(limits);
    table.join("a", &["t"]);
    assert_eq!(table.refusal(join("b", &["t"])), ErrorCode::GroupMaxSizeReached);
    table.join("a", &["t"]);
}

#[test]
fn offsets_outlive_the_group_and_its_records_do_not() {
    let mut table = Table::new(&[("t", 4)]);
    table.join("a", &["t"]);
    table.heartbeat(alive("a", -1)).unwrap();
    table.compare_with_replay();
    let gone = table.bench.answer(Request::Delete(GROUP.into()));
    assert!(matches!(gone, Reply::Delete(result) if result.error_code.is_ok()));
    assert!(table.bench.group().is_none() && table.bench.restarted().group().is_none());
}

#[test]
fn in_a_transaction_a_member_is_held_to_its_epoch_and_nobody_has_none() {
    let mut table = Table::new(&[("t", 4)]);
    let current = table.join("a", &["t"]).member_epoch;
    for (member, epoch, code) in [
        ("a", current, ErrorCode::None),
        ("a", current - 1, ErrorCode::StaleMemberEpoch),
        ("b", current, ErrorCode::UnknownMemberId),
        ("", -1, ErrorCode::None),
    ] {
        let topic = TxnOffsetCommitRequestTopic {
            name: "t".into(),
            topic_id: table.id("t"),
            partitions: vec![TxnOffsetCommitRequestPartition::default()],
        };
        let request = TxnOffsetCommitRequest {
            group_id: GROUP.into(),
            member_id: member.into(),
            generation_id_or_member_epoch: epoch,
            topics: vec![topic],
            ..TxnOffsetCommitRequest::default()
        };
        let (absent_group, stale_epoch) = (ErrorCode::GroupIdNotFound, ErrorCode::StaleMemberEpoch);
        let request = InTransaction { request, absent_group, stale_epoch };
        let Reply::CommitInTransaction(told) =
            table.bench.answer(Request::CommitInTransaction(request))
        else {
            panic!("a commit");
        };
        assert_eq!(told.topics[0].partitions[0].error_code, code, "{member} in {epoch}");
    }
}

fn commit(table: &mut Table, member: &str, epoch: i32, partitions: &Owned) -> ErrorCode {
    let id = table.id("t");
    let one = |&(_, partition_index): &(_, i32)| OffsetCommitRequestPartition {
        partition_index,
        ..OffsetCommitRequestPartition::default()
    };
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        member_id: member.into(),
        generation_id_or_member_epoch: epoch,
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            topic_id: id,
            partitions: partitions.iter().map(one).collect(),
        }],
        ..OffsetCommitRequest::default()
    };
    match table.bench.answer(Request::Commit { request, speaks_epochs: true }) {
        Reply::Commit(told) => told.topics[0].partitions[0].error_code,
        other => panic!("{other:?} to a commit"),
    }
}

#[test]
fn who_kept_a_partition_may_commit_in_an_epoch_that_is_over() {
    let mut table = Table::new(&[("t", 4)]);
    let (kept, taken) = two_members(&mut table);
    for restarted in [false, true] {
        if restarted {
            table.restart();
        }
        let mut told = |member, epoch, of: &Owned| commit(&mut table, member, epoch, of);
        assert_eq!(told("a", 2, &kept), ErrorCode::None);
        assert_eq!(told("a", 1, &kept), ErrorCode::StaleMemberEpoch);
        assert_eq!(told("a", 4, &kept), ErrorCode::StaleMemberEpoch);
        assert_eq!(told("a", 2, &taken), ErrorCode::StaleMemberEpoch);
        assert_eq!(told("a", 2, &(&kept | &taken)), ErrorCode::StaleMemberEpoch);
        assert_eq!(told("b", 3, &taken), ErrorCode::None);
        assert_eq!(told("b", 2, &taken), ErrorCode::StaleMemberEpoch);
    }
}

#[test]
fn what_a_member_has_to_give_up_it_may_still_commit_for() {
    let mut table = Table::new(&[("t", 4)]);
    let all = table.all("t");
    let first = table.join("a", &["t"]).member_epoch;
    table.join("b", &["t"]);
    table.heartbeat(owning("a", first, &all)).unwrap();
    assert_eq!(commit(&mut table, "a", first, &all), ErrorCode::None);
}

#[test]
fn what_a_member_does_not_want_any_more_goes_before_anything_is_assigned_anew() {
    let mut table = Table::new(&[("t", 2), ("u", 2)]);
    let mut limits = crate::coordinator::group::bench::limits();
    limits.consumer.defaults.assignment_interval_ms = 60_000;
    table.use_limits(limits);
    let told = table.join("a", &["t", "u"]);
    table.join("b", &["t", "u"]);
    let assigned_in = table.group().target_epoch;
    let changed = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["t".into()]),
        ..owning("a", told.member_epoch, &given(&told).unwrap())
    };
    let left = given(&table.heartbeat(changed).unwrap()).expect("less than it had");
    assert_eq!((left, table.group().target_epoch), (table.all("t"), assigned_in));
    let (epoch, left) = (told.member_epoch, table.all("t"));
    table.heartbeat(owning("a", epoch, &left)).unwrap();
    assert_eq!(table.group().members.get("a").unwrap().progress, Progress::Stable);
    table.compare_with_replay();
}

#[test]
fn a_preference_for_another_assignor_has_everything_assigned_anew() {
    let mut table = Table::new(&[("t", 4)]);
    let epoch = table.join("a", &["t"]).member_epoch;
    let prefers = |name: &str, epoch| ConsumerGroupHeartbeatRequest {
        server_assignor: Some(name.into()),
        ..alive("a", epoch)
    };
    assert_eq!(table.heartbeat(prefers("uniform", epoch)).unwrap().member_epoch, epoch);
    assert_eq!(table.heartbeat(prefers("range", epoch)).unwrap().member_epoch, epoch + 1);
}

#[test]
fn whoever_is_refused_makes_no_group() {
    let mut table = Table::new(&[("t", 4)]);
    let wrong = ConsumerGroupHeartbeatRequest {
        subscribed_topic_regex: Some("(".into()),
        ..join("a", &[])
    };
    assert_eq!(table.refusal(wrong), ErrorCode::InvalidRegularExpression);
    assert!(table.bench.group().is_none());
    assert!(table.bench.records().is_empty());
}
