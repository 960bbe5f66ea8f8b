//! Many clients that join, work, stall, crash, leave and come back, as chance has it. No partition
//! ever has two owners in one generation, every request is answered, and once nobody disturbs it
//! the group gets to work; a broker that restarts in between goes on from its records.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use milena_protocol::ErrorCode;

use crate::coordinator::{
    group::{
        Reply, Request,
        bench::{Bench, commit, join_request, joiner, leave, sync},
        classic::State,
    },
    runtime::Ticket,
};

/// One consumer, as clients behave.
#[derive(Clone, Debug)]
enum Client {
    Out,
    Joining(String, Ticket),
    Syncing(String, i32, Ticket),
    Working(String, i32),
}

struct World {
    bench: Bench,
    clients: Vec<Client>,
    /// Who was assigned what in each generation.
    owners: BTreeMap<(i32, u8), String>,
    dice: u64,
    born: u32,
    /// Restarts can give a generation twice; owners are then counted anew.
    lives: i32,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            bench: Bench::new(),
            clients: vec![Client::Out; CLIENTS],
            owners: BTreeMap::new(),
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            born: 0,
            lives: 0,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 33) % sides
    }

    fn join(&mut self, at: usize, member: &str) {
        self.born += 1;
        let request = join_request(member, &[("range", b"r")]);
        let ticket = self.bench.ask(Request::Join(request, joiner(&self.born.to_string())));
        self.clients[at] = Client::Joining(member.to_owned(), ticket);
    }

    /// Does what a client does next of its own accord.
    fn step(&mut self, at: usize) {
        match self.clients[at].clone() {
            Client::Out => self.join(at, ""),
            Client::Joining(_, ticket) => {
                let Some(joined) = self.bench.joined(ticket) else { return };
                let id = joined.member_id.to_string();
                match joined.error_code {
                    ErrorCode::None => {
                        let generation = joined.generation_id;
                        let members: Vec<_> =
                            joined.members.iter().map(|one| one.member_id.to_string()).collect();
                        let ticket = self.bench.ask(assign(&id, generation, &members));
                        self.clients[at] = Client::Syncing(id, generation, ticket);
                    }
                    ErrorCode::MemberIdRequired | ErrorCode::RebalanceInProgress => {
                        self.join(at, &id);
                    }
                    _ => self.clients[at] = Client::Out,
                }
            }
            Client::Syncing(id, generation, ticket) => {
                let Some(synced) = self.bench.synced(ticket) else { return };
                match synced.error_code {
                    ErrorCode::None => {
                        self.own(&id, generation, &synced.assignment);
                        self.clients[at] = Client::Working(id, generation);
                    }
                    ErrorCode::RebalanceInProgress => self.join(at, &id),
                    _ => self.clients[at] = Client::Out,
                }
            }
            Client::Working(id, generation) => {
                match self.bench.heartbeat(&id, generation) {
                    ErrorCode::None => {}
                    ErrorCode::RebalanceInProgress => return self.join(at, &id),
                    _ => return self.clients[at] = Client::Out,
                }
                let offset = i64::from(self.born);
                let told = self.bench.answer(commit(&id, generation, offset));
                assert!(matches!(told, Reply::Commit(_)));
            }
        }
    }

    fn own(&mut self, id: &str, generation: i32, assignment: &Bytes) {
        for &partition in assignment {
            let key = (self.lives + generation, partition);
            let owner = self.owners.entry(key).or_insert_with(|| id.to_owned());
            assert_eq!(owner, id, "two owners of {partition} in generation {generation}");
        }
    }

    fn disturb(&mut self, at: usize) {
        match (self.roll(4), self.clients[at].clone()) {
            // A crash: nobody is told.
            (0, _) => self.clients[at] = Client::Out,
            (1, Client::Working(id, _) | Client::Syncing(id, ..)) => {
                self.bench.answer(leave(&id));
                self.clients[at] = Client::Out;
            }
            // The answer got lost, and it asks again.
            (2, Client::Joining(id, _)) if !id.is_empty() => self.join(at, &id),
            (3, Client::Working(id, _)) => self.join(at, &id),
            _ => {}
        }
    }

    /// Nobody who waited for an answer will get one.
    fn restart(&mut self) {
        self.bench = self.bench.restarted();
        self.lives += 1_000_000;
        for client in &mut self.clients {
            if matches!(client, Client::Joining(..) | Client::Syncing(..)) {
                *client = Client::Out;
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..200 {
            for at in 0..CLIENTS {
                self.step(at);
            }
            self.bench.advance(Duration::from_secs(2));
        }
        let working = self.clients.iter().all(|client| matches!(client, Client::Working(..)));
        assert!(working, "{:?}", self.clients);
        assert_eq!(self.bench.classic().state, State::Stable);
        assert_eq!(self.bench.open(), []);
    }

    fn compare_with_replay(&self) {
        let replayed = self.bench.restarted();
        let (live, restored) = (self.bench.group().unwrap(), replayed.group().unwrap());
        assert_eq!(restored.offsets, live.offsets);
        let (live, restored) = (self.bench.classic(), replayed.classic());
        assert_eq!((restored.record(), restored.state), (live.record(), live.state));
    }
}

/// The leader gives each partition to one of the members in turn.
fn assign(id: &str, generation: i32, members: &[String]) -> Request {
    let mut shares: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        if let Some(owner) = members.get(usize::from(partition) % members.len().max(1)) {
            shares.entry(owner).or_default().push(partition);
        }
    }
    let shares: Vec<(&str, &[u8])> =
        shares.iter().map(|(&owner, partitions)| (owner, partitions.as_slice())).collect();
    sync(id, generation, &shares)
}

#[test]
fn no_partition_has_two_owners_and_the_group_gets_to_work() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..300 {
            let at = usize::try_from(world.roll(CLIENTS as u64)).unwrap();
            match world.roll(12) {
                0 => world.disturb(at),
                1 if world.roll(20) == 0 => world.restart(),
                2..=4 => {
                    let ms = world.roll(4_000);
                    world.bench.advance(Duration::from_millis(ms));
                }
                _ => world.step(at),
            }
        }
        world.settle();
        world.compare_with_replay();
    }
}

const SEEDS: u64 = 50;
const CLIENTS: usize = 6;
const PARTITIONS: u8 = 8;
