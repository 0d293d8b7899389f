//! No bytes make Markdown panic.
//!
//!     cargo +nightly fuzz run markdown
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.md", bytes);
});
