//! No bytes make a SentencePiece model panic, neither while it is read nor while it is used.
//!
//!     cargo +nightly fuzz run sentencepiece fuzz/corpus/sentencepiece tests/golden/tiny-marian

#![no_main]

use libfuzzer_sys::fuzz_target;
use tarjoman::tokenizer::SentencePieceModel;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = SentencePieceModel::parse(bytes) {
        let pieces = model.encode("  سلام، دنیا! ا\u{653} ﷺ e\u{301} \0 12345 👩‍👩‍👧‍👦 ▁ <unk> ");
        model.decode(pieces.iter().map(|piece| piece.text.as_str()));
    }
});
