//! Restores half-spaces (zero-width non-joiners) that a text has lost.

/// A place where a half-space was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HalfSpace {
    /// Byte offset into the text where the half-space belongs.
    pub at: usize,
    /// Whether it takes the place of the one-byte space that stands at `at`, instead of being put between two letters.
    pub replaces_space: bool,
}

/// Where `text`, folded by [`normalize`](super::normalize), has lost half-spaces; in order of their offsets.
pub fn restore(_text: &str) -> Vec<HalfSpace> {
    Vec::new()
}
