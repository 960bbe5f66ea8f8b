//! Moves logs between directories (KIP-113) while they are read and written: one after the other,
//! on a thread of its own.
//!
//! Locks of the last step, in the order in which they are taken: those of the directory that the
//! log moves to ([`LastStep`]), then `moving` of the partition, which keeps writers away, then those
//! of the two logs, and of the directory that it leaves. Nobody else takes locks of two directories,
//! nor waits for one with `moving` held other than for that of the log's own directory.
//!
//! [`LastStep`]: milena_storage::manager::LastStep

use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use milena_protocol::Offset;
use milena_storage::{
    log::Log,
    manager::{FutureLog, ManagerError, PartitionName},
};
use tracing::{error, info, warn};

use super::{
    Missing, Partition, Replicas,
    partition::{Place, Volume},
};
use crate::tasks::Spawn;

/// What is to be moved. Never more than one move for each partition, other than such as nobody
/// wants any more.
#[derive(Debug, Default)]
pub(super) struct Mover {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The first is under way, if the thread has come to it.
    moves: VecDeque<Arc<Move>>,
    stopped: bool,
}

#[derive(Debug)]
pub(super) struct Move {
    pub(super) partition: Arc<Partition>,
    pub(super) target: Arc<Volume>,
    /// Somebody wants the partition elsewhere, or where it is.
    cancelled: AtomicBool,
    /// It can no longer be cancelled.
    settled: AtomicBool,
    copied: Mutex<Option<Copied>>,
}

/// How far a copy has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) bytes: u64,
    pub(super) end: Offset,
}

/// Why a partition does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveError {
    /// The broker has no such log directory.
    UnknownDirectory,
    /// The log directory cannot be used in this run.
    FailedDirectory,
    /// The topic's name leaves no room for the name of a copy's directory.
    NameTooLong,
    /// There is nothing here to move.
    Missing(Missing),
}

impl Move {
    pub(super) fn copied(&self) -> Option<Copied> {
        *lock(&self.copied)
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire) || self.partition.is_gone()
    }

    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }
}

impl Mover {
    /// Has a partition moved to `target`; what was asked for it before no longer counts.
    pub(super) fn request(&self, partition: Arc<Partition>, target: Arc<Volume>) {
        let mut state = self.state();
        let is_same = |it: &&Arc<Move>| it.partition.key() == partition.key();
        let settled = state.moves.front().filter(is_same).filter(|it| it.is_settled());
        let home = match settled {
            Some(settled) => Arc::clone(&settled.target),
            None => Arc::clone(&partition.place().volume),
        };
        let mut wanted = Arc::ptr_eq(&home, &target);
        for known in state.moves.iter().filter(is_same).filter(|it| !it.is_cancelled()) {
            if Arc::ptr_eq(&known.target, &target) {
                wanted = true;
            } else {
                known.cancelled.store(true, Ordering::Release);
            }
        }
        // What is not under way is forgotten at once.
        let mut at = 0;
        state.moves.retain(|it| {
            at += 1;
            at == 1 || !it.is_cancelled()
        });
        if wanted {
            return;
        }
        let (cancelled, settled) = (AtomicBool::new(false), AtomicBool::new(false));
        let copied = Mutex::new(None);
        state.moves.push_back(Arc::new(Move { partition, target, cancelled, settled, copied }));
        self.changed.notify_one();
    }

    /// Whether a move is still wanted. If so nobody cancels it from here on: who wants something
    /// else has the partition moved again.
    pub(super) fn settle(&self, one: &Move) -> bool {
        let state = self.state();
        let goes_on = !one.is_cancelled() && !state.stopped;
        one.settled.store(goes_on, Ordering::Release);
        goes_on
    }

    /// Everything that is not done.
    pub(super) fn moves(&self) -> Vec<Arc<Move>> {
        self.state().moves.iter().filter(|it| !it.is_cancelled()).cloned().collect()
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_one();
    }

    fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits for a move; `None` once stopped.
    fn next(&self) -> Option<Arc<Move>> {
        let mut state = self.state();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(next) = state.moves.front() {
                return Some(Arc::clone(next));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn done(&self) {
        self.state().moves.pop_front();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Replicas {
    /// Has a partition moved to the log directory at `path`, sooner or later; to where it is, to
    /// have a move of it ended.
    ///
    /// # Errors
    /// It cannot be.
    pub fn move_partition(&self, topic: &str, index: i32, path: &str) -> Result<(), MoveError> {
        let is_meant = |root: &Path| {
            std::path::absolute(root).is_ok_and(|absolute| absolute == Path::new(path))
        };
        if self.failed_dirs.iter().any(|root| is_meant(root)) {
            return Err(MoveError::FailedDirectory);
        }
        let target = self.volumes.iter().find(|volume| is_meant(volume.dir.root()));
        let target = target.ok_or(MoveError::UnknownDirectory)?;
        if target.has_failed() {
            return Err(MoveError::FailedDirectory);
        }
        let topic = self.topic_named(topic).ok_or(MoveError::Missing(Missing::Topic))?;
        let partition = topic.partition(index).map_err(MoveError::Missing)?;
        if !partition.name().may_move() {
            return Err(MoveError::NameTooLong);
        }
        self.mover.request(partition, Arc::clone(target));
        Ok(())
    }

    pub(super) fn start_mover(
        self: &Arc<Self>,
        spawn: &dyn Spawn,
    ) -> io::Result<Option<JoinHandle<()>>> {
        if self.volumes.len() < 2 {
            return Ok(None);
        }
        let replicas = Arc::clone(self);
        let body = move || {
            while let Some(next) = replicas.mover.next() {
                replicas.carry_out(&next);
                replicas.mover.done();
            }
        };
        spawn.thread("mover", Box::new(body)).map(Some)
    }

    fn carry_out(&self, one: &Move) {
        let partition = &one.partition;
        partition.set_copying(true);
        let to = one.target.dir.root().display();
        match self.copy(one) {
            Ok(true) => info!(?partition, %to, "moved to another directory"),
            Ok(false) => info!(?partition, %to, "a move was given up"),
            Err(error) => error!(?partition, %to, %error, "a move failed"),
        }
        partition.set_copying(false);
    }

    /// Whether the partition was moved; else somebody did not want it any more.
    fn copy(&self, one: &Move) -> Result<bool, ManagerError> {
        let Move { partition, target, .. } = one;
        let place = partition.place();
        if one.is_cancelled() || Arc::ptr_eq(&place.volume, target) {
            return Ok(false);
        }
        let (name, source) = (partition.name(), &place.log);
        let cleaned_to = place.volume.dir.cleaned_to(name);
        let now = self.clock.now();
        let copy = target.dir.begin_copy(name, partition.topic_id, source, cleaned_to, now)?;
        // After the first round little is left, and after the second next to nothing.
        let caught_up = self.catch_up(one, source, &copy).and_then(|()| copy.flush());
        let caught_up = caught_up.and_then(|()| self.catch_up(one, source, &copy));
        if caught_up.is_err() || !self.mover.settle(one) {
            abandon(one, copy);
            return caught_up.map(|()| false);
        }
        self.finish(one, &place, copy)
    }

    /// The last step; whether it was made. Else nothing is left of the copy.
    pub(super) fn finish(
        &self,
        one: &Move,
        place: &Place,
        copy: FutureLog,
    ) -> Result<bool, ManagerError> {
        let finished = self.exchange(one, place, &copy);
        if !matches!(finished, Ok(true)) {
            abandon(one, copy);
        }
        finished
    }

    fn exchange(&self, one: &Move, place: &Place, copy: &FutureLog) -> Result<bool, ManagerError> {
        let Move { partition, target, .. } = one;
        let step = target.dir.last_step();
        let finish = |source: &Log| {
            while copy.copy_some(source, self.clock.now())? > 0 {}
            step.take_over(copy, source, self.clock.now())
        };
        let Some(left) = partition.exchange_log(target, finish)? else { return Ok(false) };
        match left {
            Ok(left) => self.remove_partition_later(partition, &place.volume.dir, left),
            Err(error) => {
                warn!(?partition, %error, "the log that was moved stays where it was, too");
            }
        }
        Ok(true)
    }

    fn catch_up(&self, one: &Move, source: &Log, copy: &FutureLog) -> Result<(), ManagerError> {
        while !one.is_cancelled() && !self.mover.is_stopped() {
            let copied = copy.copy_some(source, self.clock.now())?;
            let now_there = Copied { bytes: copy.size_bytes(), end: copy.end_offset() };
            *lock(&one.copied) = Some(now_there);
            if copied == 0 {
                break;
            }
        }
        Ok(())
    }

    /// A move that the last run did not finish begins anew.
    pub(super) fn resume_move(&self, partition: &Arc<Partition>) {
        if let Some((_, target)) = self.interrupted.remove(partition.name()) {
            info!(?partition, "a move begins anew");
            self.mover.request(Arc::clone(partition), target);
        }
    }

    /// A crash in the last step of a move leaves the log in both directories, with all that was
    /// promised in either. The longer one stays.
    pub(super) fn settle_moves(&self) {
        let twice = |name: &PartitionName| {
            let holders = self.volumes.iter().filter(|it| it.dir.get(name).is_some());
            holders.cloned().collect::<Vec<_>>()
        };
        for name in self.volumes.iter().flat_map(|volume| volume.dir.names()) {
            let mut holders = twice(&name);
            holders.sort_by_key(|it| {
                it.dir.get(&name).map(|log| (log.end_offset(), log.start_offset()))
            });
            holders.pop();
            for left in holders {
                warn!(%name, dir = %left.dir.root().display(), "a move had left this log behind");
                match left.dir.delete(&name) {
                    Ok(deleted) => self.remove_soon(&left.dir, deleted),
                    Err(error) => error!(%name, %error, "could not delete what a move left"),
                }
            }
        }
    }
}

fn abandon(one: &Move, copy: FutureLog) {
    if let Err(error) = copy.abandon(&one.target.dir) {
        warn!(partition = ?one.partition, %error, "an unfinished copy stays until the next start");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
