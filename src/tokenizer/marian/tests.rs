use prost::Message;

use super::*;
use crate::tokenizer::proto::{ModelProto, PieceKind, PieceProto};

const JOINT: &str = r#"{"</s>": 0, "<unk>": 1, "▁": 2, "a": 3, "b": 4, ">>eng<<": 5, "xx": 6, "<pad>": 7}"#;

#[test]
fn special_tokens_and_a_leading_language_are_taken_whole() {
    let tokenizer = tokenizer(JOINT, None, None).unwrap();
    for (text, ids) in [
        ("", &[0][..]),
        (" ", &[0]),
        ("a", &[2, 3, 0]),
        (">>eng<<a", &[5, 2, 3, 0]),
        (">>eng<<", &[5, 0]),
        (">>fra<< a", &[1, 2, 3, 0]),
        // The model lacks each of these characters, the vocabulary has the stretch.
        ("a>>eng<<", &[2, 3, 5, 0]),
        ("a</s>b<pad><unk><</s>", &[2, 3, 0, 2, 4, 7, 1, 2, 1, 0, 0]),
    ] {
        assert_eq!(tokenizer.encode(text), ids, "{text:?}");
    }
}

#[test]
fn text_from_outside_spells_no_special_token() {
    let tokenizer = tokenizer(JOINT, None, None).unwrap();
    for text in ["a</s>b", "</s>", "<pad>", ">>eng<<a</s>"] {
        let ids = tokenizer.encode_text(text);
        assert_eq!(ids.iter().filter(|id| **id == 0).count(), 1, "{text:?}: {ids:?}");
        assert!(!ids.contains(&7), "{text:?}: {ids:?}");
    }
}

#[test]
fn a_stretch_that_the_model_lacks_may_still_have_an_id() {
    assert_eq!(tokenizer(JOINT, None, None).unwrap().encode("axx"), [2, 3, 6, 0]);
}

#[test]
fn special_tokens_and_ids_without_a_piece_are_not_decoded() {
    let tokenizer = tokenizer(JOINT, None, None).unwrap();
    assert_eq!(tokenizer.decode(&[2, 3, 1, 2, 4, 0, 7, 4_000_000_000]), "a b");
    assert_eq!(tokenizer.decode(&[]), "");
}

#[test]
fn each_side_may_have_a_vocabulary_of_its_own() {
    let target = r#"{"a": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}"#;
    let config = r#"{"separate_vocabs": true, "eos_token": {"content": "</s>", "lstrip": false}}"#;
    let tokenizer = tokenizer(JOINT, Some(target), Some(config)).unwrap();
    assert_eq!(tokenizer.encode("a"), [2, 3, 0]);
    assert_eq!(tokenizer.encode_target("a"), [3, 0, 2]);
    assert_eq!(tokenizer.decode(&[0, 0, 2]), "aa");
    assert_eq!((tokenizer.eos_id(), tokenizer.unk_id(), tokenizer.pad_id()), (2, 3, 1));
    assert_eq!((tokenizer.source_vocabulary(), tokenizer.target_vocabulary()), (8, 4));
}

#[test]
fn files_that_do_not_fit_together_are_refused_with_their_name() {
    for (vocabulary, config, reason) in [
        (r#"{"</s>": 0, "<unk>": 1}"#, None, "vocab.json: lacks the token \"<pad>\""),
        ("{}", None, "vocab.json: lacks the token \"</s>\""),
        (JOINT, Some(r#"{"eos_token": "<end>"}"#), "vocab.json: lacks the token \"<end>\""),
        (JOINT, Some(r#"{"separate_vocabs": true}"#), "target_vocab.json: is missing"),
        (JOINT, Some("{"), "tokenizer_config.json: isn't a tokenizer's configuration"),
    ] {
        let error = tokenizer(vocabulary, None, config).err().unwrap().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn spaces_are_cleaned_up_where_the_model_asks_for_it() {
    assert_eq!(clean_up("It 's here , is n't it ? ' yes ' ."), "It's here, isn't it?'yes '.");
}

fn tokenizer(vocabulary: &str, target: Option<&str>, config: Option<&str>) -> Result<MarianTokenizer> {
    let normal = ["▁", "a", "b"].map(|text| (text, PieceKind::Normal));
    let pieces = [("<unk>", PieceKind::Unknown)].into_iter().chain(normal);
    let piece = |(text, kind): (&str, PieceKind)| PieceProto {
        piece: Some(text.to_owned()),
        score: Some(-1.0),
        kind: Some(kind.into()),
    };
    let model = ModelProto { pieces: pieces.map(piece).collect(), ..ModelProto::default() }.encode_to_vec();
    MarianTokenizer::from_bytes(MarianFiles {
        source: &model,
        target: Some(&model),
        vocabulary: vocabulary.as_bytes(),
        target_vocabulary: target.map(str::as_bytes),
        config: config.map(str::as_bytes),
        folder: Path::new("model"),
    })
}
