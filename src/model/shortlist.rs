//! The lexical shortlist: which target tokens a source sentence can need. After `BinaryShortlistGenerator` in
//! marian-dev's `src/data/shortlist.cpp`.
//!
//! The file is a row of little-endian `u64`: a magic number, a checksum of all that follows, the number of frequent
//! tokens that every sentence may use, the number of tokens that each source token may have, the number of offsets,
//! the number of tokens in all lists; then the offsets of the source tokens' lists, and the lists as `u32`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Logits;
use crate::Result;

const MAGIC: u64 = 0xF11A_48D5_0134_17F5;
/// Numbers before the offsets.
const HEADER: usize = 6;
/// Numbers that the checksum leaves out: the magic and itself.
const UNCHECKED: usize = 2;
/// A sentence's number of candidates is a multiple of this, as intgemm wants it.
const MULTIPLE: usize = 8;

/// The target tokens that each source token can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortlist {
    /// Number of tokens that every sentence may use: those with the lowest ids are the most frequent.
    frequent: usize,
    /// Where each source token's list starts, and the last one ends.
    offsets: Vec<usize>,
    lists: Vec<u32>,
}

/// The part of an output layer that a source sentence may use.
pub(super) struct Shortlisted<P> {
    /// Its tokens, ascending.
    pub(super) tokens: Arc<[u32]>,
    /// What computes their logits.
    pub(super) projection: P,
}

/// Fills in the logits of rows `x` `[rows, features]` of hypotheses, each with its source's part of the output layer.
/// `project` takes rows `[rows, features]` to `[rows, tokens]`.
pub(super) fn project_shortlisted<P>(
    x: &[f32],
    shortlists: &[Arc<Shortlisted<P>>],
    logits: &mut Logits,
    project: impl Fn(&P, &[f32], &mut [f32]) -> Result<()>,
) -> Result<()> {
    let features = x.len() / shortlists.len().max(1);
    let mut output = logits.start_shortlisted(shortlists.iter().map(|list| list.tokens.clone()).collect());
    let mut rows = x;
    for same in shortlists.chunk_by(Arc::ptr_eq) {
        let Shortlisted { tokens, projection } = &*same[0];
        let (own, others) = rows.split_at(same.len() * features);
        let (own_output, rest) = std::mem::take(&mut output).split_at_mut(same.len() * tokens.len());
        project(projection, own, own_output)?;
        (rows, output) = (others, rest);
    }
    Ok(())
}

impl Shortlist {
    /// A shortlist with a list for each source token.
    pub fn new(lists: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let mut shortlist = Self { frequent: 0, offsets: vec![0], lists: Vec::new() };
        for list in lists {
            shortlist.lists.extend(list);
            shortlist.offsets.push(shortlist.lists.len());
        }
        shortlist
    }

    /// The bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let longest = self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        let mut words = vec![self.frequent, longest, self.offsets.len(), self.lists.len()];
        words.extend(&self.offsets);
        let mut body: Vec<u8> = words.iter().flat_map(|&word| (word as u64).to_le_bytes()).collect();
        body.extend(self.lists.iter().flat_map(|token| token.to_le_bytes()));
        let sum = checksum(body.as_chunks().0);
        [&MAGIC.to_le_bytes()[..], &sum.to_le_bytes(), &body].concat()
    }

    /// Reads a shortlist from the bytes of its file.
    ///
    /// # Errors
    /// What is wrong with the file, in words that continue its name.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (words, _) = bytes.as_chunks();
        let word = |at: usize| words.get(at).copied().map_or(0, u64::from_le_bytes);
        if word(0) != MAGIC {
            return Err("isn't a lexical shortlist in Marian's binary format".into());
        }
        let sizes = [4, 5].map(|at| usize::try_from(word(at)).unwrap_or(usize::MAX));
        let [offsets, tokens] = sizes;
        let expected = offsets
            .checked_add(HEADER)
            .and_then(|words| words.checked_mul(size_of::<u64>()))
            .and_then(|bytes| bytes.checked_add(tokens.checked_mul(size_of::<u32>())?));
        if expected != Some(bytes.len()) {
            return Err(format!(
                "is cut off, or damaged: {} bytes where its header tells of {offsets} offsets and {tokens} tokens",
                bytes.len()
            ));
        }
        if word(1) != checksum(&words[UNCHECKED..]) {
            return Err("is damaged: its checksum isn't that of its contents".into());
        }
        let (offsets, lists) = bytes[HEADER * size_of::<u64>()..].split_at(offsets * size_of::<u64>());
        let offsets: Option<Vec<usize>> =
            offsets.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes).try_into().ok()).collect();
        let offsets = offsets.unwrap_or_default();
        if !offsets.is_sorted() || offsets.last() != Some(&tokens) {
            return Err("is damaged: its offsets don't ascend to the number of its tokens".into());
        }
        Ok(Self {
            frequent: usize::try_from(word(2)).unwrap_or(usize::MAX),
            offsets,
            lists: lists.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
        })
    }

    /// Compares the shortlist with the sizes of the vocabularies.
    ///
    /// # Errors
    /// How they differ, in words that continue the file's name.
    pub(super) fn check(&self, source: usize, target: usize) -> std::result::Result<(), String> {
        if self.offsets.len() != source + 1 {
            return Err(format!(
                "has lists for {} source tokens, but the model has {source}",
                self.offsets.len() - 1
            ));
        }
        match self.lists.iter().find(|&&token| token as usize >= target) {
            Some(token) => Err(format!("lists the token {token}, but the model has only {target}")),
            None => Ok(()),
        }
    }

    /// The target tokens that a source sentence may use, ascending: the frequent ones, those of its tokens' lists,
    /// its tokens themselves where both sides share a vocabulary, and as many of the next frequent ones as make their
    /// number a multiple of 8. `vocabulary` is the number of target tokens.
    pub fn candidates(&self, source: &[u32], vocabulary: usize, shared: bool) -> Vec<u32> {
        let mut tokens: BTreeSet<u32> = (0..).take(self.frequent.min(vocabulary)).collect();
        for &token in source {
            let at = token as usize;
            // A token beyond the shortlist's has no list.
            if let Some(&[start, end]) = self.offsets.get(at..at + 2).and_then(<[usize]>::as_array) {
                tokens.extend(&self.lists[start..end]);
            }
            if shared {
                tokens.insert(token);
            }
        }
        for token in (0..).take(vocabulary).skip(self.frequent) {
            if tokens.len().is_multiple_of(MULTIPLE) {
                break;
            }
            tokens.insert(token);
        }
        tokens.into_iter().collect()
    }
}

