#!/usr/bin/env python3
"""Golden alignments of Marian and T5 models, from Hugging Face transformers in float32.

    pip install torch transformers sentencepiece
    python3 tests/golden/alignment.py models/fa-en-mini tests/golden/fa-en-mini
    python3 tests/golden/alignment.py tests/golden/tiny-marian tests/golden/tiny-marian --lines 2
    python3 tests/golden/alignment.py tests/golden/tiny-t5 tests/golden/tiny-t5 --lines 4

writes PREFIX.alignment.jsonl, one object for each of the first lines of PREFIX.source.txt and its translation in
PREFIX.beam4.txt: the log-probability of every target token, and for every target token the weight of every source
token, the mean over the heads of the last layer's cross-attention.
"""
import argparse, json, os, pathlib

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from transformers import AutoModelForSeq2SeqLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("prefix")
parser.add_argument("--lines", type=int, default=3)
args = parser.parse_args()

model = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=torch.float32, attn_implementation="eager").eval()


def read(kind):
    lines = pathlib.Path(f"{args.prefix}.{kind}.txt").read_text(encoding="utf-8").splitlines()
    return [[float(number) for number in line.split()] for line in lines[: args.lines]]


rows = []
for source, (_, *target) in zip(read("source"), read("beam4")):
    source, target = torch.tensor([source]).long(), torch.tensor([target]).long()
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.no_grad():
        output = model(input_ids=source, decoder_input_ids=torch.cat([start, target[:, :-1]], 1), output_attentions=True)
    log_probs = output.logits[0].log_softmax(-1).gather(1, target[0, :, None])[:, 0]
    attention = output.cross_attentions[-1][0].mean(0)
    rows.append({"log_probs": [round(x, 5) for x in log_probs.tolist()], "attention": [[round(x, 5) for x in row] for row in attention.tolist()]})
text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
pathlib.Path(f"{args.prefix}.alignment.jsonl").write_text(text, encoding="utf-8")
