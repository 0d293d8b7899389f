//! Compiles the interface with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

const PROTO: &str = "proto/tarjoman/v1/translation.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    // The reflection service answers from this file.
    let out = PathBuf::from(env::var("OUT_DIR")?).join("tarjoman.v1.bin");
    fs::write(out, prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
