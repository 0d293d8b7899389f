//! Integrity checks of a translation, and what to try next when one fails.

mod checks;
mod flags;
mod ladder;
mod numbers;

pub use checks::check;
pub use flags::{Flag, Flags};
pub use ladder::{Attempt, Ladder, Situation};
