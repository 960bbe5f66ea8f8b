//! A shard of groups on a table of its own: time stands still until it is moved, alarms go off in
//! order, every record is kept.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bytes::Bytes;
use milena_protocol::{
    ErrorCode, Timestamp, Uuid,
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest,
        OffsetCommitRequest, SyncGroupRequest, SyncGroupResponse,
        groups::{
            join_group::JoinGroupRequestProtocol,
            leave_group::MemberIdentity,
            offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
            sync_group::SyncGroupRequestAssignment,
        },
    },
    wire::Str,
};

use super::{
    Catalog, ConsumerLimits, Groups, Joiner, Limits, Reply, Request, Subject,
    assignor::Assignor,
    classic,
    kind::{Group, Kind},
};
use crate::config::{GroupConfig, Migration};
use crate::coordinator::runtime::{Entry, Machine, Now, StateRecord, Ticket, Turn};

#[derive(Debug)]
pub(super) struct Bench {
    pub(super) groups: Groups,
    pub(super) log: Vec<Entry>,
    now: Now,
    alarms: BTreeMap<(Duration, u64), Subject>,
    replies: BTreeMap<Ticket, Reply>,
    open: Vec<Ticket>,
    limits: Limits,
    /// The topics that there are; shared with those that are restarted from this.
    pub(super) catalog: Arc<ArcSwap<Catalog>>,
    count: u64,
    /// What the alarms' turns wrote at most, in bytes.
    pub(super) largest_turn: usize,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(limits())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let catalog = Arc::new(ArcSwap::default());
        let now = Now { wall: Timestamp(1_000_000), monotonic: Duration::from_secs(100) };
        let groups = Groups::new(Arc::new(limits.clone()), Arc::clone(&catalog));
        let mut bench = Self {
            groups,
            log: Vec::new(),
            now,
            alarms: BTreeMap::new(),
            replies: BTreeMap::new(),
            open: Vec::new(),
            limits,
            catalog,
            count: 0,
            largest_turn: 0,
        };
        bench.turn(|groups, turn| groups.loaded(turn));
        bench
    }

    /// What the next broker makes of the records. Time goes on.
    pub(super) fn restarted(&self) -> Self {
        let mut next = Self::with(self.limits.clone());
        next.now = self.now;
        next.catalog = Arc::clone(&self.catalog);
        next.alarms.clear();
        next.groups = Groups::new(Arc::new(self.limits.clone()), Arc::clone(&self.catalog));
        next.log.clone_from(&self.log);
        for entry in &self.log {
            match entry.clone() {
                Entry::Record(StateRecord { key, value }) => next.groups.replay(None, key, value),
                Entry::Transactional(producer, _, StateRecord { key, value }) => {
                    next.groups.replay(Some(producer), key, value);
                }
                Entry::End(marker) => next.groups.replay_marker(&marker),
            }
        }
        next.turn(|groups, turn| groups.loaded(turn));
        next
    }

    pub(super) fn ask(&mut self, request: Request) -> Ticket {
        self.count += 1;
        let ticket = Ticket(self.count);
        self.open.push(ticket);
        self.turn(|groups, turn| groups.decide(ticket, &request, turn));
        ticket
    }

    /// The reply, if it has come.
    pub(super) fn reply(&mut self, ticket: Ticket) -> Option<Reply> {
        self.replies.remove(&ticket)
    }

    /// The reply to a request that does not wait for others.
    pub(super) fn answer(&mut self, request: Request) -> Reply {
        let ticket = self.ask(request);
        self.reply(ticket).expect("answered at once")
    }

    pub(super) fn joined(&mut self, ticket: Ticket) -> Option<JoinGroupResponse> {
        self.reply(ticket).map(|reply| match reply {
            Reply::Join(response) => response,
            other => panic!("{other:?} to a join"),
        })
    }

    pub(super) fn synced(&mut self, ticket: Ticket) -> Option<SyncGroupResponse> {
        self.reply(ticket).map(|reply| match reply {
            Reply::Sync(response) => response,
            other => panic!("{other:?} to a sync"),
        })
    }

    pub(super) fn heartbeat(&mut self, member: &str, generation: i32) -> ErrorCode {
        match self.answer(heartbeat(member, generation, None)) {
            Reply::Heartbeat(response) => response.error_code,
            other => panic!("{other:?} to a heartbeat"),
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        let until = self.now.monotonic + by;
        while let Some((&(due, at), _)) = self.alarms.first_key_value() {
            if due > until {
                break;
            }
            self.move_to(due.max(self.now.monotonic));
            if let Some(subject) = self.alarms.remove(&(due, at)) {
                let written = self.turn(|groups, turn| groups.ring(&subject, due, turn));
                self.largest_turn = self.largest_turn.max(written);
            }
        }
        self.move_to(until);
    }

    /// What was written outside transactions.
    pub(super) fn records(&self) -> Vec<StateRecord> {
        let record = |entry: &'_ Entry| match entry {
            Entry::Record(record) => Some(record.clone()),
            Entry::Transactional(..) | Entry::End(_) => None,
        };
        self.log.iter().filter_map(record).collect()
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.groups.groups.get(GROUP).map(AsRef::as_ref)
    }

    /// The group, whose members are known to speak the classic protocol.
    pub(super) fn classic(&self) -> &classic::Group {
        match &self.group().unwrap().kind {
            Kind::Classic(group) => group,
            Kind::Consumer(_) => panic!("a consumer group"),
        }
    }

    /// Requests that wait for an answer.
    pub(super) fn open(&self) -> &[Ticket] {
        &self.open
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    fn move_to(&mut self, monotonic: Duration) {
        let passed = monotonic - self.now.monotonic;
        self.now.wall.0 += i64::try_from(passed.as_millis()).unwrap();
        self.now.monotonic = monotonic;
    }

    /// Returns how many bytes were written.
    fn turn(&mut self, decide: impl FnOnce(&mut Groups, &mut Turn<Groups>)) -> usize {
        let mut turn = Turn::new(self.now);
        decide(&mut self.groups, &mut turn);
        let written = turn.bytes();
        let (entries, replies, alarms) = turn.into_parts();
        self.log.extend(entries);
        for (due, subject) in alarms {
            self.count += 1;
            self.alarms.insert((due, self.count), subject);
        }
        for (ticket, reply) in replies {
            let at = self.open.iter().position(|&open| open == ticket);
            self.open.remove(at.expect("each request is answered once"));
            self.replies.insert(ticket, reply);
        }
        written
    }
}

