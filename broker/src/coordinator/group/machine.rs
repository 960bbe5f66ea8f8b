//! One shard's groups as a [`Machine`].

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use imbl::{OrdMap, OrdSet};
use milena_protocol::{
    ErrorCode, ProducerId, Timestamp, Uuid,
    messages::{
        HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
        SyncGroupResponse,
        groups::{
            consumer_group_describe::DescribedGroup as DescribedConsumerGroup,
            delete_groups::DeletableGroupResult, leave_group::MemberResponse,
        },
    },
    state::{
        decode_value,
        groups::{GroupKey, GroupMetadataValue, OffsetCommitValue},
    },
    wire::Str,
};
use milena_storage::producers::EndMarker;
use tracing::warn;

use super::{
    Catalog, Described, Joiner, Limits, Refused, Reply, Request,
    classic::{self, join_refused},
    consumer,
    kind::{Group, Kind},
    offset,
};
use crate::coordinator::runtime::{Alarm, Machine, Ring, Ticket, Turn};

/// The groups of one shard, by id.
#[derive(Clone, Debug)]
pub struct Groups {
    pub(super) limits: Arc<Limits>,
    /// The latest one: it changes beside the log.
    pub(super) catalog: Arc<ArcSwap<Catalog>>,
    /// Shared with the copy from before the turn until they are changed.
    pub(super) groups: OrdMap<Str, Arc<Group>>,
    /// The groups for which a producer has committed in the transaction that it has open.
    transactions: OrdMap<ProducerId, OrdSet<Str>>,
    /// When offsets are looked through for old ones.
    sweep: Alarm,
}

/// What an alarm of a shard is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A member's session, or the time in which it has to come back with its id.
    Session {
        group: Str,
        member: Str,
    },
    /// The time in which a member has to do what its group waits for.
    Deadline {
        group: Str,
        member: Str,
    },
    /// The end of a rebalance's first phase.
    Join(Str),
    /// The end of its second phase.
    Sync(Str),
    Sweep,
    /// There is more to be forgotten of these topics.
    Forget(Vec<(Str, Uuid)>),
}

/// What a decision about a group has besides the group.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) limits: &'a Limits,
    pub(super) catalog: &'a Catalog,
    pub(super) turn: &'a mut Turn<Groups>,
}

impl Step<'_> {
    /// The moment `ms` from now on the clock of alarms.
    pub(super) fn after(&self, ms: i32) -> Duration {
        let ms = u64::try_from(ms).unwrap_or_default();
        self.turn.now.monotonic + Duration::from_millis(ms)
    }

    pub(super) fn set(
        &mut self,
        alarm: &mut Alarm,
        after_ms: i32,
        subject: impl FnOnce() -> Subject,
    ) {
        let due = self.after(after_ms);
        if let Some(due) = alarm.set(due) {
            self.turn.wake(due, subject());
        }
    }
}

impl Groups {
    #[must_use]
    pub fn new(limits: Arc<Limits>, catalog: Arc<ArcSwap<Catalog>>) -> Self {
        Self {
            limits,
            catalog,
            groups: OrdMap::new(),
            transactions: OrdMap::new(),
            sweep: Alarm::default(),
        }
    }

    /// The group, made if it is not there.
    pub(super) fn group_mut(&mut self, id: &str, now: Timestamp) -> &mut Group {
        let key = Str::from(id);
        let group =
            self.groups.entry(key.clone()).or_insert_with(|| Arc::new(Group::new(key, now)));
        Arc::make_mut(group)
    }

    /// The group, if it is there.
    pub(super) fn find_mut(&mut self, id: &Str) -> Option<&mut Group> {
        self.groups.get_mut(id).map(Arc::make_mut)
    }

    /// Remembers that the end of the producer's transaction concerns a group.
    pub(super) fn note_transaction(&mut self, producer: ProducerId, group: &Str) {
        let concerned = self.transactions.entry(producer).or_default();
        if !concerned.contains(group) {
            concerned.insert(group.detached());
        }
    }

    /// The groups that the end of the producer's transaction concerns.
    pub(super) fn take_transaction(&mut self, producer: ProducerId) -> OrdSet<Str> {
        self.transactions.remove(&producer).unwrap_or_default()
    }

    pub(super) fn find_consumer_mut(&mut self, id: &Str) -> Option<&mut consumer::Group> {
        self.find_mut(id).and_then(Group::consumer_mut)
    }

    /// Forgets all of a group but its offsets.
    pub(super) fn remove_members(&mut self, id: &Str) {
        let Some(group) = self.find_mut(id) else { return };
        if group.offsets.is_empty() {
            self.groups.remove(id);
        } else {
            group.kind = Group::new(group.id.clone(), Timestamp::NONE).kind;
        }
    }

