use proptest::prelude::*;

use super::super::proto::{NormalizerSpec, TrainerSpec};
use super::*;

#[test]
fn of_equal_sums_the_first_stays() {
    // The first to arrive at a place is the longest piece that ends there.
    let model = parse(&[("▁", 0.0), ("a", -1.0), ("aa", -2.0)]).unwrap();
    assert_eq!(spell(&model.encode("aaa")), ["▁", "a", "aa"]);
}

#[test]
fn a_stretch_of_unknown_characters_is_one_piece() {
    let model = parse(&[("▁", 0.0), ("a", -1.0)]).unwrap();
    assert_eq!(spell(&model.encode("xyaz")), ["▁", "xy", "a", "z"]);
    assert_eq!(model.encode("x")[1].id, 0);
}

#[test]
fn text_does_not_spell_control_symbols() {
    let mut proto = proto(&[("▁", 0.0), ("<", -1.0), ("s", -1.0), (">", -1.0)]);
    proto.pieces.push(piece("<s>", 0.0, PieceKind::Control));
    let model = SentencePieceModel::parse(&proto.encode_to_vec()).unwrap();
    assert_eq!(spell(&model.encode("<s>")), ["▁", "<", "s", ">"]);
    assert_eq!(model.decode(["▁", "<s>", "s"]), "s");
}

#[test]
fn a_user_defined_symbol_wins_and_an_unused_piece_never_does() {
    let mut proto = proto(&[("▁", 0.0), ("a", -1.0), ("bc", -0.5), ("c", -1.0)]);
    proto.pieces.push(piece("ab", -9.0, PieceKind::UserDefined));
    proto.pieces.push(piece("z", 100.0, PieceKind::Unused));
    let model = SentencePieceModel::parse(&proto.encode_to_vec()).unwrap();
    assert_eq!(spell(&model.encode("abc")), ["▁", "ab", "c"]);
    assert_eq!(model.encode("z")[1].id, 0);
}

#[test]
fn a_bpe_model_merges_the_best_neighbours_first_and_of_equals_the_leftmost() {
    let model = bpe(&[("▁", -9.0), ("a", -9.0), ("b", -9.0), ("aa", -1.0), ("ab", -0.5), ("aaa", -2.0)], &[]);
    assert_eq!(spell(&model.encode("aaaa")), ["▁", "aa", "aa"]);
    assert_eq!(spell(&model.encode("aab")), ["▁", "a", "ab"]);
    assert_eq!(spell(&model.encode("aaaxy")), ["▁", "aaa", "xy"]);
}

#[test]
fn a_bpe_model_takes_unused_pieces_apart_again_and_merges_no_user_defined_symbol() {
    let model = bpe(
        &[("▁", -9.0), ("a", -9.0), ("b", -9.0), ("c", -9.0), ("ca", -0.1), ("abc", -2.0)],
        &[("ab", PieceKind::Unused), ("cc", PieceKind::UserDefined)],
    );
    assert_eq!(spell(&model.encode("ab")), ["▁", "a", "b"]);
    assert_eq!(spell(&model.encode("abc")), ["▁", "abc"]);
    assert_eq!(spell(&model.encode("cca")), ["▁", "cc", "a"]);
}

#[test]
fn a_model_that_falls_back_to_bytes_spells_everything() {
    let mut proto = proto(&[("▁", 0.0), ("a", -1.0)]);
    proto.pieces.extend((0..=255).map(|byte| piece(&format!("<0x{byte:02X}>"), 0.0, PieceKind::Byte)));
    proto.trainer = Some(TrainerSpec { byte_fallback: Some(true), ..TrainerSpec::default() });
    let model = SentencePieceModel::parse(&proto.encode_to_vec()).unwrap();
    let pieces = spell(&model.encode("aژa"));
    assert_eq!(pieces, ["▁", "a", "<0xDA>", "<0x98>", "a"]);
    assert_eq!(model.decode(pieces.iter().map(String::as_str)), "aژa");
    assert_eq!(model.decode(["<0xDA>", "a", "<0x98>", "<0x98>"]), "\u{FFFD}a\u{FFFD}\u{FFFD}");
}

