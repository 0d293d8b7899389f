//! No bytes make a WARC file panic, packed or not.
//!
//!     cargo +nightly fuzz run warc
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.warc", bytes);
    copied("a.warc.gz", bytes);
});