/// `hashMem` of marian-dev's `src/common/hash.h`, which is Boost's `hash_combine`.
fn checksum(words: &[[u8; size_of::<u64>()]]) -> u64 {
    words.iter().fold(0u64, |sum, word| {
        let mixed =
            u64::from_le_bytes(*word).wrapping_add(0x9e37_79b9).wrapping_add(sum << 6).wrapping_add(sum >> 2);
        sum ^ mixed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let list = Shortlist::new([vec![], vec![3, 9], vec![4], vec![]]);
        assert_eq!(Shortlist::parse(&list.to_bytes()), Ok(list.clone()));
        assert_eq!(list.candidates(&[1, 2], 9, false), [0, 1, 2, 3, 4, 5, 6, 9]);
    }

    fn file(frequent: u64, offsets: &[u64], lists: &[u32]) -> Vec<u8> {
        let mut words = vec![frequent, 50, offsets.len() as u64, lists.len() as u64];
        words.extend(offsets);
        let mut body: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        body.extend(lists.iter().flat_map(|token| token.to_le_bytes()));
        let sum = checksum(body.as_chunks().0);
        [MAGIC.to_le_bytes().to_vec(), sum.to_le_bytes().to_vec(), body].concat()
    }

    #[test]
    fn a_sentence_gets_the_frequent_tokens_its_lists_and_a_multiple_of_eight() {
        let list = Shortlist::parse(&file(3, &[0, 0, 2, 5, 5], &[90, 91, 2, 50, 90])).unwrap();
        assert_eq!(list.candidates(&[1], 100, false), [0, 1, 2, 3, 4, 5, 90, 91]);
        assert_eq!(list.candidates(&[1, 2, 2, 0], 100, false), [0, 1, 2, 3, 4, 50, 90, 91]);
        assert_eq!(list.candidates(&[3], 100, false).len(), 8);
        assert_eq!(list.candidates(&[3], 5, false), [0, 1, 2, 3, 4], "there are no more");
        // Here the source's own token fills the place of a frequent one.
        assert_eq!(list.candidates(&[3], 100, true), [0, 1, 2, 3, 4, 5, 6, 7]);
        let wide = Shortlist::parse(&file(u64::MAX, &[0, 0], &[])).unwrap();
        assert_eq!(wide.candidates(&[0], 9, true), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_reason() {
        let good = file(3, &[0, 0, 2], &[7, 9]);
        assert!(Shortlist::parse(&good).is_ok());
        for length in 0..good.len() {
            let error = Shortlist::parse(&good[..length]).err().unwrap();
            assert!(error.contains("isn't a lexical shortlist") || error.contains("cut off"), "{error}");
        }
        for at in 16..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            let error = Shortlist::parse(&bytes).err().unwrap();
            assert!(error.contains("damaged"), "{at}: {error}");
        }
        for offsets in [&[0, 2, 1][..], &[0, 0, 1], &[0, 3, 2], &[]] {
            let error = Shortlist::parse(&file(3, offsets, &[7, 9])).err().unwrap();
            assert!(error.contains("offsets don't ascend"), "{error}");
        }
    }

    #[test]
    fn a_shortlist_of_other_vocabularies_is_refused() {
        let list = Shortlist::parse(&file(3, &[0, 0, 2], &[7, 9])).unwrap();
        assert_eq!(list.check(2, 10), Ok(()));
        assert!(list.check(3, 10).unwrap_err().contains("2 source tokens, but the model has 3"));
        assert!(list.check(2, 9).unwrap_err().contains("the token 9"));
    }
}
