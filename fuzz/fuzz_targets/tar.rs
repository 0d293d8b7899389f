//! No bytes make a tar panic.
//!
//!     cargo +nightly fuzz run tar
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.tar", bytes);
});
