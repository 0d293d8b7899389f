#!/usr/bin/env python3
"""Small random M2M100 and NLLB models with real tokenizers, and their golden answers from Hugging Face transformers in
float32.

    pip install torch transformers sentencepiece protobuf
    python3 tests/golden/m2m100.py

makes the folders tiny-m2m100 (SentencePiece BPE, vocab.json; weights in half precision, as safetensors and as a pickle)
and tiny-nllb (tokenizer.json; weights in bfloat16, in two parts) and writes beside them, as marian.py does,
PREFIX.source.txt, PREFIX.greedy.txt, PREFIX.beam4.txt and PREFIX.text.txt; tiny-small100 is tiny-m2m100 used as
SMaLL-100 is: its tokenization_small100.py puts the target's language before the source, and nothing is forced.
PREFIX.tokens.jsonl has [ids, the ids decoded] for the texts of tiny-marian.tokens.jsonl. Special tokens in a text are
plain text here. Weights are rounded so that half precision, bfloat16 and single precision hold the same numbers.
"""
import json, os, pathlib, shutil, tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import sentencepiece, torch
from sentencepiece import sentencepiece_model_pb2
from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer, NllbTokenizer
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES

golden = pathlib.Path(__file__).resolve().parent
data = golden.parent / "data"
lines = (data / "flores-dev.fa").read_text(encoding="utf-8").splitlines()
odd = json.loads((data / "odd.json").read_text(encoding="utf-8"))
texts = [json.loads(row)[0] for row in (golden / "tiny-marian.tokens.jsonl").read_text(encoding="utf-8").splitlines()]
MAX_LENGTH = 24
BATCH = 100
torch.set_num_threads(1)


def train(folder):
    """A SentencePiece BPE model of both languages; returns its pieces."""
    prefix = pathlib.Path(tempfile.mkdtemp()) / "spm"
    files = ",".join(str(data / f"flores-dev.{side}") for side in ("fa", "en"))
    sentencepiece.SentencePieceTrainer.train(
        input=files, model_prefix=str(prefix), model_type="bpe", vocab_size=1500, character_coverage=0.9999, minloglevel=2
    )
    path = folder / "sentencepiece.bpe.model"
    shutil.copy(prefix.with_suffix(".model"), path)
    model = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    return model, [p.piece for p in model.pieces if p.type == p.NORMAL]


def fresh(name):
    folder = golden / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def m2m100():
    folder = fresh("tiny-m2m100")
    _, pieces = train(folder)
    vocabulary = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    json.dump(vocabulary, open(folder / "vocab.json", "w"))
    languages = [f"__{code}__" for code in FAIRSEQ_LANGUAGE_CODES["m2m100"]]
    files = dict(vocab_file=str(folder / "vocab.json"), spm_file=str(folder / "sentencepiece.bpe.model"))
    tokenizer = M2M100Tokenizer(**files, src_lang="fa", tgt_lang="en", additional_special_tokens=languages)
    # As the real model: room for the languages and for 8 words that nobody has.
    model = random_model(len(vocabulary) + len(languages) + 8, 1)
    model.to(torch.float16).save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    json.dump({"tokenizer_class": "M2M100Tokenizer", "src_lang": "fa", "tgt_lang": "en"}, open(folder / "tokenizer_config.json", "w"))
    return folder, tokenizer


def nllb():
    folder = fresh("tiny-nllb")
    model, pieces = train(folder)
    (folder / "sentencepiece.bpe.model").unlink()
    vocabulary = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pieces])}
    score = {p.piece: p.score for p in model.pieces if p.type == p.NORMAL}
    # As convert_slow_tokenizer.py: every way to put a piece together from two, the best scores first.
    merges = [(p[:i], p[i:], score[p]) for p in pieces for i in range(1, len(p)) if p[:i] in score and p[i:] in score]
    merges = [(left, right) for left, right, _ in sorted(merges, key=lambda m: (-m[2], vocabulary[m[0]], vocabulary[m[1]]))]
    rules = model.normalizer_spec.precompiled_charsmap
    languages = ["eng_Latn", "pes_Arab", "prs_Arab"]
    tokenizer = NllbTokenizer(
        vocab=vocabulary, merges=merges, src_lang="pes_Arab", tgt_lang="eng_Latn", extra_special_tokens=languages, _spm_precompiled_charsmap=rules
    )
    tokenizer.save_pretrained(folder)
    random_model(len(tokenizer) + 2, 3).to(torch.bfloat16).save_pretrained(folder, max_shard_size="100KB")
    return folder, tokenizer


