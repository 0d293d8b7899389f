#!/usr/bin/env python3
"""Small random students in the layout of Firefox Translations (Mozilla, Bergamot), and what two engines that load
that layout make of FLORES: fxtranslate (Rust) and pymarian (Marian itself).

    pip install numpy sentencepiece zstandard torch fxtranslate==0.5.0 pymarian==1.12.42
    python3 tests/golden/student.py [NAME]

writes three folders and, for each, NAME.text.tsv and NAME.shortlist.tsv: numbers of lines of tests/data/flores-dev.fa
and the greedy translation of each line's first one to six words, over the whole vocabulary and over the shortlist; and
NAME.whole.tsv, the same of every eighth line as a whole, over the whole vocabulary. student-float.alignment.tsv has the
first twenty of student-float.text.tsv again, with the weights of the source tokens for each target token (Marian's
`alignment=soft`).

In int8 one activation of thousands is rounded to its other neighbour when sums are added up in another order, and a
random model may then say something else. So lines are left out of the first two files whose translation changes, in the
same engine, when the model's float32 numbers change by up to a millionth. Hardly a whole line (3 of 250) is left then,
so the third file has them all, and is compared token by token with what came before it given.

No two engines agree on all whole lines. Of 167 (every sixth) so many of student-alphas differ, "numpy" being the same
arithmetic written plainly, once in float64 and once in float32:

                    numpy f64  numpy f32  fxtranslate
    numpy f32              40          -           52
    fxtranslate            57         52            -

Where two of them part, the better token leads by 0.04 to 0.05 standard deviations of the logits (median), against 0.21
at any step. Given fxtranslate's own tokens before it, numpy in float32 says another one at 5.0 % of 4,106 steps, and
at 7.8 % with fxtranslate's formula for positions. In float32 models all engines agree on all lines.

    student-alphas  int8 in Bergamot's dialect with a multiplier for every activation, one vocabulary; by fxtranslate
    student-split   int8 in Marian's dialect with multipliers found at run time, a vocabulary for each side; by pymarian
    student-float   float32, one vocabulary; by fxtranslate, and by pymarian, which must agree with it
    student-trained both dialects of int8, one vocabulary; its numbers are learnt (`train_student.py`), so that it is
                    sure of what it says: NAME.alphas.tsv by fxtranslate and NAME.intgemm8.tsv by pymarian are whole
                    lines, all that it learnt, over the whole vocabulary, and with -shortlist over a shortlist

Marian finds a multiplier over all rows of a batch and a shortlist over all its sentences, so it gets one sentence at a
time. The layout is that of marian-dev's src/common/binary.cpp and src/data/shortlist.cpp.
"""
import gzip, io, pathlib, struct, sys, tempfile

import fxtranslate, numpy, pymarian, sentencepiece, zstandard

golden = pathlib.Path(__file__).resolve().parent
data = golden.parent / "data"
whole = (data / "flores-dev.fa").read_text(encoding="utf-8").splitlines()
lines = [" ".join(line.split()[: 1 + number % 6]) for number, line in enumerate(whole)]

FLOAT32, INT8 = 0x404, 0x101
INTGEMM8 = {"bergamot": 0x4101, "marian": 0x10001}
EOS, UNK = 0, 1


