//! No bytes make a zip panic.
//!
//!     cargo +nightly fuzz run zip
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.zip", bytes);
});
