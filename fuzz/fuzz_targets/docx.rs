//! No bytes make a part of a DOCX file panic.
//!
//!     cargo +nightly fuzz run docx
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::{copied, zipped};

fuzz_target!(|bytes: &[u8]| {
    copied("a.docx", &zipped(&[("word/document.xml", bytes)]));
});
