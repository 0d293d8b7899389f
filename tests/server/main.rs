//! The service over real sockets, with the built-in model behind it.

#[path = "../common/authority.rs"]
mod authority;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/frames.rs"]
mod frames;

mod articles;
mod certificates;
mod http2;
mod keys;
mod lifecycle;
mod limits;
mod many;
mod refusals;
mod web;
