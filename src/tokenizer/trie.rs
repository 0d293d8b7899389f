//! Prefix search over byte strings.

use std::collections::VecDeque;
use std::ops::Range;

/// Byte strings with a value each, searched by prefix.
///
/// The nodes lie breadth first, so that the children of a node are neighbours, sorted by their byte.
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// The byte that leads into each node.
    labels: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Node {
    first_child: u32,
    children: u16,
    value: Option<u32>,
}

impl Trie {
    /// A trie of distinct strings, none of them empty.
    pub(super) fn new<'a>(entries: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let mut entries: Vec<(&[u8], u32)> =
            entries.into_iter().map(|(key, value)| (key.as_bytes(), value)).collect();
        entries.sort_unstable();
        let mut trie = Self { nodes: Vec::new(), labels: Vec::new() };
        trie.push(0);
        // Each node with the entries below it and the length of the prefix that they share.
        let mut open = VecDeque::from([(0, 0..entries.len(), 0)]);
        while let Some((node, mut below, depth)) = open.pop_front() {
            if let Some(&(key, value)) = entries.get(below.start).filter(|_| !below.is_empty())
                && key.len() == depth
            {
                trie.nodes[node].value = Some(value);
                below.start += 1;
            }
            trie.nodes[node].first_child =
                u32::try_from(trie.nodes.len()).expect("a vocabulary is below 4 GiB");
            while !below.is_empty() {
                let label = entries[below.start].0[depth];
                let count = entries[below.clone()].partition_point(|(key, _)| key[depth] == label);
                let child = below.start..below.start + count;
                below.start = child.end;
                open.push_back((trie.push(label), child, depth + 1));
                trie.nodes[node].children += 1;
            }
        }
        trie
    }

    /// Length and value of every entry that `text` starts with, shortest first.
    pub(super) fn prefixes(&self, text: &[u8]) -> impl Iterator<Item = (usize, u32)> {
        let nodes = text.iter().scan(0, |node, &byte| {
            *node = self.child(*node, byte)?;
            Some(self.nodes[*node].value)
        });
        nodes.enumerate().filter_map(|(index, value)| Some((index + 1, value?)))
    }

    /// The value of an entry.
    pub(super) fn get(&self, key: &str) -> Option<u32> {
        let node = key.bytes().try_fold(0, |node, byte| self.child(node, byte))?;
        self.nodes[node].value
    }

    fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let Range { start, end } = self.children(node);
        Some(start + self.labels[start..end].binary_search(&byte).ok()?)
    }

    fn children(&self, node: usize) -> Range<usize> {
        let Node { first_child, children, .. } = self.nodes[node];
        first_child as usize..first_child as usize + usize::from(children)
    }

    fn push(&mut self, label: u8) -> usize {
        self.nodes.push(Node { first_child: 0, children: 0, value: None });
        self.labels.push(label);
        self.nodes.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_is_found_and_nothing_else() {
        let trie = Trie::new([("abc", 2), ("a", 0), ("ab", 1), ("b", 3), ("ژ", 4)]);
        let prefixes = |text: &str| trie.prefixes(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(prefixes("abcd"), [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(prefixes("ba"), [(1, 3)]);
        assert_eq!(prefixes("ژاله"), [(2, 4)]);
        assert_eq!(prefixes("زال"), []);
        assert_eq!(prefixes(""), []);
        assert_eq!((trie.get("ab"), trie.get("abcd"), trie.get("")), (Some(1), None, None));
    }

    #[test]
    fn an_empty_trie_finds_nothing() {
        let trie = Trie::new([]);
        assert_eq!(trie.prefixes(b"a").next(), None);
    }
}
