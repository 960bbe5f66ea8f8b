//! The driver over a counter: what is appended when, what is answered when, what is taken back.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use milena_protocol::{Offset, Timestamp, records::Batch};
use tokio::sync::watch;

use super::*;
use crate::{clock::ManualClock, purgatory::Timers, tasks::TokioSpawn};

/// Counts. Asked to wait, it answers when it has come so far; asked to ring, it adds one then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counter {
    count: i64,
    waiting: Vec<(Ticket, i64)>,
}

#[derive(Clone, Debug)]
enum Ask {
    Add(i64),
    Read,
    WaitFor(i64),
    AddOneAt(Duration),
    Fill(usize),
}

impl Counter {
    fn add(&mut self, by: i64, turn: &mut Turn<Self>) {
        self.count += by;
        let value = Some(Bytes::copy_from_slice(&self.count.to_be_bytes()));
        turn.write(StateRecord { key: Bytes::from_static(b"count"), value });
        let count = self.count;
        self.waiting.retain(|&(ticket, wanted)| {
            if count >= wanted {
                turn.reply(ticket, count);
            }
            count < wanted
        });
    }
}

impl Machine for Counter {
    type Request = Ask;
    type Reply = i64;
    type Subject = ();

    fn replay(&mut self, _key: Bytes, value: Option<Bytes>) {
        let bytes = value.as_deref().and_then(|value| value.get(..8)?.try_into().ok());
        self.count = bytes.map_or(self.count, i64::from_be_bytes);
    }

    fn loaded(&mut self, _turn: &mut Turn<Self>) {}

    fn decide(&mut self, ticket: Ticket, request: &Ask, turn: &mut Turn<Self>) {
        match *request {
            Ask::Add(by) => self.add(by, turn),
            Ask::WaitFor(wanted) => return self.waiting.push((ticket, wanted)),
            Ask::AddOneAt(due) => turn.wake(due, ()),
            Ask::Fill(bytes) => turn.write(StateRecord {
                key: Bytes::from_static(b"fill"),
                value: Some(Bytes::from(vec![0; bytes])),
            }),
            Ask::Read => {}
        }
        turn.reply(ticket, self.count);
    }

    fn ring(&mut self, _subject: &(), _due: Duration, turn: &mut Turn<Self>) {
        self.add(1, turn);
    }
}

/// A log in memory that can be told to refuse, and to hold commits back.
#[derive(Debug)]
struct MemoryLog {
    batches: Mutex<Vec<Bytes>>,
    committed: watch::Sender<i64>,
    auto_commit: AtomicBool,
    late: AtomicBool,
    refuse: Mutex<Option<AppendFailed>>,
}

impl MemoryLog {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            batches: Mutex::default(),
            committed: watch::channel(0).0,
            auto_commit: AtomicBool::new(true),
            late: AtomicBool::new(false),
            refuse: Mutex::new(None),
        })
    }

    fn end(&self) -> i64 {
        let batches = self.batches.lock().unwrap();
        let count =
            |bytes: &Bytes| i64::from(Batch::split(&mut bytes.clone()).unwrap().record_count());
        batches.iter().map(count).sum()
    }

    fn appends(&self) -> usize {
        self.batches.lock().unwrap().len()
    }

    fn hold(&self) {
        self.auto_commit.store(false, Ordering::SeqCst);
    }

    fn release(&self) {
        self.auto_commit.store(true, Ordering::SeqCst);
        self.committed.send_replace(self.end());
    }

    fn refuse(&self, how: Option<AppendFailed>) {
        *self.refuse.lock().unwrap() = how;
    }
}

impl PartitionLog for MemoryLog {
    fn append(&self, batch: Bytes, _now: Timestamp) -> Result<Offset, AppendFailed> {
        if batch.len() > BATCH_MAX {
            return Err(AppendFailed::TooLarge);
        }
        if let Some(failed) = *self.refuse.lock().unwrap() {
            return Err(failed);
        }
        self.batches.lock().unwrap().push(batch);
        let end = self.end();
        if self.auto_commit.load(Ordering::SeqCst) {
            self.committed.send_replace(end);
        }
        Ok(Offset(end))
    }