#[test]
fn decoding_drops_the_space_that_encoding_added() {
    let mut proto = proto(&[("▁", 0.0), ("▁a", -1.0)]);
    let model = SentencePieceModel::parse(&proto.encode_to_vec()).unwrap();
    assert_eq!(model.decode(["▁", "▁a", "▁a", "▁x", "<unk>"]), "a a▁x \u{2047} ");
    proto.normalizer =
        Some(NormalizerSpec { remove_extra_whitespaces: Some(false), ..NormalizerSpec::default() });
    let model = SentencePieceModel::parse(&proto.encode_to_vec()).unwrap();
    assert_eq!(model.decode(["▁", "▁a"]), " a");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    let valid = proto(&[("▁", 0.0), ("a", -1.0)]);
    let with = |change: &dyn Fn(&mut ModelProto)| {
        let mut proto = valid.clone();
        change(&mut proto);
        proto.encode_to_vec()
    };
    let add = |text: &'static str, kind| with(&move |proto| proto.pieces.push(piece(text, 0.0, kind)));
    let words = TrainerSpec { model_type: Some(3), ..TrainerSpec::default() };
    let bytes = TrainerSpec { byte_fallback: Some(true), ..TrainerSpec::default() };
    let rules = |rules: &[u8]| {
        let spec = NormalizerSpec { precompiled_charsmap: Some(rules.to_vec()), ..NormalizerSpec::default() };
        with(&move |proto| proto.normalizer = Some(spec.clone()))
    };
    for (bytes, reason) in [
        (Vec::new(), "no pieces"),
        (b"<!DOCTYPE html>".to_vec(), "isn't a SentencePiece model"),
        (valid.encode_to_vec()[..7].to_vec(), "isn't a SentencePiece model"),
        (add("", PieceKind::Normal), "empty"),
        (add("a", PieceKind::Normal), "\"a\" twice"),
        (add("<unk>2", PieceKind::Unknown), "several pieces for the unknown"),
        (add("<0x0a>", PieceKind::Byte), "is none"),
        (add("<0x0A>", PieceKind::Byte), "1 pieces for bytes"),
        (with(&|proto| _ = proto.pieces.remove(0)), "no piece for the unknown"),
        (with(&|proto| proto.pieces.truncate(1)), "no pieces that text spells"),
        (with(&|proto| proto.trainer = Some(words.clone())), "is a Word model"),
        (with(&|proto| proto.trainer = Some(bytes.clone())), "0 pieces for bytes"),
        (rules(&[1]), "broken normalisation rules"),
        (rules(&[0xFF, 0xFF, 0xFF, 0xFF, 0]), "broken normalisation rules"),
        (rules(&[3, 0, 0, 0, 1, 2, 3, 0]), "broken normalisation rules"),
    ] {
        let error = SentencePieceModel::parse(&bytes).err().expect(reason);
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = SentencePieceModel::parse(&bytes);
    }

    #[test]
    fn a_bpe_model_spells_the_text(text in "[abc ژ]{0,40}") {
        let model = bpe(
            &[("▁", -9.0), ("a", -9.0), ("ab", -1.5), ("b", -9.0), ("▁b", -2.0), ("bab", -2.5), ("abab", -3.0)],
            &[("ba", PieceKind::Unused)],
        );
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let spelled: String = spell(&model.encode(&text)).concat();
        prop_assert_eq!(spelled.trim_start_matches('▁'), words.join("▁"));
    }

    #[test]
    fn no_rules_make_it_panic(rules in prop::collection::vec(any::<u8>(), 1..200), text: String) {
        let size = u32::try_from(rules.len() / 8 * 4).unwrap();
        let rules = [&size.to_le_bytes(), rules.as_slice()].concat();
        let mut proto = proto(&[("▁", 0.0), ("a", f32::NAN)]);
        let precompiled_charsmap = Some(rules);
        proto.normalizer = Some(NormalizerSpec { precompiled_charsmap, ..NormalizerSpec::default() });
        if let Ok(model) = SentencePieceModel::parse(&proto.encode_to_vec()) {
            model.encode(&text);
        }
    }

    #[test]
    fn pieces_spell_the_text(text in "[ab ژ]{0,30}") {
        let model = parse(&[("▁", -3.0), ("a", -1.0), ("ab", -1.5), ("▁b", -2.0), ("b▁a", -2.5)]).unwrap();
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let spelled: String = spell(&model.encode(&text)).concat();
        prop_assert_eq!(spelled.trim_start_matches('▁'), words.join("▁"));
    }
}

fn parse(pieces: &[(&str, f32)]) -> Result<SentencePieceModel, String> {
    SentencePieceModel::parse(&proto(pieces).encode_to_vec())
}

/// A BPE model of normal pieces and others, which score -1.
fn bpe(pieces: &[(&str, f32)], others: &[(&str, PieceKind)]) -> SentencePieceModel {
    let mut proto = proto(pieces);
    proto.pieces.extend(others.iter().map(|(text, kind)| piece(text, -1.0, *kind)));
    proto.trainer = Some(TrainerSpec { model_type: Some(2), ..TrainerSpec::default() });
    SentencePieceModel::parse(&proto.encode_to_vec()).unwrap()
}

/// A model of `<unk>` and some normal pieces.
fn proto(pieces: &[(&str, f32)]) -> ModelProto {
    let normal = pieces.iter().map(|(text, score)| piece(text, *score, PieceKind::Normal));
    let pieces = std::iter::once(piece("<unk>", 0.0, PieceKind::Unknown)).chain(normal).collect();
    ModelProto { pieces, ..ModelProto::default() }
}

fn piece(text: &str, score: f32, kind: PieceKind) -> PieceProto {
    PieceProto { piece: Some(text.to_owned()), score: Some(score), kind: Some(kind.into()) }
}

fn spell(pieces: &[Piece]) -> Vec<String> {
    pieces.iter().map(|piece| piece.text.clone()).collect()
}
