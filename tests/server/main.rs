//! The service over real sockets, with the built-in model behind it.

#[path = "../common/mod.rs"]
mod common;

mod articles;
mod certificates;
mod keys;
mod lifecycle;
mod limits;
mod many;
mod refusals;
mod web;
