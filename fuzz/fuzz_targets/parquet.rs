//! No bytes make a Parquet file panic.
//!
//!     cargo +nightly fuzz run parquet
#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman_fuzz::copied;

fuzz_target!(|bytes: &[u8]| {
    copied("a.parquet", bytes);
});
