#!/usr/bin/env python3
"""How the cost of a translation grows with the length of its source and target, the batch, the beam and the threads.

    cargo build --release
    python3 benches/growth.py --model models/fa-en-mini --text tests/data/flores-dev.fa

Every line of the output is one setting, all others being the usual ones: greedy, 256 lines under way at once, all
threads. What is printed is the median over --rounds of the microseconds a target token takes, and that of the usual
setting beside it, which is run in turn with each.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True, help="a model's name or folder")
parser.add_argument("--text", required=True, help="one sentence a line")
parser.add_argument("--lines", type=int, default=256, help="only so many lines")
parser.add_argument("--words", type=int, default=16, help="words of a line")
parser.add_argument("--tokens", type=int, default=32, help="tokens of a translation")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--binary", default="target/release/tarjoman")
args = parser.parse_args()

WORDS = pathlib.Path(args.text).read_text(encoding="utf-8").split()
USUAL = {"words": args.words, "tokens": args.tokens, "at-once": 256, "beam": 1, "threads": args.threads}
SETTINGS = {
    "words": [4, 8, 16, 32, 64],
    "tokens": [8, 16, 32, 64, 128],
    "at-once": [1, 4, 16, 64, 256],
    "beam": [1, 2, 4, 8],
    "threads": [threads for threads in (1, 2, 4, 8, 16) if threads <= args.threads],
}


def microseconds(words, tokens, beam, threads, **more):
    lines = [" ".join(WORDS[at * words : (at + 1) * words]) for at in range(min(args.lines, len(WORDS) // words))]
    with tempfile.TemporaryDirectory() as folder:
        text, stats = os.path.join(folder, "text"), os.path.join(folder, "stats.json")
        pathlib.Path(text).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        command = [args.binary, "-q", "translate", text, "--lines", "--max-attempts", "1", "--no-cache", "--model", args.model]
        command += ["--beam", str(beam), "--threads", str(threads), "--at-once", str(more["at-once"])]
        command += ["--min-tokens", str(tokens), "--max-tokens", str(tokens + 1), "--stats", stats]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        told = json.loads(pathlib.Path(stats).read_text(encoding="utf-8"))
    return told["seconds"]["translate"] / told["target_tokens"] * 1e6


print(f"{args.model}, {USUAL}, {args.rounds} rounds", flush=True)
for name, values in SETTINGS.items():
    for value in values:
        pairs = [(microseconds(**USUAL | {name: value}), microseconds(**USUAL)) for _ in range(args.rounds)]
        own, usual = (statistics.median(side) for side in zip(*pairs))
        print(f"{name:8} {value:4}  {own:8.1f} us a token  ({own / usual:5.2f} of {usual:.1f})", flush=True)
