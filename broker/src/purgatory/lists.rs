//! Doubly linked lists whose nodes live in one arena: adding and removing are O(1) and, once the
//! arena has grown, take no memory.

#![expect(clippy::indexing_slicing, reason = "indexes come from the arena's own links")]

/// The arena. A node belongs to exactly one [`List`]; which one, its owner must remember.
#[derive(Debug)]
pub(super) struct Lists<T> {
    nodes: Vec<Node<T>>,
    free: u32,
    len: usize,
}

/// One list's ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

/// Names a node for as long as it is there; never mistaken for a later one in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId {
    index: u32,
    generation: u32,
}

impl List {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL };

    pub(super) fn is_empty(self) -> bool {
        self.head == NIL
    }
}

impl<T> Lists<T> {
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new(), free: NIL, len: 0 }
    }

    /// Nodes in all lists together.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds at the end of `list`.
    ///
    /// # Panics
    /// Past four billion nodes.
    pub(super) fn push(&mut self, list: &mut List, value: T) -> NodeId {
        let index = self.take_free(value);
        let node = &mut self.nodes[index as usize];
        (node.previous, node.next) = (list.tail, NIL);
        let id = NodeId { index, generation: node.generation };
        match list.tail {
            NIL => list.head = index,
            tail => self.nodes[tail as usize].next = index,
        }
        list.tail = index;
        id
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&T> {
        let node = self.nodes.get(id.index as usize)?;
        node.value.as_ref().filter(|_| node.generation == id.generation)
    }

    /// Takes a node out of `list`, which must be the one that it was added to.
    pub(super) fn remove(&mut self, list: &mut List, id: NodeId) -> Option<T> {
        self.get(id)?;
        let Node { previous, next, .. } = self.nodes[id.index as usize];
        match previous {
            NIL => list.head = next,
            previous => self.nodes[previous as usize].next = next,
        }
        match next {
            NIL => list.tail = previous,
            next => self.nodes[next as usize].previous = previous,
        }
        self.release(id.index)
    }

    /// Takes the first node out of `list`.
    pub(super) fn pop(&mut self, list: &mut List) -> Option<T> {
        let id = self.first(*list)?;
        self.remove(list, id)
    }

    /// Moves the first node of `from` to the end of `to`, under the name that it has.
    pub(super) fn move_first(&mut self, from: &mut List, to: &mut List) {
        let index = from.head;
        if index == NIL {
            return;
        }
        let next = self.nodes[index as usize].next;
        from.head = next;
        match next {
            NIL => from.tail = NIL,
            next => self.nodes[next as usize].previous = NIL,
        }
        let node = &mut self.nodes[index as usize];
        (node.previous, node.next) = (to.tail, NIL);
        match to.tail {
            NIL => to.head = index,
            tail => self.nodes[tail as usize].next = index,
        }
        to.tail = index;
    }

    pub(super) fn first(&self, list: List) -> Option<NodeId> {
        let node = self.nodes.get(list.head as usize)?;
        Some(NodeId { index: list.head, generation: node.generation })
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut T> {
        let node = self.nodes.get_mut(id.index as usize)?;
        if node.generation == id.generation { node.value.as_mut() } else { None }
    }

    pub(super) fn iter(&self, list: List) -> impl Iterator<Item = &T> {
        let mut at = list.head;
        std::iter::from_fn(move || {
            let node = self.nodes.get(at as usize)?;
            at = node.next;
            node.value.as_ref()
        })
    }

    fn take_free(&mut self, value: T) -> u32 {
        self.len += 1;
        if self.free == NIL {
            let index = u32::try_from(self.nodes.len()).unwrap_or(NIL);
            assert!(index != NIL, "more nodes than an index can name");
            self.nodes.push(Node { value: Some(value), previous: NIL, next: NIL, generation: 0 });
            return index;
        }
        let index = self.free;
        let node = &mut self.nodes[index as usize];
        self.free = node.next;
        node.value = Some(value);
        index
    }

    fn release(&mut self, index: u32) -> Option<T> {
        let node = &mut self.nodes[index as usize];
        node.generation = node.generation.wrapping_add(1);
        node.next = self.free;
        self.free = index;
        self.len -= 1;
        node.value.take()
    }
}

#[derive(Debug)]
struct Node<T> {
    /// `None` while the node is free; `next` then leads to the next free one.
    value: Option<T>,
    previous: u32,
    next: u32,
    generation: u32,
}

const NIL: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_back_what_is_left_in_order() {
        let mut lists = Lists::new();
        let (mut a, mut b) = (List::EMPTY, List::EMPTY);
        let ids: Vec<_> = (0..5).map(|n| lists.push(&mut a, n)).collect();
        lists.push(&mut b, 9);
        assert_eq!(lists.remove(&mut a, ids[0]), Some(0));
        assert_eq!(lists.remove(&mut a, ids[2]), Some(2));
        assert_eq!(lists.remove(&mut a, ids[4]), Some(4));
        lists.move_first(&mut a, &mut b);
        assert_eq!(lists.iter(a).copied().collect::<Vec<_>>(), [3]);
        assert_eq!(lists.iter(b).copied().collect::<Vec<_>>(), [9, 1]);
        assert_eq!(lists.pop(&mut a), Some(3));
        assert!(a.is_empty());
        assert_eq!(lists.len(), 2);
    }

    #[test]
    fn an_old_name_does_not_reach_a_new_node() {
        let mut lists = Lists::new();
        let mut list = List::EMPTY;
        let old = lists.push(&mut list, 'a');
        lists.remove(&mut list, old);
        let new = lists.push(&mut list, 'b');
        assert_eq!(lists.remove(&mut list, old), None);
        assert_eq!(lists.get(new), Some(&'b'));
    }
}
