//! Serving a fetch: passes over its partitions until there is enough to send or the time is up.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use milena_protocol::{LeaderEpoch, Offset, wire::Records};
use milena_storage::{
    epochs::EpochEnd,
    index::AbortedTransaction,
    log::{ReadError, ReadLimits},
};

use super::{
    EpochError, FetchKey, Isolation, Missing, Partition, Replicas,
    fetch_session::{Fetch, Interest, Look, Session, SessionError, Told, TopicRef, Wants},
};
use crate::purgatory::Outcome;

/// What a client asks of the whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub min_bytes: usize,
    /// The first batch of the response may exceed it.
    pub max_bytes: usize,
    pub isolation: Isolation,
}

/// The answer for one partition.
#[derive(Debug)]
pub struct Served {
    pub topic: TopicRef,
    pub index: i32,
    /// `None` if this broker does not have the partition.
    pub partition: Option<Arc<Partition>>,
    pub outcome: Result<Found, FetchError>,
    place: usize,
}

#[derive(Debug, Default)]
pub struct Found {
    pub records: Records,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
    pub log_start: Offset,
    /// Where the client's log and ours part, if they do: its last epoch that we know, and where
    /// that ended here. There are no records then.
    pub diverging: Option<EpochEnd>,
    /// What a reader of committed records leaves out of these.
    pub aborted: Vec<AbortedTransaction>,
    /// There is more than one read can give.
    goes_on: bool,
}

#[derive(Debug)]
pub enum FetchError {
    Missing(Missing),
    Epoch(EpochError),
    Read(ReadError),
}

/// Gathers records for `fetch`. Answers at once if there are `min_bytes`, if any partition has an
/// error to report or a divergence, or if a read ended with its segment but not with the log; else
/// when what is visible has moved far enough, or at `deadline` (on the monotonic clock; `None`
/// never waits) with whatever there is. The last stable offset moves when a high watermark does,
/// as a transaction ends with a marker that is committed.
///
/// # Errors
/// Another request used the session in the meantime.
pub async fn gather(
    replicas: &Replicas,
    fetch: &mut Fetch<Weak<Partition>>,
    terms: Terms,
    deadline: Option<Duration>,
) -> Result<Vec<Served>, SessionError> {
    let Some(deadline) = deadline else {
        return attempt(replicas, fetch, Terms { min_bytes: 0, ..terms })
            .map(Option::unwrap_or_default);
    };
    if let Some(served) = attempt(replicas, fetch, terms)? {
        return Ok(served);
    }
    loop {
        let keys = keys(fetch);
        let watcher = replicas.shared.fetches.watch(keys, deadline);
        // Again, so that nothing between the look and the watch is missed.
        if let Some(served) = attempt(replicas, fetch, terms)? {
            return Ok(served);
        }
        let min_bytes = match watcher.await {
            Outcome::Ready => terms.min_bytes,
            Outcome::Expired => 0,
        };
        if let Some(served) = attempt(replicas, fetch, Terms { min_bytes, ..terms })? {
            return Ok(served);
        }
    }
}

/// One pass, which is final if it found enough.
fn attempt(
    replicas: &Replicas,
    fetch: &mut Fetch<Weak<Partition>>,
    terms: Terms,
) -> Result<Option<Vec<Served>>, SessionError> {
    let only_news = fetch.is_incremental();
    let impossible = fetch.take_impossible();
    fetch.with(|session| {
        let mut pass = Pass::over(session, replicas, terms, only_news);
        pass.refuse(impossible);
        let enough = pass.urgent || pass.bytes >= terms.min_bytes || session.is_empty();
        enough.then(|| pass.settle(session))
    })
}

/// One look at every partition that may have something to tell.
#[derive(Debug, Default)]
struct Pass {
    served: Vec<Served>,
    bytes: usize,
    urgent: bool,
}

impl Pass {
    fn over(
        session: &mut Session<Weak<Partition>>,
        replicas: &Replicas,
        terms: Terms,
        only_news: bool,
    ) -> Self {
        let mut pass = Self::default();
        session.pass(|place, interest| {
            let wants = interest.wants;
            let resolved = resolve(interest, replicas);
            let partition = resolved.as_ref().ok().map(Arc::clone);
            let outcome = resolved
                .map_err(FetchError::Missing)
                .and_then(|partition| look(&partition, wants, terms, pass.bytes));
            match &outcome {
                Ok(found) => {
                    pass.bytes += found.records.len();
                    pass.urgent |= found.diverging.is_some() || found.goes_on;
                    let silent = found.records.is_empty() && found.diverging.is_none();
                    if only_news && silent && !interest.is_news(found.bounds()) {
                        return if found.is_read(wants, terms) { Look::Quiet } else { Look::News };
                    }
                }
                Err(_) => pass.urgent = true,
            }
            pass.served.push(Served {
                topic: interest.topic.clone(),
                index: interest.index,
                partition,
                outcome,
                place,
            });
            Look::News
        });
        pass
    }

