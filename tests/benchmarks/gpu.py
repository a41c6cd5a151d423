"""Tokens a second of a grouped training step at Qwen2.5's shapes, beside the GPU's own products.

    python tests/benchmarks/gpu.py                         # Qwen2.5-1.5B and 7B on CUDA
    python tests/benchmarks/gpu.py --models 1.5B --devices 8 --shape 4x128
    python tests/benchmarks/gpu.py --device cpu --layers 2 --width-divisor 16 --devices 2 \
        --shape 2x16 --steps 1 --repeats 1                 # the same code at a toy's size

The published shapes with random weights, which cost what trained ones do; nothing is downloaded.
An adapter of rank 32 on every linear layer and device, A frozen, AdamW, bfloat16; rows × tokens a
device, three answer tokens a row. A round of a few steps is timed from the adapters on the host to
the adapters on the host. The limit: the frozen layers' products, forward and backward, and nothing
else. The devices that fit into one pass: from the peaks at two numbers of devices, then tried. No
test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import Any

import psutil
import torch
from interleaved import Products
from training import ANSWER, drawn, grouped, repeated

from cosim.errors import CosimError
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.data.packing import TOKENS_PER_PASS

# As the models' config.json have them.
SHAPES: dict[str, dict[str, Any]] = {
    "1.5B": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "7B": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
}
LAYERS = 28
GIB = 2**30
# What fits by the line through two peaks may fail by a little, for memory falls into pieces.
TRIES, FEWER = 4, 0.95


class Place:
    """Where the work is done: its clock, and its memory."""

    def __init__(self, kind: str) -> None:
        self.device = torch.device(kind)
        self.cuda = self.device.type == "cuda"
        self.name = torch.cuda.get_device_name(self.device) if self.cuda else "cpu"

    def seconds(self, work: Callable[[], object]) -> float:
        """Wall seconds until all that was asked for has been computed."""
        self._settled()
        start = perf_counter()
        work()
        self._settled()
        return perf_counter() - start

    def _settled(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)

    @property
    def bytes(self) -> int:
        """All memory that is there for this process."""
        if self.cuda:
            free, _ = torch.cuda.mem_get_info(self.device)
            return free + torch.cuda.memory_reserved(self.device)
        return int(psutil.virtual_memory().available + psutil.Process().memory_info().rss)

    def peak(self, work: Callable[[], object]) -> int:
        """The most bytes held while this works, the model's included."""
        if self.cuda:
            self.emptied()
            torch.cuda.reset_peak_memory_stats(self.device)
            work()
            return torch.cuda.max_memory_allocated(self.device)
        process, ended, most = psutil.Process(), Event(), 0

        def sample() -> None:
            nonlocal most
            while not ended.wait(0.002):
                most = max(most, process.memory_info().rss)

        sampler = Thread(target=sample, daemon=True)
        sampler.start()
        try:
            work()
        finally:
            ended.set()
            sampler.join()
        return max(most, int(process.memory_info().rss))

    def emptied(self) -> None:
        """Gives back what is cached and not used."""
        if self.cuda:
            torch.cuda.empty_cache()


