//! The sessions that are kept, and which of them give way to others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Ask, Fetch, Session, SessionError, Watched};
use crate::config::BrokerConfig;

/// All sessions of the broker, no more than there are slots for.
///
/// A full cache makes room for a new session by dropping the one that was unused longest, if that
/// is longer than the eviction time; else the one with the fewest partitions among those older
/// than the eviction time, if the new one has more. A request for what no topic can be called makes
/// no session. Thread-safe; one short lock.
#[derive(Debug)]
pub struct FetchSessions<P: Watched> {
    slots_max: usize,
    /// Partitions that the sessions with more than a fair share may bring the total to.
    partitions_max: usize,
    evict_after: Duration,
    pub(super) kept: Mutex<HashMap<i32, Arc<Kept<P>>>>,
}

/// A session in the cache.
#[derive(Debug)]
pub struct Kept<P: Watched> {
    id: i32,
    created: Duration,
    usage: Mutex<Usage>,
    session: Mutex<Session<P>>,
}

impl<P: Watched> Kept<P> {
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    pub(super) fn session(&self) -> MutexGuard<'_, Session<P>> {
        lock(&self.session)
    }
}

#[derive(Clone, Copy, Debug)]
struct Usage {
    last_used: Duration,
    partitions: usize,
}

impl<P: Watched> FetchSessions<P> {
    /// As many slots as are configured; sessions are safe from eviction for as long as in Kafka.
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        Self::new(usize::try_from(config.fetch_session_slots).unwrap_or(0), EVICT_AFTER)
    }

    #[must_use]
    pub fn new(slots_max: usize, evict_after: Duration) -> Self {
        let partitions_max = slots_max.saturating_mul(FAIR_SHARE).max(PARTITIONS_MAX);
        Self { slots_max, partitions_max, evict_after, kept: Mutex::new(HashMap::new()) }
    }

    /// Begins a fetch. A full request (epoch 0 or -1) ends the session that it names.
    ///
    /// # Errors
    /// The session is unknown, at another epoch, or of the other kind.
    pub fn begin(&self, ask: Ask<P>, now: Duration) -> Result<Fetch<P>, SessionError> {
        let Ask { session_id, session_epoch, by_id, isolation, wanted, forgotten } = ask;
        if session_epoch == INITIAL_EPOCH || session_epoch == FINAL_EPOCH {
            if session_id != NO_SESSION {
                self.end_session(session_id);
            }
            let is_possible = wanted.iter().all(|interest| interest.topic.is_possible());
            let session = Session::new(wanted, by_id, isolation);
            return Ok(if session_epoch == FINAL_EPOCH || !is_possible {
                Fetch::Once(session)
            } else {
                Fetch::Fresh(session)
            });
        }

        let kept = lock(&self.kept).get(&session_id).cloned().ok_or(SessionError::UnknownId)?;
        let mut session = kept.session();
        if session.epoch != session_epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.by_id != by_id {
            return Err(SessionError::TopicIdMismatch);
        }
        let before = session.len();
        let (wanted, impossible): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|interest| interest.topic.is_possible());
        for interest in wanted {
            session.put(interest);
        }
        for (topic, index) in forgotten {
            session.forget(topic, index);
        }
        if session.is_empty() {
            self.end_session(session_id);
            return Ok(Fetch::Once(Session::new(impossible, by_id, isolation)));
        }
        if session.len() > before && !self.has_room(session.len(), session_id) {
            self.end_session(session_id);
            return Err(SessionError::UnknownId);
        }
        session.read_as(isolation);
        session.epoch = epoch_after(session_epoch);
        *lock(&kept.usage) = Usage { last_used: now, partitions: session.len() };
        let epoch = session.epoch;
        drop(session);
        Ok(Fetch::Kept { kept, epoch, impossible })
    }

    /// Ends a fetch that has been answered and returns the session id that the client should use
    /// next, 0 for none. `draw` gives random numbers for a new id.
    pub fn end(&self, fetch: Fetch<P>, now: Duration, draw: impl FnMut() -> u64) -> i32 {
        match fetch {
            Fetch::Once(_) => NO_SESSION,
            Fetch::Kept { kept, .. } => kept.id,
            Fetch::Fresh(session) => self.keep(session, now, draw),
        }
    }

    /// How many sessions are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.kept).len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&self, mut session: Session<P>, now: Duration, mut draw: impl FnMut() -> u64) -> i32 {
        let partitions = session.len();
        if partitions == 0 || !self.has_room(partitions, NO_SESSION) {
            return NO_SESSION;
        }
        let mut kept = lock(&self.kept);
        let mut evicted = None;
        if kept.len() >= self.slots_max {
            let Some(victim) = self.victim(&kept, partitions, now) else { return NO_SESSION };
            evicted = kept.remove(&victim);
        }
        let id = loop {
            let id = i32::try_from(draw() & SESSION_ID_MASK).unwrap_or(NO_SESSION);
            if id != NO_SESSION && !kept.contains_key(&id) {
                break id;
            }
        };
        session.keep_as(id);
        session.epoch = epoch_after(INITIAL_EPOCH);
        let usage = Mutex::new(Usage { last_used: now, partitions });
        let entry = Kept { id, created: now, usage, session: Mutex::new(session) };
        kept.insert(id, Arc::new(entry));
        drop(kept);
        // Takes its leave of every partition.
        drop(evicted);
        id
    }

    fn end_session(&self, id: i32) {
        let ended = lock(&self.kept).remove(&id);
        // Not under the lock: it takes its leave of every partition.
        drop(ended);
    }

    /// Whether session `id` may have that many partitions. Only for one beyond its fair share does
    /// this look at what the others have.
    fn has_room(&self, partitions: usize, id: i32) -> bool {
        if partitions <= FAIR_SHARE {
            return true;
        }
        let kept = lock(&self.kept);
        let others = kept.values().filter(|entry| entry.id != id);
        let of_others: usize = others.map(|entry| lock(&entry.usage).partitions).sum();
        of_others + partitions <= self.partitions_max
    }

    /// The session that gives way to a new one of `partitions`. Looks at every session, which is
    /// done only when the cache is full.
    fn victim(
        &self,
        kept: &HashMap<i32, Arc<Kept<P>>>,
        partitions: usize,
        now: Duration,
    ) -> Option<i32> {
        let usages = || kept.values().map(|entry| (entry, *lock(&entry.usage)));
        let (stalest, usage) = usages().min_by_key(|(entry, usage)| (usage.last_used, entry.id))?;
        if now.saturating_sub(usage.last_used) > self.evict_after {
            return Some(stalest.id);
        }
        usages()
            .filter(|(entry, _)| now.saturating_sub(entry.created) > self.evict_after)
            .min_by_key(|(entry, usage)| (usage.partitions, entry.id))
            .filter(|(_, usage)| usage.partitions < partitions)
            .map(|(entry, _)| entry.id)
    }
}

/// The epoch of the request after the one with `epoch`: never again 0, which begins a session.
pub(super) fn epoch_after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// A panic while a lock was held fails that request alone: what it guards is whole between calls.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const EVICT_AFTER: Duration = Duration::from_secs(120);
pub(super) const NO_SESSION: i32 = 0;
const INITIAL_EPOCH: i32 = 0;
pub(super) const FINAL_EPOCH: i32 = -1;
const SESSION_ID_MASK: u64 = 0x7fff_ffff;
/// Partitions that any session may have. A larger one is remembered while there is room, and a
/// fetch for which there is none is served all the same.
pub(super) const FAIR_SHARE: usize = 500;
/// Room there is at least, however few the slots: one partition takes about 200 bytes.
pub(super) const PARTITIONS_MAX: usize = 100_000;
