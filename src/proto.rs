//! The interface's generated code. Only `server` and `client` use it.
#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated; documented in proto/tarjoman/v1/translation.proto"
)]

tonic::include_proto!("tarjoman.v1");

/// The interface's descriptors, for the reflection service.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("tarjoman.v1");