    fn committed(&self, end: Offset, _deadline: Duration) -> Committed<'_> {
        Box::pin(async move {
            if self.late.load(Ordering::SeqCst) {
                tokio::task::yield_now().await;
                return Err(Lost::TimedOut);
            }
            let mut committed = self.committed.subscribe();
            committed.wait_for(|&upto| upto >= end.0).await.map_err(|_| Lost::Offline)?;
            Ok(())
        })
    }

    fn bounds(&self) -> (Offset, Offset) {
        (Offset::ZERO, Offset(*self.committed.borrow()))
    }

    fn read(&self, from: Offset, _max_bytes: usize) -> Result<Bytes, ReadFailed> {
        // Offsets are not assigned in the batches of this log: it hands out all at once.
        let mut all = Vec::new();
        let mut base = 0;
        for bytes in self.batches.lock().unwrap().iter() {
            let count = i64::from(Batch::split(&mut bytes.clone()).unwrap().record_count());
            let mut batch = bytes.to_vec();
            batch[..8].copy_from_slice(&i64::to_be_bytes(base));
            base += count;
            if base > from.0 {
                all.extend(batch);
            }
        }
        Ok(all.into())
    }
}

struct Running {
    clock: Arc<ManualClock>,
    log: Arc<MemoryLog>,
    shard: Shard<Counter>,
}

async fn start(log: Arc<MemoryLog>) -> Running {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000)));
    let spawn = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
    let timers = Arc::new(Timers::start(Arc::clone(&clock) as _, &*spawn));
    let around = Surroundings { clock: Arc::clone(&clock) as _, timers, spawn };
    let settings = Settings { name: "test-0".to_owned(), commit_timeout: Duration::from_secs(5) };
    let shard = Shard::start(Counter::default(), Arc::clone(&log) as _, settings, around);
    while shard.phase() == Phase::Loading {
        tokio::task::yield_now().await;
    }
    Running { clock, log, shard }
}

/// Runs whatever can run without waiting for anything from outside.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_reply_leaves_once_its_records_are_committed() {
    let running = start(MemoryLog::new()).await;
    running.log.hold();
    let mut added = std::pin::pin!(running.shard.ask(Ask::Add(3)));
    tokio::select! {
        biased;
        _ = &mut added => panic!("answered before the commit"),
        () = settle() => {}
    }
    assert_eq!(running.log.appends(), 1);
    running.log.release();
    assert_eq!(added.await, Ok(3));
}

#[tokio::test]
async fn requests_of_one_moment_share_one_append() {
    let running = start(MemoryLog::new()).await;
    let asked: Vec<_> = (0..100).map(|_| running.shard.ask(Ask::Add(1))).collect();
    let mut replies = Vec::new();
    for asked in asked {
        replies.push(asked.await.unwrap());
    }
    assert_eq!(replies, (1..=100).collect::<Vec<_>>());
    assert_eq!(running.log.appends(), 1);
}

#[tokio::test]
async fn what_changes_nothing_appends_nothing() {
    let running = start(MemoryLog::new()).await;
    assert_eq!(running.shard.ask(Ask::Read).await, Ok(0));
    assert_eq!(running.log.appends(), 0);
}

#[tokio::test]
async fn a_request_can_be_answered_in_a_later_turn() {
    let running = start(MemoryLog::new()).await;
    let waiting = running.shard.ask(Ask::WaitFor(2));
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Ok(1));
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Ok(2));
    assert_eq!(waiting.await, Ok(2));
}

#[tokio::test]
async fn a_refused_append_undoes_its_turn_and_nothing_else() {
    let running = start(MemoryLog::new()).await;
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Ok(1));
    let mut waiting = std::pin::pin!(running.shard.ask(Ask::WaitFor(2)));
    settle().await;
    running.log.refuse(Some(AppendFailed::Refused));
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Err(Unavailable::NotAppended));
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("heard of what was taken back"),
        () = settle() => {}
    }
    running.log.refuse(None);
    assert_eq!(running.shard.ask(Ask::Read).await, Ok(1));
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Ok(2));
    assert_eq!(waiting.await, Ok(2));
}

