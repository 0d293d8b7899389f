//! Which files are done.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::journal::Opened;

/// Which files are done, while articles are done in any order.
#[derive(Default)]
pub(super) struct Order {
    /// Articles with lower numbers are all done.
    done: u64,
    /// Articles with higher numbers that are done.
    ahead: BTreeSet<u64>,
    /// Files that are read to their end, by the number that their articles are below.
    read: BTreeMap<(u64, i64), (Opened, bool)>,
}

impl Order {
    pub(super) fn translated(&mut self, number: u64) {
        self.ahead.insert(number);
        while self.ahead.remove(&self.done) {
            self.done += 1;
        }
    }

    pub(super) fn read(&mut self, before: u64, file: Opened, usable: bool) {
        self.read.insert((before, file.id), (file, usable));
    }

    /// A file whose articles are all done.
    pub(super) fn next(&mut self) -> Option<(Opened, bool)> {
        let first = self.read.first_entry()?;
        (first.key().0 <= self.done).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::archive::plan::Source;

    fn file(id: i64) -> Opened {
        Opened { id, source: Source { path: PathBuf::new(), name: String::new() } }
    }

    #[test]
    fn a_file_is_done_once_all_articles_up_to_its_end_are() {
        let mut order = Order::default();
        let mut next = |steps: &mut dyn FnMut(&mut Order)| {
            steps(&mut order);
            std::iter::from_fn(|| order.next().map(|(file, _)| file.id)).collect::<Vec<_>>()
        };
        // Articles 0 and 1 are in file 1, article 2 in file 3; file 2 has none of its own.
        assert!(next(&mut |order| order.read(2, file(1), true)).is_empty());
        assert!(next(&mut |order| order.read(3, file(3), true)).is_empty());
        assert!(next(&mut |order| order.read(2, file(2), true)).is_empty());
        assert!(next(&mut |order| order.translated(2)).is_empty());
        assert!(next(&mut |order| order.translated(1)).is_empty());
        assert_eq!(next(&mut |order| order.translated(0)), [1, 2, 3]);
    }
}
