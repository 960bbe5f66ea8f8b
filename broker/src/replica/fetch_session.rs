//! Incremental fetch sessions (KIP-227): what a consumer wants from each partition and what it was
//! last told, remembered between its requests so that neither side repeats what has not changed.
//!
//! Pure: time and random numbers are arguments. `P` is whatever the caller resolves a partition
//! to; a session keeps it, so that a topic is looked up once per session and not once per request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use milena_protocol::{Uuid, wire::Str};

use crate::config::BrokerConfig;

/// How a fetch names a topic: by name before version 13, by id from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    Name(Str),
    Id(Uuid),
}

/// Where a client stands in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    pub fetch_offset: i64,
    pub max_bytes: i32,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
}

/// What a client knows of a partition's bounds. A change alone is worth an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub high_watermark: i64,
    pub log_start: i64,
}

/// One partition that a client fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interest<P> {
    pub topic: TopicRef,
    pub index: i32,
    pub wants: Wants,
    /// The partition, once it was found.
    pub partition: Option<P>,
    /// `None` before the first answer and after an error: whatever comes next is news.
    told: Option<Told>,
}

impl<P> Interest<P> {
    pub fn new(topic: TopicRef, index: i32, wants: Wants, partition: Option<P>) -> Self {
        Self { topic, index, wants, partition, told: None }
    }

    /// Whether an answer without records or error would tell the client anything new.
    pub fn is_news(&self, bounds: Told) -> bool {
        self.told != Some(bounds)
    }

    /// Remembers what an answer said; `None` for an error, so that its end is told, too.
    pub fn tell(&mut self, bounds: Option<Told>) {
        self.told = bounds;
    }
}

/// The partitions of one fetch, in the order in which they are served.
#[derive(Debug)]
pub struct Session<P> {
    interests: Vec<Interest<P>>,
    places: HashMap<(TopicRef, i32), usize>,
    /// Where the next pass begins.
    first: usize,
    by_id: bool,
    /// What the next request of this session has to say; of no meaning before it is kept.
    epoch: i32,
}

impl<P> Session<P> {
    fn new(interests: Vec<Interest<P>>, by_id: bool) -> Self {
        Self { interests, places: HashMap::new(), first: 0, by_id, epoch: INITIAL_EPOCH }
    }

    /// All partitions, the one that has waited longest first, each with its place.
    pub fn in_order(&mut self) -> impl Iterator<Item = (usize, &mut Interest<P>)> {
        let first = self.first.min(self.interests.len());
        let (late, early) = self.interests.split_at_mut(first);
        let early = early.iter_mut().enumerate().map(move |(at, it)| (first + at, it));
        early.chain(late.iter_mut().enumerate())
    }

    /// The partition at a place that [`Session::in_order`] gave.
    pub fn at(&mut self, place: usize) -> Option<&mut Interest<P>> {
        self.interests.get_mut(place)
    }

    /// Lets the next pass begin behind `place`, the last one that was given records, so that no
    /// partition is starved by the response's size limit.
    pub fn resume_after(&mut self, place: usize) {
        self.first = if place + 1 < self.interests.len() { place + 1 } else { 0 };
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.interests.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interests.is_empty()
    }

    fn index(&mut self) {
        let interests = std::mem::take(&mut self.interests);
        self.places.reserve(interests.len());
        for interest in interests {
            self.put(interest);
        }
    }

    fn put(&mut self, interest: Interest<P>) {
        let key = (interest.topic.clone(), interest.index);
        match self.places.get(&key).and_then(|&place| self.interests.get_mut(place)) {
            Some(known) => {
                known.wants = interest.wants;
                if interest.partition.is_some() {
                    known.partition = interest.partition;
                }
            }
            None => {
                self.places.insert(key, self.interests.len());
                self.interests.push(interest);
            }
        }
    }

    fn forget(&mut self, topic: TopicRef, index: i32) {
        let Some(place) = self.places.remove(&(topic, index)) else { return };
        self.interests.swap_remove(place);
        if let Some(moved) = self.interests.get(place) {
            self.places.insert((moved.topic.clone(), moved.index), place);
        }
        if self.first >= self.interests.len() {
            self.first = 0;
        }
    }
}

/// The part of a fetch request that concerns its session.
#[derive(Debug)]
pub struct Ask<P> {
    pub session_id: i32,
    pub session_epoch: i32,
    pub by_id: bool,
    pub wanted: Vec<Interest<P>>,
    pub forgotten: Vec<(TopicRef, i32)>,
}

/// A fetch under way.
#[derive(Debug)]
pub enum Fetch<P> {
    /// Nothing is remembered.
    Once(Session<P>),
    /// Becomes a session when it is answered, if there is room.
    Fresh(Session<P>),
    /// Belongs to a session; `epoch` is what the session must still be at when it is answered.
    Kept { kept: Arc<Kept<P>>, epoch: i32 },
}