class Student:
    """Tensors in file order: name, type code, shape, bytes."""

    def __init__(self, dialect, features, heads, hidden, encoder, decoder, activation, end, source, target, seed, unused=0):
        self.random = numpy.random.default_rng(seed)
        self.dialect, self.features, self.hidden, self.items = dialect, features, hidden, []
        shared = source is target
        sizes = [source.get_piece_size(), target.get_piece_size()]
        scale = 2 / features**0.5
        for side, size in zip(["Wemb"] if shared else ["encoder_Wemb", "decoder_Wemb"], sizes):
            table = self.random.normal(scale=scale, size=(size, features))
            # Marian keeps embeddings in float32, Bergamot quantises them; neither transposes them.
            self.quantised(side, table, 127 / 4, table) if dialect == "bergamot" else self.float(side, table)
        if dialect == "bergamot":
            self.float("none_QuantMultA", [[127 / 4]])
        bias = self.random.normal(scale=0.6, size=(1, sizes[1]))
        bias[0, EOS], bias[0, UNK] = end, -50
        bias[0, sizes[1] - unused :] = -50
        self.float("decoder_ff_logit_out_b", bias)
        for side, layers in ("encoder", encoder), ("decoder", decoder):
            for layer in range(1, layers + 1):
                prefix = f"{side}_l{layer}"
                if side == "encoder":
                    self.attention(f"{prefix}_self")
                else:
                    self.weight(f"{prefix}_rnn_W", features, features)
                    self.weight(f"{prefix}_rnn_Wf", features, features)
                    self.bias(f"{prefix}_rnn_bf", features)
                    self.norm(f"{prefix}_rnn_ffn")
                    self.attention(f"{prefix}_context")
                self.weight(f"{prefix}_ffn_W1", features, hidden)
                self.bias(f"{prefix}_ffn_b1", hidden)
                self.weight(f"{prefix}_ffn_W2", hidden, features)
                self.bias(f"{prefix}_ffn_b2", features)
                self.norm(f"{prefix}_ffn_ffn")
        config = dict(
            CONFIG, **{
                "dim-emb": features, "dim-vocabs": "".join(f"\n  - {size}" for size in sizes), "enc-depth": encoder, "dec-depth": decoder,
                "transformer-heads": heads, "transformer-dim-ffn": hidden, "transformer-ffn-activation": activation,
                "tied-embeddings": str(not shared).lower(), "tied-embeddings-all": str(shared).lower(),
            }
        )  # fmt: skip
        yaml = "".join(f"{key}: {value}\n" for key, value in config.items()).encode() + b"\0"
        self.items.append(("special:model.yml", INT8, [len(yaml)], yaml))

    def attention(self, prefix):
        for part in "qkvo":
            self.weight(f"{prefix}_W{part}", self.features, self.features)
            self.bias(f"{prefix}_b{part}", self.features)
        self.norm(f"{prefix}_Wo")

    def norm(self, prefix):
        # Of either sign, so that the residual connection doesn't make a token follow itself for ever.
        scale = self.random.uniform(0.8, 1.2, size=(1, self.features)) * self.random.choice([-1, 1], size=(1, self.features))
        self.float(f"{prefix}_ln_scale", scale)
        self.float(f"{prefix}_ln_bias", self.random.normal(scale=0.1, size=(1, self.features)))

    def bias(self, name, outputs):
        self.float(name, self.random.normal(scale=0.1, size=(1, outputs)))

    def weight(self, name, inputs, outputs):
        # Sharp attention, and nothing of what all inputs have in common: the next token hangs on all before it.
        gain = 2.5 if name[-2:] in ("Wq", "Wk") else 1.2
        weight = self.random.normal(scale=gain / inputs**0.5, size=(inputs, outputs))
        weight -= weight.mean(axis=0)
        if self.dialect == "float":
            self.float(name, weight)
        else:
            # A little less than the largest activations need, so that some saturate.
            self.quantised(name, weight, 127 / 3.5, weight.T)

    def float(self, name, values):
        values = numpy.asarray(values, dtype="<f4")
        self.items.append((name, FLOAT32, list(values.shape), values.tobytes()))

    def quantised(self, name, weight, alpha, stored):
        # On AVX2 Bergamot's kernels add two products in 16 bits, which saturate. With half of the range they never do,
        # so that an engine computes the same on any machine.
        largest = 63 if self.dialect == "bergamot" else 127
        multiplier = numpy.float32(largest / numpy.abs(weight).max())
        integers = numpy.clip(numpy.rint(stored.astype("f4") * multiplier), -largest, largest).astype("i1")
        self.items.append((name, INTGEMM8[self.dialect], list(weight.shape), integers.tobytes() + struct.pack("<f", multiplier)))
        if self.dialect == "bergamot":
            self.float(f"{name}_QuantMultA", [[alpha * self.random.uniform(0.9, 1.1)]])

    def file(self, seed=None):
        """The file; with a seed every float32 number is changed at random by up to a millionth."""
        random = numpy.random.default_rng(seed)
        padded = []
        for _, kind, _, bytes in self.items:
            if kind == FLOAT32 and seed is not None:
                values = numpy.frombuffer(bytes, dtype="<f4")
                bytes = (values * (1 + 1e-6 * random.uniform(-1, 1, len(values)))).astype("<f4").tobytes()
            padded.append(bytes + b"\0" * (-len(bytes) % 256))
        out = io.BytesIO()
        out.write(struct.pack("<QQ", 1, len(self.items)))
        for (name, kind, shape, _), bytes in zip(self.items, padded):
            out.write(struct.pack("<QQQQ", len(name) + 1, kind, len(shape), len(bytes)))
        out.writelines(name.encode() + b"\0" for name, *_ in self.items)
        out.writelines(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in self.items)
        gap = 256 - (out.tell() + 8) % 256
        out.write(struct.pack("<Q", gap) + b"\0" * gap)
        out.writelines(padded)
        return out.getvalue()


