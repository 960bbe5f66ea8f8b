//! Of each topic a range for each subscriber, static members first.
//!
//! What members read until now plays no part: who comes at which place in the order decides.
//! Static members come first, by their instance ids, since those outlive a restart; the others
//! follow by their member ids. Racks play no part either: a range that followed them would not be
//! the same in every topic.

use std::collections::BTreeMap;

use milena_protocol::Uuid;

use super::{Member, Partitions, Spec};

pub(super) fn assign<'a>(spec: &Spec<'a>) -> BTreeMap<&'a str, Partitions> {
    let mut members: Vec<(&'a str, &Member<'a>)> =
        spec.members.iter().map(|(&id, member)| (id, member)).collect();
    members.sort_by_key(|(id, member)| (member.instance_id.is_none(), member.instance_id, *id));

    let mut ranges: BTreeMap<Uuid, Ranges> = BTreeMap::new();
    for (_, member) in &members {
        for id in member.subscribed {
            if let Some(topic) = spec.topics.get(id) {
                ranges.entry(*id).or_insert_with(|| Ranges::of(topic.partitions)).subscribers += 1;
            }
        }
    }
    let part = |member: &Member<'a>, ranges: &mut BTreeMap<Uuid, Ranges>| {
        let mut partitions = Partitions::new();
        for id in member.subscribed {
            let range = ranges.get_mut(id).map(Ranges::take).unwrap_or_default();
            if !range.is_empty() {
                partitions.insert(*id, range.collect());
            }
        }
        partitions
    };
    members.into_iter().map(|(id, member)| (id, part(member, &mut ranges))).collect()
}

/// What is left of one topic.
struct Ranges {
    partitions: i32,
    next: i32,
    /// That have not had their range yet.
    subscribers: i32,
}

impl Ranges {
    fn of(partitions: i32) -> Self {
        Self { partitions, next: 0, subscribers: 0 }
    }

    /// The next subscriber's share of the rest: those that come first get what does not divide.
    fn take(&mut self) -> std::ops::Range<i32> {
        let left = self.partitions - self.next;
        let share = (left + self.subscribers - 1) / self.subscribers.max(1);
        let start = self.next;
        self.next += share;
        self.subscribers -= 1;
        start..self.next
    }
}
