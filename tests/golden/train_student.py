"""The student that `student.py` writes as student-trained. It learns every twelfth line of FLORES dev and the line's
translation by Firefox Translations by heart.

Other than a random model, a trained one is sure of what it says, so that engines which round differently still write
the same text.
"""
import pathlib

import numpy, torch
from torch.nn import functional

SIZES = dict(features=64, heads=4, hidden=128, encoder=2, decoder=2)
STEPS, BATCH = 2000, 16
EVERY = 12
EPSILON = 1e-6

data = pathlib.Path(__file__).resolve().parent.parent / "data"


def pairs(tokenizer):
    """Token ids of the lines that are learnt, and of their translations."""
    sides = [(data / f"flores-dev.{side}").read_text(encoding="utf-8").splitlines() for side in ("fa", "bergamot-tiny.en")]
    encode = lambda line: tokenizer.encode(line) + [tokenizer.eos_id()]
    return [tuple(map(encode, pair)) for pair in list(zip(*sides))[::EVERY]]


def positions(length, features):
    """Marian's: sines, then cosines, with frequencies from 1 to 1/10,000."""
    half = features // 2
    angles = torch.arange(length)[:, None] * torch.exp(torch.arange(half) * -(numpy.log(10_000) / (half - 1)))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Network(torch.nn.Module):
    """A transformer with Marian's simpler simple recurrent units in its decoder, and Marian's names."""

    def __init__(self, vocabulary, features, heads, hidden, encoder, decoder):
        super().__init__()
        self.features, self.heads, self.encoder, self.decoder = features, heads, encoder, decoder
        self.values = torch.nn.ParameterDict()
        self.largest = {}
        self.add("Wemb", torch.randn(vocabulary, features) / features**0.5)
        self.add("decoder_ff_logit_out_b", torch.zeros(1, vocabulary))
        for layer in range(1, encoder + 1):
            self.add_attention(f"encoder_l{layer}_self")
            self.add_feed_forward(f"encoder_l{layer}_ffn", hidden)
        for layer in range(1, decoder + 1):
            for weight in "W", "Wf":
                self.add(f"decoder_l{layer}_rnn_{weight}", self.matrix(features, features))
            self.add(f"decoder_l{layer}_rnn_bf", torch.ones(1, features))
            self.add_norm(f"decoder_l{layer}_rnn_ffn")
            self.add_attention(f"decoder_l{layer}_context")
            self.add_feed_forward(f"decoder_l{layer}_ffn", hidden)

    def add(self, name, values):
        self.values[name] = torch.nn.Parameter(values)

    def matrix(self, inputs, outputs):
        return torch.randn(inputs, outputs) / inputs**0.5

    def add_norm(self, prefix):
        self.add(f"{prefix}_ln_scale", torch.ones(1, self.features))
        self.add(f"{prefix}_ln_bias", torch.zeros(1, self.features))

    def add_attention(self, prefix):
        for part in "qkvo":
            self.add(f"{prefix}_W{part}", self.matrix(self.features, self.features))
            self.add(f"{prefix}_b{part}", torch.zeros(1, self.features))
        self.add_norm(f"{prefix}_Wo")

    def add_feed_forward(self, prefix, hidden):
        for number, (inputs, outputs) in enumerate([(self.features, hidden), (hidden, self.features)], 1):
            self.add(f"{prefix}_W{number}", self.matrix(inputs, outputs))
            self.add(f"{prefix}_b{number}", torch.zeros(1, outputs))
        self.add_norm(f"{prefix}_ffn")

    def affine(self, name, x, bias=True):
        self.largest[name] = max(self.largest.get(name, 0.0), float(x.detach().abs().max()))
        y = x @ self.values[name]
        prefix, part = name.rsplit("_W", 1)
        return y + self.values[f"{prefix}_b{part}"] if bias else y

    def norm(self, prefix, x):
        return functional.layer_norm(x, [self.features], self.values[f"{prefix}_ln_scale"][0], self.values[f"{prefix}_ln_bias"][0], EPSILON)

    def attention(self, prefix, x, memory, mask):
        split = lambda y: y.unflatten(2, (self.heads, -1)).transpose(1, 2)
        query, key, value = (split(self.affine(f"{prefix}_W{part}", y)) for part, y in zip("qkv", (x, memory, memory)))
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.norm(f"{prefix}_Wo", x + self.affine(f"{prefix}_Wo", attended.transpose(1, 2).flatten(2)))

    def feed_forward(self, prefix, x):
        wide = functional.relu(self.affine(f"{prefix}_W1", x))
        return self.norm(f"{prefix}_ffn", x + self.affine(f"{prefix}_W2", wide))

    def recurrent(self, prefix, x):
        gates, candidates = torch.sigmoid(self.affine(f"{prefix}_Wf", x)), self.affine(f"{prefix}_W", x, bias=False)
        cell, outputs = torch.zeros_like(x[:, 0]), []
        for gate, candidate in zip(gates.unbind(1), candidates.unbind(1)):
            cell = gate * cell + (1 - gate) * candidate
            outputs.append(functional.relu(cell))
        return self.norm(f"{prefix}_ffn", x + torch.stack(outputs, 1))

    def forward(self, source, target, mask):
        """Logits for each position of the target."""
        embed = lambda ids: self.values["Wemb"][ids] * self.features**0.5
        x = embed(source) + positions(source.shape[1], self.features)
        for layer in range(1, self.encoder + 1):
            x = self.attention(f"encoder_l{layer}_self", x, x, mask)
            x = self.feed_forward(f"encoder_l{layer}_ffn", x)
        memory = x
        # A target is shifted to the right, and filled up with zeros.
        x = functional.pad(embed(target)[:, :-1], (0, 0, 1, 0)) + positions(target.shape[1], self.features)
        for layer in range(1, self.decoder + 1):
            x = self.recurrent(f"decoder_l{layer}_rnn", x)
            x = self.attention(f"decoder_l{layer}_context", x, memory, mask)
            x = self.feed_forward(f"decoder_l{layer}_ffn", x)
        self.largest["Wemb"] = max(self.largest.get("Wemb", 0.0), float(x.detach().abs().max()))
        return x @ self.values["Wemb"].T + self.values["decoder_ff_logit_out_b"]


def batch(chosen):
    pad = lambda side: torch.nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids in side], batch_first=True, padding_value=-1)
    source, target = map(pad, zip(*chosen))
    return source.clamp(min=0), target, (source >= 0)[:, None, None, :]


def train(tokenizer, examples):
    """Numbers by Marian's names of them, and `largest.NAME`, the largest magnitude of what a matrix is multiplied with."""
    torch.manual_seed(7)
    network = Network(tokenizer.get_piece_size(), **SIZES)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=STEPS)
    for step in range(STEPS):
        chosen = [examples[index] for index in torch.randperm(len(examples))[:BATCH]]
        source, target, mask = batch(chosen)
        logits = network(source, target.clamp(min=0), mask)
        loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(step, f"{loss.item():.4f}", flush=True)
    network.largest.clear()
    with torch.no_grad():
        for first in range(0, len(examples), BATCH):
            source, target, mask = batch(examples[first : first + BATCH])
            network(source, target.clamp(min=0), mask)
    values = {name: value.detach().numpy() for name, value in network.values.items()}
    return values | {f"largest.{name}": value for name, value in network.largest.items()}
