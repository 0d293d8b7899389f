//! No bytes make a packed stream panic.
//!
//!     cargo +nightly fuzz run packed
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.txt.gz", bytes);
    copied("a.txt.zst", bytes);
});
