//! No bytes make subtitles panic.
//!
//!     cargo +nightly fuzz run subtitles
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.srt", bytes);
    copied("a.vtt", bytes);
});
