//! As many partitions for each member as its subscription allows, and as few moves as that takes.
//!
//! Three steps: members keep what they have and still want; what nobody has is dealt to those that
//! have least; then partitions move, one path at a time, as long as that makes the shares more even.
//! Topics with the same subscribers form a class: which member reads which partition of a class is
//! all the same to the balance. Kafka's assignor of this name ignores racks; this one follows
//! them where that costs neither balance nor a move.

mod balance;
mod deal;

use std::collections::BTreeMap;

use milena_protocol::Uuid;

use super::{Partitions, Spec};

pub(super) fn assign<'a>(spec: &Spec<'a>) -> BTreeMap<&'a str, Partitions> {
    let mut shares = Shares::of(spec);
    shares.keep(spec);
    shares.deal();
    shares.balance();
    shares.into_assignment()
}

/// The assignment while it is made. Members and classes are known by their places.
struct Shares<'a> {
    holders: Vec<Holder<'a>>,
    classes: Vec<Class<'a>>,
    class_of: BTreeMap<Uuid, usize>,
}

/// A member.
struct Holder<'a> {
    id: &'a str,
    rack: Option<&'a str>,
    /// Partitions in all classes.
    load: usize,
    /// By class, those that it got last at the end.
    held: BTreeMap<usize, Vec<Piece<'a>>>,
}

/// Topics that the same members subscribe to.
struct Class<'a> {
    subscribers: Vec<usize>,
    /// Partitions that nobody has.
    free: Vec<Piece<'a>>,
}

/// A partition, and the racks that it is on.
#[derive(Clone)]
struct Piece<'a> {
    topic: Uuid,
    partition: i32,
    racks: Vec<&'a str>,
}

impl<'a> Shares<'a> {
    fn of(spec: &Spec<'a>) -> Self {
        let mut subscribers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
        for (place, member) in spec.members.values().enumerate() {
            for topic in member.subscribed.iter().filter(|topic| spec.topics.contains_key(topic)) {
                subscribers.entry(*topic).or_default().push(place);
            }
        }
        let mut topics_by_subscribers: BTreeMap<Vec<usize>, Vec<Uuid>> = BTreeMap::new();
        for (topic, places) in subscribers {
            topics_by_subscribers.entry(places).or_default().push(topic);
        }
        let mut class_of = BTreeMap::new();
        let mut classes = Vec::with_capacity(topics_by_subscribers.len());
        for (subscribers, topics) in topics_by_subscribers {
            class_of.extend(topics.into_iter().map(|topic| (topic, classes.len())));
            classes.push(Class { subscribers, free: Vec::new() });
        }
        let holder = |(&id, member): (&&'a str, &super::Member<'a>)| Holder {
            id,
            rack: member.rack,
            load: 0,
            held: BTreeMap::new(),
        };
        Self { holders: spec.members.iter().map(holder).collect(), classes, class_of }
    }

    /// Leaves with each member what it has and still wants, and the rest with nobody.
    fn keep(&mut self, spec: &Spec<'a>) {
        let mut owners = self.owners(spec);
        for (topic, class) in &self.class_of {
            let Some(described) = spec.topics.get(topic) else { continue };
            for (partition, owner) in (0..).zip(owners.remove(topic).unwrap_or_default()) {
                let racks = described.racks.get(to_index(partition)).cloned().unwrap_or_default();
                let piece = Piece { topic: *topic, partition, racks };
                match owner.and_then(|owner| self.holders.get_mut(owner)) {
                    Some(holder) => holder.add(*class, piece),
                    None => {
                        if let Some(class) = self.classes.get_mut(*class) {
                            class.free.push(piece);
                        }
                    }
                }
            }
        }
    }

    /// Who has each partition and still wants it. If two say so, the first one does.
    fn owners(&self, spec: &Spec<'a>) -> BTreeMap<Uuid, Vec<Option<usize>>> {
        let unowned = |topic: &Uuid| {
            let partitions = spec.topics.get(topic).map_or(0, |topic| topic.partitions);
            (*topic, vec![None; to_index(partitions)])
        };
        let mut owners: BTreeMap<_, _> = self.class_of.keys().map(unowned).collect();
        for (place, member) in spec.members.values().enumerate() {
            let wanted =
                member.assigned.iter().filter(|(topic, _)| member.subscribed.contains(topic));
            for (topic, partitions) in wanted {
                let Some(owners) = owners.get_mut(topic) else { continue };
                for partition in partitions {
                    if let Some(owner) =
                        usize::try_from(*partition).ok().and_then(|p| owners.get_mut(p))
                    {
                        owner.get_or_insert(place);
                    }
                }
            }
        }
        owners
    }

    fn load(&self, place: usize) -> usize {
        self.holders.get(place).map_or(0, |holder| holder.load)
    }

    fn into_assignment(self) -> BTreeMap<&'a str, Partitions> {
        let partitions = |held: BTreeMap<usize, Vec<Piece<'a>>>| {
            let mut partitions = Partitions::new();
            for piece in held.into_values().flatten() {
                partitions.entry(piece.topic).or_default().insert(piece.partition);
            }
            partitions
        };
        self.holders.into_iter().map(|holder| (holder.id, partitions(holder.held))).collect()
    }
}

impl<'a> Holder<'a> {
    fn add(&mut self, class: usize, piece: Piece<'a>) {
        self.load += 1;
        self.held.entry(class).or_default().push(piece);
    }

    /// Gives up a partition of the class: the last one it got, but rather one that is near the
    /// member that gets it and far from this one.
    fn give_up(&mut self, class: usize, to: Option<&str>) -> Option<Piece<'a>> {
        let held = self.held.get_mut(&class)?;
        let suits = |piece: &Piece<'a>| piece.is_on(to) && !piece.is_on(self.rack);
        let at = held.iter().rposition(suits).unwrap_or(held.len().checked_sub(1)?);
        self.load -= 1;
        Some(held.remove(at))
    }
}

impl Piece<'_> {
    fn is_on(&self, rack: Option<&str>) -> bool {
        rack.is_some_and(|rack| self.racks.contains(&rack))
    }
}

/// A count or number of partitions, which is never negative.
fn to_index(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or_default()
}
