//! Which images recovery cannot tell apart.
//!
//! A recovery is a deterministic function of the bytes it reads. Two images of the same length that
//! agree on every block that one recovery read lead to the same end; what stands in the other
//! blocks is of no consequence. The trie keeps what is known so far:
//!
//! ```text
//!   length 696320 -> block 0? -- 5e1f.. --> block 12? -- 91ab.. --> found version 3
//!                            \              \-- 77c0.. --> found version 2
//!                             \- 03d2.. --> ...
//! ```
//!
//! A leaf is valid because every block that its recovery read is asked for on the way to it. (More
//! may be asked for: the way was laid by other recoveries, too.)

use std::collections::HashMap;

/// What a recovery ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The class of the version that was found.
    pub(super) class: usize,
    /// The number of the transaction that was written then.
    pub(super) next_id: Option<u64>,
}

impl Leaf {
    /// With a broken promise that the engine tolerates.
    pub(super) const TOLERATED: Leaf = Leaf { class: usize::MAX, next_id: None };
}

#[derive(Debug)]
enum Node {
    Ask { block: usize, children: Vec<(u64, usize)> },
    Leaf(Leaf),
}

/// A place where a node stands, or could stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    Root { length: u64 },
    Child { parent: usize, content: u64 },
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    Nothing,
    Ask { node: usize, block: usize },
    Leaf(Leaf),
}

#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    roots: HashMap<u64, usize>,
}

impl Trie {
    pub(super) fn at(&self, slot: Slot) -> Found {
        let node = match slot {
            Slot::Root { length } => self.roots.get(&length).copied(),
            Slot::Child { parent, content } => match &self.nodes[parent] {
                Node::Ask { children, .. } => {
                    children.iter().find(|child| child.0 == content).map(|child| child.1)
                }
                Node::Leaf(_) => None,
            },
        };
        match node.map(|node| (node, &self.nodes[node])) {
            None => Found::Nothing,
            Some((node, Node::Ask { block, .. })) => Found::Ask { node, block: *block },
            Some((_, Node::Leaf(leaf))) => Found::Leaf(*leaf),
        }
    }

    /// Follows an image as far as it is known.
    pub(super) fn walk(
        &self,
        length: u64,
        mut content: impl FnMut(usize) -> u64,
        asked: &mut Vec<usize>,
    ) -> (Slot, Option<Leaf>) {
        let mut slot = Slot::Root { length };
        loop {
            match self.at(slot) {
                Found::Nothing => return (slot, None),
                Found::Leaf(leaf) => return (slot, Some(leaf)),
                Found::Ask { node, block } => {
                    asked.push(block);
                    slot = Slot::Child { parent: node, content: content(block) };
                }
            }
        }
    }

    /// Lays the way from an empty slot: the blocks to be asked for, with their contents, then the
    /// leaf.
    pub(super) fn attach(
        &mut self,
        slot: Slot,
        way: impl Iterator<Item = (usize, u64)>,
        leaf: Leaf,
    ) {
        let mut slot = slot;
        for (block, content) in way {
            let parent = self.put(slot, Node::Ask { block, children: Vec::new() });
            slot = Slot::Child { parent, content };
        }
        self.put(slot, Node::Leaf(leaf));
    }

    fn put(&mut self, slot: Slot, node: Node) -> usize {
        let number = self.nodes.len();
        self.nodes.push(node);
        match slot {
            Slot::Root { length } => {
                self.roots.insert(length, number);
            }
            Slot::Child { parent, content } => {
                if let Node::Ask { children, .. } = &mut self.nodes[parent] {
                    children.push((content, number));
                }
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_agree_on_what_was_read_share_a_leaf() {
        let mut trie = Trie::default();
        let leaf = |class| Leaf { class, next_id: None };
        let mut asked = Vec::new();
        let (slot, known) = trie.walk(100, |_| 1, &mut asked);
        assert_eq!((known, asked.len()), (None, 0));
        trie.attach(slot, [(7, 1), (3, 1)].into_iter(), leaf(0));
        let find = |trie: &Trie, contents: [u64; 8]| {
            let mut asked = Vec::new();
            let (slot, leaf) = trie.walk(100, |block| contents[block], &mut asked);
            (slot, leaf, asked)
        };
        assert_eq!(find(&trie, [9, 9, 9, 1, 9, 9, 9, 1]).1, Some(leaf(0)));
        let (slot, known, asked) = find(&trie, [9, 9, 9, 2, 9, 9, 9, 1]);
        assert_eq!((known, &asked[..]), (None, &[7, 3][..]));
        trie.attach(slot, [(0, 9)].into_iter(), leaf(1));
        assert_eq!(find(&trie, [9, 5, 5, 2, 5, 5, 5, 1]).1, Some(leaf(1)));
        assert_eq!(find(&trie, [8, 5, 5, 2, 5, 5, 5, 1]).1, None);
        assert_eq!(trie.walk(200, |_| 1, &mut Vec::new()).1, None);
    }
}
