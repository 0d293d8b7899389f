//! SentencePiece's compiled normalisation rules.
//!
//! A rule maps a string to another; at every place of a text the longest rule that matches is applied. The rules are
//! kept in a double-array trie in the format of Darts-clone, followed by the strings that they map to. The crate
//! `tokenizers` applies them grapheme by grapheme, which finds fewer matches than SentencePiece does.

/// Compiled normalisation rules.
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    /// Reads the rules: the trie's size in bytes, the trie, and the replacements, each ended by NUL.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let broken = || "has broken normalisation rules".to_owned();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
        let (trie, replacements) =
            rest.split_at_checked(u32::from_le_bytes(*size) as usize).ok_or_else(broken)?;
        let units: Vec<u32> = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        if units.is_empty() || !trie.len().is_multiple_of(4) {
            return Err(broken());
        }
        Ok(Self { units, replacements: replacements.to_vec() })
    }

    /// Applies the rules to a text.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match self.longest_match(rest.as_bytes()) {
                Some((length, replacement)) if rest.is_char_boundary(length) => {
                    result.push_str(replacement);
                    rest = &rest[length..];
                }
                _ => {
                    result.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        result
    }

    /// The length of the longest rule that `text` starts with, and what it maps to.
    fn longest_match(&self, text: &[u8]) -> Option<(usize, &str)> {
        // A unit is a node: bits 0-7 its label, bit 8 whether a value follows, bits 10-30 the offset of its children
        // relative to itself (times 256 where bit 9 is set); a value has bit 31 set in place of a label.
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut best = None;
        let mut node = offset(*self.units.first()?);
        for (index, &byte) in text.iter().enumerate() {
            if byte == 0 {
                break;
            }
            node ^= u32::from(byte);
            let unit = *self.units.get(node as usize)?;
            if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit & (1 << 8) != 0 {
                let value = *self.units.get(node as usize)? & 0x7FFF_FFFF;
                best = Some((index + 1, value));
            }
        }
        let (length, value) = best?;
        let replacement = self.replacements.get(value as usize..)?;
        let end = replacement.iter().position(|&byte| byte == 0).unwrap_or(replacement.len());
        Some((length, std::str::from_utf8(&replacement[..end]).ok()?))
    }
}