#[tokio::test]
async fn one_request_that_is_too_large_does_not_harm_its_neighbours() {
    let running = start(MemoryLog::new()).await;
    let before = running.shard.ask(Ask::Add(1));
    let large = running.shard.ask(Ask::Fill(BATCH_MAX));
    let after = running.shard.ask(Ask::Add(1));
    assert_eq!(before.await, Ok(1));
    assert_eq!(large.await, Err(Unavailable::TooLarge));
    assert_eq!(after.await, Ok(2));
}

#[tokio::test]
async fn an_offline_log_ends_the_shard() {
    let running = start(MemoryLog::new()).await;
    running.log.refuse(Some(AppendFailed::Offline));
    assert_eq!(running.shard.ask(Ask::Add(1)).await, Err(Unavailable::NotHere));
    settle().await;
    assert_eq!(running.shard.phase(), Phase::Failed);
    assert_eq!(running.shard.ask(Ask::Read).await, Err(Unavailable::NotHere));
}

#[tokio::test]
async fn an_alarm_goes_off_in_its_own_turn_and_again_if_that_failed() {
    let running = start(MemoryLog::new()).await;
    running.shard.ask(Ask::AddOneAt(Duration::from_secs(5))).await.unwrap();
    running.log.refuse(Some(AppendFailed::Refused));
    settle().await;
    running.clock.advance(Duration::from_secs(5));
    settle().await;
    running.log.refuse(None);
    assert_eq!(running.shard.ask(Ask::Read).await, Ok(0));
    running.clock.advance(Duration::from_secs(1));
    settle().await;
    assert_eq!(running.shard.ask(Ask::Read).await, Ok(1));
}

#[tokio::test]
async fn a_restarted_shard_knows_what_was_committed() {
    let log = MemoryLog::new();
    let running = start(Arc::clone(&log)).await;
    for _ in 0..5 {
        running.shard.ask(Ask::Add(2)).await.unwrap();
    }
    drop(running);
    let running = start(log).await;
    assert_eq!(running.shard.ask(Ask::Read).await, Ok(10));
}

#[tokio::test]
async fn a_shard_that_loads_says_so() {
    let log = MemoryLog::new();
    let clock = Arc::new(ManualClock::default());
    let spawn = Arc::new(TokioSpawn::new(tokio::runtime::Handle::current()));
    let timers = Arc::new(Timers::start(Arc::clone(&clock) as _, &*spawn));
    let around = Surroundings { clock, timers, spawn };
    let settings = Settings { name: "test-0".to_owned(), commit_timeout: Duration::from_secs(5) };
    let shard: Shard<Counter> = Shard::start(Counter::default(), log, settings, around);
    assert_eq!(shard.ask(Ask::Read).await, Err(Unavailable::Loading));
}

#[tokio::test]
async fn a_log_that_compaction_left_nothing_at_the_end_of_is_loaded() {
    let first = start(MemoryLog::new()).await;
    assert_eq!(first.shard.ask(Ask::Add(3)).await, Ok(3));
    let log = Arc::clone(&first.log);
    log.committed.send_replace(log.end() + 5);
    let again = start(log).await;
    assert_eq!(again.shard.ask(Ask::Read).await, Ok(3));
}

const BATCH_MAX: usize = 100_000;

#[tokio::test]
async fn a_shard_that_is_dropped_does_not_wait_for_a_commit_for_ever() {
    let log = MemoryLog::new();
    let Running { shard, log, .. } = start(log).await;
    log.late.store(true, Ordering::SeqCst);
    assert_eq!(shard.ask(Ask::Add(1)).await, Err(Unavailable::TimedOut));
    drop(shard);
    settle().await;
    assert_eq!(Arc::strong_count(&log), 1, "the driver still has the log");
}
