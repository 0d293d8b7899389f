//! The tokenizer of Mozilla's and Bergamot's students: a piece's id is its id in the SentencePiece model.

use std::sync::Arc;

use super::Tokenizer;
use super::sentencepiece::SentencePieceModel;
use crate::article::Span;

const END: &str = "</s>";

/// The vocabulary of one side, or of both.
pub struct StudentVocabulary {
    model: SentencePieceModel,
    end: u32,
}

/// Turns source text into ids and target ids into text.
pub struct StudentTokenizer {
    source: Arc<StudentVocabulary>,
    target: Arc<StudentVocabulary>,
}

impl StudentVocabulary {
    /// Reads a vocabulary from the bytes of its file.
    ///
    /// # Errors
    /// What is wrong with the file, in words that continue its name.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model = SentencePieceModel::parse(bytes)?;
        match model.known_id(END) {
            Some(end) => Ok(Self { model, end }),
            None => Err(format!("isn't a student's vocabulary: it lacks the piece {END:?}")),
        }
    }

    /// Number of pieces.
    pub fn size(&self) -> usize {
        self.model.size()
    }

    /// The id of `</s>`.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// The id of `<unk>`.
    pub fn unknown(&self) -> u32 {
        self.model.unknown()
    }
}

impl StudentTokenizer {
    /// A tokenizer of two vocabularies, which may be the same one.
    pub fn new(source: Arc<StudentVocabulary>, target: Arc<StudentVocabulary>) -> Self {
        Self { source, target }
    }
}

impl Tokenizer for StudentTokenizer {
    fn encode_text(&self, text: &str) -> Vec<u32> {
        let pieces = self.source.model.encode(text).into_iter().map(|piece| piece.id);
        pieces.chain([self.source.end]).collect()
    }

    fn source_spans(&self, text: &str) -> Vec<Span> {
        let end = Span::new(text.len(), text.len());
        self.source.model.encode_spans(text).into_iter().chain([end]).collect()
    }

    fn decode(&self, ids: &[u32]) -> String {
        let spelled = ids.iter().filter(|&&id| id != self.target.unknown());
        self.target.model.decode(spelled.filter_map(|&id| self.target.model.piece(id)))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::super::proto::ModelProto;
    use super::*;

    const VOCABULARY: &[u8] = include_bytes!("../../tests/golden/student-split/trgvocab.faen.spm");

    #[test]
    fn ids_are_the_models_own_and_no_text_ends_its_sentence() {
        let vocabulary = Arc::new(StudentVocabulary::parse(VOCABULARY).unwrap());
        assert_eq!((vocabulary.end(), vocabulary.unknown(), vocabulary.size()), (0, 1, 600));
        let tokenizer = StudentTokenizer::new(Arc::clone(&vocabulary), vocabulary);
        let ids = tokenizer.encode_text("the end</s> of it 漢");
        assert_eq!(ids.iter().filter(|&&id| id == 0).count(), 1);
        assert_eq!(ids.last(), Some(&0));
        assert!(ids.contains(&1));
        assert_eq!(tokenizer.decode(&[&ids[..], &[1, 99_999]].concat()), "the end/s of it ");
        assert_eq!(tokenizer.encode_text(""), [0]);
    }

    #[test]
    fn a_vocabulary_without_an_end_mark_is_refused() {
        let mut model = ModelProto::decode(VOCABULARY).unwrap();
        model.pieces.retain(|piece| piece.piece() != END);
        let error = StudentVocabulary::parse(&model.encode_to_vec()).err().unwrap();
        assert!(error.contains("lacks the piece \"</s>\""), "{error}");
    }
}
