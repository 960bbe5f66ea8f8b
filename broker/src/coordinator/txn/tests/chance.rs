//! Producers that share a transactional id, write, end, stall, crash and ask twice, a broker that
//! crashes between any two steps, and partitions that take records and markers, as chance has it.
//!
//! - What a client did not ask to commit is never visible, whoever writes late.
//! - A transaction is committed in all partitions or aborted in all, and as its client was told.
//! - Once nobody disturbs it every transaction ends, in every partition.
//! - In some runs a database decides (KIP-939): what it has taken in is committed, whoever crashes
//!   in between, and what it has not is never visible.
//!
//! `MILENA_TXN_SEEDS` says how many runs there are. One that fails names its seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic,
    time::Duration,
};

use milena_protocol::{ErrorCode, ProducerEpoch, ProducerId};

use super::bench::{self, Bench, Fate, add, endings_of};
use crate::coordinator::txn::{
    End, Ending, Initialize, Initialized, Level, NO_TIMEOUT, Producer, Reply, Request, State,
    TopicPartition,
};

/// One transaction of one client.
type Tag = u32;

/// One partition, as far as transactions see it.
#[derive(Debug, Default)]
struct Partition {
    producers: BTreeMap<ProducerId, Writes>,
}

#[derive(Debug)]
struct Writes {
    epoch: i16,
    open: Vec<Tag>,
    markers: u32,
}

/// A record that was verified and has not reached its partition yet.
#[derive(Clone, Debug)]
struct Flight {
    producer: Producer,
    partition: usize,
    tag: Tag,
    /// Markers of the producer at the partition, when it was verified.
    markers: u32,
}

/// What decides about transactions from outside. Each that it takes in is to be committed.
#[derive(Debug, Default)]
struct Database {
    /// The only client whose transactions it takes.
    owner: Option<usize>,
    /// By whose they are, which is what a client that comes back compares.
    taken: BTreeMap<Producer, Tag>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    level: Level,
    producer: Option<Producer>,
    /// Who it goes on as after it lost its way.
    known: Option<Producer>,
    tag: Option<Tag>,
    /// It has put partitions in.
    began: bool,
    ending: Option<bool>,
}

