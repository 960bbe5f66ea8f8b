//! The assignors with 10,000 partitions and 1,000 members: a new group, one that lost a member,
//! one that won a member, and one where nothing changed.

use std::collections::{BTreeMap, BTreeSet};

use divan::{Bencher, black_box};
use milena_broker::coordinator::group::assignor::{
    Assignor, Member, Partitions, Spec, Topic, assign,
};
use milena_protocol::Uuid;

fn main() {
    divan::main();
}

#[divan::bench(args = ["uniform", "range"])]
fn new_group(bencher: Bencher<'_, '_>, assignor: &str) {
    measure(bencher, assignor, &Group::new(same));
}

#[divan::bench(args = ["uniform", "range"])]
fn new_group_with_many_subscriptions(bencher: Bencher<'_, '_>, assignor: &str) {
    measure(bencher, assignor, &Group::new(different));
}

#[divan::bench(args = ["uniform", "range"])]
fn nothing_changed(bencher: Bencher<'_, '_>, assignor: &str) {
    measure(bencher, assignor, &Group::new(same).assigned(assignor));
}

#[divan::bench(args = ["uniform", "range"])]
fn a_member_left(bencher: Bencher<'_, '_>, assignor: &str) {
    let mut group = Group::new(same).assigned(assignor);
    group.members.pop_first();
    measure(bencher, assignor, &group);
}

#[divan::bench(args = ["uniform", "range"])]
fn a_member_joined(bencher: Bencher<'_, '_>, assignor: &str) {
    measure(bencher, assignor, &Group::new(same).assigned(assignor).joined());
}

#[divan::bench(args = ["uniform", "range"])]
fn a_member_joined_with_many_subscriptions(bencher: Bencher<'_, '_>, assignor: &str) {
    measure(bencher, assignor, &Group::new(different).assigned(assignor).joined());
}

fn measure(bencher: Bencher<'_, '_>, assignor: &str, group: &Group) {
    let Some(assignor) = Assignor::parse(assignor) else { return };
    let spec = group.spec();
    bencher.bench_local(|| black_box(assign(assignor, &spec)).len());
}

/// What a [`Spec`] borrows: members with what they want and have.
struct Group {
    members: BTreeMap<String, (BTreeSet<Uuid>, Partitions)>,
}

impl Group {
    /// Member `n` subscribes to the topics `t` for which `wants(n, t)` is true.
    fn new(wants: fn(usize, usize) -> bool) -> Self {
        let member = |n: usize| {
            let topics = (0..TOPICS).filter(|topic| wants(n, *topic)).map(uuid).collect();
            (format!("member-{n:04}"), (topics, Partitions::new()))
        };
        Self { members: (0..MEMBERS).map(member).collect() }
    }

    fn assigned(mut self, assignor: &str) -> Self {
        let Some(assignor) = Assignor::parse(assignor) else { return self };
        let assignment: Vec<_> = assign(assignor, &self.spec()).into_values().collect();
        for ((_, assigned), now) in self.members.values_mut().zip(assignment) {
            *assigned = now;
        }
        self
    }

    /// With one more, who wants what the first one wants.
    fn joined(mut self) -> Self {
        let topics = self.members.values().next().map(|(topics, _)| topics.clone());
        self.members.insert("new".to_owned(), (topics.unwrap_or_default(), Partitions::new()));
        self
    }

    fn spec(&self) -> Spec<'_> {
        let topic = |n| (uuid(n), Topic { partitions: PARTITIONS_EACH, racks: Vec::new() });
        let mut spec = Spec { topics: (0..TOPICS).map(topic).collect(), ..Spec::default() };
        for (id, (subscribed, assigned)) in &self.members {
            let member = Member { instance_id: None, rack: None, subscribed, assigned };
            spec.members.insert(id, member);
        }
        spec
    }
}

fn same(_: usize, _: usize) -> bool {
    true
}

/// Every member another half of the topics.
fn different(member: usize, topic: usize) -> bool {
    let mixed = (member + 1) * (topic + 1) * 2_654_435_761;
    (mixed >> 20).is_multiple_of(2) || member % TOPICS == topic
}

fn uuid(n: usize) -> Uuid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Uuid(bytes)
}

const TOPICS: usize = 100;
const PARTITIONS_EACH: i32 = 100;
const MEMBERS: usize = 1_000;