    fn describe_consumer(&self, id: &Str) -> Result<DescribedConsumerGroup, Refused> {
        let refused = |message| Refused { code: ErrorCode::GroupIdNotFound, message };
        let group = self.groups.get(id);
        let group = group.ok_or_else(|| refused(format!("Group {id} not found.")))?;
        let group = group.consumer();
        let group = group.ok_or_else(|| refused(format!("Group {id} is not a consumer group.")))?;
        Ok(group.describe(&self.limits, &self.catalog.load()))
    }

    fn join(
        &mut self,
        ticket: Ticket,
        r: &JoinGroupRequest,
        joiner: &Joiner,
        turn: &mut Turn<Self>,
    ) {
        let exists = self.groups.contains_key(&r.group_id);
        if !exists && !r.member_id.is_empty() {
            let refused = join_refused(r.member_id.clone(), ErrorCode::UnknownMemberId);
            return turn.reply(ticket, Reply::Join(refused));
        }
        let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
        let now = turn.now.wall;
        let group = self.group_mut(&r.group_id, now);
        if group.is_empty()
            && let Some(consumer) = group.consumer()
        {
            // A group that has no members may change its protocol; its offsets stay.
            consumer.tombstones().into_iter().for_each(|record| turn.write(record));
            group.kind = Group::new(group.id.clone(), now).kind;
        }
        if let Kind::Classic(group) = &group.kind
            && !exists
        {
            turn.write(group.record());
        }
        group.join(ticket, r, joiner, &mut Step { limits: &limits, catalog: &catalog, turn });
    }

    fn leave(&mut self, r: &LeaveGroupRequest, turn: &mut Turn<Self>) -> LeaveGroupResponse {
        let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
        match self.find_mut(&r.group_id) {
            Some(group) => group.leave(r, &mut Step { limits: &limits, catalog: &catalog, turn }),
            None => LeaveGroupResponse {
                members: r
                    .members
                    .iter()
                    .map(|member| MemberResponse {
                        member_id: member.member_id.clone(),
                        group_instance_id: member.group_instance_id.clone(),
                        error_code: ErrorCode::UnknownMemberId,
                    })
                    .collect(),
                ..LeaveGroupResponse::default()
            },
        }
    }

    fn delete(&mut self, id: &Str, turn: &mut Turn<Self>) -> DeletableGroupResult {
        let refused = |error_code| DeletableGroupResult {
            group_id: id.clone(),
            error_code,
            ..DeletableGroupResult::default()
        };
        match self.groups.get(id) {
            None => refused(ErrorCode::GroupIdNotFound),
            Some(group) if !group.is_empty() => refused(ErrorCode::NonEmptyGroup),
            Some(group) => {
                for (topic, partition) in offset::all_of(group) {
                    turn.write(offset::tombstone(id, &topic, partition));
                }
                for record in group.tombstones() {
                    turn.write(record);
                }
                self.groups.remove(id);
                DeletableGroupResult { group_id: id.clone(), ..DeletableGroupResult::default() }
            }
        }
    }

    fn sweep(&mut self, turn: &mut Turn<Self>) {
        let limits = Arc::clone(&self.limits);
        let all = offset::expire(self, &limits, turn);
        self.arm_sweep(if all { self.check_interval() } else { Duration::ZERO }, turn);
    }

    fn forget(&mut self, topics: &[(Str, Uuid)], turn: &mut Turn<Self>) {
        if !offset::forget(self, topics, turn) {
            turn.wake(turn.now.monotonic, Subject::Forget(topics.to_vec()));
        }
    }

    fn check_interval(&self) -> Duration {
        let ms = u64::try_from(self.limits.retention_check_ms).unwrap_or(1).max(1);
        Duration::from_millis(ms)
    }

    fn arm_sweep(&mut self, after: Duration, turn: &mut Turn<Self>) {
        let due = turn.now.monotonic.saturating_add(after);
        if let Some(due) = self.sweep.set(due) {
            turn.wake(due, Subject::Sweep);
        }
    }
}

impl Machine for Groups {
    type Request = Request;
    type Reply = Reply;
    type Subject = Subject;

    fn replay(&mut self, producer: Option<ProducerId>, key: Bytes, value: Option<Bytes>) {
        let outcome = GroupKey::decode(key).and_then(|key| {
            match key {
                GroupKey::OffsetCommit(key) => {
                    let value = value.map(decode_value::<OffsetCommitValue>).transpose()?;
                    offset::replay(self, producer, &key, value.as_ref());
                }
                GroupKey::GroupMetadata(key) => {
                    match value.map(decode_value::<GroupMetadataValue>).transpose()? {
                        Some(value) => {
                            let id = key.group.detached();
                            let restored = classic::Group::restore(id, &value);
                            self.group_mut(&key.group, Timestamp::NONE).kind =
                                Kind::Classic(Box::new(restored));
                        }
                        None if self.find_consumer_mut(&key.group).is_some() => {}
                        None => self.remove_members(&key.group),
                    }
                }
                key => consumer::replay(self, &key, value)?,
            }
            Ok(())
        });
        if let Err(fault) = outcome {
            warn!(%fault, "passed over a record of groups that makes no sense");
        }
    }

