"""What a scenario's learning will cost, from shapes and rows alone: nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from cosim.learning.adapted_linear import adapted_modules
from cosim.learning.adapter import Layout, kept_positions
from cosim.learning.base_model import native_dtype, skeleton
from cosim.learning.encoding import Encoded
from cosim.learning.flop import Work
from cosim.learning.memory import GIB, available_bytes, refuse_what_does_not_fit
from cosim.learning.payload import introduction_bits, values_bits
from cosim.learning.prepare import memory_of, read_tasks, tasks_of
from cosim.learning.workload import Workload
from cosim.scenario.learning import Training
from cosim.scenario.model import Scenario


@dataclass(frozen=True)
class Expectation:
    """Bits of the first and of later transfers, words on memory and tasks.

    work: a mean round's by device; the first round of a mask takes one batch more.
    """

    first_bits: int
    later_bits: int
    trained: int
    work: list[Workload]
    memory: str
    tasks: dict[str, str]


def expect(scenario: Scenario) -> Expectation:
    """Raises `CosimError` for a model or task that cannot be used, or more devices than memory."""
    choice, recipe = scenario.base_model, scenario.method
    model, tokenizer = skeleton(choice.source)
    layout = Layout(adapted_modules(model, scenario.adapter.target_modules), scenario.adapter.rank)
    pools = read_tasks(scenario, tokenizer)
    estimate = memory_of(scenario, model, native_dtype(choice.dtype, choice.device), pools)
    refuse_what_does_not_fit(estimate, scenario.device_count)

    sizes = np.array(layout.expansion_sizes)
    kept = sizes
    if recipe.expansion == "gradient_mask":
        kept = np.array([kept_positions(size, scenario.adapter.density) for size in sizes])
    per_value = scenario.adapter.bits_per_value
    later = values_bits(int(kept.sum()), layout.projection_size, recipe.projection, per_value)
    masks = kept if recipe.expansion == "gradient_mask" else None
    first = later + introduction_bits(layout.expansion_sizes, masks, recipe.projection)
    trains_projection = recipe.projection == "trainable"
    work = Work.of(model, layout, trainable_projection=trains_projection)
    trained = int(kept.sum()) + (layout.projection_size if trains_projection else 0)
    by_task = {
        name: _mean_round(work, pool.train, scenario.training, trained)
        for name, pool in pools.items()
    }
    return Expectation(
        first_bits=first,
        later_bits=later,
        trained=trained,
        work=[by_task[task] for task in tasks_of(scenario)],
        memory=f"about {estimate.total / GIB:.1f} GiB needed, "
        f"{available_bytes() / GIB:.1f} GiB available",
        tasks={
            name: f"{len(pool.train)} training rows of {fmean(r.tokens for r in pool.train):.0f} "
            f"tokens, {len(pool.test)} held out"
            for name, pool in pools.items()
        },
    )


def _mean_round(work: Work, rows: Sequence[Encoded], training: Training, trained: int) -> Workload:
    """A round of mean mini-batches: all the rows dealt out once, in their order, which is random.

    Rows that are left over, too few for a mini-batch, are not counted.
    """
    size = min(training.batch_size, len(rows))
    starts = range(0, len(rows) - size + 1, size)
    all_of_them = work.workload([rows[k : k + size] for k in starts], trained=trained)
    return replace(
        all_of_them,
        flop=all_of_them.flop * training.steps / len(starts),
        passes=training.steps,
        steps=training.steps,
        samples=size * training.steps,
    )
