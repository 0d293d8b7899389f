#!/usr/bin/env python3
"""How much of the engine's own rate `batch` keeps: the same sentences as lines and as articles, run in turn.

    cargo build --release
    python3 benches/batch.py --model models/fa-en-mini --text tests/data/flores-dev.fa

Lines are translated by `translate --lines`, with nothing around them. Articles are records of JSONL with one sentence
each, or with --sentences of them, and go the whole way: journal, translated file, bilingual JSONL. Every round runs
both; the ratio is taken round by round, and the median is printed. Loading the model is part of both and taken off.
Processor time is told beside it: it is what can be compared where others use the machine too, and shows what the way of
an article costs, but not whether the engine waits for it.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True, help="a model's name or folder")
parser.add_argument("--text", required=True, help="one sentence a line")
parser.add_argument("--lines", type=int, default=0, help="only so many lines")
parser.add_argument("--sentences", type=int, default=1, help="sentences in an article")
parser.add_argument("--beam", type=int, default=4)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--binary", default="target/release/tarjoman")
args = parser.parse_args()

with open(args.text, encoding="utf-8") as file:
    LINES = [line for line in file.read().split("\n") if line.strip()][: args.lines or None]
OPTIONS = ["--model", args.model, "--threads", str(args.threads), "--beam", str(args.beam), "--max-attempts", "1"]


def seconds(command):
    """On the clock, and of the processor."""
    begun = time.monotonic()
    process = subprocess.Popen([args.binary, "-q", *command, *OPTIONS], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime


def lines(folder, texts):
    source = folder / "lines.txt"
    source.write_text("".join(f"{line}\n" for line in texts), encoding="utf-8")
    return seconds(["translate", str(source), "--lines"])


def articles(folder, texts):
    source, output = folder / "articles.jsonl", folder / "out"
    grouped = ["\n".join(texts[at : at + args.sentences]) for at in range(0, len(texts), args.sentences)]
    source.write_text("".join(f"{json.dumps({'text': text})}\n" for text in grouped), encoding="utf-8")
    return seconds(["batch", str(source), "-o", str(output), "--export", "jsonl"])


def net(work):
    with tempfile.TemporaryDirectory() as loading, tempfile.TemporaryDirectory() as working:
        load = work(pathlib.Path(loading), LINES[:1])
        whole = work(pathlib.Path(working), LINES)
    return [all - less for all, less in zip(whole, load)]


ratios = []
for number in range(args.rounds):
    alone, batch = net(lines), net(articles)
    ratios.append([less / more for less, more in zip(alone, batch)])
    rates = f"lines {len(LINES) / alone[0]:.1f}, batch {len(LINES) / batch[0]:.1f} sentences/s"
    print(f"round {number + 1}: {rates}, ratio {ratios[-1][0]:.3f}; by processor time {ratios[-1][1]:.3f}", flush=True)
clock, processor = map(statistics.median, zip(*ratios))
print(f"median ratio {clock:.3f}; by processor time {processor:.3f}")
