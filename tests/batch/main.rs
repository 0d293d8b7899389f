//! `tarjoman batch`: the real binary in a temporary directory, with a tiny model whose translations are nonsense. What
//! is tested is what becomes of them.

mod archive;
mod common;
mod exports;
mod queue;
mod refusals;
mod resume;
