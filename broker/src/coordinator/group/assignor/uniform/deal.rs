//! The second step: what nobody has goes to those that have least.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use super::{Class, Piece, Shares};

impl Shares<'_> {
    /// Deals classes with few subscribers first: what only few can take weighs on those few.
    pub(super) fn deal(&mut self) {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.sort_by_key(|&class| self.classes.get(class).map(|class| class.subscribers.len()));
        for class in order {
            self.deal_class(class);
        }
    }

    /// Each in its turn, the member with the least takes a partition that is near, or else any.
    fn deal_class(&mut self, place: usize) {
        let Some(class) = self.classes.get_mut(place) else { return };
        let mut pool = Pool::of(class);
        let subscribers = &class.subscribers;
        let load = |&member: &usize| self.holders.get(member).map_or(0, |holder| holder.load);
        let mut turns: BinaryHeap<_> =
            subscribers.iter().map(|member| Reverse((load(member), *member))).collect();
        while let Some(mut turn) = turns.peek_mut() {
            let Reverse((load, member)) = &mut *turn;
            let Some(holder) = self.holders.get_mut(*member) else { return };
            let Some(piece) = pool.take(holder.rack) else { return };
            holder.add(place, piece);
            *load += 1;
        }
    }
}

/// Partitions to be dealt, each of them once.
struct Pool<'a> {
    pieces: Vec<Option<Piece<'a>>>,
    any: VecDeque<usize>,
    by_rack: BTreeMap<&'a str, VecDeque<usize>>,
}

impl<'a> Pool<'a> {
    fn of(class: &mut Class<'a>) -> Self {
        let mut by_rack: BTreeMap<_, VecDeque<_>> = BTreeMap::new();
        for (at, piece) in class.free.iter().enumerate() {
            for rack in &piece.racks {
                by_rack.entry(*rack).or_default().push_back(at);
            }
        }
        let pieces: Vec<_> = class.free.drain(..).map(Some).collect();
        Self { any: (0..pieces.len()).collect(), pieces, by_rack }
    }

    fn take(&mut self, rack: Option<&str>) -> Option<Piece<'a>> {
        let near = rack.and_then(|rack| self.by_rack.get_mut(rack));
        near.and_then(|near| first_left(near, &mut self.pieces))
            .or_else(|| first_left(&mut self.any, &mut self.pieces))
    }
}

fn first_left<'a>(
    queue: &mut VecDeque<usize>,
    pieces: &mut [Option<Piece<'a>>],
) -> Option<Piece<'a>> {
    while let Some(at) = queue.pop_front() {
        if let Some(piece) = pieces.get_mut(at).and_then(Option::take) {
            return Some(piece);
        }
    }
    None
}
