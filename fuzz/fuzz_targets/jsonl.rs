//! No bytes make records of JSON panic, and all but the texts in them stays as it is.
//!
//!     cargo +nightly fuzz run jsonl
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::settles;

fuzz_target!(|bytes: &[u8]| {
    settles("a.jsonl", bytes);
});
