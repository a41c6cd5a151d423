"""From a scenario to a learner: model loaded, tasks read, memory checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.host.available_memory import available_bytes
from cosim.host.collector import uncollected
from cosim.host.malloc import return_freed_memory
from cosim.host.ray_cluster import refuse_without_ray
from cosim.learning.base.converted_llama import lean_model
from cosim.learning.base.loading import begin_loading
from cosim.learning.base.readable import refuse_unreadable
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.base.trial import refuse_unfit
from cosim.learning.costs.memory import MemoryEstimate, estimate_memory, refuse_what_does_not_fit
from cosim.learning.data.packing import TOKENS_PER_PASS, common_length
from cosim.learning.data.pool import TaskPool, device_tasks, load_pools
from cosim.learning.execution.ray_executor import ASKED, RayExecutor
from cosim.learning.learner import ModelLearner
from cosim.learning.rehearsal import rehearse
from cosim.learning.threads import MOST_THREADS, one_thread_aside
from cosim.learning.training.full import layout_of
from cosim.learning.training.passes import DEVICES_PER_PASS, passes
from cosim.methods.calibration import Need
from cosim.methods.layout import AdaptedModule
from cosim.scenario.model import Scenario


@uncollected()
def prepare(scenario: Scenario) -> ModelLearner:
    """The learner of a scenario.

    Raises `CosimError` for a base model that cannot be loaded, a task that cannot be used, or
    more devices than memory.
    """
    return_freed_memory()  # of a run before, in whose place this one may want other sizes
    choice = scenario.base_model
    lean = not scenario.method.expansion.every_parameter
    with one_thread_aside() as aside:
        loading = begin_loading(choice.source, choice.dtype, choice.device, lean=lean, aside=aside)
        pools = read_tasks(scenario, loading.tokenizer)
        base = loading.base.result()
    refuse_unplayable(scenario, base.model, base.tokenizer, pools)
    threads = 1
    if choice.device == "cpu":
        threads, estimate = fitting(scenario, base.model, base.dtype, pools)
        refuse_what_does_not_fit(estimate, scenario.device_count)
    tasks, learning = tasks_of(scenario), scenario.learning
    assert learning.model == "language_model"
    executor = None
    if learning.executor == "ray":
        refuse_without_ray(ASKED)
        executor = RayExecutor(
            base, scenario.method, scenario.adapter, scenario.training, learning.workers
        )
    learner = ModelLearner(
        base,
        scenario.method,
        scenario.adapter,
        scenario.training,
        pools,
        tasks,
        scenario.seed,
        densities_of(scenario),
        executor,
        learning.devices_per_pass,
        ranks=scenario.ranks,
        remembers=scenario.trace.diagnostics,
    )
    learner.scoring.keeps_answers = scenario.keeps_answers
    learner.trainer.threads = learner.scoring.evaluator.threads = threads
    return learner


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
    return load_pools(
        scenario.tasks,
        tokenizer,
        seed=scenario.seed,
        test_samples=scenario.evaluation.samples,
        max_tokens=scenario.training.max_tokens,
        shares={name: tasks.count(name) for name in scenario.tasks},
    )


def refuse_unplayable(
    scenario: Scenario, model: Any, tokenizer: Any, pools: Mapping[str, TaskPool]
) -> None:
    """Raises `BaseModelError` or `TaskError`, one sentence, for a model that cannot be adapted as
    the scenario says, or that cannot read the tasks' rows, and `MethodError` for a method from
    outside whose mixing fails.

    model: not adapted yet, with weights or without.
    """
    method = scenario.method
    modules: tuple[AdaptedModule, ...] = ()
    if not method.expansion.every_parameter:
        modules = adapted_modules(model, scenario.adapter.target_modules)
    if not modules or lean_model(model, modules) is None:
        refuse_unfit(model, modules, reads_blocks=Need.FEATURES in method.needs)
    for name, pool in pools.items():
        refuse_unreadable(model, tokenizer, pool, scenario.tasks[name].source)
    adapter = scenario.adapter
    rehearse(method, layout_of(method, model, adapter.target_modules, adapter.rank))


def fitting(
    scenario: Scenario, model: Any, dtype: torch.dtype, pools: Mapping[str, TaskPool]
) -> tuple[int, MemoryEstimate]:
    """How many threads compute side by side, fewer than there are where their memory would not
    suffice, and what that needs."""
    threads = min(torch.get_num_threads(), MOST_THREADS)
    while True:
        estimate = memory_of(scenario, model, dtype, pools, threads)
        if threads <= 2 or estimate.total <= available_bytes():
            return threads, estimate
        threads //= 2


def memory_of(
    scenario: Scenario,
    model: Any,
    dtype: torch.dtype,
    pools: Mapping[str, TaskPool],
    threads: int,
) -> MemoryEstimate:
    """What the scenario will need with so many threads.

    Padded rows are as long as the longest. Of rows end to end the tokens add up, as the answers'
    do, and a pass of many rows is close to their mean: three standard deviations above it. What
    all rows of a task begin with is read once a device and step.
    """
    layout = layout_of(
        scenario.method, model, scenario.adapter.target_modules, scenario.adapter.rank
    )
    full = scenario.method.expansion.every_parameter
    lean = not full and lean_model(model, layout.modules) is not None
    tasks, size = tasks_of(scenario), scenario.training.batch_size
    tokens = {name: np.array([row.tokens for row in pool.train]) for name, pool in pools.items()}
    stems = {name: common_length([r.prompt for r in pool.train]) for name, pool in pools.items()}
    answers = {name: np.array([len(r.answer) for r in pool.train]) for name, pool in pools.items()}
    lengths = [int(tokens[task].max()) for task in tasks]
    steps = [scenario.training.steps] * len(tasks)
    devices_per_pass = getattr(scenario.learning, "devices_per_pass", DEVICES_PER_PASS)

    def summed(counts: Mapping[str, NDArray[np.int64]], group: Sequence[int]) -> int:
        by_device = [counts[tasks[device]] for device in group]
        likely = size * sum(float(n.mean()) for n in by_device)
        likely += 3 * math.sqrt(size * sum(float(n.var()) for n in by_device))
        return min(math.ceil(likely), size * sum(int(n.max()) for n in by_device))

    def tokens_of(group: Sequence[int]) -> int:
        if lean:
            shared = (size - 1) * sum(stems[tasks[number]] for number in group)
            return min(TOKENS_PER_PASS, summed(tokens, group) - shared)
        return size * len(group) * lengths[group[-1]]

    groups = passes(lengths, steps, padded=not lean, devices_per_pass=devices_per_pass)
    largest = max(
        groups,
        key=lambda group: tokens_of(group) * (1 if lean else lengths[group[-1]]),
    )
    return estimate_memory(
        model,
        layout,
        scenario.method,
        density=max(densities_of(scenario)),
        dtype=dtype,
        devices=scenario.device_count,
        devices_per_pass=len(largest),
        tokens_per_pass=tokens_of(largest),
        longest=max(lengths[number] for number in largest),
        scored_per_pass=summed(answers, largest),
        lean=lean,
        passes=len(groups),
        threads=threads,
    )
