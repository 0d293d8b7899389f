//! Packed streams that are bombs: a little that unpacks to very much.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Unpacked bytes of a stream up to which the ratio doesn't count: a short file of one repeated letter is no bomb.
pub(super) const FREE_BYTES: u64 = 16 << 20;
/// The same for a whole document with all that is packed in it.
const FREE_BUDGET: u64 = 256 << 20;

/// What all streams of a document may unpack to together, at whatever depth: streams that are harmless one by one are
/// none where there are thousands of them, or each holds the next.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    left: Rc<Cell<u64>>,
    max_ratio: u64,
}

impl Budget {
    /// For a document of `size` bytes.
    pub(super) fn new(size: u64, max_ratio: u64) -> Self {
        let bytes = FREE_BUDGET.max(size.saturating_mul(max_ratio));
        Self { left: Rc::new(Cell::new(bytes)), max_ratio }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    pub(super) fn spend(&self, bytes: u64) -> io::Result<()> {
        self.left.set(self.left.get().saturating_sub(bytes));
        if self.is_spent() { Err(io::Error::other(is_bomb(self.max_ratio))) } else { Ok(()) }
    }
}

/// What is said of a bomb.
pub(super) fn is_bomb(max_ratio: u64) -> String {
    format!(
        "unpacks to more than {max_ratio} times its size and is taken for a bomb; allow more with --max-ratio, if it \
         is none"
    )
}

/// A stream that counts the bytes read from it.
pub(super) struct Metered<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R> Metered<R> {
    /// The stream, and what it has counted so far.
    pub(super) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let read = Rc::<Cell<u64>>::default();
        (Self { inner, read: read.clone() }, read)
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

/// An unpacked stream that fails once it is too large for what it was packed in.
pub(super) struct Guarded<R> {
    inner: R,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
    budget: Budget,
}

impl<R> Guarded<R> {
    /// `packed` has the number of packed bytes read so far, or in all.
    pub(super) fn new(inner: R, packed: Rc<Cell<u64>>, budget: &Budget) -> Self {
        Self { inner, packed, unpacked: 0, budget: budget.clone() }
    }
}

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read as u64;
        self.budget.spend(read as u64)?;
        let max_ratio = self.budget.max_ratio;
        if self.unpacked > FREE_BYTES.max(self.packed.get().saturating_mul(max_ratio)) {
            return Err(io::Error::other(is_bomb(max_ratio)));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: u64, unpacked: u64) -> io::Result<u64> {
        let (budget, packed) = (Budget::new(1 << 30, 100), Rc::new(Cell::new(packed)));
        io::copy(&mut Guarded::new(io::repeat(b'x').take(unpacked), packed, &budget), &mut io::sink())
    }

    #[test]
    fn a_stream_may_grow_a_hundredfold_and_no_more() {
        assert_eq!(unpack(1 << 20, 100 << 20).unwrap(), 100 << 20);
        assert!(unpack(1 << 20, (100 << 20) + 1).unwrap_err().to_string().contains("bomb"));
        assert_eq!(unpack(1, FREE_BYTES).unwrap(), FREE_BYTES);
        assert!(unpack(1, FREE_BYTES + 1).is_err());
    }

    #[test]
    fn streams_that_are_small_each_may_not_be_large_together() {
        let budget = Budget::new(1000, 100);
        let unpack = || {
            let stream = io::repeat(b'x').take(FREE_BYTES);
            io::copy(&mut Guarded::new(stream, Rc::default(), &budget), &mut io::sink())
        };
        let whole = (0..32).take_while(|_| unpack().is_ok()).count() as u64;
        assert_eq!(whole, FREE_BUDGET / FREE_BYTES - 1);
        assert!(budget.is_spent());
    }
}
