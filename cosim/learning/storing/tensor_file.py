"""Tensors in one safetensors file, written without a second copy of them in memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cosim.learning.state_tree import STORED_TYPES


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> int:
    """Writes the file, not atomically, and returns the CRC-32 of all its bytes.

    The format's own writer first turns every tensor into bytes, and a checkpoint may be as large
    as half of the memory.
    """
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        kind = STORED_TYPES[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    check = 0
    with path.open("wb") as file:
        for part in (len(text).to_bytes(8, "little"), text):
            check = zlib.crc32(part, check)
            file.write(part)
        for tensor in tensors.values():
            if tensor.numel() == 0:  # numpy's may have strides that cannot be viewed as bytes
                continue
            values = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            check = zlib.crc32(values, check)
            file.write(values)
    return check


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a file, each in memory of its own; raises OSError, SafetensorError."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
