//! One heartbeat in a shard of 1,000 groups of 5 members each, in both protocols: the state machine
//! alone, without the network or a log.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use divan::{Bencher, black_box, counter::ItemsCount};
use milena_broker::{
    config::{BrokerConfig, Settings},
    coordinator::{
        group::{Catalog, Client, Groups, Joiner, Limits, Reply, Request, Subject},
        runtime::{Machine, Now, Ticket, Turn},
    },
};
use milena_protocol::{
    ErrorCode, Timestamp,
    messages::{
        ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, SyncGroupRequest,
        groups::join_group::JoinGroupRequestProtocol,
    },
    wire::Str,
};

fn main() {
    divan::main();
}

#[divan::bench]
fn classic(bencher: Bencher<'_, '_>) {
    let mut shard = Shard::new();
    let requests: Vec<Request> = (0..GROUPS).flat_map(|at| shard.classic_group(at)).collect();
    shard.measure(
        bencher,
        &requests,
        |reply| matches!(reply, Reply::Heartbeat(told) if told.error_code == ErrorCode::None),
    );
}

#[divan::bench]
fn consumer(bencher: Bencher<'_, '_>) {
    let mut shard = Shard::new();
    let requests: Vec<Request> = (0..GROUPS).flat_map(|at| shard.consumer_group(at)).collect();
    shard.measure(bencher, &requests, |reply| {
        matches!(reply, Reply::ConsumerHeartbeat(Ok(told)) if told.error_code == ErrorCode::None)
    });
}

/// A shard without a log, in which alarms go off when they are told to.
struct Shard {
    groups: Groups,
    now: Now,
    asked: u64,
    alarms: Vec<(Duration, Subject)>,
}

impl Shard {
    fn new() -> Self {
        let config = BrokerConfig::from_settings(Settings::default()).expect("the defaults");
        let limits = Arc::new(Limits::from_config(&config));
        let catalog = Arc::new(ArcSwap::from_pointee(Catalog::default()));
        let now = Now { wall: Timestamp(1_000_000), monotonic: Duration::from_secs(100) };
        Self { groups: Groups::new(limits, catalog), now, asked: 0, alarms: Vec::new() }
    }

    /// Heartbeats of the members of a stable group.
    fn classic_group(&mut self, at: usize) -> Vec<Request> {
        let group = Str::from(format!("group-{at}"));
        let begun = self.now;
        let mut replies = Vec::new();
        for member in 0..MEMBERS {
            replies.extend(self.ask(&join(&group, member)));
        }
        // The delay of a new group, which each further member prolongs, and the end of the rebalance.
        while replies.len() < MEMBERS {
            replies.extend(self.ring());
        }
        // All groups begin at one time.
        self.now = begun;
        let joined: Vec<_> = replies
            .into_iter()
            .map(|reply| match reply {
                Reply::Join(response) => response,
                other => panic!("{other:?} to a join"),
            })
            .collect();
        for response in &joined {
            self.ask(&Request::Sync(SyncGroupRequest {
                group_id: group.clone(),
                generation_id: response.generation_id,
                member_id: response.member_id.clone(),
                protocol_type: response.protocol_type.clone(),
                protocol_name: response.protocol_name.clone(),
                ..SyncGroupRequest::default()
            }));
        }
        let heartbeat = |(member_id, generation_id)| {
            Request::Heartbeat(HeartbeatRequest {
                group_id: group.clone(),
                generation_id,
                member_id,
                group_instance_id: None,
            })
        };
        joined.into_iter().map(|it| (it.member_id, it.generation_id)).map(heartbeat).collect()
    }

    /// The same in the consumer protocol.
    fn consumer_group(&mut self, at: usize) -> Vec<Request> {
        let group = Str::from(format!("group-{at}"));
        let heartbeat = |member: usize, epoch: i32| {
            let client = Client { id: "client".into(), host: "/127.0.0.1".into() };
            let request = ConsumerGroupHeartbeatRequest {
                group_id: group.clone(),
                member_id: format!("member-{at}-{member}").into(),
                member_epoch: epoch,
                rebalance_timeout_ms: if epoch == 0 { 60_000 } else { -1 },
                subscribed_topic_names: (epoch == 0).then(|| vec!["topic".into()]),
                topic_partitions: (epoch == 0).then(Vec::new),
                ..ConsumerGroupHeartbeatRequest::default()
            };
            Request::ConsumerHeartbeat(request, client)
        };
        let mut epochs = [0; MEMBERS];
        // Each member that comes takes the group to another epoch; then all of them follow.
        for _ in 0..2 {
            for (member, epoch) in epochs.iter_mut().enumerate() {
                for reply in self.ask(&heartbeat(member, *epoch)) {
                    let Reply::ConsumerHeartbeat(Ok(response)) = reply else { continue };
                    *epoch = response.member_epoch;
                }
            }
        }
        epochs.iter().enumerate().map(|(member, epoch)| heartbeat(member, *epoch)).collect()
    }

    fn ask(&mut self, request: &Request) -> Vec<Reply> {
        self.asked += 1;
        let ticket = Ticket(self.asked);
        self.turn(|groups, turn| groups.decide(ticket, request, turn))
    }

    /// Has the next alarms go off, each in its time; none that ends a session.
    fn ring(&mut self) -> Vec<Reply> {
        let until = self.now.monotonic + LONGEST_DELAY;
        let is_next = |(due, _): &mut (Duration, Subject)| *due <= until;
        let mut alarms: Vec<_> = self.alarms.extract_if(.., is_next).collect();
        alarms.sort_unstable_by_key(|(due, _)| *due);
        let mut replies = Vec::new();
        for (due, subject) in alarms {
            self.now.monotonic = self.now.monotonic.max(due);
            replies.extend(self.turn(|groups, turn| groups.ring(&subject, due, turn)));
        }
        replies
    }

    fn turn(&mut self, decide: impl FnOnce(&mut Groups, &mut Turn<Groups>)) -> Vec<Reply> {
        let mut turn = Turn::new(self.now);
        decide(&mut self.groups, &mut turn);
        let (_, replies, alarms) = turn.into_parts();
        self.alarms.extend(alarms);
        replies.into_iter().map(|(_, reply)| reply).collect()
    }

    fn measure(
        &mut self,
        bencher: Bencher<'_, '_>,
        requests: &[Request],
        is_good: impl Fn(&Reply) -> bool,
    ) {
        assert_eq!(requests.len(), GROUPS * MEMBERS);
        for request in requests {
            let replies = self.ask(request);
            assert!(replies.iter().all(&is_good) && replies.len() == 1, "{replies:?}");
        }
        bencher.counter(ItemsCount::new(requests.len())).bench_local(|| {
            self.now.monotonic += Duration::from_millis(1);
            for request in requests {
                black_box(self.ask(request));
            }
        });
    }
}

fn join(group: &Str, member: usize) -> Request {
    let metadata = bytes::Bytes::from_static(b"subscription");
    let request = JoinGroupRequest {
        group_id: group.clone(),
        session_timeout_ms: 1_800_000,
        rebalance_timeout_ms: 1_800_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
        ..JoinGroupRequest::default()
    };
    let joiner = Joiner {
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        unique: format!("{group}-{member}"),
        plain_id: format!("{group}-{member}").into(),
        joins_twice: false,
        can_skip_assignment: false,
    };
    Request::Join(request, joiner)
}

const LONGEST_DELAY: Duration = Duration::from_secs(60);
const GROUPS: usize = 1_000;
const MEMBERS: usize = 5;
