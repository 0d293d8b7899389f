//! No bytes make a lexical shortlist panic, neither while it is read nor while it is asked.
//!
//!     cargo +nightly fuzz run shortlist fuzz/corpus/shortlist tests/golden/student-split

#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::model::Shortlist;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(shortlist) = Shortlist::parse(bytes) {
        for vocabulary in [0, 1, 70_000] {
            let tokens = shortlist.candidates(&[0, 1, u32::MAX], vocabulary, true);
            assert!(tokens.is_sorted());
        }
    }
});
