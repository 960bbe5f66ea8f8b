//! What holds for every group, whatever its members want and had.

use std::collections::{BTreeMap, BTreeSet};

use milena_protocol::Uuid;
use proptest::{collection::vec, prelude::*};

use super::{
    Assignor, Partitions,
    tests::{Group, Joined, topics, uuid},
};

type Assignment = BTreeMap<&'static str, Partitions>;

proptest! {
    #[test]
    fn each_partition_has_one_owner_among_its_subscribers(group in groups(), range: bool) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        let assignment = group.assign(assignor);
        prop_assert!(assignment.keys().eq(group.members.keys()));
        for (topic, &partitions) in &group.topics {
            let subscribed = group.members.values().any(|m| m.subscribed.contains(topic));
            for partition in 0..partitions {
                let owners = owners(&assignment, *topic, partition);
                prop_assert_eq!(owners.len(), usize::from(subscribed), "{:?}", owners);
                for owner in owners {
                    prop_assert!(group.members[owner].subscribed.contains(topic));
                }
            }
        }
        let assigned: usize = assignment.values().map(count).sum();
        prop_assert_eq!(assigned, wanted(&group), "nothing that is not there");
    }

    #[test]
    fn uniform_shares_are_as_even_as_they_can_be(group in groups()) {
        let assignment = group.assign(Assignor::Uniform);
        for &giver in group.members.keys() {
            for receiver in reachable(&group, &assignment, giver) {
                let (more, less) = (count(&assignment[giver]), count(&assignment[receiver]));
                prop_assert!(more <= less + 1, "{} has {}, {} has {}", giver, more, receiver, less);
            }
        }
    }

    #[test]
    fn what_was_assigned_is_assigned_again(group in groups(), range: bool) {
        let assignor = if range { Assignor::Range } else { Assignor::Uniform };
        let assignment = group.assign(assignor);
        let again = having(group, &assignment);
        prop_assert_eq!(again.assign(assignor), assignment);
    }

    #[test]
    fn members_that_want_the_same_are_within_one(group in homogeneous()) {
        let shares: Vec<_> = group.assign(Assignor::Uniform).values().map(count).collect();
        prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
    }

    #[test]
    fn one_that_joins_takes_its_share_and_no_more(group in homogeneous()) {
        let before = group.assign(Assignor::Uniform);
        let mut group = having(group, &before);
        let subscribed = group.members["a"].subscribed.clone();
        group.members.insert("new", Joined { subscribed, ..Joined::default() });
        let after = group.assign(Assignor::Uniform);
        let share = wanted(&group) / group.members.len();
        prop_assert_eq!(count(&after["new"]), share);
        prop_assert_eq!(moved(&before, &after), share);
    }

    #[test]
    fn one_that_leaves_moves_its_share_alone(group in homogeneous()) {
        let before = group.assign(Assignor::Uniform);
        let mut group = having(group, &before);
        group.members.remove("a");
        let after = group.assign(Assignor::Uniform);
        if !group.members.is_empty() {
            prop_assert_eq!(moved(&before, &after), count(&before["a"]));
        }
    }
}

/// Groups whose members want and had anything.
fn groups() -> impl Strategy<Value = Group> {
    let member = (vec(any::<bool>(), TOPICS), vec(vec(-1..PARTITIONS, 0..4), TOPICS));
    (vec(0..PARTITIONS, TOPICS), vec(member, 1..=NAMES.len())).prop_map(|(counts, members)| {
        let joined = |(subscribed, assigned): (Vec<bool>, Vec<Vec<i32>>)| Joined {
            subscribed: (1..).zip(subscribed).filter(|(_, is)| *is).map(|(n, _)| uuid(n)).collect(),
            assigned: (1..)
                .zip(assigned)
                .map(|(n, p)| (uuid(n), p.into_iter().collect()))
                .collect(),
            ..Joined::default()
        };
        Group {
            members: NAMES.into_iter().zip(members.into_iter().map(joined)).collect(),
            topics: (1..).map(uuid).zip(counts).collect(),
            ..Group::default()
        }
    })
}

/// Groups whose members want the same.
fn homogeneous() -> impl Strategy<Value = Group> {
    groups().prop_map(|mut group| {
        for member in group.members.values_mut() {
            member.subscribed = topics(&[1, 2, 3]);
        }
        group
    })
}

/// The group after it got this assignment.
fn having(mut group: Group, assignment: &Assignment) -> Group {
    for (id, member) in &mut group.members {
        member.assigned.clone_from(&assignment[id]);
    }
    group
}

fn owners(assignment: &Assignment, topic: Uuid, partition: i32) -> Vec<&'static str> {
    let has = |partitions: &Partitions| {
        partitions.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    };
    assignment.iter().filter(|(_, partitions)| has(partitions)).map(|(&id, _)| id).collect()
}

/// To whom a partition can come from `giver`, if each on its way passes on one for it.
fn reachable(
    group: &Group,
    assignment: &Assignment,
    giver: &'static str,
) -> BTreeSet<&'static str> {
    let mut reached = BTreeSet::from([giver]);
    loop {
        let given: BTreeSet<_> = reached.iter().flat_map(|id| assignment[id].keys()).collect();
        let wants = |joined: &Joined| given.iter().any(|topic| joined.subscribed.contains(topic));
        let receivers = group.members.iter().filter(|(_, joined)| wants(joined)).map(|(&id, _)| id);
        let before = reached.len();
        reached.extend(receivers.collect::<Vec<_>>());
        if reached.len() == before {
            return reached;
        }
    }
}

/// Partitions whose owner is another now, or none.
fn moved(before: &Assignment, after: &Assignment) -> usize {
    let stayed = |(id, partitions): (&&str, &Partitions)| -> usize {
        let Some(now) = after.get(id) else { return 0 };
        let kept = |(topic, p): (&Uuid, &BTreeSet<i32>)| {
            now.get(topic).map_or(0, |now| now.intersection(p).count())
        };
        partitions.iter().map(kept).sum()
    };
    before.values().map(count).sum::<usize>() - before.iter().map(stayed).sum::<usize>()
}

fn wanted(group: &Group) -> usize {
    let subscribed = |topic| group.members.values().any(|m| m.subscribed.contains(topic));
    let wanted = group.topics.iter().filter(|(topic, _)| subscribed(topic));
    wanted.map(|(_, &partitions)| usize::try_from(partitions).unwrap()).sum()
}

fn count(partitions: &Partitions) -> usize {
    partitions.values().map(BTreeSet::len).sum()
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const TOPICS: usize = 4;
const PARTITIONS: i32 = 7;