pub(super) fn limits() -> Limits {
    Limits {
        session_timeout_min_ms: 6_000,
        session_timeout_max_ms: 1_800_000,
        initial_rebalance_delay_ms: 3_000,
        members_max: usize::MAX,
        metadata_max_bytes: 4096,
        retention_ms: 7 * 24 * 3_600_000,
        retention_check_ms: 600_000,
        consumer: ConsumerLimits {
            enabled: true,
            assignors: Assignor::ALL.to_vec(),
            members_max: usize::MAX,
            migration: Migration { upgrade: true, downgrade: true },
            defaults: GroupConfig {
                assignment_interval_ms: 0,
                heartbeat_interval_ms: 5_000,
                session_timeout_ms: 45_000,
            },
        },
    }
}

/// A join of a consumer with one protocol, as a client of today sends it.
pub(super) fn join(member: &str) -> Request {
    join_with(member, &[("range", b"r")])
}

pub(super) fn join_with(member: &str, protocols: &[(&str, &'static [u8])]) -> Request {
    Request::Join(join_request(member, protocols), joiner(member))
}

/// A join of a static member. `unique` becomes part of its id.
pub(super) fn join_static(member: &str, instance: &str, unique: &str) -> Request {
    let mut request = join_request(member, &[("range", b"r")]);
    request.group_instance_id = Some(instance.into());
    Request::Join(request, joiner(unique))
}

pub(super) fn join_request(member: &str, protocols: &[(&str, &'static [u8])]) -> JoinGroupRequest {
    let protocol = |&(name, metadata): &(&str, &'static [u8])| JoinGroupRequestProtocol {
        name: name.into(),
        metadata: Bytes::from_static(metadata),
    };
    JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: protocols.iter().map(protocol).collect(),
        ..JoinGroupRequest::default()
    }
}

pub(super) fn joiner(unique: &str) -> Joiner {
    Joiner {
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        unique: unique.to_owned(),
        plain_id: unique.into(),
        joins_twice: true,
        can_skip_assignment: true,
    }
}

pub(super) fn sync(member: &str, generation: i32, assignments: &[(&str, &[u8])]) -> Request {
    let assignment = |&(member, bytes): &(&str, &[u8])| SyncGroupRequestAssignment {
        member_id: member.into(),
        assignment: Bytes::copy_from_slice(bytes),
    };
    Request::Sync(SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: member.into(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: assignments.iter().map(assignment).collect(),
        ..SyncGroupRequest::default()
    })
}

pub(super) fn heartbeat(member: &str, generation: i32, instance: Option<&str>) -> Request {
    Request::Heartbeat(HeartbeatRequest {
        group_id: GROUP.into(),
        generation_id: generation,
        member_id: member.into(),
        group_instance_id: instance.map(Str::from),
    })
}

pub(super) fn leave(member: &str) -> Request {
    let members = vec![MemberIdentity { member_id: member.into(), ..MemberIdentity::default() }];
    Request::Leave(LeaveGroupRequest {
        group_id: GROUP.into(),
        members,
        ..LeaveGroupRequest::default()
    })
}

pub(super) fn commit(member: &str, generation: i32, offset: i64) -> Request {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_metadata: Some("m".into()),
        ..OffsetCommitRequestPartition::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: "t".into(),
        topic_id: TOPIC_ID,
        partitions: vec![partition],
    };
    let request = OffsetCommitRequest {
        group_id: GROUP.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.into(),
        topics: vec![topic],
        ..OffsetCommitRequest::default()
    };
    Request::Commit { request, speaks_epochs: false }
}

/// Asks for partition 0 of topic `t`.
pub(super) fn fetch() -> Request {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: vec![0],
        ..OffsetFetchRequestTopics::default()
    };
    let request = OffsetFetchRequestGroup {
        group_id: GROUP.into(),
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    };
    Request::Fetch { request, stable: false }
}

pub(super) const GROUP: &str = "g";
/// Of the topic `t`.
pub(super) const TOPIC_ID: Uuid = Uuid([5; 16]);
