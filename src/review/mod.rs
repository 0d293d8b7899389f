//! Integrity checks of a translation, and what to try next when one fails.
//!
//! Pure functions: nothing here does I/O, and no input makes them panic.

mod checks;
mod echo;
mod flags;
mod ladder;
mod length;
mod numbers;
mod repetition;
mod text;

pub use checks::check;
pub use flags::{Flag, Flags};
pub use ladder::{Attempt, Ladder, Situation, better};
