//! Operations that wait for something or for their time to run out, on a hierarchical timing wheel.
//!
//! An operation names the keys that may satisfy it and registers; whoever changes the state behind
//! a key notifies it afterwards. Registration comes before the condition is looked at, and
//! notification after the change, so no change is missed. [`Watcher`] is the operation's future.

mod hash;
mod lists;
mod operation;
mod timers;
mod wheel;

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering, fence},
    },
    task::{Context, Poll},
    time::Duration,
};

pub use operation::Outcome;
pub use timers::{Expire, Sleep, Timers};
pub use wheel::{TimerId, TimingWheel};

use hash::FastHash;
use lists::{List, Lists, NodeId};
use operation::Operation;

/// Watch lists by key. Keys are compared and hashed often: keep them small and `Copy`-like.
pub struct Purgatory<K> {
    timers: Arc<Timers>,
    shards: Box<[Shard<K>]>,
    closed: AtomicBool,
}

impl<K: Eq + Hash + Clone> Purgatory<K> {
    #[must_use]
    pub fn new(timers: Arc<Timers>) -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { timers, shards, closed: AtomicBool::new(false) }
    }

    /// Waits for any notification of one of `keys`, or for `deadline` (of [`Timers::now`]). Look
    /// at the state that is waited for *after* this returns: what happens from here on wakes it.
    pub fn watch(&self, keys: impl IntoIterator<Item = K>, deadline: Duration) -> Watcher<'_, K> {
        self.register(keys, deadline, Operation::unconditional())
    }

    /// As [`Purgatory::watch`], but only a notification at which `ready` holds wakes it. `ready`
    /// runs on the notifier's thread, possibly on several at once, after it was run once here. It
    /// must not block, and must not call this purgatory.
    pub fn watch_until(
        &self,
        keys: impl IntoIterator<Item = K>,
        deadline: Duration,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Watcher<'_, K> {
        let watcher = self.register(keys, deadline, Operation::when(ready));
        watcher.operation.try_complete();
        watcher
    }

    /// To be called after the state behind `key` has changed. Costs one look at an atomic if
    /// nobody watches. Returns how many operations this completed.
    pub fn notify(&self, key: &K) -> usize {
        let shard = self.shard(key);
        // Pairs with the fence in `register`: either this sees the watcher, or the watcher sees
        // the change that came before this call.
        fence(Ordering::SeqCst);
        if shard.watching.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        // Conditions run outside of the lock: they may take locks of their own.
        let (first, rest) = {
            let state = shard.lock();
            let Some(&list) = state.lists.get(key) else { return 0 };
            let mut operations = state.operations.iter(list).cloned();
            // A single one, the common case, takes no memory.
            (operations.next(), operations.collect::<Vec<Arc<Operation>>>())
        };
        first.iter().chain(&rest).filter(|operation| operation.try_complete()).count()
    }

    /// Ends all waits, and every one that begins from now on, as expired.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        for shard in &self.shards {
            let operations: Vec<Arc<Operation>> = {
                let state = shard.lock();
                let lists = state.lists.values();
                lists.flat_map(|&list| state.operations.iter(list).cloned()).collect()
            };
            for operation in operations {
                operation.complete(Outcome::Expired);
            }
        }
    }

    /// Registrations that are there: one for each key of each operation.
    #[must_use]
    pub fn watching(&self) -> usize {
        self.shards.iter().map(|shard| shard.watching.load(Ordering::Relaxed)).sum()
    }

    fn register(
        &self,
        keys: impl IntoIterator<Item = K>,
        deadline: Duration,
        operation: Operation,
    ) -> Watcher<'_, K> {
        let operation = Arc::new(operation);
        let mut nodes = keys.into_iter().map(|key| {
            let node = self.shard(&key).add(key.clone(), Arc::clone(&operation));
            (key, node)
        });
        let (first, rest) = (nodes.next(), nodes.collect());
        fence(Ordering::SeqCst);
        let timer = self.timers.arm(deadline, Arc::clone(&operation) as Arc<dyn Expire>);
        if self.closed.load(Ordering::SeqCst) {
            operation.complete(Outcome::Expired);
        }
        Watcher { purgatory: self, operation, first, rest, timer }
    }

    fn shard(&self, key: &K) -> &Shard<K> {
        let hash = usize::try_from(FastHash.hash_one(key) >> SHARD_SHIFT).unwrap_or_default();
        // There is always a first one, and the shift leaves no more bits than there are shards.
        self.shards.get(hash).unwrap_or_else(|| unreachable!("a hash beyond the shards"))
    }
}

impl<K> fmt::Debug for Purgatory<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purgatory").field("timers", &self.timers).finish_non_exhaustive()
    }
}

/// A waiting operation's future. Dropping it, finished or not, leaves nothing behind.
#[must_use]
pub struct Watcher<'a, K: Eq + Hash + Clone> {
    purgatory: &'a Purgatory<K>,
    operation: Arc<Operation>,
    /// Apart from the others so that a single key, the common case, takes no memory.
    first: Option<(K, NodeId)>,
    rest: Vec<(K, NodeId)>,
    timer: TimerId,
}

impl<K: Eq + Hash + Clone + Unpin> Future for Watcher<'_, K> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.operation.poll(cx)
    }
}

impl<K: Eq + Hash + Clone> Drop for Watcher<'_, K> {
    fn drop(&mut self) {
        self.purgatory.timers.cancel(self.timer);
        for (key, node) in self.first.take().into_iter().chain(self.rest.drain(..)) {
            self.purgatory.shard(&key).remove(&key, node);
        }
    }
}

impl<K: Eq + Hash + Clone> fmt::Debug for Watcher<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// A cache line of its own, so that notifiers of different keys do not disturb each other.
#[repr(align(64))]
struct Shard<K> {
    watching: AtomicUsize,
    state: Mutex<ShardState<K>>,
}

struct ShardState<K> {
    lists: HashMap<K, List, FastHash>,
    operations: Lists<Arc<Operation>>,
}

impl<K> Default for Shard<K> {
    fn default() -> Self {
        let state = ShardState { lists: HashMap::default(), operations: Lists::new() };
        Self { watching: AtomicUsize::new(0), state: Mutex::new(state) }
    }
}

impl<K: Eq + Hash> Shard<K> {
    fn add(&self, key: K, operation: Arc<Operation>) -> NodeId {
        let mut state = self.lock();
        let ShardState { lists, operations } = &mut *state;
        let node = operations.push(lists.entry(key).or_insert(List::EMPTY), operation);
        self.watching.fetch_add(1, Ordering::Relaxed);
        node
    }

    fn remove(&self, key: &K, node: NodeId) {
        let mut state = self.lock();
        let ShardState { lists, operations } = &mut *state;
        let Some(list) = lists.get_mut(key) else { return };
        let removed = operations.remove(list, node);
        if list.is_empty() {
            lists.remove(key);
        }
        if removed.is_some() {
            self.watching.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ShardState<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;
/// The upper bits of a product are its best mixed ones.
const SHARD_SHIFT: u32 = u64::BITS - SHARD_BITS;

#[cfg(test)]
mod tests;
