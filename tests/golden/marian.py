#!/usr/bin/env python3
"""Golden answers for Marian models, from Hugging Face transformers in float32.

    pip install torch transformers sentencepiece
    python3 tests/golden/marian.py models/fa-en-mini tests/golden/fa-en-mini --max-length 256
    python3 tests/golden/marian.py tests/golden/tiny-marian tests/golden/tiny-marian --max-length 48

writes, for every line of tests/data/flores-dev.fa and of tests/data/odd.json: PREFIX.source.txt (source ids),
PREFIX.greedy.txt and PREFIX.beam4.txt (score, target ids), PREFIX.text.txt (the decoded beam).
"""
import argparse, json, os, pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("prefix")
parser.add_argument("--max-length", type=int, required=True)
parser.add_argument("--batch", type=int, default=16)
args = parser.parse_args()

data = pathlib.Path(__file__).resolve().parent.parent / "data"
lines = (data / "flores-dev.fa").read_text(encoding="utf-8").splitlines()
odd = json.loads((data / "odd.json").read_text(encoding="utf-8"))
tokenizer = AutoTokenizer.from_pretrained(args.model)
model = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=torch.float32).eval()


def write(kind, rows):
    pathlib.Path(f"{args.prefix}.{kind}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


write("source", (" ".join(map(str, tokenizer(line).input_ids)) for line in lines + odd))


def generate(beams):
    rows, texts = [], []
    for start in range(0, len(lines), args.batch):
        batch = tokenizer(lines[start : start + args.batch], return_tensors="pt", padding=True)
        options = dict(num_beams=beams, do_sample=False, max_length=args.max_length, early_stopping=False, length_penalty=1.0)
        with torch.no_grad():
            result = model.generate(**batch, **options, return_dict_in_generate=True, output_scores=True)
        if beams > 1:
            scores = result.sequences_scores
        else:
            steps = model.compute_transition_scores(result.sequences, result.scores, normalize_logits=True)
            scores = steps.where(result.sequences[:, 1:] != model.config.pad_token_id, 0).sum(1)
        for ids, score in zip(result.sequences.tolist(), scores.tolist()):
            ids = [i for i in ids if i != model.config.pad_token_id]
            rows.append(f"{score:.6f} {' '.join(map(str, ids))}")
            texts.append(tokenizer.decode(ids, skip_special_tokens=True))
    return rows, texts


write("greedy", generate(1)[0])
rows, texts = generate(4)
write("beam4", rows)
write("text", texts)