class Trained(Student):
    """A student whose numbers `train_student.py` found."""

    def __init__(self, dialect, tokenizer, sizes, values):
        self.values = values | {"none_QuantMultA": [[127 / values["largest.Wemb"]]]}
        super().__init__(dialect, **sizes, activation="relu", end=0, source=tokenizer, target=tokenizer, seed=0)

    def float(self, name, values):
        super().float(name, self.values.get(name, values))

    def quantised(self, name, weight, alpha, stored):
        weight, alpha = self.values[name], 127 / self.values[f"largest.{name}"]
        super().quantised(name, weight, alpha, weight if name == "Wemb" else weight.T)


CONFIG = {
    "bert-train-type-embeddings": "true", "bert-type-vocab-size": 2, "dec-cell": "ssru", "dec-cell-base-depth": 2, "dec-cell-high-depth": 1,
    "dim-rnn": 1024, "enc-cell": "gru", "enc-cell-depth": 1, "enc-type": "bidirectional", "factors-combine": "sum", "factors-dim-emb": 0,
    "input-types": "\n  []", "layer-normalization": "false", "lemma-dependency": '""', "lemma-dim-emb": 0, "output-omit-bias": "false",
    "right-left": "false", "skip": "false", "tied-embeddings-src": "false", "transformer-aan-activation": "swish", "transformer-aan-depth": 2,
    "transformer-aan-nogate": "false", "transformer-decoder-autoreg": "rnn", "transformer-depth-scaling": "false", "transformer-dim-aan": 2048,
    "transformer-ffn-depth": 2, "transformer-guided-alignment-layer": "last", "transformer-no-affine": "false", "transformer-no-bias": "false",
    "transformer-no-projection": "false", "transformer-pool": "false", "transformer-postprocess": "dan", "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": '""', "transformer-preprocess": '""', "transformer-rnn-projection": "false", "transformer-tied-layers": "\n  []",
    "transformer-train-position-embeddings": "false", "type": "transformer", "ulr": "false", "ulr-dim-emb": 0, "ulr-trainable-transformation": "false",
    "version": "v1.9.0 0000000 2020-01-01 00:00:00 +0000",
}  # fmt: skip


def random_lists(source, target, seed):
    """Twelve target tokens for each source token."""
    random = numpy.random.default_rng(seed)
    return [sorted(set(random.integers(2, target.get_piece_size(), size=12).tolist())) for _ in range(source.get_piece_size())]


