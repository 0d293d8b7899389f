#!/usr/bin/env python3
"""Speed of tarjoman beside the engines that Mozilla's students were made for, on the same text and threads, in turn.

    cargo build --release
    pip install numpy sentencepiece zstandard fxtranslate==0.5.0 pymarian==1.12.42
    python3 benches/student.py

The student is random, in the shape of Firefox Translations' "tiny" (256 features, 6 encoder layers of 1536, 2 decoder
layers, 32,000 tokens) with a shortlist, and says as much as a real one, two tokens for each of the source at most. Its
weights are written twice: with multipliers for fxtranslate, without them for Marian, and tarjoman runs both. Loading
isn't timed. Tokens are those of the translation as SentencePiece cuts it, the same for all systems.
"""
import argparse, json, pathlib, statistics, struct, subprocess, sys, tempfile, time

root = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(root / "tests/golden"))
import sentencepiece, student

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--lines", type=int, default=200)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--systems", default="marian,fxtranslate")
parser.add_argument("--binary", default="target/release/tarjoman")
parser.add_argument("--keep", help="a folder for the model's files, to be used again")
parser.add_argument("--peer", help=argparse.SUPPRESS)
args = parser.parse_args()

# More pieces than these the text doesn't have; the others are never said.
VOCABULARY, PIECES, END = 32000, 7000, 6.0
text = (student.data / "flores-dev.fa").read_text(encoding="utf-8").splitlines()[: args.lines]


def files(folder):
    """Writes one model in both dialects."""
    spm, _ = student.vocabulary(["flores-dev.fa", "flores-dev.en"], PIECES, "nmt_nfkc")
    # Pieces that no text has: field 1 of the model, a message of the piece and its score.
    for number in range(PIECES, VOCABULARY):
        piece = f"\u2581\u2588{number}".encode()
        piece = b"\x0a" + bytes([len(piece)]) + piece + b"\x15" + struct.pack("<f", -99.0)
        spm += b"\x0a" + bytes([len(piece)]) + piece
    both = sentencepiece.SentencePieceProcessor(model_proto=spm)
    lex = student.shortlist(student.random_lists(both, both, 2))
    for dialect in "bergamot", "marian":
        (folder / dialect).mkdir(parents=True)
        model = student.Student(dialect, 256, 8, 1536, 6, 2, "relu", END, both, both, seed=1, unused=VOCABULARY - PIECES)
        for name, contents in ("model.faen.bin", model.file()), ("vocab.faen.spm", spm), ("lex.50.50.faen.s2t.bin", lex):
            (folder / dialect / name).write_bytes(contents)


def tarjoman(folder, dialect):
    with tempfile.TemporaryDirectory() as scratch:
        source, stats = pathlib.Path(scratch, "text"), pathlib.Path(scratch, "stats.json")
        source.write_text("\n".join(text) + "\n", encoding="utf-8")
        command = [args.binary, "-q", "translate", source, "--lines", "--max-attempts", "1", "--no-cache", "--model", folder / dialect]
        command += ["--threads", args.threads, "--stats", stats, "--beam", 1, "--at-once", 256]
        output = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
        stats = json.loads(stats.read_text())
        return stats["seconds"]["translate"], output.splitlines(), stats["peak_memory_bytes"] / 1e6


def peer(folder, system):
    """In a process of its own, for its memory's sake."""
    command = [sys.executable, __file__, "--peer", f"{system},{folder}", "--lines", str(args.lines), "--threads", str(args.threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def run_peer(system, folder):
    dialect = pathlib.Path(folder) / {"marian": "marian", "fxtranslate": "bergamot"}[system]
    model, vocabulary, lex = (dialect / name for name in ("model.faen.bin", "vocab.faen.spm", "lex.50.50.faen.s2t.bin"))
    if system == "marian":
        import pymarian

        options = dict(models=str(model), vocabs=[str(vocabulary)] * 2, shortlist=str(lex), beam_size=1, max_length_factor=2, quiet=True)
        translator = pymarian.Translator(**options, mini_batch=64, maxi_batch=100, cpu_threads=args.threads)
        translate = translator.translate
    else:
        import fxtranslate

        # It has one thread.
        translator = fxtranslate.Translator(model=model.read_bytes(), src_vocab=vocabulary.read_bytes(), trg_vocab=vocabulary.read_bytes(), shortlist=lex.read_bytes())
        translate = lambda lines: [translator.translate(line) for line in lines]
    translate(text[:2])
    start = time.perf_counter()
    output = translate(text)
    seconds = time.perf_counter() - start
    import resource

    print(json.dumps([seconds, output, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(args.keep or scratch)
        if not (folder / "marian").exists():
            files(folder)
        both = sentencepiece.SentencePieceProcessor(model_file=str(folder / "marian/vocab.faen.spm"))
        runs = {}
        for system, dialect in ("marian", "marian"), ("fxtranslate", "bergamot"):
            if system in args.systems:
                runs[f"tarjoman, {dialect}'s dialect"] = lambda dialect=dialect: tarjoman(folder, dialect)
                runs[system] = lambda system=system: peer(folder, system)
        speeds = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, run in runs.items():
                seconds, output, memory = run()
                tokens = sum(len(ids) + 1 for ids in both.encode(output))
                speeds[name].append(tokens / seconds)
                print(f"{name}: {tokens} tokens in {seconds:.2f} s, {tokens / seconds:.0f} tokens/s, {memory:.0f} MB", flush=True)
        for ours, other in zip(list(runs)[::2], list(runs)[1::2]):
            ratio = statistics.median(one / two for one, two in zip(speeds[ours], speeds[other]))
            print(f"{ours} {statistics.median(speeds[ours]):.0f} tokens/s, {other} {statistics.median(speeds[other]):.0f}: {ratio:.2f} times as fast")


run_peer(*args.peer.split(",", 1)) if args.peer else main()
