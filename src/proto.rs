//! The interface's generated code. Only `server` and `client` use it.
#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated; documented in proto/tarjoman/v1/translation.proto"
)]

tonic::include_proto!("tarjoman.v1");

/// The messages as JSON, by protobuf's own mapping.
mod json {
    use super::*;

    include!(concat!(env!("OUT_DIR"), "/tarjoman.v1.serde.rs"));
}

/// The interface's descriptors, for the reflection service and the description of the HTTP interface.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("tarjoman.v1");
