"""What the benchmarks share: interleaved repeats, medians with their spread, a line and a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time
from typing import Any

import torch

from cosim.methods.layout import AdaptedModule


def interleaved(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Processor seconds of each work, one after the other in every repeat, so that a machine that
    is slower for a while is slower for all; after a run of each that does not count."""
    for work in works.values():
        work()
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = process_time()
            work()
            found[name].append(process_time() - start)
    return found


def tell(
    found: Mapping[str, Sequence[float]],
    *,
    limit: str,
    each: float = 1.0,
    **facts: Any,
) -> None:
    """A JSON line for every work and a table of them all; `limit` names the machine's own.

    each: units of work (steps, questions) that every time is of. The spread is that of all
    repeats, as a share of the median.
    """
    of_limit = median(found[limit])
    for name, times in found.items():
        middle = median(times)
        row = {
            "work": name,
            "median_s": round(middle / each, 5),
            "spread": round((max(times) - min(times)) / middle, 3),
            "times_the_limit": round(middle / of_limit, 2),
            "repeats": len(times),
        }
        print(json.dumps({**facts, **row}), flush=True)
    width = max(map(len, found))
    print(f"{'':{width}}  median s  spread  times the limit")
    for name, times in found.items():
        middle = median(times)
        spread = (max(times) - min(times)) / middle
        print(f"{name:{width}}  {middle / each:8.4f}  {spread:6.0%}  {middle / of_limit:15.2f}")
    print(flush=True)


class Products:
    """The products of a model's frozen linear layers at their shapes, and nothing else.

    x·W0ᵀ for every module and the output head, and with `backward` y·W0 as well. The weights are
    those that the model reads, one after the other, so that they come from memory as in a pass.
    """

    def __init__(
        self,
        model: Any,
        modules: Sequence[AdaptedModule],
        tokens: int,
        scored: int,
        *,
        backward: bool,
    ) -> None:
        head = model.get_output_embeddings().weight
        weights = [model.get_submodule(module.name).weight for module in modules]
        self.weights = [weight.detach() for weight in weights]
        self.head = head.detach()
        self.backward = backward
        widths = {side for weight in self.weights for side in weight.shape}
        self.inputs = {width: torch.randn(tokens, width).to(head.dtype) for width in widths}
        self.scored = torch.randn(scored, head.shape[1]).to(head.dtype)
        self.logits = torch.randn(scored, head.shape[0] if backward else 1).to(head.dtype)

    def __call__(self) -> None:
        for W in self.weights:
            torch.mm(self.inputs[W.shape[1]], W.t())
            if self.backward:
                torch.mm(self.inputs[W.shape[0]], W)
        torch.mm(self.scored, self.head.t())
        if self.backward:
            torch.mm(self.logits, self.head)
