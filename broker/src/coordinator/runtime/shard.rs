//! The driver of one shard: turn by turn, the only one that touches the machine and the log.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use milena_protocol::Offset;
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use super::{
    AppendFailed, Entry, Lost, Machine, Now, PartitionLog, Ticket, Turn, Unavailable, batch,
    inbox::{Asker, Bell, Inbox, Job},
    load::load,
};
use crate::{clock::Clock, purgatory::Timers, tasks::Spawn};

/// A handle on a running shard. Dropping it ends the shard; those who wait learn that it is gone.
pub struct Shard<M: Machine> {
    inbox: Arc<Inbox<M>>,
    phase: Arc<AtomicU8>,
}

/// What a shard works with.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub clock: Arc<dyn Clock>,
    pub timers: Arc<Timers>,
    pub spawn: Arc<dyn Spawn>,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// The shard's name in the broker's log, such as `__consumer_offsets-7`.
    pub name: String,
    /// How long those who asked are kept waiting for a commit.
    pub commit_timeout: Duration,
}

/// Where a shard is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Loading,
    Serving,
    /// Its log failed. It serves no more until the broker starts again.
    Failed,
}

impl<M: Machine> Shard<M> {
    /// Starts a shard: `machine`, empty, takes in what `log` holds and then serves.
    #[must_use]
    pub fn start(
        machine: M,
        log: Arc<dyn PartitionLog>,
        settings: Settings,
        around: Surroundings,
    ) -> Self {
        let inbox = Arc::new(Inbox::new());
        let phase = Arc::new(AtomicU8::new(Phase::Loading as u8));
        let spawn = Arc::clone(&around.spawn);
        let driver = Driver {
            machine,
            log,
            settings,
            around,
            inbox: Arc::clone(&inbox),
            phase: Arc::clone(&phase),
            waiting: HashMap::new(),
            next_ticket: 0,
        };
        spawn.task(Box::pin(driver.run()));
        Self { inbox, phase }
    }

    /// Puts a request into the shard's queue, before this returns; what it returns resolves to the
    /// machine's reply.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask(
        &self,
        request: M::Request,
    ) -> impl Future<Output = Result<M::Reply, Unavailable>> + use<M> {
        let loading = self.phase() == Phase::Loading;
        let asked = (!loading).then(|| self.ask_patiently(request));
        async move {
            match asked {
                Some(asked) => asked.await,
                None => Err(Unavailable::Loading),
            }
        }
    }

    /// As [`Shard::ask`], but of a shard that is still loading it waits until that is done.
    ///
    /// # Errors
    /// See [`Unavailable`].
    pub fn ask_patiently(
        &self,
        request: M::Request,
    ) -> impl Future<Output = Result<M::Reply, Unavailable>> + use<M> {
        let (asker, answer) = oneshot::channel();
        let refused = self.inbox.request(request, asker).err();
        async move {
            match refused {
                Some(refused) => Err(refused),
                None => answer.await.unwrap_or(Err(Unavailable::NotHere)),
            }
        }
    }

    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Loading,
            1 => Phase::Serving,
            _ => Phase::Failed,
        }
    }
}

impl<M: Machine> Drop for Shard<M> {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl<M: Machine> fmt::Debug for Shard<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("phase", &self.phase()).finish_non_exhaustive()
    }
}

struct Driver<M: Machine> {
    machine: M,
    log: Arc<dyn PartitionLog>,
    settings: Settings,
    around: Surroundings,
    inbox: Arc<Inbox<M>>,
    phase: Arc<AtomicU8>,
    /// Requests that the machine has taken and not answered.
    waiting: HashMap<Ticket, Asker<M>>,
    next_ticket: u64,
}

/// The log can take no more, or nobody asks any more; the shard has ended.
struct Ended;

impl<M: Machine> Driver<M> {
    async fn run(mut self) {
        let shard = self.settings.name.clone();
        match load(&mut self.machine, &*self.log).await {
            Ok(0) => debug!(shard, "nothing to load"),
            Ok(records) => info!(shard, records, "loaded the coordinator's state"),
            Err(error) => {
                error!(shard, %error, "cannot read the coordinator's state");
                self.enter(Phase::Failed);
                return self.inbox.close();
            }
        }
        let mut turn = self.turn();
        self.machine.loaded(&mut turn);
        let before = self.machine.clone();
        let mut outcome = self.conclude(turn, before, Vec::new()).await;
        self.enter(Phase::Serving);
        while outcome.is_ok() {
            let jobs = self.inbox.take().await;
            if jobs.is_empty() {
                return;
            }
            outcome = self.serve(jobs).await;
        }
        if self.inbox.is_closed() {
            return;
        }
        error!(shard, "stopped coordinating: the log is offline");
        self.enter(Phase::Failed);
        self.inbox.close();
    }

    /// Serves `jobs` in as many turns as their records need batches.
    async fn serve(&mut self, jobs: Vec<Job<M>>) -> Result<(), Ended> {
        let mut turn = self.turn();
        let mut before = self.machine.clone();
        let mut taken = Vec::new();
        for job in jobs {
            taken.push(self.take_up(job, &mut turn));
            if turn.bytes() >= TURN_BYTES {
                let full = std::mem::replace(&mut turn, self.turn());
                self.conclude(full, before, std::mem::take(&mut taken)).await?;
                before = self.machine.clone();
            }
        }
        self.conclude(turn, before, taken).await
    }

