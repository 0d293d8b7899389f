//! No bytes make a reader of weights panic or take more memory than they justify: neither as a whole `.bin` file nor as
//! the pickle inside one.
//!
//!     cargo +nightly fuzz run weights fuzz/corpus/weights tests/golden/pickle

#![no_main]

use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use tarjoman::model::Weights;
use zip::write::SimpleFileOptions;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-weights-{}.bin", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", bytes), ("x/data/0", &[0; 96]), ("x/data/1", &[0; 24])] {
        archive.start_file(name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    read(&archive.finish().unwrap().into_inner());
});

fn read(bytes: &[u8]) {
    std::fs::write(&*FILE, bytes).unwrap();
    if let Ok(weights) = Weights::open(&FILE, &Device::Cpu) {
        for (name, shape) in [("matrix", &[6, 4][..]), ("turned", &[4, 6]), ("half", &[2, 3])] {
            let _ = weights.get(name, shape);
        }
    }
}
