//! No bytes make the reader of GGUF files panic or take more memory than they justify.
//!
//!     cargo +nightly fuzz run gguf

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use candle_core::Device;
use libfuzzer_sys::fuzz_target;
use tarjoman::model::T5;

const CONFIG: &[u8] = include_bytes!("../../tests/golden/tiny-t5/config.json");

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-{}.gguf", std::process::id())));

fuzz_target!(|bytes: &[u8]| {
    std::fs::write(&*FILE, bytes).unwrap();
    let _ = T5::quantized(CONFIG, Path::new("config.json"), &FILE, Some(0), &Device::Cpu);
});
