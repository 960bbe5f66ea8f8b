//! Incremental fetch sessions (KIP-227): what a consumer wants from each partition and what it was
//! last told, remembered between its requests so that neither side repeats what has not changed.
//!
//! A request costs what it names and what has changed, however large its session is: partitions
//! tell the sessions that watch them of their changes, and a pass looks at no others.
//!
//! Pure: time and random numbers are arguments. `P` is whatever the caller resolves a partition
//! to; a session keeps it, so that a topic is looked up once per session and not once per request.
//! A client may never come back to its session, so `P` is not to keep alive what was deleted.

mod cache;
mod changes;
mod places;
mod session;

use std::sync::Arc;

use milena_protocol::{Uuid, wire::Str};

pub use self::{
    cache::{FetchSessions, Kept},
    changes::{Changes, Changing, Watched, Watchers},
    session::{Look, Session},
};
use super::Isolation;

/// How a fetch names a topic: by name before version 13, by id from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    Name(Str),
    Id(Uuid),
}

impl TopicRef {
    /// Whether there can be such a topic. A name that is too long is not worth the memory.
    fn is_possible(&self) -> bool {
        match self {
            Self::Name(name) => name.len() <= NAME_BYTES_MAX,
            Self::Id(_) => true,
        }
    }
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
#[derive(Debug)]
pub struct Interest<P> {
    pub topic: TopicRef,
    pub index: i32,
    pub wants: Wants,
    /// Once it was found.
    partition: Option<P>,
    /// `None` before the first answer and after an error: whatever comes next is news.
    told: Option<Told>,
    /// The partition tells the session of its changes.
    is_followed: bool,
}

impl<P> Interest<P> {
    pub fn new(topic: TopicRef, index: i32, wants: Wants, partition: Option<P>) -> Self {
        Self { topic, index, wants, partition, told: None, is_followed: false }
    }

    pub fn partition(&self) -> Option<&P> {
        self.partition.as_ref()
    }

    /// Puts another partition in the place of one that is gone, or of none.
    pub fn set_partition(&mut self, partition: Option<P>) {
        self.partition = partition;
        self.is_followed = false;
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

impl<P: Watched> Interest<P> {
    /// What is seen of the partition from now on was not about to change before.
    fn is_still(&self) -> bool {
        self.partition.as_ref().is_none_or(|partition| !partition.is_changing())
    }

    fn follow(&mut self, changes: &Arc<Changes>, place: usize) {
        if let Some(partition) = self.partition.as_ref().filter(|_| !self.is_followed) {
            partition.watch(changes, place);
            self.is_followed = true;
        }
    }

    fn unfollow(&mut self, changes: &Arc<Changes>) {
        if let Some(partition) = self.partition.as_ref().filter(|_| self.is_followed) {
            partition.unwatch(changes);
            self.is_followed = false;
        }
    }
}

/// The part of a fetch request that concerns its session.
#[derive(Debug)]
pub struct Ask<P> {
    pub session_id: i32,
    pub session_epoch: i32,
    pub by_id: bool,
    pub isolation: Isolation,
    pub wanted: Vec<Interest<P>>,
    pub forgotten: Vec<(TopicRef, i32)>,
}

/// A fetch under way.
#[derive(Debug)]
pub enum Fetch<P: Watched> {
    /// Nothing is remembered.
    Once(Session<P>),
    /// Becomes a session when it is answered, if there is room.
    Fresh(Session<P>),
    /// Belongs to a session; `epoch` is what the session must still be at when it is answered.
    /// The session does not remember the `impossible`, which no topic can be called.
    Kept { kept: Arc<Kept<P>>, epoch: i32, impossible: Vec<Interest<P>> },
}

impl<P: Watched> Fetch<P> {
    /// Runs `pass` over the partitions, under the session's lock if there is one.
    ///
    /// # Errors
    /// [`SessionError::InvalidEpoch`] if another request has used the session meanwhile.
    pub fn with<R>(&mut self, pass: impl FnOnce(&mut Session<P>) -> R) -> Result<R, SessionError> {
        match self {
            Self::Once(session) | Self::Fresh(session) => Ok(pass(session)),
            Self::Kept { kept, epoch, .. } => {
                let mut session = kept.session();
                if session.epoch == *epoch {
                    Ok(pass(&mut session))
                } else {
                    Err(SessionError::InvalidEpoch)
                }
            }
        }
    }

    /// What is to be refused in this answer and is nowhere else in this fetch; for the first who
    /// asks.
    pub fn take_impossible(&mut self) -> Vec<Interest<P>> {
        match self {
            Self::Once(_) | Self::Fresh(_) => Vec::new(),
            Self::Kept { impossible, .. } => std::mem::take(impossible),
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

/// As many as a topic's name may have.
const NAME_BYTES_MAX: usize = 249;

#[cfg(test)]
mod tests;
