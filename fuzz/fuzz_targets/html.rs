//! No bytes make a page panic, neither whole nor its main article.
//!
//!     cargo +nightly fuzz run html
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::{copied, main_article};

fuzz_target!(|bytes: &[u8]| {
    copied("a.html", bytes);
    main_article("a.html", bytes);
});