def random_model(size, seed):
    torch.manual_seed(seed)
    config = M2M100Config(
        vocab_size=size, d_model=32, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=48, encoder_attention_heads=4,
        decoder_attention_heads=2, max_position_embeddings=512, init_std=0.4,
    )  # fmt: skip
    model = M2M100ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            # Sharp attention, so that every source has an answer of its own.
            if name.endswith(("q_proj.weight", "k_proj.weight")):
                parameter *= 3
        # What a step sees must weigh more than its own token, or the tied output layer only copies that.
        model.model.shared.weight *= 0.25
        model.model.decoder.layer_norm.weight *= 8
        # Some sentences end by themselves.
        model.model.shared.weight[2] *= 2.5
        for parameter in model.parameters():
            rounded = parameter.to(torch.bfloat16).float()
            parameter.copy_(torch.where(rounded.abs() < 2.0**-17, torch.zeros_like(rounded), rounded))
    return model


def write(prefix, kind, rows):
    (golden / f"{prefix}.{kind}").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def tokens(prefix, tokenizer):
    ids = [tokenizer(text, split_special_tokens=True).input_ids for text in texts]
    rows = [(row, tokenizer.decode(row, skip_special_tokens=True)) for row in ids]
    write(prefix, "tokens.jsonl", (json.dumps(row, separators=(",", ":")) for row in rows))


def answers(prefix, folder, tokenizer, forced):
    model = M2M100ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    sources = [tokenizer(line, split_special_tokens=True).input_ids for line in lines + odd]
    write(prefix, "source.txt", (" ".join(map(str, source)) for source in sources))
    for kind, beams in ("greedy.txt", 1), ("beam4.txt", 4):
        results = [row for start in range(0, len(lines), BATCH) for row in generate(model, sources[start : min(start + BATCH, len(lines))], beams, forced)]
        write(prefix, kind, (f"{score:.6f} {' '.join(map(str, ids))}" for score, ids in results))
    write(prefix, "text.txt", (tokenizer.decode(ids, skip_special_tokens=True) for _, ids in results))
    different = len({tuple(ids) for _, ids in results})
    print(prefix, sum(len(ids) < MAX_LENGTH - 1 for _, ids in results), "of", len(results), "end by themselves;", different, "differ")


def generate(model, sources, beams, forced):
    longest = max(map(len, sources))
    pad = model.config.pad_token_id
    input_ids = torch.tensor([source + [pad] * (longest - len(source)) for source in sources])
    with torch.no_grad():
        result = model.generate(
            input_ids=input_ids, attention_mask=(input_ids != pad).long(), num_beams=beams, do_sample=False, max_length=MAX_LENGTH, early_stopping=False,
            length_penalty=1.0, forced_bos_token_id=forced, forced_eos_token_id=2, return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
    if beams > 1:
        scores = result.sequences_scores
    else:
        steps = model.compute_transition_scores(result.sequences, result.scores, normalize_logits=True)
        scores = steps.where(result.sequences[:, 1:] != pad, 0).sum(1)
    # Without the start token and what follows the end mark.
    targets = ([token for token in ids[1:] if token != pad] for ids in result.sequences.tolist())
    return list(zip(scores.tolist(), targets))


folder, tokenizer = nllb()
tokens("tiny-nllb", tokenizer)
answers("tiny-nllb", folder, tokenizer, tokenizer.convert_tokens_to_ids("eng_Latn"))
folder, tokenizer = m2m100()
tokens("tiny-m2m100", tokenizer)
answers("tiny-m2m100", folder, tokenizer, tokenizer.get_lang_id("en"))
tokenizer.src_lang = "en"
lines = lines[:100]
answers("tiny-small100", folder, tokenizer, None)
