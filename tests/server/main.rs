//! The service over real sockets, with the built-in model behind it.

#[path = "../common/mod.rs"]
mod common;

mod articles;
mod lifecycle;
mod many;
mod refusals;
