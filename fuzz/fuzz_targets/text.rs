//! No bytes make a text panic, and it stays as it is.
//!
//!     cargo +nightly fuzz run text
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::stays;

fuzz_target!(|bytes: &[u8]| {
    stays("a.txt", bytes);
});
