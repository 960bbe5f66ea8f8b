//! How a session learns which of its partitions have something to tell, without asking each.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicUsize, Ordering},
};

use super::places::Places;

/// A partition that tells sessions when something about it has changed that a fetch may answer.
pub trait Watched {
    /// Has `changes` told of `place` from now on. What changed before is for the caller to look at
    /// once this has returned.
    fn watch(&self, changes: &Arc<Changes>, place: usize);

    /// Ends that; does nothing where it never began.
    fn unwatch(&self, changes: &Arc<Changes>);

    /// Whether a change is under way: see [`Watchers::change`].
    fn is_changing(&self) -> bool;
}

/// The places of one session whose partitions have changed since they were last taken.
#[derive(Debug)]
pub struct Changes {
    session_id: i32,
    places: Mutex<Places>,
}

impl Changes {
    pub(super) fn of(session_id: i32) -> Arc<Self> {
        Arc::new(Self { session_id, places: Mutex::default() })
    }

    /// What a fetch of this session waits for.
    #[must_use]
    pub fn session_id(&self) -> i32 {
        self.session_id
    }

    pub(super) fn take_into(&self, places: &mut Places) {
        let mut changed = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.take_all(&mut changed);
    }

    fn add(&self, place: usize) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    }
}

/// The sessions that watch one partition. Thread-safe: who begins to watch sees what was changed
/// before, or is told of it.
#[derive(Debug, Default)]
pub struct Watchers {
    sessions: RwLock<Vec<(Arc<Changes>, usize)>>,
    /// Changes under way.
    changing: AtomicUsize,
}

/// For as long as this lives, a change may be under way.
#[must_use]
#[derive(Debug)]
pub struct Changing<'a>(&'a AtomicUsize);

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Watchers {
    pub fn add(&self, changes: &Arc<Changes>, place: usize) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        sessions.push((Arc::clone(changes), place));
    }

    pub fn remove(&self, changes: &Arc<Changes>) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = sessions.iter().position(|(it, _)| Arc::ptr_eq(it, changes)) {
            sessions.swap_remove(at);
        }
        if sessions.is_empty() {
            *sessions = Vec::new();
        }
    }

    /// Tells all of them of a change that is about to be made. Whoever sees it, in whatever way,
    /// finds the sessions told: they do not take a partition for quiet while it is changing.
    pub fn change(&self) -> Changing<'_> {
        // Before anybody is told: who takes what was told, sees this or the change itself.
        self.changing.fetch_add(1, Ordering::SeqCst);
        self.tell(|_| ());
        Changing(&self.changing)
    }

    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.changing.load(Ordering::SeqCst) > 0
    }

    /// Tells all of them of a change that was made, and `wake` of each of them.
    pub fn tell(&self, mut wake: impl FnMut(&Changes)) {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        for (changes, place) in &*sessions {
            changes.add(*place);
            wake(changes);
        }
    }

    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}