#[derive(Debug)]
struct World {
    bench: Bench,
    clients: Vec<Client>,
    partitions: Vec<Partition>,
    flights: Vec<Flight>,
    /// What a writer of markers has to do, by serial number, and the partitions that are left.
    work: BTreeMap<u64, (Ending, Vec<TopicPartition>)>,
    reported: BTreeSet<u64>,
    /// Ends of transactions of version 2 that may come late, and twice.
    late: Vec<End>,
    database: Option<Database>,
    decided: BTreeMap<Tag, bool>,
    asked_to_commit: BTreeSet<Tag>,
    told: BTreeMap<Tag, bool>,
    tags: Tag,
    ids: i64,
    dice: u64,
    calm: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            bench: Bench::new(Level::from_number(i16::try_from(seed % 3).unwrap())),
            clients: Vec::new(),
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            flights: Vec::new(),
            work: BTreeMap::new(),
            reported: BTreeSet::new(),
            late: Vec::new(),
            database: None,
            decided: BTreeMap::new(),
            asked_to_commit: BTreeSet::new(),
            told: BTreeMap::new(),
            tags: 0,
            ids: 0,
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            calm: false,
        };
        if seed % 3 == 2 && world.roll(3) > 0 {
            world.database = Some(Database::default());
        }
        if world.roll(5) == 0 {
            let left = i16::try_from(world.roll(6)).unwrap();
            let epoch = ProducerEpoch(i16::MAX - 1 - left);
            world.bench.wear_out(Producer { id: ProducerId(0), epoch });
        }
        for _ in 0..CLIENTS {
            let original = world.roll(2) == 0 && world.database.is_none();
            let level = if original { Level::Original } else { Level::Bumping };
            world.clients.push(Client { level, ..Client::default() });
        }
        world.take_endings(false);
        world
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from((self.dice >> 33) % sides as u64).unwrap()
    }

    fn fate(&mut self) -> Fate {
        match (self.calm, self.roll(40)) {
            (true, _) => Fate::Written,
            (_, 0) => Fate::Refused,
            (_, 1) => Fate::CrashBefore,
            (_, 2) => Fate::CrashAfter,
            _ => Fate::Written,
        }
    }

    /// Has a request decided; `None` if whoever asked hears nothing.
    fn ask(&mut self, request: Request) -> Option<Reply> {
        let fate = self.fate();
        let ticket = self.bench.ticket();
        let mut requests = vec![(ticket, request)];
        // A late one happens to share the turn.
        if !self.late.is_empty() && !self.calm && self.roll(8) == 0 {
            let at = self.roll(self.late.len());
            requests
                .insert(self.roll(2), (self.bench.ticket(), Request::End(self.late[at].clone())));
        }
        let replies = self.bench.turn(fate, &requests);
        let mine = self.hear(fate, replies, ticket);
        // The answer itself may get lost.
        mine.filter(|_| self.calm || self.roll(30) > 0)
    }

    /// Passes on what others waited for, and returns the reply to `ticket`.
    fn hear(
        &mut self,
        fate: Fate,
        replies: bench::Replies,
        ticket: crate::coordinator::runtime::Ticket,
    ) -> Option<Reply> {
        let Some(replies) = replies else {
            if fate != Fate::Refused {
                self.work.clear();
                self.reported.clear();
                if !self.calm && self.roll(4) == 0 {
                    self.bench.compact();
                }
                self.take_endings(false);
            }
            return None;
        };
        let mut mine = None;
        for (to, reply) in replies {
            if to == ticket {
                mine = Some(reply);
            } else {
                self.begin(endings_of(reply));
            }
        }
        mine
    }

    /// The writer of markers asks for more to do.
    fn take_endings(&mut self, again: bool) {
        self.reported.clear();
        let endings = self.bench.endings(again);
        let some = !endings.is_empty();
        self.begin(endings);
        if some {
            self.take_endings(false);
        }
    }

    fn begin(&mut self, endings: Vec<Ending>) {
        if endings.is_empty() {
            return;
        }
        for ending in endings {
            let serial = ending.serial;
            if !self.reported.contains(&serial) && !self.work.contains_key(&serial) {
                let partitions = ending.partitions.clone();
                self.work.insert(serial, (ending, partitions));
            }
        }
        let again = !self.calm && self.roll(10) == 0;
        self.take_endings(again);
    }

    /// Writes one marker, or reports that all are written.
    fn write_markers(&mut self) {
        if self.work.is_empty() {
            return;
        }
        let at = self.roll(self.work.len());
        let Some((&serial, (ending, left))) = self.work.iter().nth(at) else { return };
        let (ending, mut left) = (ending.clone(), left.clone());
        if left.is_empty() {
            let request = Request::Ended { id: ending.id, serial };
            // A report whose answer is lost is made again, even if it was heard.
            let told = self.ask(request).is_some() && (self.calm || self.roll(3) > 0);
            if told && self.work.remove(&serial).is_some() {
                self.reported.insert(serial);
            }
            return;
        }
        let one = self.roll(left.len());
        let (_, partition) = left[one].clone();
        self.mark(usize::try_from(partition).unwrap(), &ending);
        // It is not known to be written: it will be again.
        if self.calm || self.roll(5) > 0 {
            left.remove(one);
        }
        self.work.insert(serial, (ending, left));
    }

    fn mark(&mut self, partition: usize, ending: &Ending) {
        let writes = self.writes(partition, ending.producer.id);
        let epoch = ending.producer.epoch.0;
        assert!(epoch >= writes.epoch, "a marker of epoch {epoch} after {}", writes.epoch);
        writes.epoch = epoch;
        writes.markers += 1;
        for tag in std::mem::take(&mut writes.open) {
            let commit = ending.commit;
            let before = self.decided.insert(tag, commit);
            assert!(before.is_none_or(|before| before == commit), "{tag} has two ends");
            let asked = self.asked_to_commit.contains(&tag);
            assert!(asked || !commit, "{tag} is visible and nobody asked for it");
        }
    }

    /// A record reaches its partition.
    fn land(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.roll(self.flights.len());
        let flight = self.flights.remove(at);
        let writes = self.writes(flight.partition, flight.producer.id);
        let epoch = flight.producer.epoch.0;
        if epoch >= writes.epoch && writes.markers == flight.markers {
            writes.epoch = epoch;
            writes.open.push(flight.tag);
        }
    }

    fn writes(&mut self, partition: usize, producer: ProducerId) -> &mut Writes {
        let producers = &mut self.partitions[partition].producers;
        producers.entry(producer).or_insert(Writes { epoch: -1, open: Vec::new(), markers: 0 })
    }

    /// Does what a client does next of its own accord.
    fn step(&mut self, at: usize) {
        let client = self.clients[at].clone();
        match (client.producer, client.ending) {
            (None, _) => self.initialize(at),
            (Some(producer), Some(commit)) => self.end(at, producer, commit),
            (Some(producer), None) => match self.roll(4) {
                0 if client.began => {
                    let commit = self.roll(3) > 0;
                    let waits = self.flights.iter().any(|one| Some(one.tag) == client.tag);
                    if !(commit && waits) {
                        self.clients[at].ending = Some(commit && self.is_taken(at));
                    }
                }
                _ => self.write(at, producer),
            },
        }
    }

    fn initialize(&mut self, at: usize) {
        let known = self.clients[at].known;
        self.ids += 1;
        let spare = Some(ProducerId(self.ids));
        let mut r = Initialize { known, spare, ..bench::initialize() };
        if self.database.is_some() {
            r.keep_prepared = true;
            r.timeout_ms = NO_TIMEOUT;
        }
        match self.ask(Request::Initialize(r)) {
            Some(Reply::Initialize(Ok(Initialized { producer, ongoing }))) => {
                let level = self.clients[at].level;
                let known = Some(producer);
                self.clients[at] = Client { level, producer: known, known, ..Client::default() };
                self.take_over(at, ongoing);
            }
            Some(Reply::Initialize(Err(ErrorCode::ProducerFenced))) => {
                self.clients[at].known = None
            }
            Some(Reply::Initialize(Err(ErrorCode::ConcurrentTransactions))) | None => {}
            other => panic!("{other:?}"),
        }
    }

    /// Whether what the client has written counts, as far as others than the broker are asked.
    fn is_taken(&mut self, at: usize) -> bool {
        let client = &self.clients[at];
        match (&mut self.database, client.producer, client.tag) {
            (None, ..) => true,
            (Some(database), Some(producer), Some(tag)) if database.owner == Some(at) => {
                database.taken.insert(producer, tag);
                true
            }
            _ => false,
        }
    }

    /// Ends what was left open as the database has it. From now on that listens to this client.
    fn take_over(&mut self, at: usize, ongoing: Option<Producer>) {
        let Some(database) = &mut self.database else { return };
        database.owner = Some(at);
        let Some(ongoing) = ongoing else { return };
        let tag = database.taken.get(&ongoing).copied();
        let client = &mut self.clients[at];
        client.tag = tag;
        client.began = true;
        client.ending = Some(tag.is_some());
    }

    fn write(&mut self, at: usize, producer: Producer) {
        let partition = self.roll(PARTITIONS);
        let markers = self.writes(partition, producer.id).markers;
        let level = self.clients[at].level;
        let request = add(producer, i32::try_from(partition).unwrap(), level);
        match self.ask(request) {
            Some(Reply::Add(ErrorCode::None)) => {
                let tag = match self.clients[at].tag {
                    Some(tag) => tag,
                    None => {
                        self.tags += 1;
                        self.tags
                    }
                };
                self.clients[at].tag = Some(tag);
                self.clients[at].began = true;
                self.flights.push(Flight { producer, partition, tag, markers });
            }
            Some(Reply::Add(ErrorCode::ConcurrentTransactions)) => {}
            // It may be in: the client does not know, and goes on.
            None => {}
            Some(Reply::Add(_)) => self.give_up(at),
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, at: usize, producer: Producer, commit: bool) {
        let client = self.clients[at].clone();
        self.ids += 1;
        let spare = Some(ProducerId(self.ids));
        let r = End { id: "x".into(), producer, commit, client: client.level, spare };
        if let Some(tag) = client.tag.filter(|_| commit) {
            self.asked_to_commit.insert(tag);
        }
        if client.level == Level::Bumping {
            self.late.push(r.clone());
        }
        match self.ask(Request::End(r)) {
            Some(Reply::End(Ok(next))) => {
                if let Some(tag) = client.tag {
                    self.told.insert(tag, commit);
                }
                let (level, next) = (client.level, Some(next));
                self.clients[at] =
                    Client { level, producer: next, known: next, ..Client::default() };
            }
            Some(Reply::End(Err(ErrorCode::ConcurrentTransactions))) | None => {}
            Some(Reply::End(Err(_))) => self.give_up(at),
            other => panic!("{other:?}"),
        }
    }

    /// A client that lost its way takes up the id again, as who it was or as somebody new.
    fn give_up(&mut self, at: usize) {
        let keep = self.roll(2) == 0;
        let client = &mut self.clients[at];
        let known = client.known.filter(|_| keep);
        *client = Client { level: client.level, known, ..Client::default() };
    }

    fn advance(&mut self, ms: usize) {
        let fates: Vec<Fate> = (0..8).map(|_| self.fate()).collect();
        let mut fates = fates.into_iter();
        let mut last = Fate::Written;
        let replies = self.bench.advance(Duration::from_millis(ms as u64), || {
            last = fates.next().unwrap_or(Fate::Written);
            last
        });
        let nobody = self.bench.ticket();
        self.hear(last, replies, nobody);
    }

    /// Nobody disturbs it any more, and no client does anything.
    fn settle(&mut self) {
        self.calm = true;
        for _ in 0..100 {
            self.advance(10_000);
            while !self.work.is_empty() {
                self.write_markers();
            }
        }
        // Nothing but a client ends what has no time-out.
        for _ in 0..10 {
            if self.database.is_some() {
                self.clients[0] = Client { level: self.clients[0].level, ..Client::default() };
                self.initialize(0);
                if self.clients[0].ending.is_some() {
                    self.step(0);
                }
            }
            while !self.work.is_empty() {
                self.write_markers();
            }
        }
        // What is still on its way comes too late to count.
        while !self.flights.is_empty() {
            self.land_late();
        }
        for partition in &self.partitions {
            for writes in partition.producers.values() {
                assert!(writes.open.is_empty(), "open for ever: {:?}", writes.open);
            }
        }
        if let Some(found) = self.bench.describe() {
            assert!(!found.state.is_ending() && found.state != State::Ongoing, "{found:?}");
        }
        for tag in self.database.iter().flat_map(|database| database.taken.values()) {
            let decided = self.decided.get(tag);
            assert!(decided.is_none_or(|&commit| commit), "{tag} is in the database only");
        }
        for (tag, commit) in &self.told {
            let decided = self.decided.get(tag);
            assert!(decided.is_none_or(|decided| decided == commit), "{tag} is told otherwise");
        }
    }

    /// The partition refuses what its coordinator does not stand for any more.
    fn land_late(&mut self) {
        let Some(flight) = self.flights.pop() else { return };
        let writes = self.writes(flight.partition, flight.producer.id);
        let fits = flight.producer.epoch.0 >= writes.epoch && writes.markers == flight.markers;
        assert!(!fits, "{flight:?} would stay open for ever");
    }

    fn compare_with_replay(&mut self) {
        let live = self.bench.describe();
        self.bench.compact();
        self.bench.crash();
        assert_eq!(self.bench.describe(), live);
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..200 {
        let at = world.roll(CLIENTS);
        match world.roll(20) {
            0 => world.give_up(at),
            1 => {
                let ms = world.roll(30_000);
                world.advance(ms);
            }
            2..=5 => world.land(),
            6..=10 => world.write_markers(),
            _ => world.step(at),
        }
    }
    world.settle();
    world.compare_with_replay();
}

#[test]
fn no_transaction_has_two_ends_none_is_lost_and_no_zombie_is_seen() {
    let seeds = std::env::var("MILENA_TXN_SEEDS").ok().and_then(|text| text.parse().ok());
    for seed in 0..seeds.unwrap_or(SEEDS) {
        if panic::catch_unwind(|| run(seed)).is_err() {
            panic!("the run of seed {seed} failed");
        }
    }
}

const SEEDS: u64 = 1_000;
const CLIENTS: usize = 3;
const PARTITIONS: usize = 4;
