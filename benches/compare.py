#!/usr/bin/env python3
"""Speed of tarjoman beside its peers on the same weights, text and threads, run in turn.

    cargo build --release
    pip install torch transformers sentencepiece ctranslate2
    python3 benches/compare.py --model models/fa-en-mini --text tests/data/flores-dev.fa

Every round runs every system once, so that a machine whose speed drifts slows all of them alike; the ratios are taken
round by round, and the median is printed. Loading isn't timed but printed, tokenising is timed for tarjoman and not
for the peers.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True, help="a Marian model in the Hugging Face layout")
parser.add_argument("--text", required=True, help="one sentence a line")
parser.add_argument("--lines", type=int, default=0, help="only so many lines")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--fixed", type=int, default=0, help="decode exactly so many tokens")
parser.add_argument("--shortlist", help="a shortlist for tarjoman")
parser.add_argument("--works", default="greedy,beam4,one", help="greedy, beam4, one (a sentence at a time)")
parser.add_argument("--systems", default="int8,ct2", help="int8, f32 (both tarjoman), ct2, hf")
parser.add_argument("--binary", default="target/release/tarjoman")
parser.add_argument("--peer", help=argparse.SUPPRESS)
args = parser.parse_args()

with open(args.text, encoding="utf-8") as file:
    LINES = [line for line in file.read().split("\n") if line.strip()][: args.lines or None]


def ours(precision, work):
    """Seconds, target tokens, seconds to load, and peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        text, stats = os.path.join(folder, "text"), os.path.join(folder, "stats.json")
        with open(text, "w", encoding="utf-8") as file:
            file.write("\n".join(LINES) + "\n")
        command = [args.binary, "-q", "translate", text, "--lines", "--max-attempts", "1", "--no-cache", "--model", args.model]
        command += ["--precision", precision, "--threads", str(args.threads), "--stats", stats]
        command += ["--beam", "4" if work == "beam4" else "1", "--at-once", "1" if work == "one" else "256"]
        if args.shortlist:
            command += ["--shortlist", args.shortlist]
        if args.fixed:
            command += ["--min-tokens", str(args.fixed), "--max-tokens", str(args.fixed + 1)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(stats, encoding="utf-8") as file:
            stats = json.load(file)
    return stats["seconds"]["translate"], stats["target_tokens"], stats["seconds"]["load"], stats["peak_memory_bytes"] / 1e6


def peer(system, work):
    """The same of a peer, in a process of its own."""
    command = [sys.executable, __file__, "--peer", f"{system},{work}", "--model", args.model, "--text", args.text]
    command += ["--lines", str(args.lines), "--threads", str(args.threads), "--fixed", str(args.fixed)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def run_peer(system, work):
    os.environ["HF_HUB_OFFLINE"] = "1"
    import resource

    from transformers import AutoTokenizer

    beam = 4 if work == "beam4" else 1
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    if system == "ct2":
        import ctranslate2

        folder = os.path.join(args.model, "ct2-int8")
        if not os.path.exists(os.path.join(folder, "model.bin")):
            converter = os.path.join(os.path.dirname(sys.executable), "ct2-transformers-converter")
            convert = [converter, "--model", args.model, "--output_dir", folder, "--quantization", "int8", "--force"]
            subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        source = [tokenizer.convert_ids_to_tokens(tokenizer(line).input_ids) for line in LINES]
        begun = time.perf_counter()
        model = ctranslate2.Translator(folder, intra_threads=args.threads, inter_threads=1, compute_type="int8")
        load = time.perf_counter() - begun
        limits = {"max_decoding_length": args.fixed or 256, "min_decoding_length": args.fixed or 1}
        options = {"beam_size": beam, "max_batch_size": 2048, "batch_type": "tokens", "max_input_length": 0, **limits}
        model.translate_batch(source[:4], **options)
        begun = time.perf_counter()
        if work == "one":
            results = [model.translate_batch([sentence], **options)[0] for sentence in source]
        else:
            results = model.translate_batch(source, **options)
        seconds = time.perf_counter() - begun
        tokens = sum(len(result.hypotheses[0]) + 1 for result in results)
    else:
        import torch
        from transformers import AutoModelForSeq2SeqLM

        torch.set_num_threads(args.threads)
        begun = time.perf_counter()
        model = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=torch.float32).eval()
        load = time.perf_counter() - begun
        limits = {"max_new_tokens": args.fixed or 256, "min_new_tokens": args.fixed or 0}
        size = 1 if work == "one" else 32
        order = sorted(range(len(LINES)), key=lambda line: -len(LINES[line]))
        begun = time.perf_counter()
        tokens = 0
        with torch.no_grad():
            for start in range(0, len(order), size):
                batch = tokenizer([LINES[line] for line in order[start : start + size]], return_tensors="pt", padding=True)
                output = model.generate(**batch, num_beams=beam, do_sample=False, **limits)
                tokens += int((output[:, 1:] != model.config.pad_token_id).sum())
        seconds = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps([seconds, tokens, load, memory]))


def compare(work):
    systems = args.systems.split(",")
    runs = {system: [] for system in systems}
    for _ in range(args.rounds):
        for system in systems:
            runs[system].append(ours(system, work) if system in ("int8", "f32") else peer(system, work))
    for system in systems:
        speeds = speeds_of(runs[system])
        ratios = [ours / theirs for ours, theirs in zip(speeds_of(runs[systems[0]]), speeds)]
        load = statistics.median(load for _, _, load, _ in runs[system])
        memory = statistics.median(memory for _, _, _, memory in runs[system])
        print(
            f"{work:8} {system:6} {statistics.median(speeds):9.0f} tokens/s  {systems[0]} is {statistics.median(ratios):5.2f} times as fast"
            f" ({min(ratios):.2f}..{max(ratios):.2f})  load {load:.2f} s  peak {memory:.0f} MB",
            flush=True,
        )


def speeds_of(runs):
    return [tokens / seconds for seconds, tokens, _, _ in runs]


if args.peer:
    run_peer(*args.peer.split(","))
else:
    print(f"{args.model}, {len(LINES)} lines, {args.threads} threads, {args.rounds} rounds", flush=True)
    for work in args.works.split(","):
        compare(work)
