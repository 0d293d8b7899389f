//! No bytes make a student's file panic, compressed or not, neither while it is read nor while it translates.
//!
//!     cargo +nightly fuzz run student fuzz/corpus/student tests/golden/student-float

#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::decode::{SearchOptions, generate};
use tarjoman::model::student::{ModelFile, Student};
use tarjoman::model::unpack;

fuzz_target!(|bytes: &[u8]| {
    let Ok(bytes) = unpack(bytes.to_vec()) else { return };
    let model = ModelFile::parse(bytes).and_then(|file| Student::new(&file, 0, 1));
    if let Ok(model) = model {
        let options = SearchOptions { max_tokens: 4, ..SearchOptions::default() };
        let _ = generate(&model, &[vec![0]], &options, 1);
    }
});
