#!/usr/bin/env python3
"""Golden tokens of Marian models, from Hugging Face transformers' MarianTokenizer.

    pip install transformers sentencepiece
    python3 tests/golden/tokens.py models/fa-en-mini tests/golden/fa-en-mini
    python3 tests/golden/tokens.py tests/golden/tiny-marian tests/golden/tiny-marian

writes PREFIX.target.txt, the target ids of every line of tests/data/flores-dev.en, and PREFIX.tokens.jsonl, whose lines
are [text, its source ids, its target ids, those target ids decoded] for odd and for random text. The source ids of
tests/data/flores-dev.fa are in PREFIX.source.txt, which marian.py writes.
"""
import argparse, json, os, pathlib, random, sys

# This file's name hides the standard library's tokenize from what is imported below.
sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != pathlib.Path(__file__).resolve().parent]
os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import MarianTokenizer

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("prefix")
parser.add_argument("--random", type=int, default=300)
args = parser.parse_args()

tokenizer = MarianTokenizer.from_pretrained(args.model)
lines = (pathlib.Path(__file__).resolve().parent.parent / "data" / "flores-dev.en").read_text(encoding="utf-8").splitlines()

ODD = [
    # Ties: sums in single and in double precision choose differently.
    "00000000000000000", "!!!!!!!!!!!!!!!!!!!!", "هههههههههههههههههههههه", "\"\"\"! \"!\"\"\"\"! ! !!\"",
    # Where rules apply across graphemes, and where they don't.
    "ا\u0653", "ا\u0653\u064b", "لا\u0653", "و\u0654", "ی\u0654", "ه\u0654", "e\u0301\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "ﷺ ﷽ ﷼",
    # Spaces and controls.
    "", " ", "\u3000\u00a0", "\t\r\n", " a  b\u200c\u200cc ", "\u200c", "a\u200c", "\u2028a\u2029", "a\0b", "\x01\x7f\x85", "\ufeffسلام",
    # Special tokens and language tokens.
    "</s>", "a</s>b", " <unk> <pad>", "<</s>", "<s>", "</ s>", ">>eng<<سلام", ">>eng<< سلام", " >>eng<<", "a >>eng<<", ">><<", ">>سلام<<سلام", "</s>>>eng<<a",
    # SentencePiece's own space.
    "▁", "▁▁a▁ b", "a▁", "می▁شود",
    # Long clusters, private use, noncharacters, the last plane.
    "x" + "\u0301" * 60, "👩‍👩‍👧‍👦🏽🇮🇷", "\ue000\uf8ff\U0010fffd", "\ufffe\uffff", "سـ" + "ـ" * 50 + "لام", "كتابٌ ىة ﻻ ﮐ",
]  # fmt: skip

ALPHABETS = [
    "ابپتثجچحخدذرزژسشصضطظعغفقکگلمنوهی", "abcdefghijklmnopqrstuvwxyz", " ", " \u200c\u200d\u200e\u200f\u00a0\u2003\t", "۰۱۲۳۴۵۶۷۸۹", "0123456789",
    "".join(map(chr, range(0x600, 0x700))), "".join(map(chr, range(0x300, 0x340))), "".join(map(chr, range(0xFB50, 0xFBC0))), "".join(map(chr, range(0x20, 0x7F))),
    "".join(map(chr, range(0xC0, 0x180))), "👩👨😂🏽\ufe0f❤", "…«»؟،؛–—“”№™½ﬁ", "漢字かな한국",
]  # fmt: skip


def random_text(random):
    alphabets = random.sample(ALPHABETS, random.randint(1, 3))
    text = "".join(random.choice(random.choice(alphabets)) for _ in range(random.randint(1, 24)))
    return text * random.choice([1, 1, 1, 2, 5])


def write(kind, rows):
    pathlib.Path(f"{args.prefix}.{kind}").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def golden(text):
    target = tokenizer(text_target=text).input_ids
    row = [text, tokenizer(text).input_ids, target, tokenizer.decode(target, skip_special_tokens=True)]
    return json.dumps(row, separators=(",", ":"))


seeded = random.Random(0)
write("target.txt", (" ".join(map(str, tokenizer(text_target=line).input_ids)) for line in lines))
write("tokens.jsonl", map(golden, ODD + lines[:50] + [random_text(seeded) for _ in range(args.random)]))
