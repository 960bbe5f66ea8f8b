//! Groups whose assignment can be told beforehand.

use std::collections::{BTreeMap, BTreeSet};

use milena_protocol::Uuid;

use super::{Assignor, Member, Partitions, Spec, Topic, assign};

#[test]
fn a_new_group_shares_each_topic() {
    let mut group = Group::of(&[("a", 1), ("b", 1), ("c", 1)], &[(1, 4), (2, 2)]);
    for member in group.members.values_mut() {
        member.subscribed = topics(&[1, 2]);
    }
    assert_eq!(
        group.assign(Assignor::Uniform),
        expected(&[
            ("a", &[(1, &[0, 3])]),
            ("b", &[(1, &[1]), (2, &[0])]),
            ("c", &[(1, &[2]), (2, &[1])]),
        ])
    );
    assert_eq!(
        group.assign(Assignor::Range),
        expected(&[
            ("a", &[(1, &[0, 1]), (2, &[0])]),
            ("b", &[(1, &[2]), (2, &[1])]),
            ("c", &[(1, &[3])])
        ])
    );
}

#[test]
fn a_newcomer_gets_its_share_and_nothing_else_moves() {
    let mut group = Group::of(&[("a", 1), ("b", 1), ("c", 1)], &[(1, 7)]);
    group.assigned("a", 1, &[0, 1, 2, 3]);
    group.assigned("b", 1, &[4, 5, 6]);
    assert_eq!(
        group.assign(Assignor::Uniform),
        expected(&[("a", &[(1, &[0, 1])]), ("b", &[(1, &[4, 5, 6])]), ("c", &[(1, &[2, 3])])])
    );
}

#[test]
fn what_a_member_left_goes_to_those_that_have_least() {
    let mut group = Group::of(&[("a", 1), ("b", 1)], &[(1, 5)]);
    group.assigned("a", 1, &[0]);
    group.assigned("b", 1, &[3, 4]);
    assert_eq!(
        group.assign(Assignor::Uniform),
        expected(&[("a", &[(1, &[0, 1, 2])]), ("b", &[(1, &[3, 4])])])
    );
}

#[test]
fn shares_are_evened_out_through_a_member_between() {
    let mut group = Group::of(&[("a", 1), ("b", 1), ("c", 2)], &[(1, 4), (2, 2)]);
    group.members.get_mut("b").unwrap().subscribed = topics(&[1, 2]);
    group.assigned("a", 1, &[0, 1, 2]);
    group.assigned("b", 1, &[3]);
    group.assigned("b", 2, &[0]);
    group.assigned("c", 2, &[1]);
    assert_eq!(
        group.assign(Assignor::Uniform),
        expected(&[("a", &[(1, &[0, 1])]), ("b", &[(1, &[2, 3])]), ("c", &[(2, &[0, 1])])])
    );
}

#[test]
fn what_is_no_longer_wanted_or_no_longer_there_is_taken_away() {
    let mut group = Group::of(&[("a", 1), ("b", 1)], &[(1, 2), (2, 2)]);
    group.assigned("a", 1, &[0, 1, 2, -1]);
    group.assigned("a", 2, &[0]);
    group.assigned("b", 1, &[0]);
    group.assigned("b", 3, &[0]);
    let assignment = group.assign(Assignor::Uniform);
    assert_eq!(assignment, expected(&[("a", &[(1, &[0])]), ("b", &[(1, &[1])])]));
}

#[test]
fn topics_that_nobody_knows_or_wants_are_nobodys() {
    let mut group = Group::of(&[("a", 3), ("b", 1)], &[(1, 1), (2, 1)]);
    group.assigned("b", 1, &[0]);
    for assignor in Assignor::ALL {
        assert_eq!(group.assign(assignor), expected(&[("a", &[]), ("b", &[(1, &[0])])]));
    }
}

#[test]
fn a_group_without_members_or_topics_has_nothing_to_share() {
    for assignor in Assignor::ALL {
        assert_eq!(Group::of(&[], &[(1, 3)]).assign(assignor), BTreeMap::new());
        assert_eq!(Group::of(&[("a", 1)], &[]).assign(assignor), expected(&[("a", &[])]));
        assert_eq!(Group::of(&[("a", 1)], &[(1, 0)]).assign(assignor), expected(&[("a", &[])]));
    }
}

#[test]
fn ranges_are_the_same_in_topics_of_one_size() {
    let mut group = Group::of(&[("a", 1), ("b", 1)], &[(1, 3), (2, 3)]);
    for member in group.members.values_mut() {
        member.subscribed = topics(&[1, 2]);
    }
    assert_eq!(
        group.assign(Assignor::Range),
        expected(&[("a", &[(1, &[0, 1]), (2, &[0, 1])]), ("b", &[(1, &[2]), (2, &[2])])])
    );
}

