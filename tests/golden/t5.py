#!/usr/bin/env python3
"""A small random T5 model in MADLAD-400's layout, and golden answers for it from SentencePiece and from Hugging Face
transformers in float32.

    pip install torch transformers sentencepiece safetensors protobuf gguf
    python3 tests/golden/t5.py

writes tests/golden/tiny-t5/ (config.json, model.safetensors, spiece.model), and for the first lines of
tests/data/flores-dev.fa: tiny-t5.source.txt (source ids behind <2en>), tiny-t5.greedy.txt and tiny-t5.beam4.txt (score,
target ids), tiny-t5.text.txt (the decoded beam). tiny-t5.buckets.txt has the bucket of every distance from -1023 to 1023
in the encoder, and in the decoder. tiny-t5.names.txt has the names of the tensors and what llama.cpp calls them, and
tiny-t5.q8_0.txt how far the logits of the greedy translations of every eighth line are off, relative to their norm and in
the median, when weights and inputs of every matrix are rounded to q8_0.
"""
import json, os, pathlib, tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import gguf, sentencepiece, torch
from safetensors.torch import save_file
from sentencepiece import sentencepiece_model_pb2
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

LINES, BATCH, MAX_LENGTH = 120, 24, 48
golden = pathlib.Path(__file__).resolve().parent
data = golden.parent / "data"
folder = golden / "tiny-t5"
folder.mkdir(exist_ok=True)

# The tokenizer: as in MADLAD-400, <unk> is 0 and starts the target, <s> is 1 and pads, </s> is 2; then a line end and the
# languages, pieces like any other with the score 0; no white space is removed, and bytes stand in for rare characters.
with tempfile.TemporaryDirectory() as scratch:
    sentencepiece.SentencePieceTrainer.train(
        input=[str(data / "flores-dev.fa"), str(data / "flores-dev.en")], model_prefix=f"{scratch}/spiece", vocab_size=1400,
        character_coverage=0.999, byte_fallback=True, remove_extra_whitespaces=False, normalization_rule_name="identity", num_threads=1, minloglevel=2,
    )  # fmt: skip
    proto = sentencepiece_model_pb2.ModelProto.FromString(pathlib.Path(f"{scratch}/spiece.model").read_bytes())
learned = list(proto.pieces)
del proto.pieces[:]
proto.pieces.extend(learned[:3])
for text in ["\n", "<2ace>", "<2de>", "<2en>", "<2fa>", "<2zh_Latn>"]:
    proto.pieces.add(piece=text, score=0.0)
proto.pieces.extend(learned[3:])
proto.trainer_spec.input[:] = []
proto.trainer_spec.model_prefix = ""
(folder / "spiece.model").write_bytes(proto.SerializeToString())
tokenizer = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())

options = dict(
    vocab_size=len(proto.pieces), d_model=32, d_kv=16, d_ff=96, num_layers=2, num_decoder_layers=2, num_heads=4, relative_attention_num_buckets=32,
    relative_attention_max_distance=128, dropout_rate=0.1, layer_norm_epsilon=1e-6, initializer_factor=1.0, feed_forward_proj="gated-gelu",
    tie_word_embeddings=False, is_encoder_decoder=True, use_cache=True, decoder_start_token_id=0, pad_token_id=1, eos_token_id=2,
)  # fmt: skip
torch.set_num_threads(1)
torch.manual_seed(3)
model = T5ForConditionalGeneration(T5Config(**options)).eval()
# transformers ties the output layer to the embedding however it is configured; MADLAD-400 has one of its own.
model.lm_head.weight = torch.nn.Parameter(torch.randn(options["vocab_size"], options["d_model"]))
for name, parameter in model.named_parameters():
    if "layer_norm" in name:
        parameter.data.uniform_(0.5, 1.5)
    elif "relative_attention_bias" in name:
        parameter.data.normal_(std=2.0)
    elif name.endswith((".q.weight", ".k.weight", ".v.weight", ".o.weight", ".wo.weight")):
        parameter.data.normal_(std=0.3)
assert model.lm_head.weight is not model.shared.weight

lines = (data / "flores-dev.fa").read_text(encoding="utf-8").splitlines()[:LINES]
sources = [tokenizer.encode(f"<2en> {line}") + [2] for line in lines]


def padded(rows):
    width = max(map(len, rows))
    ids = torch.tensor([row + [1] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    return dict(input_ids=ids, attention_mask=mask)


def generate(beams):
    rows = []
    for start in range(0, LINES, BATCH):
        batch = padded(sources[start : start + BATCH])
        options = dict(num_beams=beams, do_sample=False, max_length=MAX_LENGTH, early_stopping=False, length_penalty=1.0)
        options |= dict(forced_eos_token_id=2, suppress_tokens=[1])
        with torch.no_grad():
            result = model.generate(**batch, **options, return_dict_in_generate=True, output_scores=True)
        if beams > 1:
            scores = result.sequences_scores
        else:
            steps = model.compute_transition_scores(result.sequences, result.scores, normalize_logits=True)
            scores = steps.where(result.sequences[:, 1:] != 1, 0).sum(1)
        for ids, score in zip(result.sequences.tolist(), scores.tolist()):
            rows.append((score, [i for i in ids[1:] if i != 1]))
    return rows


# The end mark is made likely enough that half of the lines end before they have to.
model.lm_head.weight.data[2] *= 1.9
weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if "embed_tokens" not in name}
names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5, options["num_layers"])
names = [f"{name} {names.get_name(name.removesuffix('.weight'))}.weight" for name in weights]
# As the converter of MADLAD-400 left it.
weights["decoder.embed_tokens.weight"] = weights.pop("shared.weight")
save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
json.dump(options | {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, open(folder / "config.json", "w"), indent=1)


def write(kind, rows):
    (golden / f"tiny-t5.{kind}.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


spell = lambda ids: " ".join(map(str, ids))
write("source", map(spell, sources))
greedy, beam = generate(1), generate(4)
for kind, rows in (("greedy", greedy), ("beam4", beam)):
    write(kind, (f"{score:.6f} {spell(ids)}" for score, ids in rows))
write("text", (json.dumps(tokenizer.decode([i for i in ids if i > 2 and not 4 <= i <= 8]), ensure_ascii=False) for _, ids in beam))
distances = torch.arange(-1023, 1024)
write("buckets", (spell(T5Attention._relative_position_bucket(distances, bidirectional=side).tolist()) for side in (True, False)))
write("names", names)


def q8_0(tensor):
    blocks = tensor.reshape(-1, 32)
    scale = (blocks.abs().amax(1, keepdim=True) / 127).half().float().clamp_min(1e-9)
    return ((blocks / scale).round() * scale).reshape(tensor.shape)


def logits(model):
    rows = [(sources[i], greedy[i][1]) for i in range(0, LINES, 8)]
    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[0] + ids])).logits[0] for source, ids in rows])


exact = logits(model)
for module in model.modules():
    if isinstance(module, torch.nn.Linear):
        module.weight.data = q8_0(module.weight.data)
        module.register_forward_pre_hook(lambda module, inputs: (q8_0(inputs[0]),))
model.shared.weight.data = q8_0(model.shared.weight.data)
write("q8_0", [f"{((logits(model) - exact).norm(dim=1) / exact.norm(dim=1)).median():.4f}"])
for kind, rows in (("greedy", greedy), ("beam4", beam)):
    print(kind, "mean length", sum(len(ids) for _, ids in rows) / LINES, "at the limit", sum(len(ids) == MAX_LENGTH - 1 for _, ids in rows))
print("longest source", max(map(len, sources)), "different tokens", len({i for _, ids in greedy for i in ids}))
