//! The driver over a counter: what is appended when, what is answered when, what is taken back.

mod transactions;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use milena_protocol::{Offset, ProducerEpoch, ProducerId, Timestamp, records::Batch};
use tokio::sync::watch;

use super::*;
use crate::{clock::ManualClock, purgatory::Timers, tasks::TokioSpawn};

/// Counts. Asked to wait, it answers when it has come so far; asked to ring, it adds one then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counter {
    count: i64,
    waiting: Vec<(Ticket, i64)>,
    /// What transactions will add when they commit.
    pending: BTreeMap<ProducerId, i64>,
}

#[derive(Clone, Debug)]
enum Ask {
    Add(i64),
    Read,
    WaitFor(i64),
    AddOneAt(Duration),
    Fill(usize),
    AddIn(ProducerId, ProducerEpoch, i64),
    End(EndMarker),
    /// The end of a transaction whose epoch is the one before.
    EndBumping(EndMarker),
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

    fn replay(&mut self, producer: Option<ProducerId>, _key: Bytes, value: Option<Bytes>) {
        let bytes = value.as_deref().and_then(|value| value.get(..8)?.try_into().ok());
        match (producer, bytes.map(i64::from_be_bytes)) {
            (_, None) => {}
            (None, Some(count)) => self.count = count,
            (Some(producer), Some(by)) => *self.pending.entry(producer).or_default() += by,
        }
    }

    fn replay_marker(&mut self, marker: &EndMarker) {
        let pending = self.pending.remove(&marker.producer).unwrap_or_default();
        self.count += if marker.commit { pending } else { 0 };
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
            Ask::AddIn(producer, epoch, by) => {
                let value = Some(Bytes::copy_from_slice(&by.to_be_bytes()));
                let record = StateRecord { key: Bytes::from_static(b"by"), value };
                turn.write_transactional(producer, epoch, record);
                *self.pending.entry(producer).or_default() += by;
            }
            Ask::End(marker) => {
                turn.end_transaction(marker, false);
                self.replay_marker(&marker);
            }
            Ask::EndBumping(marker) => {
                turn.end_transaction(marker, true);
                self.replay_marker(&marker);
            }
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
    /// Of each append, what was said about its markers.
    bumps: Mutex<Vec<bool>>,
    /// Of each wait for an append, whether it was for a sync.
    syncs: Mutex<Vec<bool>>,
    committed: watch::Sender<i64>,
    auto_commit: AtomicBool,
    late: AtomicBool,
    refuse: Mutex<Option<AppendFailed>>,
    epochs: Mutex<BTreeMap<ProducerId, ProducerEpoch>>,
}

impl MemoryLog {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            batches: Mutex::default(),
            bumps: Mutex::default(),
            syncs: Mutex::default(),
            committed: watch::channel(0).0,
            auto_commit: AtomicBool::new(true),
            late: AtomicBool::new(false),
            refuse: Mutex::new(None),
            epochs: Mutex::default(),
        })
    }

    fn end(&self) -> i64 {
        let appends = self.batches.lock().unwrap();
        appends.iter().flat_map(split).map(|batch| i64::from(batch.record_count())).sum()
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

    fn reached(&self, end: Offset) -> Committed<'_> {
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
}

impl PartitionLog for MemoryLog {
    fn append(&self, batches: Bytes, bumps: bool, _: Timestamp) -> Result<Offset, AppendFailed> {
        let mut epochs = self.epochs.lock().unwrap();
        for batch in split(&batches) {
            if batch.size() > BATCH_MAX {
                return Err(AppendFailed::TooLarge);
            }
            if epochs.get(&batch.producer_id()).is_some_and(|&seen| seen > batch.producer_epoch()) {
                return Err(AppendFailed::FencedProducer);
            }
        }
        if let Some(failed) = *self.refuse.lock().unwrap() {
            return Err(failed);
        }
        let producers = split(&batches).into_iter();
        epochs.extend(producers.map(|batch| (batch.producer_id(), batch.producer_epoch())));
        self.batches.lock().unwrap().push(batches);
        self.bumps.lock().unwrap().push(bumps);
        let end = self.end();
        if self.auto_commit.load(Ordering::SeqCst) {
            self.committed.send_replace(end);
        }
        Ok(Offset(end))
    }

    fn committed(&self, end: Offset, _deadline: Duration) -> Committed<'_> {
        self.syncs.lock().unwrap().push(false);
        self.reached(end)
    }

    fn synced(&self, end: Offset, _deadline: Duration) -> Committed<'_> {
        self.syncs.lock().unwrap().push(true);
        self.reached(end)
    }

    fn bounds(&self) -> (Offset, Offset) {
        (Offset::ZERO, Offset(*self.committed.borrow()))
    }

    fn read(&self, from: Offset, _max_bytes: usize) -> Result<Bytes, ReadFailed> {
        // Offsets are not assigned in the batches of this log: it hands out all at once.
        let mut all = Vec::new();
        let mut base = 0;
        for batch in self.batches.lock().unwrap().iter().flat_map(split) {
            let mut bytes = batch.bytes().to_vec();
            bytes[..8].copy_from_slice(&i64::to_be_bytes(base));
            base += i64::from(batch.record_count());
            if base > from.0 {
                all.extend(bytes);
            }
        }
        Ok(all.into())
    }
}

fn split(append: &Bytes) -> Vec<Batch> {
    let mut bytes = append.clone();
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        batches.push(Batch::split(&mut bytes).unwrap());
    }
    batches
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
