#!/usr/bin/env python3
"""A small random Marian model whose two sides share nothing: separate vocabularies, embeddings and output layer, a
bias on the logits, gelu. It has the SentencePiece models of tests/golden/tiny-marian.

    pip install torch transformers sentencepiece
    python3 tests/golden/make_split_marian.py
    python3 tests/golden/marian.py tests/golden/split-marian tests/golden/split-marian --max-length 32
"""
import json, os, pathlib, shutil

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece, torch
from transformers import MarianConfig, MarianMTModel

golden = pathlib.Path(__file__).resolve().parent
folder = golden / "split-marian"
folder.mkdir(exist_ok=True)


def vocabulary(side):
    shutil.copy(golden / "tiny-marian" / f"{side}.spm", folder)
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
    pieces = ["</s>", "<unk>"]
    pieces += [p for p in (model.id_to_piece(i) for i in range(model.get_piece_size())) if p not in ("<s>", "</s>", "<unk>")]
    return {piece: index for index, piece in enumerate(pieces + ["<pad>"])}


source, target = vocabulary("source"), vocabulary("target")
# Both sides must give the special tokens the same ids, as the configuration has one of each.
size = max(len(source), len(target))
for pieces in (source, target):
    del pieces["<pad>"]
    pieces.update({f"unused{i}": i for i in range(len(pieces), size - 1)})
    pieces["<pad>"] = size - 1
json.dump(source, open(folder / "vocab.json", "w"), ensure_ascii=False)
json.dump(target, open(folder / "target_vocab.json", "w"), ensure_ascii=False)
json.dump({"source_lang": "fa", "target_lang": "en", "separate_vocabs": True, "tokenizer_class": "MarianTokenizer"}, open(folder / "tokenizer_config.json", "w"))
torch.manual_seed(1)
config = MarianConfig(
    vocab_size=size, decoder_vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=1, encoder_ffn_dim=48, decoder_ffn_dim=80,
    encoder_attention_heads=2, decoder_attention_heads=4, activation_function="gelu", max_position_embeddings=512, scale_embedding=False,
    share_encoder_decoder_embeddings=False, tie_word_embeddings=False, pad_token_id=size - 1, eos_token_id=0,
    decoder_start_token_id=size - 1, forced_eos_token_id=0, init_std=0.1,
)
model = MarianMTModel(config)
model.final_logits_bias.copy_(torch.randn(1, size))
model.lm_head.weight.data.normal_(std=0.3)
model.generation_config.bad_words_ids = [[size - 1]]
model.save_pretrained(folder)
