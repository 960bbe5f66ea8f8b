//! Many members that join, work, crash, leave, lose answers and change what they subscribe to,
//! while topics come, grow and go, as chance has it. No partition ever has two owners, and once
//! nobody disturbs it every partition that somebody wants has one; a broker that restarts in
//! between goes on from its records.

use std::{collections::BTreeMap, time::Duration};

use milena_protocol::{ErrorCode, Uuid, messages::ConsumerGroupHeartbeatRequest};

use super::{super::State, Owned, Table, given, join, owning};

/// One consumer, as clients behave: it goes on with what it owns until it has given it up.
#[derive(Clone, Debug, Default)]
struct Member {
    id: String,
    /// `None`: not in the group.
    epoch: Option<i32>,
    owned: Owned,
    /// What it was last told to read.
    assigned: Owned,
    topics: Vec<&'static str>,
    /// An answer was lost: it says all that it has to say again.
    unsure: bool,
}

struct World {
    table: Table,
    members: Vec<Member>,
    dice: u64,
    born: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            table: Table::new(&[("t0", 3), ("t1", 5)]),
            members: vec![Member::default(); MEMBERS],
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            born: 0,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 33) % sides
    }

    fn step(&mut self) {
        let at = usize::try_from(self.roll(MEMBERS as u64)).unwrap();
        match self.roll(40) {
            0..=24 => self.heartbeat(at, true),
            25..=27 => self.heartbeat(at, false),
            28..=30 => self.resubscribe(at),
            31 => self.leave(at),
            32 => self.members[at] = Member::default(),
            33 => self.table.restart(),
            34..=35 => self.change_topics(),
            _ => {
                // Whoever lives is heard of in time: only the dead lose what they had.
                (0..MEMBERS)
                    .filter(|&one| self.members[one].epoch.is_some())
                    .collect::<Vec<_>>()
                    .into_iter()
                    .for_each(|one| self.heartbeat(one, true));
                let seconds = self.roll(20);
                self.table.bench.advance(Duration::from_secs(seconds));
            }
        }
        self.nobody_shares();
    }

    /// A heartbeat whose answer may be lost on the way.
    fn heartbeat(&mut self, at: usize, answered: bool) {
        let member = self.members[at].clone();
        let (request, fresh) = match member.epoch {
            None => {
                self.born += 1;
                let topics = self.choose();
                let id = format!("m{}", self.born);
                let request = join(&id, &topics);
                (request, Member { id, topics, ..Member::default() })
            }
            Some(epoch) if member.unsure => (all_of(&member, epoch, &member.topics), member),
            Some(epoch) => (owning(&member.id, epoch, &member.owned), member),
        };
        let told = self.table.heartbeat(request);
        let member = &mut self.members[at];
        if !answered {
            member.unsure = true;
            return;
        }
        *member = Member { unsure: false, ..fresh };
        match told {
            Ok(told) => {
                member.epoch = Some(told.member_epoch);
                if let Some(given) = given(&told) {
                    member.assigned = given;
                }
                // It stops at once with what is not its any more, and then begins with the rest.
                member.owned = member.assigned.clone();
            }
            Err(refused) => {
                let code = refused.code;
                assert!(
                    matches!(code, ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId),
                    "{refused:?}"
                );
                *member = Member::default();
            }
        }
    }

    fn resubscribe(&mut self, at: usize) {
        let Some(epoch) = self.members[at].epoch else { return };
        let topics = self.choose();
        let member = &mut self.members[at];
        match self.table.heartbeat(all_of(member, epoch, &topics)) {
            Ok(told) => {
                let assigned = given(&told).expect("a full request");
                *member = Member {
                    epoch: Some(told.member_epoch),
                    owned: assigned.clone(),
                    assigned,
                    topics,
                    unsure: false,
                    ..member.clone()
                };
            }
            Err(_) => *member = Member::default(),
        }
    }

    fn leave(&mut self, at: usize) {
        let member = std::mem::take(&mut self.members[at]);
        if member.epoch.is_some() {
            let _ = self.table.heartbeat(super::alive(&member.id, -1));
        }
    }

    fn choose(&mut self) -> Vec<&'static str> {
        match self.roll(4) {
            0 => vec!["t0"],
            1 => vec!["t1", "t2"],
            2 => vec!["t0", "t2"],
            _ => vec!["t0", "t1", "t2"],
        }
    }

    fn change_topics(&mut self) {
        match (self.table.image.topic("t2").is_some(), self.roll(3)) {
            (false, _) => self.table.create("t2", 4),
            (true, 0) => self.table.delete("t2"),
            (true, 1) => self.table.grow("t2", 6),
            (true, _) => self.table.grow("t0", 7),
        }
    }

    fn nobody_shares(&self) {
        let mut owners: BTreeMap<(Uuid, i32), &str> = BTreeMap::new();
        for member in &self.members {
            for &one in &member.owned {
                if let Some(other) = owners.insert(one, &member.id) {
                    panic!("{one:?} is read by {other} and by {}", member.id);
                }
            }
        }
    }

    /// Everyone sends its heartbeats for a while.
    fn settle(&mut self) {
        for _ in 0..30 {
            for at in 0..MEMBERS {
                self.heartbeat(at, true);
                self.nobody_shares();
            }
            self.table.bench.advance(Duration::from_secs(5));
        }
        assert_eq!(self.table.group().state(), State::Stable);
        for name in ["t0", "t1", "t2"] {
            if self.table.image.topic(name).is_none() {
                continue;
            }
            for one in self.table.all(name) {
                let owner = self.members.iter().find(|member| member.owned.contains(&one));
                let wanted = self.members.iter().any(|member| member.topics.contains(&name));
                assert_eq!(owner.is_some(), wanted, "{name}: {one:?}");
                assert!(owner.is_none_or(|owner| owner.topics.contains(&name)));
            }
        }
    }
}

/// A full request of a member that stays.
fn all_of(member: &Member, epoch: i32, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        topic_partitions: owning(&member.id, epoch, &member.owned).topic_partitions,
        member_epoch: epoch,
        ..join(&member.id, topics)
    }
}

#[test]
fn no_partition_is_ever_shared_and_quiet_groups_read_everything() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..4 {
            for _ in 0..STEPS {
                world.step();
            }
            world.settle();
            world.table.compare_with_replay();
        }
    }
}

const MEMBERS: usize = 5;
const SEEDS: u64 = 15;
const STEPS: u32 = 120;