    fn replay_marker(&mut self, marker: &EndMarker) {
        offset::end(self, marker);
    }

    fn loaded(&mut self, turn: &mut Turn<Self>) {
        let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
        let ids: Vec<Str> = self.groups.keys().cloned().collect();
        for id in ids {
            if let Some(group) = self.find_mut(&id) {
                group.resume(&mut Step { limits: &limits, catalog: &catalog, turn });
            }
        }
        self.arm_sweep(self.check_interval(), turn);
    }

    fn decide(&mut self, ticket: Ticket, request: &Request, turn: &mut Turn<Self>) {
        let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
        let reply = match request {
            Request::Join(r, joiner) => return self.join(ticket, r, joiner, turn),
            Request::Sync(r) => {
                let Some(group) = self.find_mut(&r.group_id) else {
                    let error_code = ErrorCode::UnknownMemberId;
                    let refused = SyncGroupResponse { error_code, ..SyncGroupResponse::default() };
                    return turn.reply(ticket, Reply::Sync(refused));
                };
                return group.sync(
                    ticket,
                    r,
                    &mut Step { limits: &limits, catalog: &catalog, turn },
                );
            }
            Request::Heartbeat(r) => {
                let error_code = match self.find_mut(&r.group_id) {
                    Some(group) => {
                        group.heartbeat(r, &mut Step { limits: &limits, catalog: &catalog, turn })
                    }
                    None => ErrorCode::UnknownMemberId,
                };
                Reply::Heartbeat(HeartbeatResponse { error_code, ..HeartbeatResponse::default() })
            }
            Request::Leave(r) => Reply::Leave(self.leave(r, turn)),
            Request::Describe(id) => {
                Reply::Describe(match self.groups.get(id).map(|group| group.describe()) {
                    Some(Some(group)) => Described::Group(group),
                    Some(None) => Described::NotClassic,
                    None => Described::NotThere,
                })
            }
            Request::DescribeConsumer(id) => Reply::DescribeConsumer(self.describe_consumer(id)),
            Request::ConsumerHeartbeat(r, client) => {
                Reply::ConsumerHeartbeat(self.consumer_heartbeat(r, client, turn))
            }
            Request::List => Reply::List(self.groups.values().map(|group| group.list()).collect()),
            Request::Delete(id) => Reply::Delete(self.delete(id, turn)),
            Request::Commit { request, speaks_epochs } => {
                let step = &mut Step { limits: &limits, catalog: &catalog, turn };
                Reply::Commit(offset::commit(self, request, *speaks_epochs, step))
            }
            Request::CommitInTransaction(r) => {
                Reply::CommitInTransaction(offset::commit_in_transaction(self, r, &limits, turn))
            }
            Request::Fetch { request, stable } => {
                let group = self.groups.get(&request.group_id).map(AsRef::as_ref);
                Reply::Fetch(offset::fetch(group, request, *stable))
            }
            Request::DeleteOffsets(r) => Reply::DeleteOffsets(offset::delete(self, r, turn)),
            Request::Forget(topics) => {
                self.forget(topics, turn);
                Reply::Forget
            }
            Request::EndTransaction(marker, bumps) => {
                turn.end_transaction(*marker, *bumps);
                offset::end(self, marker);
                Reply::EndTransaction
            }
        };
        turn.reply(ticket, reply);
    }

    fn ring(&mut self, subject: &Subject, due: Duration, turn: &mut Turn<Self>) {
        let now = turn.now.monotonic;
        let (id, ring) = match subject {
            Subject::Sweep => match self.sweep.ring(due, now) {
                Ring::Due => return self.sweep(turn),
                ring => (None, ring),
            },
            Subject::Forget(topics) => return self.forget(topics, turn),
            Subject::Session { group, .. }
            | Subject::Deadline { group, .. }
            | Subject::Join(group)
            | Subject::Sync(group) => {
                let Some(found) = self.find_mut(group) else { return };
                (Some(group), found.alarm(subject).map_or(Ring::Stale, |a| a.ring(due, now)))
            }
        };
        match (id, ring) {
            (_, Ring::Stale) => {}
            (_, Ring::Later(due)) => turn.wake(due, subject.clone()),
            (None, Ring::Due) => {}
            (Some(id), Ring::Due) => {
                let (limits, catalog) = (Arc::clone(&self.limits), self.catalog.load_full());
                if let Some(group) = self.find_mut(id) {
                    group.expire(subject, &mut Step { limits: &limits, catalog: &catalog, turn });
                }
            }
        }
    }
}
