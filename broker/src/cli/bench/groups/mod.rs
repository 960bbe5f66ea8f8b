//! `milena bench groups`: consumer groups that do nothing but stay alive and commit.

mod classic;
mod consumer;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use milena_protocol::{
    ErrorCode,
    messages::{
        OffsetCommitRequest,
        groups::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    },
    wire::Str,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};

use super::{
    Common, Meter, Report, SharedMeter, allow_many_files, meter::Count, pace::Pace, run_all,
    target::Topic,
};
use crate::{
    client::{ClientError, Cluster, Connection},
    clock::{Clock, Rng, SystemClock, SystemRng},
};

/// Keep consumer groups alive and commit for them
///
/// Every member has a connection of its own, sends heartbeats and commits all that it is assigned.
/// Measured is how long it takes until all groups are at rest, and from then on each commit and heartbeat.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  milena bench groups --groups 1000 --members 5\n  milena bench groups --groups 1 --members 5000 --partitions 1000"
)]
pub(in crate::cli) struct Groups {
    /// What all groups read; made if it does not exist
    #[arg(long, default_value = "bench-groups")]
    topic: String,
    /// Partitions of a topic that is made
    #[arg(long, default_value_t = 10)]
    partitions: i32,
    #[arg(long, default_value_t = 100)]
    groups: usize,
    /// Of each group
    #[arg(long, default_value_t = 5)]
    members: usize,
    /// How members agree on who reads what
    #[arg(long, value_enum, default_value_t = Protocol::Classic)]
    protocol: Protocol,
    /// Milliseconds between a member's heartbeats
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    heartbeat: u64,
    /// Milliseconds between a member's commits
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    commit: u64,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Members join, and one of them assigns
    Classic,
    /// The broker assigns (KIP-848)
    Consumer,
}

impl Groups {
    pub(super) async fn run(self) -> anyhow::Result<Report> {
        allow_many_files();
        let topic = Topic::find_or_make(&self.common.target, &self.topic, self.partitions).await?;
        let mut cluster = self.common.target.connect().await?;
        let clock = SystemClock::new();
        let begun = clock.monotonic();
        let patience = Duration::from_secs(self.common.target.timeout);
        let (start, started) = watch::channel(None);
        let shared = Arc::new(Shared {
            clock,
            inside: AtomicUsize::new(0),
            doors: Semaphore::new(CONNECTING_MAX),
            commit_every: Duration::from_millis(self.commit.max(1)),
            heartbeat_every: Duration::from_millis(self.heartbeat.max(1)),
            started,
        });
        let mut running = JoinSet::new();
        // Of an earlier run there may be members whose sessions are not over.
        let prefix = format!("bench-{}-", SystemRng.uuid());
        for at in 0..self.groups {
            let group = format!("{prefix}{at}");
            let node = coordinator_of(&mut cluster, &group, begun + patience, clock).await?;
            let address = cluster.address_of(node).context("find the coordinator")?.to_owned();
            for _ in 0..self.members {
                let address = address.clone();
                let limit = patience;
                let (shared, topic) = (Arc::clone(&shared), topic.clone());
                let (group, protocol) = (Str::from(group.as_str()), self.protocol);
                running.spawn(async move {
                    let connection = {
                        let _door = shared.doors.acquire().await?;
                        Connection::open(&address, limit).await?
                    };
                    let seat = Seat::new(connection, group, topic, protocol);
                    seat.occupy(&shared).await
                });
            }
        }
        let total = self.groups * self.members;
        while shared.inside.load(Ordering::Relaxed) < total
            || !self.are_stable(&prefix, &mut cluster).await?
        {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Some(ended) = running.try_join_next() {
                ended.context("run a member")??;
            }
        }
        let all_in = clock.monotonic() - begun;

        let commits = Arc::new(Meter::start(clock, &self.common.length)?);
        let heartbeats = Arc::new(Meter::start(clock, &self.common.length)?);
        let meters = Meters { commits: Arc::clone(&commits), heartbeats: Arc::clone(&heartbeats) };
        start.send_replace(Some(meters));
        run_all(&commits, running).await?;
        let mut report = Report::of_load("groups", &commits);
        report.add("members", total);
        report.add("all_in_seconds", all_in.as_secs_f64());
        report.add("heartbeats", heartbeats.finish().0.measured.requests);
        report.latency("heartbeat", &heartbeats.finish().0.latency);
        Ok(report)
    }
}

impl Groups {
    /// Whether every group has come to rest: members that were just taken in may not have all of
    /// what is to be theirs.
    async fn are_stable(&self, prefix: &str, cluster: &mut Cluster) -> anyhow::Result<bool> {
        let listed = cluster.groups().await?;
        let stable = listed
            .iter()
            .filter(|group| group.group_id.starts_with(prefix) && group.group_state == STABLE);
        Ok(stable.count() >= self.groups)
    }
}

/// The coordinator, for which the topic of offsets may have to be made first.
async fn coordinator_of(
    cluster: &mut Cluster,
    group: &str,
    deadline: Duration,
    clock: SystemClock,
) -> anyhow::Result<i32> {
    loop {
        match cluster.coordinator_of(group).await {
            Err(_) if clock.monotonic() < deadline => tokio::time::sleep(RETRY_AFTER).await,
            found => return Ok(found?),
        }
    }
}

