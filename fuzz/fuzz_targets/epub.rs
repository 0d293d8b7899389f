//! No bytes make a part of an EPUB panic.
//!
//!     cargo +nightly fuzz run epub
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::{copied, zipped};

fuzz_target!(|bytes: &[u8]| {
    for part in ["a.xhtml", "a.opf", "a.ncx"] {
        copied("a.epub", &zipped(&[(part, bytes)]));
    }
});
