//! Whether work is shared with other threads.

use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` without help from other threads: for when each of them has work of its own.
pub fn on_this_thread<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(bool);

    impl Drop for Restore {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }

    let _restore = Restore(ALONE.replace(true));
    work()
}

/// Whether work of some size is to be shared, where a second thread costs more than it brings below `from`.
pub(super) fn is_shared(size: usize, from: usize) -> bool {
    size >= from && !ALONE.get() && rayon::current_num_threads() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_shared_again_afterwards_even_after_a_panic() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            assert!(is_shared(2, 2) && !is_shared(1, 2));
            assert!(!on_this_thread(|| on_this_thread(|| is_shared(2, 2)) || is_shared(2, 2)));
            let panicked = std::panic::catch_unwind(|| on_this_thread(|| panic!("a panic that is caught")));
            assert!(panicked.is_err() && is_shared(2, 2));
        });
    }
}
