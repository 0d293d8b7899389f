//! No bytes make a SentencePiece model panic, neither while it is read nor while it is used, be it a unigram or a BPE one.
//!
//!     cargo +nightly fuzz run sentencepiece fuzz/corpus/sentencepiece tests/golden/tiny-marian tests/golden/tiny-m2m100

#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::tokenizer::SentencePieceModel;

/// The field that makes a model a BPE one: of two in a message the last holds.
const BPE: [u8; 4] = [0x12, 2, 0x18, 2];

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&[bytes, &BPE].concat());
});

fn read(bytes: &[u8]) {
    if let Ok(model) = SentencePieceModel::parse(bytes) {
        let pieces = model.encode("  سلام، دنیا! ا\u{653} ﷺ e\u{301} \0 12345 👩‍👩‍👧‍👦 ▁ <unk> ");
        model.decode(pieces.iter().map(|piece| piece.text.as_str()));
    }
}
