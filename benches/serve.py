#!/usr/bin/env python3
"""How much of the engine's own rate a service keeps under many clients: the same lines from both, run in turn.

    cargo build --release
    pip install grpcio grpcio-tools
    python3 benches/serve.py --model models/fa-en-mini --text tests/data/flores-dev.fa

The engine alone is `translate` of all lines, in one process. The service is `serve` in a process of its own; each of
--clients has a connection and one article of --sentences lines under way at a time, until all lines are translated.
Neither remembers anything, and both must come to the same number of target tokens. Every round runs both; the ratio of
tokens a second is taken round by round, and the median is printed. Loading isn't timed. The clients, in Python, work on the
same processor as the service, and on a busy machine the two get unlike shares of it: the first ratio has that, the second,
by the processor time of `translate` and of `serve`, has not.

At the end the clients send all lines once more as a batch, over and over, while one asks for a line at a time: what it
waits, beside what it waits alone.
"""
import argparse
import importlib
import json
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import grpc
from grpc_tools import protoc

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True, help="a model's name or folder")
parser.add_argument("--text", required=True, help="one sentence a line")
parser.add_argument("--lines", type=int, default=0, help="only so many lines")
parser.add_argument("--clients", type=int, default=32)
parser.add_argument("--sentences", type=int, default=8, help="lines in an article")
parser.add_argument("--beam", type=int, default=4)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--texts", type=int, default=100, help="texts whose wait is measured; 0 is none")
parser.add_argument("--binary", default="target/release/tarjoman")
args = parser.parse_args()

with open(args.text, encoding="utf-8") as file:
    LINES = [line for line in file.read().split("\n") if line.strip()][: args.lines or None]
ARTICLES = ["\n".join(LINES[at : at + args.sentences]) for at in range(0, len(LINES), args.sentences)]
MODEL = ["--model", args.model, "--threads", str(args.threads), "--no-cache"]
TICK = 1 / os.sysconf("SC_CLK_TCK")


def interface(folder):
    """The messages and the client's methods, made from the interface's own description."""
    proto = pathlib.Path(__file__).resolve().parent.parent / "proto"
    google = pathlib.Path(protoc.__file__).parent / "_proto"
    made = ["", f"-I{proto}", f"-I{google}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert protoc.main([*made, str(proto / "tarjoman/v1/translation.proto")]) == 0
    sys.path.insert(0, folder)
    modules = ("tarjoman.v1.translation_pb2", "tarjoman.v1.translation_pb2_grpc")
    return [importlib.import_module(module) for module in modules]


def engine():
    """Target tokens, seconds on the clock, and seconds of the processor, of the engine alone."""
    with tempfile.TemporaryDirectory() as folder:
        text, stats = os.path.join(folder, "text"), os.path.join(folder, "stats.json")
        pathlib.Path(text).write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
        command = [args.binary, "-q", "translate", text, "--beam", str(args.beam), "--max-attempts", "1"]
        process = subprocess.Popen([*command, *MODEL, "--stats", stats], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, command
        told = json.loads(pathlib.Path(stats).read_text(encoding="utf-8"))
    processor = usage.ru_utime + usage.ru_stime - told["seconds"]["load"]
    return told["target_tokens"], told["seconds"]["translate"], processor


class Service:
    def __init__(self):
        command = [args.binary, "serve", "--listen", "127.0.0.1:0", *MODEL]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        told = next(line for line in self.process.stderr if line.startswith("listening on "))
        self.address = told.split()[-1]
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def processor(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def client(self):
        # Otherwise all clients of a process share one connection.
        own = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        return rpc.TranslationServiceStub(grpc.insecure_channel(self.address, own))

    def stop(self):
        self.process.terminate()
        assert self.process.wait() == 0


def request(text, priority="PRIORITY_INTERACTIVE"):
    options = messages.Options(beam_size=args.beam, max_attempts=1, priority=priority)
    return messages.TranslateArticleRequest(text=text, options=options)


def work(client, articles, done):
    tokens = 0
    while True:
        try:
            article = articles.get_nowait()
        except queue.Empty:
            done.append(tokens)
            return
        *_, last = client.TranslateArticle(article)
        tokens += last.summary.target_tokens


def run(clients, articles):
    """Translates the articles with all clients at once; target tokens."""
    waiting, done = queue.SimpleQueue(), []
    for article in articles:
        waiting.put(article)
    threads = [threading.Thread(target=work, args=(client, waiting, done)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(clients), "a client failed"
    return sum(done)


def served(service, clients):
    before, begun = service.processor(), time.monotonic()
    tokens = run(clients, [request(article) for article in ARTICLES])
    return tokens, time.monotonic() - begun, service.processor() - before


def waits(client):
    """How long single lines take, in milliseconds, sorted."""
    took = []
    for number in range(args.texts):
        line = LINES[number * 7 % len(LINES)]
        options = messages.Options(beam_size=args.beam, max_attempts=1)
        begun = time.monotonic()
        client.TranslateText(messages.TranslateTextRequest(text=line, options=options))
        took.append((time.monotonic() - begun) * 1e3)
    return sorted(took)


def tell(name, took):
    at = [took[min(len(took) - 1, int(len(took) * part))] for part in (0.5, 0.95, 0.99)]
    print(f"a line {name}: p50 {at[0]:.0f} ms, p95 {at[1]:.0f} ms, p99 {at[2]:.0f} ms", flush=True)


def beside(service, clients, priority):
    """The waits while the other clients send batches."""
    ended, articles = threading.Event(), [request(article, priority) for article in ARTICLES]

    def load(client):
        while not ended.is_set():
            for article in articles:
                if ended.is_set():
                    return
                for _ in client.TranslateArticle(article):
                    pass

    threads = [threading.Thread(target=load, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    time.sleep(2)
    took = waits(service.client())
    ended.set()
    for thread in threads:
        thread.join()
    return took


with tempfile.TemporaryDirectory() as made:
    messages, rpc = interface(made)
    service = Service()
    clients = [service.client() for _ in range(args.clients)]
    run(clients, [request(ARTICLES[0])] * args.clients)
    print(f"{args.model}, {len(LINES)} lines, beam {args.beam}, {args.clients} clients, {args.threads} threads", flush=True)
    ratios = []
    for number in range(args.rounds):
        alone, many = engine(), served(service, clients)
        assert alone[0] == many[0], "not the same work"
        rate = [[tokens / time for time in times] for tokens, *times in (alone, many)]
        ratios.append([ours / theirs for ours, theirs in zip(rate[1], rate[0])])
        print(
            f"round {number + 1}: engine {rate[0][0]:.0f}, service {rate[1][0]:.0f} tokens/s, ratio {ratios[-1][0]:.3f};"
            f" by processor time {ratios[-1][1]:.3f}",
            flush=True,
        )
    clock, processor = map(statistics.median, zip(*ratios))
    print(f"median ratio {clock:.3f}; by processor time {processor:.3f}")
    if args.texts:
        tell("alone", waits(service.client()))
        tell("beside a batch", beside(service, clients, "PRIORITY_BATCH"))
        tell("beside as much that is interactive", beside(service, clients, "PRIORITY_INTERACTIVE"))
    service.stop()