    /// Answers for topics that the session does not have and will not remember.
    fn refuse(&mut self, impossible: Vec<Interest<Weak<Partition>>>) {
        self.urgent |= !impossible.is_empty();
        self.served.extend(impossible.into_iter().map(|interest| Served {
            topic: interest.topic,
            index: interest.index,
            partition: None,
            outcome: Err(FetchError::Missing(Missing::Topic)),
            place: NOWHERE,
        }));
    }

    /// Makes the session remember what is being sent.
    fn settle(self, session: &mut Session<Weak<Partition>>) -> Vec<Served> {
        let mut last_with_records = None;
        for served in &self.served {
            let bounds = served.outcome.as_ref().ok().map(Found::bounds);
            if let Some(interest) = session.at(served.place) {
                interest.tell(bounds);
            }
            if served.outcome.as_ref().is_ok_and(|found| !found.records.is_empty()) {
                last_with_records = Some(served.place);
            }
        }
        if let Some(place) = last_with_records {
            session.resume_after(place);
        }
        self.served
    }
}

impl Found {
    fn bounds(&self) -> Told {
        Told { high_watermark: self.high_watermark.0, log_start: self.log_start.0 }
    }

    /// What the client is given of this partition ends here.
    fn upper(&self, isolation: Isolation) -> Offset {
        match isolation {
            Isolation::ReadUncommitted => self.high_watermark,
            Isolation::ReadCommitted => self.last_stable_offset,
        }
    }

    /// There is nothing for this client, whatever room the response had.
    fn is_read(&self, wants: Wants, terms: Terms) -> bool {
        wants.fetch_offset >= self.upper(terms.isolation).0
    }
}

/// The partition that an interest stands for, looked up again if it is not known yet or was
/// deleted since.
fn resolve(
    interest: &mut Interest<Weak<Partition>>,
    replicas: &Replicas,
) -> Result<Arc<Partition>, Missing> {
    let known = interest.partition().and_then(Weak::upgrade);
    if let Some(partition) = known.filter(|partition| !partition.is_gone()) {
        return Ok(partition);
    }
    interest.set_partition(None);
    let found = replicas.topic(&interest.topic)?.partition(interest.index)?;
    interest.set_partition(Some(Arc::downgrade(&found)));
    Ok(found)
}

/// Reads what fits behind the `taken` bytes that the response has already.
fn look(
    partition: &Partition,
    wants: Wants,
    terms: Terms,
    taken: usize,
) -> Result<Found, FetchError> {
    partition.check_epoch(wants.current_leader_epoch).map_err(FetchError::Epoch)?;
    // Comes first: both rise meanwhile, and what is stable is not to be beyond what is committed.
    let last_stable_offset = partition.last_stable_offset();
    let mut found = Found {
        high_watermark: partition.high_watermark(),
        last_stable_offset,
        log_start: partition.log().start_offset(),
        ..Found::default()
    };
    let last_epoch = LeaderEpoch(wants.last_fetched_epoch);
    if last_epoch != LeaderEpoch::UNKNOWN {
        found.diverging =
            partition.divergence(last_epoch, wants.fetch_offset).map_err(FetchError::Read)?;
        if found.diverging.is_some() {
            return Ok(found);
        }
    }
    let left = terms.max_bytes.saturating_sub(taken);
    let limits = ReadLimits {
        max_bytes: usize::try_from(wants.max_bytes).unwrap_or(0).min(left),
        // What the client is told of the bounds holds for what it is given.
        upper: found.upper(terms.isolation),
        at_least_one: taken == 0,
    };
    let read = partition.read_as(terms.isolation, wants.fetch_offset, limits);
    if let Some(read) = read.map_err(FetchError::Read)? {
        found.records = read.records;
        found.aborted = read.aborted;
        found.goes_on = read.goes_on;
    }
    Ok(found)
}

/// What to watch for a fetch: everything that it could find. The partitions of a session that is
/// kept tell the session.
fn keys(fetch: &Fetch<Weak<Partition>>) -> Vec<FetchKey> {
    match fetch {
        Fetch::Once(session) | Fetch::Fresh(session) => {
            let asked = session.interests().iter().filter_map(Interest::partition);
            let found = asked.filter_map(Weak::upgrade);
            found.map(|partition| FetchKey::Partition(partition.key())).collect()
        }
        Fetch::Kept { kept, .. } => vec![FetchKey::Session(kept.id())],
    }
}

/// The place of what is in no session.
const NOWHERE: usize = usize::MAX;
