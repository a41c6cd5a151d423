"""From a scenario to a learner: model loaded, tasks read, memory checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from cosim.learning.base_model import load
from cosim.learning.full import layout_of
from cosim.learning.learner import Learner
from cosim.learning.memory import MemoryEstimate, estimate_memory, refuse_what_does_not_fit
from cosim.learning.passes import passes
from cosim.learning.tasks.pool import TaskPool, device_tasks, load_pool
from cosim.scenario.model import Scenario


def prepare(scenario: Scenario) -> Learner:
    """The learner of a scenario.

    Raises `CosimError` for a base model that cannot be loaded, a task that cannot be used, or
    more devices than memory.
    """
    choice = scenario.base_model
    base = load(choice.source, choice.dtype, choice.device)
    pools = read_tasks(scenario, base.tokenizer)
    if choice.device == "cpu":
        estimate = memory_of(scenario, base.model, base.dtype, pools)
        refuse_what_does_not_fit(estimate, scenario.device_count, already=estimate.base_model)
    tasks = tasks_of(scenario)
    return Learner(
        base,
        scenario.method,
        scenario.adapter,
        scenario.training,
        pools,
        tasks,
        scenario.seed,
        densities_of(scenario),
    )


def densities_of(scenario: Scenario) -> list[float]:
    """s of every device, by id: its group's, or the adapter's."""
    common = scenario.adapter.density
    return [
        common if group.density is None else group.density
        for group in scenario.devices
        for _ in range(group.count)
    ]


def tasks_of(scenario: Scenario) -> list[str]:
    """The task of every device, by id."""
    groups = [(group.count, group.tasks) for group in scenario.devices]
    return device_tasks(list(scenario.tasks), groups)


def read_tasks(scenario: Scenario, tokenizer: Any) -> dict[str, TaskPool]:
    """Every task's rows, encoded; raises `TaskError`."""
    tasks = tasks_of(scenario)
    return {
        name: load_pool(
            name,
            task,
            tokenizer,
            seed=scenario.seed,
            test_samples=scenario.evaluation.samples,
            max_tokens=scenario.training.max_tokens,
            shares=tasks.count(name),
        )
        for name, task in scenario.tasks.items()
    }


def memory_of(
    scenario: Scenario, model: Any, dtype: torch.dtype, pools: Mapping[str, TaskPool]
) -> MemoryEstimate:
    """What the scenario will need, with the longest rows in every place of a pass."""
    layout = layout_of(
        scenario.method, model, scenario.adapter.target_modules, scenario.adapter.rank
    )
    longest = {name: max(row.tokens for row in pool.train) for name, pool in pools.items()}
    lengths = [longest[task] for task in tasks_of(scenario)]
    largest = max(
        passes(lengths, [scenario.training.steps] * len(lengths)),
        key=lambda group: len(group) * lengths[group[-1]] ** 2,
    )
    rows = scenario.training.batch_size * len(largest)
    return estimate_memory(
        model,
        layout,
        scenario.method,
        density=max(densities_of(scenario)),
        dtype=dtype,
        devices=scenario.device_count,
        devices_per_pass=len(largest),
        rows_per_pass=rows,
        longest=max(lengths[number] for number in largest),
        scored_per_pass=rows
        * max(len(row.answer) for pool in pools.values() for row in pool.train),
    )