#[test]
fn static_members_have_their_ranges_first_whatever_their_member_ids() {
    let mut group = Group::of(&[("a", 1), ("y", 1), ("z", 1)], &[(1, 3)]);
    group.members.get_mut("z").unwrap().instance = Some("1");
    group.members.get_mut("y").unwrap().instance = Some("2");
    assert_eq!(
        group.assign(Assignor::Range),
        expected(&[("a", &[(1, &[2])]), ("y", &[(1, &[1])]), ("z", &[(1, &[0])])])
    );
}

#[test]
fn partitions_go_to_members_on_their_racks() {
    let mut group = Group::of(&[("a", 1), ("b", 1)], &[(1, 4)]);
    group.members.get_mut("a").unwrap().rack = Some("right");
    group.members.get_mut("b").unwrap().rack = Some("left");
    group.racks = vec![vec!["left"], vec!["left"], vec!["right"], vec!["right"]];
    let near = expected(&[("a", &[(1, &[2, 3])]), ("b", &[(1, &[0, 1])])]);
    assert_eq!(group.assign(Assignor::Uniform), near);

    group.assigned("a", 1, &[0, 1, 2, 3]);
    assert_eq!(group.assign(Assignor::Uniform), near, "what moves is what is far");

    group.assigned("a", 1, &[0, 1]);
    group.assigned("b", 1, &[2, 3]);
    let kept = expected(&[("a", &[(1, &[0, 1])]), ("b", &[(1, &[2, 3])])]);
    assert_eq!(group.assign(Assignor::Uniform), kept, "nothing moves for its rack alone");
}

#[test]
fn assignors_are_known_by_their_names() {
    for assignor in Assignor::ALL {
        assert_eq!(Assignor::parse(assignor.name()), Some(assignor));
    }
    assert_eq!(Assignor::parse("Uniform"), None);
}

/// What a [`Spec`] borrows.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) members: BTreeMap<&'static str, Joined>,
    pub(super) topics: BTreeMap<Uuid, i32>,
    /// Of the partitions of every topic.
    pub(super) racks: Vec<Vec<&'static str>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Joined {
    pub(super) instance: Option<&'static str>,
    pub(super) rack: Option<&'static str>,
    pub(super) subscribed: BTreeSet<Uuid>,
    pub(super) assigned: Partitions,
}

impl Joined {
    fn as_member(&self) -> Member<'_> {
        Member {
            instance_id: self.instance,
            rack: self.rack,
            subscribed: &self.subscribed,
            assigned: &self.assigned,
        }
    }
}

impl Group {
    /// Members with the topic that each subscribes to; topics with their partitions.
    fn of(members: &[(&'static str, u8)], counts: &[(u8, i32)]) -> Self {
        let joined = |&(id, topic): &(&'static str, u8)| {
            (id, Joined { subscribed: topics(&[topic]), ..Joined::default() })
        };
        Self {
            members: members.iter().map(joined).collect(),
            topics: counts.iter().map(|&(topic, partitions)| (uuid(topic), partitions)).collect(),
            racks: Vec::new(),
        }
    }

    fn assigned(&mut self, member: &str, topic: u8, partitions: &[i32]) {
        let assigned = &mut self.members.get_mut(member).unwrap().assigned;
        assigned.insert(uuid(topic), partitions.iter().copied().collect());
    }

    pub(super) fn assign(&self, assignor: Assignor) -> BTreeMap<&'static str, Partitions> {
        let topic = |(&id, &partitions): (&Uuid, &i32)| {
            (id, Topic { partitions, racks: self.racks.clone() })
        };
        let spec = Spec {
            members: self.members.iter().map(|(&id, joined)| (id, joined.as_member())).collect(),
            topics: self.topics.iter().map(topic).collect(),
        };
        assign(assignor, &spec)
            .into_iter()
            .map(|(id, partitions)| (self.name(id), partitions))
            .collect()
    }

    fn name(&self, id: &str) -> &'static str {
        self.members.get_key_value(id).unwrap().0
    }
}

pub(super) fn uuid(number: u8) -> Uuid {
    Uuid([number; 16])
}

pub(super) fn topics(numbers: &[u8]) -> BTreeSet<Uuid> {
    numbers.iter().map(|&number| uuid(number)).collect()
}

type Parts<'a> = &'a [(u8, &'a [i32])];

fn expected(members: &[(&'static str, Parts<'_>)]) -> BTreeMap<&'static str, Partitions> {
    let partitions = |parts: Parts<'_>| {
        parts.iter().map(|&(topic, p)| (uuid(topic), p.iter().copied().collect())).collect()
    };
    members.iter().map(|&(id, parts)| (id, partitions(parts))).collect()
}