/// What all members share.
struct Shared {
    clock: SystemClock,
    /// Members that have been assigned something, or nothing, by now.
    inside: AtomicUsize,
    doors: Semaphore,
    commit_every: Duration,
    heartbeat_every: Duration,
    /// Set once all are inside.
    started: watch::Receiver<Option<Meters>>,
}

#[derive(Clone)]
struct Meters {
    commits: SharedMeter,
    heartbeats: SharedMeter,
}

/// One member's place in its group.
struct Seat {
    connection: Connection,
    group: Str,
    topic: Topic,
    protocol: Protocol,
    member_id: Str,
    generation: i32,
    partitions: Vec<i32>,
}

/// What a member learns from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Stays,
    MustJoin,
}

impl Seat {
    fn new(connection: Connection, group: Str, topic: Topic, protocol: Protocol) -> Self {
        let (member_id, generation, partitions) = (Str::default(), NO_GENERATION, Vec::new());
        Self { connection, group, topic, protocol, member_id, generation, partitions }
    }

    /// Joins, and stays to the end of the run.
    async fn occupy(mut self, shared: &Shared) -> anyhow::Result<()> {
        self.join().await?;
        shared.inside.fetch_add(1, Ordering::Relaxed);
        let mut heartbeats = tokio::time::interval(shared.heartbeat_every);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut started = shared.started.clone();
        let meters = loop {
            if let Some(meters) = started.borrow_and_update().clone() {
                break meters;
            }
            tokio::select! {
                changed = started.changed() => changed?,
                _ = heartbeats.tick() => {
                    if self.heartbeat().await? == Standing::MustJoin {
                        self.join().await?;
                    }
                }
            }
        };
        let first = shared.clock.monotonic() + self.lot(shared.commit_every);
        let mut commits = Pace::steady(shared.clock, first, shared.commit_every)?;
        let mut time_is_up = pin!(meters.commits.time_is_up());
        loop {
            let standing = tokio::select! {
                () = &mut time_is_up => return Ok(()),
                due = commits.due(), if !self.partitions.is_empty() => {
                    let intended = due?;
                    let standing = self.commit().await?;
                    if standing == Standing::Stays {
                        let records = u64::try_from(self.partitions.len())?;
                        let count = Count { requests: 1, records, bytes: 0 };
                        meters.commits.answered(intended, count);
                    }
                    standing
                }
                _ = heartbeats.tick() => {
                    let sent = shared.clock.monotonic();
                    let standing = self.heartbeat().await?;
                    let count = Count { requests: 1, ..Count::default() };
                    meters.heartbeats.answered(sent, count);
                    standing
                }
            };
            if standing == Standing::MustJoin {
                self.join().await?;
            }
        }
    }

    async fn join(&mut self) -> anyhow::Result<()> {
        match self.protocol {
            Protocol::Classic => classic::join(self).await,
            Protocol::Consumer => consumer::join(self).await,
        }
    }

    async fn heartbeat(&mut self) -> anyhow::Result<Standing> {
        match self.protocol {
            Protocol::Classic => classic::heartbeat(self).await,
            Protocol::Consumer => consumer::heartbeat(self).await,
        }
    }

    async fn commit(&mut self) -> anyhow::Result<Standing> {
        let partition = |&partition_index: &i32| OffsetCommitRequestPartition {
            partition_index,
            ..OffsetCommitRequestPartition::default()
        };
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.member_id.clone(),
            topics: vec![OffsetCommitRequestTopic {
                name: self.topic.name.as_str().into(),
                topic_id: self.topic.id,
                partitions: self.partitions.iter().map(partition).collect(),
            }],
            ..OffsetCommitRequest::default()
        };
        let answer = self.connection.call(&request).await?;
        let mut codes = answer.topics.iter().flat_map(|it| &it.partitions).map(|it| it.error_code);
        self.standing("commit", codes.find(|&it| it != ErrorCode::None).unwrap_or_default())
    }

    /// What an error code says of this member; those that say nothing of it are failures.
    fn standing(&self, what: &str, code: ErrorCode) -> anyhow::Result<Standing> {
        match code {
            ErrorCode::None => Ok(Standing::Stays),
            ErrorCode::RebalanceInProgress
            | ErrorCode::IllegalGeneration
            | ErrorCode::StaleMemberEpoch
            | ErrorCode::FencedMemberEpoch
            | ErrorCode::UnknownMemberId => Ok(Standing::MustJoin),
            code => {
                ClientError::check(format!("{what} in group {}", self.group), code, None)?;
                Ok(Standing::Stays)
            }
        }
    }

    /// This member's own part of an interval, so that not all commit at once.
    fn lot(&self, interval: Duration) -> Duration {
        let add = |hash: u32, byte: u8| hash.wrapping_mul(31).wrapping_add(byte.into());
        interval * (self.member_id.bytes().fold(0, add) % LOTS) / LOTS
    }
}

const STABLE: &str = "Stable";
const NO_GENERATION: i32 = -1;
const CONNECTING_MAX: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const RETRY_AFTER: Duration = Duration::from_millis(100);
const REBALANCE_MS: i32 = 60_000;
const LOTS: u32 = 1000;