def random_model(given: argparse.Namespace, shape: dict[str, Any], place: Place) -> Any:
    """Qwen2 of this shape in bfloat16, frozen, made where it is used."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    parts = ("hidden_size", "intermediate_size", "vocab_size")
    narrower = {part: shape[part] // given.width_divisor for part in parts}
    config = Qwen2Config(
        **{**shape, **narrower, "attn_implementation": "eager"},
        num_hidden_layers=given.layers,
        max_position_embeddings=32768,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        dtype=torch.bfloat16,
        use_cache=False,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with place.device:
            model = Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    return model.requires_grad_(False).eval()


def timed(given: argparse.Namespace, model: Any, place: Place, facts: dict[str, Any]) -> Any:
    """Tells tokens a second; returns the way of training, which is measured further."""
    rows, tokens = given.shape
    every = given.devices * rows
    vocabulary = model.config.vocab_size
    with place.device:
        products = Products(
            model,
            adapted_modules(model, "all-linear"),
            every * tokens,
            every * ANSWER,
            backward=True,
        )
    adapted = AdaptedModel(model)
    assert adapted.lean, "Qwen2 is not read by the lean forward pass"
    train = grouped(adapted, given.rank, given.steps)
    batches = drawn(given.devices, rows, tokens, vocabulary)
    works: dict[str, Callable[[], object]] = {
        "products": lambda: repeated(products, given.steps),
        "cosim": lambda: train(batches),
    }
    for work in works.values():
        place.seconds(work)
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(given.repeats):
        for name, work in works.items():
            found[name].append(place.seconds(work))
    limit = median(found["products"])
    width = max(map(len, found))
    lines = [f"{'':{width}}  tokens/s    s a step  spread  share of the limit"]
    for name, times in found.items():
        middle = median(times)
        share = (max(times) - min(times)) / middle
        row = {
            **facts,
            "work": name,
            "tokens_per_s": round(every * tokens * given.steps / middle, 1),
            "step_s": round(middle / given.steps, 6),
            "spread": round(share, 3),
            "share_of_the_limit": round(limit / middle, 3),
            "repeats": len(times),
        }
        print(json.dumps(row), flush=True)
        lines.append(
            f"{name:{width}}  {row['tokens_per_s']:8.0f}  {row['step_s']:10.5f}  {share:6.0%}"
            f"  {limit / middle:18.1%}"
        )
    print("\n".join(lines), flush=True)
    return adapted


def fitting(given: argparse.Namespace, model: AdaptedModel, place: Place) -> dict[str, Any]:
    """How many devices are trained in one pass of as many tokens as before, and what each takes."""
    rows, tokens = given.shape
    vocabulary = model.model.config.vocab_size
    in_pass = min(TOKENS_PER_PASS, given.devices * rows * tokens)

    def one_step(devices: int) -> Callable[[], object]:
        # As many tokens for any number of devices, so that only what is theirs grows.
        batches = drawn(devices, 1, max(ANSWER + 1, in_pass // devices), vocabulary)
        train = grouped(model, given.rank, steps=1)
        return lambda: train(batches)

    few, many = given.devices, 2 * given.devices
    peaks = {devices: place.peak(one_step(devices)) for devices in (few, many)}
    each = (peaks[many] - peaks[few]) / few
    found = {"bytes_by_device": int(each), "devices_that_fit": None}
    if each <= 0:
        return found
    fit = int((place.bytes - peaks[few]) / each) + few
    fit = max(1, min(fit, given.most or fit))
    for _ in range(TRIES):
        place.emptied()
        try:
            one_step(fit)()
        except (torch.OutOfMemoryError, CosimError):
            fit = int(FEWER * fit)
        else:
            return found | {"devices_that_fit": fit}
    return found


def shape_of(text: str) -> tuple[int, int]:
    """Rows and tokens of `8x64`."""
    rows, tokens = map(int, text.split("x"))
    return rows, tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, or cpu with a reduced shape")
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--layers", type=int, default=LAYERS)
    parser.add_argument(
        "--width-divisor", type=int, default=1, help="of hidden size, inner size and vocabulary"
    )
    parser.add_argument("--devices", type=int, default=16)
    parser.add_argument("--shape", type=shape_of, default="8x64", help="rows × tokens of a device")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5, help="of a round")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--most", type=int, help="devices in one pass; cpu: twice --devices")
    given = parser.parse_args()
    if given.device == "cpu":
        if given.width_divisor == 1 or given.layers == LAYERS:
            parser.error("--device cpu needs fewer --layers and a --width-divisor")
        given.most = given.most or 2 * given.devices
        torch.set_num_threads(1)
    elif not torch.cuda.is_available():
        print(
            "torch sees no GPU, and this is measured on one: install a CUDA build", file=sys.stderr
        )
        sys.exit(2)
    place = Place(given.device)
    for name in given.models:
        facts = {
            "benchmark": "gpu",
            "on": place.name,
            "model": f"Qwen2.5-{name}",
            "layers": given.layers,
            "width_divisor": given.width_divisor,
            "devices": given.devices,
            "shape": "x".join(map(str, given.shape)),
        }
        rows, tokens = given.shape
        print(
            f"{place.name}: Qwen2.5-{name}, {given.devices} devices, {rows} rows × {tokens} tokens"
        )
        try:
            model = timed(given, random_model(given, SHAPES[name], place), place, facts)
        except (torch.OutOfMemoryError, CosimError) as error:
            print(f"it does not fit: {str(error).splitlines()[0]}\n", flush=True)
            place.emptied()
            continue
        found = fitting(given, model, place)
        print(json.dumps({**facts, **found}))
        each, fit = found["bytes_by_device"], found["devices_that_fit"]
        if fit is None:
            print("how many devices fit was not found\n", flush=True)
        else:
            print(f"{each / GIB:.3f} GiB a device; {fit} devices fit into one pass\n", flush=True)
        del model
        place.emptied()


if __name__ == "__main__":
    main()
