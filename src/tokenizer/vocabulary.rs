//! `vocab.json`: the ids that a model knows its pieces by.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::{Error, Result};

/// What to do about a broken file.
pub(super) const FETCH_AGAIN: &str = "fetch the model again";

/// Pieces and their ids.
pub(super) struct Vocabulary {
    ids: HashMap<Arc<str>, u32>,
    /// By id; ids may have gaps.
    pieces: Vec<Option<Arc<str>>>,
}

impl Vocabulary {
    /// Reads an object of piece to id. `path` is for errors.
    pub(super) fn parse(json: &[u8], path: &Path) -> Result<Self> {
        let broken = |problem: String| Error::model_file(path, problem, FETCH_AGAIN);
        let entries: Entries = serde_json::from_slice(json)
            .map_err(|error| broken(format!("isn't a vocabulary, an object of pieces to ids: {error}")))?;
        let mut vocabulary = Self { ids: HashMap::with_capacity(entries.0.len()), pieces: Vec::new() };
        for (piece, id) in entries.0 {
            // No file has more pieces than bytes, so a larger id is damage, and not worth its memory.
            if id as usize >= json.len() {
                return Err(broken(format!("gives {piece:?} the id {id}, which is out of range")));
            }
            if id as usize >= vocabulary.pieces.len() {
                vocabulary.pieces.resize(id as usize + 1, None);
            }
            let piece: Arc<str> = piece.into();
            if let Some(other) = vocabulary.pieces[id as usize].replace(Arc::clone(&piece)) {
                return Err(broken(format!("gives the id {id} twice, to {other:?} and to {piece:?}")));
            }
            if vocabulary.ids.insert(Arc::clone(&piece), id).is_some() {
                return Err(broken(format!("has the piece {piece:?} twice")));
            }
        }
        Ok(vocabulary)
    }

    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    pub(super) fn piece(&self, id: u32) -> Option<&str> {
        self.pieces.get(id as usize)?.as_deref()
    }

    /// Whether an id below the highest has no piece.
    pub(super) fn has_gaps(&self) -> bool {
        self.ids.len() < self.pieces.len()
    }

    /// One more than the highest id.
    pub(super) fn size(&self) -> usize {
        self.pieces.len()
    }
}

/// The members of a JSON object as they stand, repeated names too.
struct Entries(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object of pieces to ids")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vocabulary_goes_both_ways_and_may_have_gaps() {
        let vocabulary = Vocabulary::parse(br#"{"a": 0, "b": 3}"#, Path::new("vocab.json")).unwrap();
        assert_eq!((vocabulary.id("b"), vocabulary.id("c"), vocabulary.size()), (Some(3), None, 4));
        assert!(vocabulary.has_gaps());
        assert_eq!((vocabulary.piece(3), vocabulary.piece(1), vocabulary.piece(9)), (Some("b"), None, None));
    }

    #[test]
    fn a_broken_vocabulary_is_refused_with_its_reason() {
        for (json, reason) in [
            ("", "isn't a vocabulary"),
            ("[]", "isn't a vocabulary"),
            (r#"{"a": "b"}"#, "isn't a vocabulary"),
            (r#"{"a": -1}"#, "isn't a vocabulary"),
            (r#"{"a": 1.5}"#, "isn't a vocabulary"),
            (r#"{"a": 4294967296}"#, "isn't a vocabulary"),
            (r#"{"a": 0"#, "isn't a vocabulary"),
            (r#"{"a": 0, "b": 0}"#, r#"the id 0 twice, to "a" and to "b""#),
            (r#"{"a": 0, "a": 1}"#, r#"the piece "a" twice"#),
            (r#"{"a": 4294967295}"#, "out of range"),
        ] {
            let error =
                Vocabulary::parse(json.as_bytes(), Path::new("vocab.json")).err().unwrap().to_string();
            assert!(error.contains(reason) && error.contains("vocab.json"), "{error}");
        }
    }
}
