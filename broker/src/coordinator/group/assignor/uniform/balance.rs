//! The third step: partitions move until no more even shares are possible.
//!
//! A member can give a partition to any subscriber of its class, who can pass on one of another
//! class, and so on: a path. One that ends at a member with at least two partitions less than its
//! start makes the shares more even, and where there is no such path they are as even as they can
//! be (an optimal semi-matching: Harvey, Ladner, Lovász, Tamir, 2006). Searches start from all with
//! the greatest share. What one without success has reached need not be looked at again: all of it
//! has at most one partition less than the start, and so no later start can gain there.

use std::collections::{BTreeMap, BTreeSet};

use super::Shares;

impl Shares<'_> {
    pub(super) fn balance(&mut self) {
        let mut by_load: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (place, holder) in self.holders.iter().enumerate() {
            by_load.entry(holder.load).or_default().insert(place);
        }
        let least = by_load.keys().next().copied().unwrap_or_default();
        let mut spent = Reached::nothing(self);
        while let Some(greatest) = by_load.last_entry() {
            let load = *greatest.key();
            if load < least + GAIN_MIN {
                return;
            }
            let mut reached = spent.clone();
            let Some(end) = self.search(load, greatest.get(), &mut reached) else {
                greatest.remove();
                spent = reached;
                continue;
            };
            let start = self.pass_along(end, &reached);
            for (place, before) in [(start, load), (end, self.load(end) - 1)] {
                by_load.entry(before).or_default().remove(&place);
                by_load.entry(self.load(place)).or_default().insert(place);
            }
        }
    }

    /// The end of the shortest path from any of these that makes the shares more even; of several
    /// such ends the one with the smallest share.
    fn search(
        &self,
        load: usize,
        starts: &BTreeSet<usize>,
        reached: &mut Reached,
    ) -> Option<usize> {
        let new =
            |&start: &usize| reached.add_member(start, Hop { giver: start, class: usize::MAX });
        let mut edge: Vec<usize> = starts.iter().copied().filter(new).collect();
        while !edge.is_empty() {
            edge = self.receivers(&edge, reached);
            let least = edge.iter().copied().min_by_key(|&member| (self.load(member), member))?;
            if self.load(least) + GAIN_MIN <= load {
                return Some(least);
            }
        }
        None
    }

    /// Members not reached before to which one of these can give a partition.
    fn receivers(&self, givers: &[usize], reached: &mut Reached) -> Vec<usize> {
        let mut receivers = Vec::new();
        for &giver in givers {
            let held = self.holders.get(giver).into_iter().flat_map(|holder| &holder.held);
            for (&place, _) in held.filter(|(_, pieces)| !pieces.is_empty()) {
                if !reached.add_class(place) {
                    continue;
                }
                let subscribers = self.classes.get(place).into_iter().flat_map(|c| &c.subscribers);
                let hop = Hop { giver, class: place };
                receivers.extend(subscribers.filter(|&&member| reached.add_member(member, hop)));
            }
        }
        receivers
    }

    /// Each member on the path to `end` gives one partition to the next. Answers its start.
    fn pass_along(&mut self, end: usize, reached: &Reached) -> usize {
        let mut receiver = end;
        loop {
            let hop = reached.hop_to(receiver);
            let Some(hop) = hop.filter(|hop| hop.giver != receiver) else { return receiver };
            let to = self.holders.get(receiver).and_then(|holder| holder.rack);
            let giver = self.holders.get_mut(hop.giver);
            let piece = giver.and_then(|giver| giver.give_up(hop.class, to));
            if let (Some(piece), Some(holder)) = (piece, self.holders.get_mut(receiver)) {
                holder.add(hop.class, piece);
            }
            receiver = hop.giver;
        }
    }
}

/// Members and classes that searches came to.
#[derive(Clone)]
struct Reached {
    members: Vec<Option<Hop>>,
    classes: Vec<bool>,
}

/// Who can give a member a partition, and of which class.
#[derive(Clone, Copy)]
struct Hop {
    giver: usize,
    class: usize,
}

impl Reached {
    fn nothing(shares: &Shares<'_>) -> Self {
        Self {
            members: vec![None; shares.holders.len()],
            classes: vec![false; shares.classes.len()],
        }
    }

    /// Whether it is new.
    fn add_member(&mut self, member: usize, by: Hop) -> bool {
        let hop = self.members.get_mut(member).filter(|hop| hop.is_none());
        hop.map(|hop| *hop = Some(by)).is_some()
    }

    /// Whether it is new.
    fn add_class(&mut self, class: usize) -> bool {
        self.classes.get_mut(class).is_some_and(|reached| !std::mem::replace(reached, true))
    }

    fn hop_to(&self, member: usize) -> Option<Hop> {
        self.members.get(member).copied().flatten()
    }
}

/// A move between shares that differ by less only turns them round.
const GAIN_MIN: usize = 2;
