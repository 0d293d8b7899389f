#!/usr/bin/env python3
"""Weights as PyTorch writes them, in ways that a model's folder may have them.

    pip install torch safetensors
    python3 tests/golden/make_pickles.py

writes to tests/golden/pickle: tensors.bin with parameters, views, a transposed matrix, a shared storage and all the
types that weights have; tensors.safetensors with the same numbers; old.bin, in the format before PyTorch 1.6.
"""
import collections, pathlib

import torch
from safetensors.torch import save_file

folder = pathlib.Path(__file__).resolve().parent / "pickle"
folder.mkdir(exist_ok=True)
torch.manual_seed(0)
base = torch.randn(6, 4)
tensors = collections.OrderedDict(
    matrix=base,
    rows=base[2:5],
    turned=base.t(),
    parameter=torch.nn.Parameter(torch.randn(3, 2)),
    vector=torch.randn(5),
    half=torch.randn(2, 3).half(),
    bfloat=torch.randn(2, 3).bfloat16(),
    double=torch.randn(4).double(),
    counts=torch.arange(4),
    scalar=torch.tensor(1.5),
    empty=torch.zeros(0, 4),
)
tensors._metadata = collections.OrderedDict(version=1)
torch.save(tensors, folder / "tensors.bin")
torch.save(tensors, folder / "old.bin", _use_new_zipfile_serialization=False)
torch.save(collections.OrderedDict(strided=base[:, ::2]), folder / "strided.bin")
save_file({name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}, folder / "tensors.safetensors")