impl<P> Fetch<P> {
    /// Runs `pass` over the partitions, under the session's lock if there is one.
    ///
    /// # Errors
    /// [`SessionError::InvalidEpoch`] if another request has used the session meanwhile.
    pub fn with<R>(&mut self, pass: impl FnOnce(&mut Session<P>) -> R) -> Result<R, SessionError> {
        match self {
            Self::Once(session) | Self::Fresh(session) => Ok(pass(session)),
            Self::Kept { kept, epoch } => {
                let mut session = lock(&kept.session);
                if session.epoch == *epoch {
                    Ok(pass(&mut session))
                } else {
                    Err(SessionError::InvalidEpoch)
                }
            }
        }
    }

    /// Whether the client remembers earlier answers, so that only news must be sent.
    pub fn is_incremental(&self) -> bool {
        matches!(self, Self::Kept { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    UnknownId,
    InvalidEpoch,
    /// The session names topics by id and the request by name, or the other way round.
    TopicIdMismatch,
}

/// All sessions of the broker, no more than there are slots for.
///
/// A full cache makes room for a new session by dropping the one that was unused longest, if that
/// is longer than the eviction time; else the one with the fewest partitions among those older
/// than the eviction time, if the new one has more. Thread-safe; one short lock.
#[derive(Debug)]
pub struct FetchSessions<P> {
    slots_max: usize,
    /// Partitions that the sessions with more than a fair share may bring the total to.
    partitions_max: usize,
    evict_after: Duration,
    kept: Mutex<HashMap<i32, Arc<Kept<P>>>>,
}

/// A session in the cache.
#[derive(Debug)]
pub struct Kept<P> {
    id: i32,
    created: Duration,
    usage: Mutex<Usage>,
    session: Mutex<Session<P>>,
}

#[derive(Clone, Copy, Debug)]
struct Usage {
    last_used: Duration,
    partitions: usize,
}

impl<P> FetchSessions<P> {
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
        let Ask { session_id, session_epoch, by_id, wanted, forgotten } = ask;
        if session_epoch == INITIAL_EPOCH || session_epoch == FINAL_EPOCH {
            if session_id != NO_SESSION {
                lock(&self.kept).remove(&session_id);
            }
            let session = Session::new(wanted, by_id);
            return Ok(if session_epoch == FINAL_EPOCH {
                Fetch::Once(session)
            } else {
                Fetch::Fresh(session)
            });
        }

        let kept = lock(&self.kept).get(&session_id).cloned().ok_or(SessionError::UnknownId)?;
        let mut session = lock(&kept.session);
        if session.epoch != session_epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.by_id != by_id {
            return Err(SessionError::TopicIdMismatch);
        }
        let before = session.len();
        for interest in wanted {
            session.put(interest);
        }
        for (topic, index) in forgotten {
            session.forget(topic, index);
        }
        if session.is_empty() {
            lock(&self.kept).remove(&session_id);
            return Ok(Fetch::Once(Session::new(Vec::new(), by_id)));
        }
        if session.len() > before && !self.has_room(session.len(), session_id) {
            lock(&self.kept).remove(&session_id);
            return Err(SessionError::UnknownId);
        }
        session.epoch = epoch_after(session_epoch);
        *lock(&kept.usage) = Usage { last_used: now, partitions: session.len() };
        let epoch = session.epoch;
        drop(session);
        Ok(Fetch::Kept { kept, epoch })
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
        if kept.len() >= self.slots_max {
            let Some(victim) = self.victim(&kept, partitions, now) else { return NO_SESSION };
            kept.remove(&victim);
        }
        let id = loop {
            let id = i32::try_from(draw() & SESSION_ID_MASK).unwrap_or(NO_SESSION);
            if id != NO_SESSION && !kept.contains_key(&id) {
                break id;
            }
        };
        session.index();
        session.epoch = epoch_after(INITIAL_EPOCH);
        let usage = Mutex::new(Usage { last_used: now, partitions });
        let entry = Kept { id, created: now, usage, session: Mutex::new(session) };
        kept.insert(id, Arc::new(entry));
        id
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
fn epoch_after(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

/// A panic while a lock was held fails that request alone: what it guards is whole between calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const EVICT_AFTER: Duration = Duration::from_secs(120);
const NO_SESSION: i32 = 0;
const INITIAL_EPOCH: i32 = 0;
const FINAL_EPOCH: i32 = -1;
const SESSION_ID_MASK: u64 = 0x7fff_ffff;
/// Partitions that any session may have. A larger one is remembered while there is room, and a
/// fetch for which there is none is served all the same.
const FAIR_SHARE: usize = 500;
/// Room there is at least, however few the slots: one partition takes about 200 bytes.
const PARTITIONS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    const EVICT: Duration = Duration::from_secs(120);

    fn interest(name: &str, index: i32) -> Interest<()> {
        let wants = Wants {
            fetch_offset: 0,
            max_bytes: 100,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
        };
        Interest::new(TopicRef::Name(name.into()), index, wants, None)
    }

    fn ask(id: i32, epoch: i32, partitions: &[i32], forgotten: &[i32]) -> Ask<()> {
        Ask {
            session_id: id,
            session_epoch: epoch,
            by_id: false,
            wanted: partitions.iter().map(|&index| interest("t", index)).collect(),
            forgotten: forgotten.iter().map(|&it| (TopicRef::Name("t".into()), it)).collect(),
        }
    }

    fn sessions(slots: usize) -> FetchSessions<()> {
        FetchSessions::new(slots, EVICT)
    }

    /// Opens a session of `partitions` partitions that is answered at `now`.
    fn open(sessions: &FetchSessions<()>, partitions: i32, now: Duration, draw: u64) -> i32 {
        let all: Vec<i32> = (0..partitions).collect();
        let fetch = sessions.begin(ask(0, 0, &all, &[]), now).unwrap();
        sessions.end(fetch, now, || draw)
    }

    fn order(fetch: &mut Fetch<()>) -> Vec<i32> {
        fetch.with(|session| session.in_order().map(|(_, it)| it.index).collect()).unwrap()
    }

    #[test]
    fn epochs_count_up_and_a_repeated_or_skipped_one_is_refused() {
        let sessions = sessions(10);
        let id = open(&sessions, 2, Duration::ZERO, 7);
        assert_eq!(id, 7);
        for (epoch, expected) in [
            (2, Err(SessionError::InvalidEpoch)),
            (1, Ok(())),
            (1, Err(SessionError::InvalidEpoch)),
            (2, Ok(())),
            (3, Ok(())),
        ] {
            let got = sessions.begin(ask(id, epoch, &[], &[]), Duration::ZERO).map(|_| ());
            assert_eq!(got, expected, "epoch {epoch}");
        }
        let stranger = sessions.begin(ask(8, 1, &[], &[]), Duration::ZERO).map(|_| ());
        assert_eq!(stranger, Err(SessionError::UnknownId));
        assert_eq!(epoch_after(i32::MAX), 1);
    }

    #[test]
    fn a_request_by_id_cannot_use_a_session_by_name() {
        let sessions = sessions(10);
        let id = open(&sessions, 1, Duration::ZERO, 7);
        let mut other = ask(id, 1, &[], &[]);
        other.by_id = true;
        let got = sessions.begin(other, Duration::ZERO).map(|_| ());
        assert_eq!(got, Err(SessionError::TopicIdMismatch));
    }

    #[test]
    fn a_full_request_ends_the_session_it_names() {
        let sessions = sessions(10);
        let id = open(&sessions, 1, Duration::ZERO, 7);
        let fetch = sessions.begin(ask(id, FINAL_EPOCH, &[0], &[]), Duration::ZERO).unwrap();
        assert!(!fetch.is_incremental());
        assert_eq!(sessions.end(fetch, Duration::ZERO, || 9), NO_SESSION);
        assert_eq!(sessions.len(), 0);
    }

    #[test]
    fn partitions_are_added_updated_and_forgotten() {
        let sessions = sessions(10);
        let id = open(&sessions, 3, Duration::ZERO, 7);
        let mut fetch = sessions.begin(ask(id, 1, &[5], &[0]), Duration::ZERO).unwrap();
        assert_eq!(order(&mut fetch), [5, 1, 2]);

        let mut update = ask(id, 2, &[5], &[1, 9]);
        update.wanted[0].wants.fetch_offset = 42;
        let mut fetch = sessions.begin(update, Duration::ZERO).unwrap();
        let offsets: Vec<(i32, i64)> = fetch
            .with(|s| s.in_order().map(|(_, it)| (it.index, it.wants.fetch_offset)).collect())
            .unwrap();
        assert_eq!(offsets, [(5, 42), (2, 0)]);
    }

    #[test]
    fn forgetting_the_last_partition_closes_the_session() {
        let sessions = sessions(10);
        let id = open(&sessions, 1, Duration::ZERO, 7);
        let fetch = sessions.begin(ask(id, 1, &[], &[0]), Duration::ZERO).unwrap();
        assert_eq!(sessions.end(fetch, Duration::ZERO, || 9), NO_SESSION);
        assert!(sessions.is_empty());
    }

    #[test]
    fn an_answer_that_another_request_overtook_is_refused() {
        let sessions = sessions(10);
        let id = open(&sessions, 1, Duration::ZERO, 7);
        let mut slow = sessions.begin(ask(id, 1, &[], &[]), Duration::ZERO).unwrap();
        sessions.begin(ask(id, 2, &[], &[]), Duration::ZERO).unwrap();
        assert_eq!(slow.with(|_| ()), Err(SessionError::InvalidEpoch));
    }

    #[test]
    fn the_next_pass_begins_behind_the_last_partition_served() {
        let sessions = sessions(10);
        let id = open(&sessions, 3, Duration::ZERO, 7);
        let mut fetch = sessions.begin(ask(id, 1, &[], &[]), Duration::ZERO).unwrap();
        for (served, expected) in [(0, [1, 2, 0]), (1, [2, 0, 1]), (2, [0, 1, 2])] {
            fetch.with(|session| session.resume_after(served)).unwrap();
            assert_eq!(order(&mut fetch), expected);
        }
    }

    #[test]
    fn only_changed_bounds_and_the_end_of_an_error_are_news() {
        let mut it = interest("t", 0);
        let bounds = Told { high_watermark: 5, log_start: 0 };
        assert!(it.is_news(bounds));
        it.tell(Some(bounds));
        assert!(!it.is_news(bounds));
        assert!(it.is_news(Told { high_watermark: 6, ..bounds }));
        assert!(it.is_news(Told { log_start: 1, ..bounds }));
        it.tell(None);
        assert!(it.is_news(bounds));
    }

    #[test]
    fn a_full_cache_evicts_the_stale_then_the_small() {
        struct Case {
            say: &'static str,
            at_s: u64,
            partitions: i32,
            kept: bool,
            left: [i32; 2],
        }
        // Both sessions are born at 0; session 2 (of 3 partitions) is used again at 100 s, session
        // 1 (of 2 partitions) at 110 s.
        let cases = [
            Case { say: "too young", at_s: 120, partitions: 9, kept: false, left: [1, 2] },
            Case { say: "not larger", at_s: 121, partitions: 2, kept: false, left: [1, 2] },
            Case { say: "larger", at_s: 121, partitions: 3, kept: true, left: [2, 3] },
            Case { say: "stale", at_s: 221, partitions: 1, kept: true, left: [1, 3] },
        ];
        for Case { say, at_s, partitions, kept, left } in cases {
            let sessions = sessions(2);
            assert_eq!(open(&sessions, 2, Duration::ZERO, 1), 1);
            assert_eq!(open(&sessions, 3, Duration::ZERO, 2), 2);
            sessions.begin(ask(2, 1, &[], &[]), Duration::from_secs(100)).unwrap();
            sessions.begin(ask(1, 1, &[], &[]), Duration::from_secs(110)).unwrap();
            let id = open(&sessions, partitions, Duration::from_secs(at_s), 3);
            assert_eq!(id, if kept { 3 } else { NO_SESSION }, "{say}");
            let mut ids: Vec<i32> = lock(&sessions.kept).keys().copied().collect();
            ids.sort_unstable();
            assert_eq!(ids, left, "{say}");
        }
    }

    #[test]
    fn large_sessions_are_kept_only_while_there_is_room() {
        let sessions = sessions(10);
        let large = i32::try_from(PARTITIONS_MAX / 2).unwrap();
        assert_eq!(open(&sessions, large, Duration::ZERO, 1), 1);
        assert_eq!(open(&sessions, large, Duration::ZERO, 2), 2);
        assert_eq!(open(&sessions, large, Duration::ZERO, 3), NO_SESSION);
        let share = i32::try_from(FAIR_SHARE).unwrap();
        assert_eq!(open(&sessions, share, Duration::ZERO, 4), 4);
        // Neither may it grow beyond its share now; the client then begins anew.
        let grown = sessions.begin(ask(4, 1, &[share], &[]), Duration::ZERO).map(|_| ());
        assert_eq!((grown, sessions.len()), (Err(SessionError::UnknownId), 2));
        let same = sessions.begin(ask(1, 1, &[0], &[]), Duration::ZERO).map(|_| ());
        assert_eq!(same, Ok(()));
    }

    #[test]
    fn twenty_thousand_new_sessions_leave_only_the_slots_filled() {
        let sessions = sessions(100);
        let mut next = 0;
        for _ in 0..20_000 {
            let fetch = sessions.begin(ask(0, 0, &[0], &[]), Duration::ZERO).unwrap();
            sessions.end(fetch, Duration::ZERO, || {
                next += 1;
                next
            });
        }
        assert_eq!(sessions.len(), 100);
    }
}