def covering_lists(tokenizer, pairs):
    """Target tokens for each source token, so that every target's tokens are among those of its source's."""
    counts = numpy.bincount(numpy.concatenate([source for source, _ in pairs]), minlength=tokenizer.get_piece_size())
    # Marian wants the last list not to be empty.
    lists = [{EOS} for _ in counts]
    for source, target in pairs:
        lists[min(source, key=lambda token: counts[token])].update(target)
    return [sorted(tokens) for tokens in lists]


def shortlist(lists, first=50, best=50):
    offsets = numpy.cumsum([0] + [len(ids) for ids in lists])
    body = struct.pack("<QQQQ", first, best, len(offsets), offsets[-1])
    body += offsets.astype("<u8").tobytes() + numpy.concatenate(lists).astype("<u4").tobytes()
    checksum = 0
    for (word,) in struct.iter_unpack("<Q", body[: len(body) // 8 * 8]):
        checksum ^= (word + 0x9E3779B9 + (checksum << 6) + (checksum >> 2)) % 2**64
    return struct.pack("<QQ", 0xF11A48D5013417F5, checksum) + body


def vocabulary(files, size, rule):
    model = io.BytesIO()
    texts = [line for file in files for line in (data / file).read_text(encoding="utf-8").splitlines()]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=size, bos_id=-1, eos_id=EOS, unk_id=UNK, normalization_rule_name=rule, minloglevel=2
    )
    return model.getvalue(), sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def by_fxtranslate(texts, model, source, target, lex):
    translator = fxtranslate.Translator(model=model, src_vocab=source, trg_vocab=target, shortlist=lex)
    return [translator.translate(line) for line in texts]


def by_marian(texts, model, source, target, lex, **more):
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: str(pathlib.Path(folder) / name)
        for name, bytes in ("model.bin", model), ("source.spm", source), ("target.spm", target), ("lex.bin", lex):
            bytes and pathlib.Path(path(name)).write_bytes(bytes)
        vocabs = [path("source.spm")] * 2 if source == target else [path("source.spm"), path("target.spm")]
        options = dict(models=path("model.bin"), vocabs=vocabs, beam_size=1, mini_batch=1, maxi_batch=1, cpu_threads=1, quiet=True, max_length_factor=2, **more)
        translator = pymarian.Translator(**options, **({"shortlist": path("lex.bin")} if lex else {}))
        return [translator.translate([line])[0] for line in texts]


def write_files(folder, files):
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for file, bytes in files.items():
        bytes = gzip.compress(bytes, mtime=0) if file.endswith(".gz") else bytes
        bytes = zstandard.compress(bytes, 19) if file.endswith(".zst") else bytes
        (folder / file).write_bytes(bytes)


def write(name, model, files, translate):
    """Writes a student's files, the model's first, and its translations."""
    write_files(golden / name, files)
    by_kind = {kind.split(".")[0]: bytes for kind, bytes in files.items()}
    changed = [model.file(seed) for seed in range(8)]
    source = by_kind.get("srcvocab", by_kind.get("vocab"))
    target = by_kind.get("trgvocab", source)
    numbers = without_ties(range(0, len(whole), 8))
    rows = translate([whole[number] for number in numbers], by_kind["model"], source, target, None)
    write_rows(f"{name}.whole.tsv", numbers, rows)
    for kind, lex in ("text", None), ("shortlist", by_kind["lex"]):
        rows = translate(lines, by_kind["model"], source, target, lex)
        settled = [number for number, line in enumerate(lines) if "000" not in line]
        for other in changed:
            others = translate([lines[number] for number in settled], other, source, target, lex)
            settled = [number for number, row in zip(settled, others) if row == rows[number]]
        print(f"{name}.{kind}: {len(settled)} of {len(rows)} lines are settled")
        write_rows(f"{name}.{kind}.tsv", settled, [rows[number] for number in settled])


def write_rows(file, numbers, rows):
    (golden / file).write_text("".join(f"{number + 1}\t{row}\n" for number, row in zip(numbers, rows)), encoding="utf-8")


def without_ties(numbers):
    """Without lines in which, of 0·00 and 00·0, which score the same, the older SentencePiece inside Marian takes the other one."""
    return [number for number in numbers if "000" not in whole[number]]


def by_both(texts, *files):
    rows, others = by_fxtranslate(texts, *files), by_marian(texts, *files)
    # A line that doesn't end is cut four tokens later by fxtranslate.
    differ = [text for text, row, other in zip(texts, rows, others) if not row.startswith(other)]
    print(f"the two engines differ on {len(differ)} of {len(rows)} lines: {differ}")
    return rows


def make_alphas(name):
    spm, both = vocabulary(["flores-dev.fa", "flores-dev.en"], 1500, "nmt_nfkc")
    model = Student("bergamot", 64, 8, 128, 6, 2, "relu", 4.5, both, both, seed=1)
    files = {"model.faen.intgemm.alphas.bin.zst": model.file(), "vocab.faen.spm.gz": spm, "lex.50.50.faen.s2t.bin.zst": shortlist(random_lists(both, both, 2))}
    write(name, model, files, by_fxtranslate)


def make_split(name):
    (fa, source), (en, target) = vocabulary(["flores-dev.fa"], 700, "identity"), vocabulary(["flores-dev.en"], 600, "identity")
    model = Student("marian", 64, 4, 64, 3, 2, "swish", 2.5, source, target, seed=3)
    files = {"model.faen.intgemm8.bin.gz": model.file(), "srcvocab.faen.spm": fa, "trgvocab.faen.spm": en, "lex.50.50.faen.s2t.bin": shortlist(random_lists(source, target, 4))}
    write(name, model, files, by_marian)


def make_float(name):
    spm, both = vocabulary(["flores-dev.fa", "flores-dev.en"], 600, "identity")
    model = Student("float", 32, 4, 64, 2, 1, "relu", 4.5, both, both, seed=5)
    files = {"model.faen.bin": model.file(), "vocab.faen.spm": spm, "lex.50.50.faen.s2t.bin.gz": shortlist(random_lists(both, both, 6))}
    write(name, model, files, by_both)
    numbers = [int(row.split("\t")[0]) for row in (golden / f"{name}.text.tsv").read_text(encoding="utf-8").splitlines()[:20]]
    rows = by_marian([lines[number - 1] for number in numbers], model.file(), spm, spm, None, alignment="soft")
    rows = [f"{number}\t{row}\n".replace(" ||| ", "\t") for number, row in zip(numbers, rows)]
    (golden / f"{name}.alignment.tsv").write_text("".join(rows), encoding="utf-8")


def make_trained(name):
    import train_student

    spm, tokenizer = vocabulary(["flores-dev.fa", "flores-dev.bergamot-tiny.en"], 700, "nmt_nfkc")
    pairs = train_student.pairs(tokenizer)
    values = train_student.train(tokenizer, pairs)
    lex = shortlist(covering_lists(tokenizer, pairs))
    alphas, integers = (Trained(dialect, tokenizer, train_student.SIZES, values).file() for dialect in ("bergamot", "marian"))
    files = {"vocab.faen.spm.zst": spm, "lex.50.50.faen.s2t.bin.zst": lex}
    write_files(golden / name, files | {"model.faen.intgemm.alphas.bin.zst": alphas, "model.faen.intgemm8.bin.zst": integers})
    numbers = without_ties(range(0, len(whole), train_student.EVERY))
    texts = [whole[number] for number in numbers]
    for kind, model, translate in ("alphas", alphas, by_fxtranslate), ("intgemm8", integers, by_marian):
        for suffix, shortlisted in ("", None), ("-shortlist", lex):
            rows = translate(texts, model, spm, spm, shortlisted)
            write_rows(f"{name}.{kind}{suffix}.tsv", numbers, rows)


if __name__ == "__main__":
    students = {"student-alphas": make_alphas, "student-split": make_split, "student-float": make_float, "student-trained": make_trained}
    for name in sys.argv[1:] or students:
        students[name](name)
