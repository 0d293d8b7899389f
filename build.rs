//! Compiles the interface with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

const PROTO: &str = "proto/tarjoman/v1/translation.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    let encoded = prost::Message::encode_to_vec(&descriptors);
    pbjson_build::Builder::new().register_descriptors(&encoded)?.emit_fields().build(&[".tarjoman.v1"])?;
    // The reflection service and the description of the HTTP interface are made from this file.
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("tarjoman.v1.bin"), encoded)?;
    tonic_prost_build::configure()
        .compile_well_known_types(true)
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(descriptors)?;
    Ok(())
}
