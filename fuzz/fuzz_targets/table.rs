//! No bytes make a table panic, and all but the texts in it stays as it is.
//!
//!     cargo +nightly fuzz run table
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::settles;

fuzz_target!(|bytes: &[u8]| {
    settles("a.csv", bytes);
    settles("a.tsv", bytes);
});
