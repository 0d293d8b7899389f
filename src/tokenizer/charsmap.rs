//! SentencePiece's compiled normalisation rules.

/// Rules that map a string to another. At every place of a text the longest rule that matches is applied.
///
/// They are kept as the file has them: a double-array trie in the format of Darts-clone, whose values are
/// places in the strings that follow it. The crate `tokenizers` applies such rules grapheme by grapheme,
/// which misses some: ا with U+0653 stays two characters there.
pub(super) struct Charsmap {
    units: Vec<u32>,
    /// The strings that the rules map to, each ended by NUL.
    replacements: Vec<u8>,
}

impl Charsmap {
    /// Reads the trie's size in bytes (little-endian, as all numbers here), the trie and the replacements.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let broken = || "has broken normalisation rules".to_owned();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
        let (trie, replacements) =
            rest.split_at_checked(u32::from_le_bytes(*size) as usize).ok_or_else(broken)?;
        let (units, []) = trie.as_chunks::<4>() else { return Err(broken()) };
        if units.is_empty() || replacements.is_empty() {
            return Err(broken());
        }
        let units = units.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Ok(Self { units, replacements: replacements.to_vec() })
    }

    /// The longest rule that `text` starts with: its length, and what it maps to.
    pub(super) fn longest_match(&self, text: &str) -> Option<(usize, &str)> {
        // A unit is a node: bits 0-7 its label, bit 8 whether it has a value, bits 10-30 the offset of its
        // children relative to itself (times 256 where bit 9 is set). A value has bit 31 set instead of a
        // label.
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut longest = None;
        let mut node = offset(*self.units.first()?);
        for (index, byte) in text.bytes().enumerate() {
            node ^= u32::from(byte);
            let Some(&unit) = self.units.get(node as usize) else { break };
            if unit & (1 << 31 | 0xFF) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit & (1 << 8) != 0 {
                longest = Some((index + 1, self.units.get(node as usize)? & 0x7FFF_FFFF));
            }
        }
        // A damaged file may have rules that end within a character, or lead nowhere: they don't match.
        let (length, value) = longest.filter(|(length, _)| text.is_char_boundary(*length))?;
        let replacement = self.replacements.get(value as usize..)?.split(|&byte| byte == 0).next()?;
        Some((length, std::str::from_utf8(replacement).ok()?))
    }
}
