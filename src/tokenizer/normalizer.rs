//! Text as the pieces spell it, after SentencePiece's `normalizer.cc`.

use super::charsmap::Charsmap;
use super::proto::NormalizerSpec;
use super::trie::Trie;
use crate::article::Span;

/// What SentencePiece writes for a space.
pub(super) const SPACE: &str = "\u{2581}";

/// A model's normaliser.
pub(super) struct Normalizer {
    charsmap: Option<Charsmap>,
    /// User-defined symbols, which no rule applies to.
    protected: Trie,
    add_dummy_prefix: bool,
    dummy_is_suffix: bool,
    remove_extra_whitespaces: bool,
    /// What a space is written as.
    space: &'static str,
}

impl Normalizer {
    pub(super) fn new(spec: &NormalizerSpec, protected: Trie, dummy_is_suffix: bool) -> Result<Self, String> {
        let charsmap = match spec.precompiled_charsmap() {
            [] => None,
            bytes => Some(Charsmap::parse(bytes)?),
        };
        Ok(Self {
            charsmap,
            protected,
            add_dummy_prefix: spec.add_dummy_prefix(),
            dummy_is_suffix,
            remove_extra_whitespaces: spec.remove_extra_whitespaces(),
            space: if spec.escape_whitespaces() { SPACE } else { " " },
        })
    }

    /// Whether a space at the start of decoded text is the normaliser's own doing.
    pub(super) fn adds_leading_space(&self) -> bool {
        self.add_dummy_prefix || self.remove_extra_whitespaces
    }

    pub(super) fn removes_extra_whitespaces(&self) -> bool {
        self.remove_extra_whitespaces
    }

    /// The length of the longest user-defined symbol that a text starts with.
    pub(super) fn protected(&self, text: &str) -> Option<usize> {
        self.protected.prefixes(text.as_bytes()).last().map(|(length, _)| length)
    }

    pub(super) fn normalize(&self, text: &str) -> String {
        let mut output = Output::default();
        self.write(text, &mut output);
        output.text
    }

    /// The normalised text, and for each of its bytes the part of `text` that it comes from. What the normaliser adds
    /// comes from nothing.
    pub(super) fn normalize_mapped(&self, text: &str) -> (String, Vec<Span>) {
        let mut output = Output { origins: Some(Vec::with_capacity(text.len())), ..Output::default() };
        self.write(text, &mut output);
        (output.text, output.origins.unwrap_or_default())
    }

    fn write(&self, text: &str, output: &mut Output) {
        let mut rest = text;
        if self.remove_extra_whitespaces {
            while let (" ", length) = self.next(rest) {
                rest = &rest[length..];
            }
        }
        if rest.is_empty() {
            return;
        }
        output.text.reserve(rest.len() + rest.len() / 2);
        let start = text.len() - rest.len();
        if self.add_dummy_prefix && !self.dummy_is_suffix {
            output.push(self.space, Span::new(start, start));
        }
        let mut after_space = self.remove_extra_whitespaces;
        while !rest.is_empty() {
            let (mut chunk, length) = self.next(rest);
            let start = text.len() - rest.len();
            let origin = Span::new(start, start + length);
            rest = &rest[length..];
            if after_space {
                chunk = chunk.trim_start_matches(' ');
            }
            for (index, part) in chunk.split(' ').enumerate() {
                if index > 0 {
                    output.push(self.space, origin);
                }
                output.push(part, origin);
            }
            // A chunk that is gone leaves the state as it was.
            if !chunk.is_empty() {
                after_space = self.remove_extra_whitespaces && chunk.ends_with(' ');
            }
        }
        if self.remove_extra_whitespaces {
            output.truncate(output.text.trim_end_matches(self.space).len());
        }
        if self.add_dummy_prefix && self.dummy_is_suffix {
            output.push(self.space, Span::new(text.len(), text.len()));
        }
    }

    /// What the start of a text is normalised to, and the length of that start in bytes.
    fn next<'a>(&'a self, text: &'a str) -> (&'a str, usize) {
        if let Some(length) = self.protected(text) {
            return (&text[..length], length);
        }
        if let Some((length, replacement)) = self.charsmap.as_ref().and_then(|map| map.longest_match(text)) {
            return (replacement, length);
        }
        let length = text.chars().next().map_or(0, char::len_utf8);
        (&text[..length], length)
    }
}

/// Normalised text that is being written.
#[derive(Default)]
struct Output {
    text: String,
    /// For each byte of the text where it comes from, if that is wanted.
    origins: Option<Vec<Span>>,
}

impl Output {
    fn push(&mut self, text: &str, origin: Span) {
        self.text.push_str(text);
        if let Some(origins) = &mut self.origins {
            origins.resize(self.text.len(), origin);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.text.truncate(length);
        if let Some(origins) = &mut self.origins {
            origins.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_trimmed_squeezed_and_escaped() {
        let normalizer = Normalizer::new(&NormalizerSpec::default(), Trie::new([]), false).unwrap();
        for (text, expected) in [("", ""), ("  ", ""), (" a  b ", "▁a▁b"), ("a ▁ ", "▁a"), ("a\tb", "▁a\tb")]
        {
            assert_eq!(normalizer.normalize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn spaces_stay_where_the_model_wants_them() {
        let spec = NormalizerSpec {
            add_dummy_prefix: Some(false),
            remove_extra_whitespaces: Some(false),
            escape_whitespaces: Some(false),
            ..NormalizerSpec::default()
        };
        let normalizer = Normalizer::new(&spec, Trie::new([]), false).unwrap();
        assert_eq!(normalizer.normalize("  a  b "), "  a  b ");
        let suffix = Normalizer::new(&NormalizerSpec::default(), Trie::new([]), true).unwrap();
        assert_eq!(suffix.normalize(" a b "), "a▁b▁");
    }
}
