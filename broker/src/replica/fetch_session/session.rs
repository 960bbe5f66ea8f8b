//! The partitions of one fetch, and which of them have to be looked at.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use super::{
    Interest, TopicRef,
    changes::{Changes, Watched},
    places::Places,
};
use crate::replica::Isolation;

/// The partitions of one fetch, in the order in which they are served.
///
/// Of a session that is kept, a pass shows those alone that may have something to tell: what was
/// asked for anew, what the partitions told of, and what was not quiet when it was last seen.
#[derive(Debug)]
pub struct Session<P: Watched> {
    interests: Vec<Interest<P>>,
    places: HashMap<(TopicRef, i32), usize>,
    /// Where the next pass begins.
    first: usize,
    pub(super) by_id: bool,
    pub(super) isolation: Isolation,
    /// What the next request of this session has to say; of no meaning before it is kept.
    pub(super) epoch: i32,
    /// Once it is kept.
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    changes: Arc<Changes>,
    /// Places that have to be looked at.
    open: Places,
}

/// What was found at a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing that has to be sent now or later, unless the partition or the client changes
    /// something.
    Quiet,
    News,
}

impl<P: Watched> Session<P> {
    pub(super) fn new(interests: Vec<Interest<P>>, by_id: bool, isolation: Isolation) -> Self {
        Self {
            interests,
            places: HashMap::new(),
            first: 0,
            by_id,
            isolation,
            epoch: 0,
            following: None,
        }
    }

    /// Shows `look` each partition that may have something to tell, with its place, the one that
    /// has waited longest first.
    pub fn pass(&mut self, mut look: impl FnMut(usize, &mut Interest<P>) -> Look) {
        if let Some(Following { changes, open }) = &mut self.following {
            changes.take_into(open);
        }
        let len = self.interests.len();
        let first = self.first.min(len);
        for part in [first..len, 0..first] {
            let mut from = part.start;
            while let Some(place) = self.next_from(from).filter(|&place| place < part.end) {
                from = place + 1;
                let Some(interest) = self.interests.get_mut(place) else { break };
                if let Some(Following { changes, .. }) = &self.following {
                    // Before the look, so that nothing between the two is missed.
                    interest.follow(changes, place);
                }
                let was_still = interest.is_still();
                let found = look(place, interest);
                if let Some(Following { open, .. }) = &mut self.following
                    && found == Look::Quiet
                    && was_still
                    && interest.is_followed
                {
                    open.remove(place);
                }
            }
        }
    }

    /// The partition at a place that [`Session::pass`] showed.
    pub fn at(&mut self, place: usize) -> Option<&mut Interest<P>> {
        self.interests.get_mut(place)
    }

    /// Lets the next pass begin behind `place`, the last one that was given records, so that no
    /// partition is starved by the response's size limit.
    pub fn resume_after(&mut self, place: usize) {
        self.first = if place + 1 < self.interests.len() { place + 1 } else { 0 };
    }

    /// All partitions, in no order that means anything.
    #[must_use]
    pub fn interests(&self) -> &[Interest<P>] {
        &self.interests
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.interests.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.interests.is_empty()
    }

    /// Makes it one that is kept under this id. Each partition is to be looked at once more.
    pub(super) fn keep_as(&mut self, id: i32) {
        let interests = std::mem::take(&mut self.interests);
        self.places.reserve(interests.len());
        for interest in interests {
            self.put(interest);
        }
        let open = Places::below(self.interests.len());
        self.following = Some(Following { changes: Changes::of(id), open });
    }

    /// What one isolation level hides another shows: all has to be looked at again.
    pub(super) fn read_as(&mut self, isolation: Isolation) {
        if isolation != self.isolation {
            self.isolation = isolation;
            if let Some(following) = &mut self.following {
                following.open = Places::below(self.interests.len());
            }
        }
    }

    pub(super) fn put(&mut self, interest: Interest<P>) {
        let place = match self.places.entry((interest.topic.clone(), interest.index)) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(self.interests.len()),
        };
        match self.interests.get_mut(place) {
            Some(known) => known.wants = interest.wants,
            None => self.interests.push(interest),
        }
        self.reopen(place);
    }

    pub(super) fn forget(&mut self, topic: TopicRef, index: i32) {
        let Some(place) = self.places.remove(&(topic, index)) else { return };
        let mut gone = self.interests.swap_remove(place);
        self.unfollow(&mut gone);
        if place < self.interests.len() {
            // The last one has taken its place.
            if let Some(moved) = self.interests.get_mut(place) {
                self.places.insert((moved.topic.clone(), moved.index), place);
                if let Some(following) = &self.following {
                    moved.unfollow(&following.changes);
                }
            }
            self.reopen(place);
        }
        if self.first >= self.interests.len() {
            self.first = 0;
        }
    }

    fn next_from(&self, place: usize) -> Option<usize> {
        match &self.following {
            Some(following) => following.open.next_from(place),
            None => Some(place),
        }
    }

    fn reopen(&mut self, place: usize) {
        if let Some(following) = &mut self.following {
            following.open.insert(place);
        }
    }

    fn unfollow(&self, interest: &mut Interest<P>) {
        if let Some(following) = &self.following {
            interest.unfollow(&following.changes);
        }
    }
}

impl<P: Watched> Drop for Session<P> {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            for interest in &mut self.interests {
                interest.unfollow(&following.changes);
            }
        }
    }
}