    fn take_up(&mut self, job: Job<M>, turn: &mut Turn<M>) -> Taken<M> {
        match job {
            Job::Request(request, asker) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.waiting.insert(ticket, asker);
                self.machine.decide(ticket, &request, turn);
                Taken::Request(ticket, request)
            }
            Job::Ring { due, subject } => {
                self.machine.ring(&subject, due, turn);
                Taken::Ring(due, subject)
            }
        }
    }

    /// Makes a turn's decisions come true, or undoes them.
    async fn conclude(
        &mut self,
        turn: Turn<M>,
        before: M,
        taken: Vec<Taken<M>>,
    ) -> Result<(), Ended> {
        let failed = match self.append(&turn) {
            Ok(end) => return self.commit(turn, end).await,
            Err(failed) => failed,
        };
        self.machine = before;
        if failed.is_of_one() && taken.len() > 1 {
            return self.one_by_one(taken).await;
        }
        warn!(shard = self.settings.name, ?failed, "took back what could not be written");
        for taken in taken {
            self.refuse(taken, failed);
        }
        if failed == AppendFailed::Offline { Err(Ended) } else { Ok(()) }
    }

    /// One of many writes what the log does not take: the others are not to suffer for it.
    async fn one_by_one(&mut self, taken: Vec<Taken<M>>) -> Result<(), Ended> {
        for one in taken {
            let mut turn = self.turn();
            let before = self.machine.clone();
            match &one {
                Taken::Request(ticket, request) => {
                    self.machine.decide(*ticket, request, &mut turn);
                }
                Taken::Ring(due, subject) => self.machine.ring(subject, *due, &mut turn),
            }
            match self.append(&turn) {
                Ok(end) => self.commit(turn, end).await?,
                Err(failed) => {
                    self.machine = before;
                    self.refuse(one, failed);
                    if failed == AppendFailed::Offline {
                        return Err(Ended);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns what is to be waited for: the offset after the turn's records, if it has any.
    fn append(&self, turn: &Turn<M>) -> Result<Option<Offset>, AppendFailed> {
        if turn.entries.is_empty() {
            return Ok(None);
        }
        let batches = batch::build(&turn.entries, turn.ends, turn.now.wall)?;
        self.log.append(batches, turn.ends.bumping, turn.now.wall).map(Some)
    }

    /// Lets the replies go and sets the alarms, once what they rest on is committed.
    async fn commit(&mut self, turn: Turn<M>, end: Option<Offset>) -> Result<(), Ended> {
        for (due, subject) in turn.alarms {
            self.set(due, subject);
        }
        let of_transactions = turn.entries.iter().any(Entry::is_of_transaction);
        let mut replies = turn.replies;
        if let Some(end) = end {
            loop {
                let deadline = self.around.clock.monotonic() + self.settings.commit_timeout;
                let written = match of_transactions {
                    true => self.log.synced(end, deadline),
                    false => self.log.committed(end, deadline),
                };
                match written.await {
                    Ok(()) => break,
                    Err(Lost::TimedOut) => {
                        let late = std::mem::take(&mut replies).into_iter();
                        self.tell(late.map(|(ticket, _)| (ticket, Err(Unavailable::TimedOut))));
                        // Once the broker stops nothing waits any more, and nothing is committed.
                        if self.inbox.is_closed() {
                            return Err(Ended);
                        }
                    }
                    Err(Lost::Offline) => return Err(Ended),
                }
            }
        }
        self.tell(replies.into_iter().map(|(ticket, reply)| (ticket, Ok(reply))));
        Ok(())
    }

    fn tell(&mut self, replies: impl Iterator<Item = (Ticket, Result<M::Reply, Unavailable>)>) {
        for (ticket, reply) in replies {
            if let Some(asker) = self.waiting.remove(&ticket) {
                // One that went away meanwhile is not there to hear it.
                let _ = asker.send(reply);
            }
        }
    }

    fn refuse(&mut self, taken: Taken<M>, failed: AppendFailed) {
        match taken {
            Taken::Request(ticket, _) => {
                let refused = match failed {
                    AppendFailed::TooLarge => Unavailable::TooLarge,
                    AppendFailed::FencedProducer => Unavailable::FencedProducer,
                    AppendFailed::FencedCoordinator => Unavailable::FencedCoordinator,
                    AppendFailed::Mixed | AppendFailed::Refused => Unavailable::NotAppended,
                    AppendFailed::Offline => Unavailable::NotHere,
                };
                self.tell([(ticket, Err(refused))].into_iter());
            }
            // The machine believes that this alarm is still to come.
            Taken::Ring(due, subject) => {
                let bell = Bell { inbox: Arc::clone(&self.inbox), due, subject };
                let retry = self.around.clock.monotonic() + RETRY_AFTER;
                self.around.timers.arm(retry, Arc::new(bell));
            }
        }
    }

    fn set(&self, due: Duration, subject: M::Subject) {
        let bell = Bell { inbox: Arc::clone(&self.inbox), due, subject };
        self.around.timers.arm(due, Arc::new(bell));
    }

    fn turn(&self) -> Turn<M> {
        let clock = &self.around.clock;
        Turn::new(Now { wall: clock.now(), monotonic: clock.monotonic() })
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }
}

impl AppendFailed {
    /// Whether one request is at fault, and those that share its turn are not.
    const fn is_of_one(self) -> bool {
        match self {
            Self::TooLarge | Self::FencedProducer | Self::FencedCoordinator | Self::Mixed => true,
            Self::Refused | Self::Offline => false,
        }
    }
}

/// What a turn was given, kept until the turn is written.
enum Taken<M: Machine> {
    Request(Ticket, M::Request),
    Ring(Duration, M::Subject),
}

/// A turn's records are written when they reach this: half of what a batch may have by default.
const TURN_BYTES: usize = 512 * 1024;
/// How long after a failed write an alarm that it concerned goes off again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
