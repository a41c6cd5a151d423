"""What a scenario's learning will cost, from shapes and rows alone: nothing is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from cosim.host.available_memory import available_bytes
from cosim.learning.base.base_model import native_dtype, refuse_absent_gpu, skeleton
from cosim.learning.base.geometry import Geometry
from cosim.learning.calibration.prompt_features import gate_blocks
from cosim.learning.costs.flop import Work
from cosim.learning.costs.memory import GIB, MemoryEstimate, refuse_what_does_not_fit
from cosim.learning.costs.storage import Storage, storage
from cosim.learning.data.device_rows import DeviceRows
from cosim.learning.data.division import answers_in_words
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import Question, TaskPool
from cosim.learning.federation.planned_content import planned_content
from cosim.learning.prepare import (
    densities_of,
    fitting,
    read_tasks,
    refuse_unplayable,
    tasks_of,
)
from cosim.learning.training.full import layout_of
from cosim.methods.layout import Layout
from cosim.methods.message import payload_bits
from cosim.methods.workload import Workload
from cosim.scenario.learning import Training
from cosim.scenario.model import Scenario


@dataclass(frozen=True)
class RankForecast:
    """A rank's forecast is what devices of one rank train and send.

    rank: r.
    devices: how many have it.
    trained: values that a device of the largest density trains.
    first_bits, later_bits: as of `Forecast`, of this rank.
    """

    rank: int
    devices: int
    trained: int
    first_bits: int
    later_bits: int


@dataclass(frozen=True)
class Forecast:
    """A forecast is what `cosim check` predicts for a scenario's learning.

    first_bits, later_bits: of transfers to who has missed nothing, an upper bound: the largest
        density and rank of any device, even over the modules.
    trained: values that a device of the largest density and rank trains.
    ranks: the same by rank, the largest first; one where all devices have the same.
    rows: training rows by device.
    work: a mean round's by device; a first round calibrates and chooses a mask besides.
    scoring_flop: forward passes over all that a device is asked in one evaluation, a question's
        candidates behind a prompt that is read once.
    memory: what is needed and what is available, in words.
    storage: what comes to lie on disk.
    modules: how many are adapted.
    tasks: what each task's rows are, in words.
    warnings: sentences on rows that were asked for and are not there.
    """

    first_bits: int
    later_bits: int
    trained: int
    ranks: tuple[RankForecast, ...]
    rows: list[int]
    work: list[Workload]
    scoring_flop: float
    memory: str
    storage: Storage
    modules: int
    tasks: dict[str, str]
    warnings: tuple[str, ...]


def forecast(scenario: Scenario) -> Forecast:
    """Raises `CosimError` for a model or task that cannot be used, or more devices than memory."""
    refuse_absent_gpu(scenario.base_model.device)
    model, tokenizer = skeleton(scenario.base_model.source)
    return forecast_of(scenario, model, tokenizer, read_tasks(scenario, tokenizer))


def forecast_of(
    scenario: Scenario, model: Any, tokenizer: Any, pools: Mapping[str, TaskPool]
) -> Forecast:
    """The same with the model's shapes and the tasks' rows at hand; raises `CosimError`."""
    choice, method = scenario.base_model, scenario.method
    refuse_unplayable(scenario, model, tokenizer, pools)
    layout = layout_of(method, model, scenario.adapter.target_modules, scenario.adapter.rank)
    _, estimate = fitting(scenario, model, native_dtype(choice.dtype, choice.device), pools)
    if choice.device == "cpu":
        refuse_what_does_not_fit(estimate, scenario.device_count)

    shape = Geometry.of(model)
    layers, _ = method.composition.reading
    features = len(gate_blocks(shape.blocks, layers)), shape.hidden
    devices = Counter(scenario.ranks)
    by_rank = tuple(
        _of_rank(scenario, layout.of_rank(rank), features, devices[rank])
        for rank in sorted(devices, reverse=True)
    )
    largest = by_rank[0]
    rows = DeviceRows(pools, tasks_of(scenario), scenario.seed)
    work = Work.of(model, layout, trainable_projection=method.projection.moves)
    return Forecast(
        first_bits=largest.first_bits,
        later_bits=largest.later_bits,
        trained=largest.trained,
        ranks=by_rank,
        rows=[len(rows.own(device)) for device in range(scenario.device_count)],
        work=mean_rounds(scenario, layout, work, pools),
        scoring_flop=sum(asked_flop(work, row) for pool in pools.values() for row in pool.test),
        storage=storage(layout, method, densities_of(scenario), features, scenario.ranks),
        modules=len(layout.modules),
        memory=_memory_words(estimate, choice.device),
        tasks={
            name: f"{len(pool.train)} training rows of {fmean(r.tokens for r in pool.train):.0f} "
            f"tokens, {len(pool.test)} held out{f'; {pool.facts}' if pool.facts else ''}"
            f"{_division_words(pool)}"
            for name, pool in pools.items()
        },
        warnings=tuple(sentence for pool in pools.values() for sentence in pool.warnings),
    )


def asked_flop(work: Work, question: Question) -> int:
    """A forward pass over a question: its prompt once, then what each candidate adds."""
    answers = (len(row.answer) for row in question.candidates)
    prompt = work.forward_flop(len(question.candidates[0].prompt), 0)
    return prompt + sum(work.forward_flop(tokens, tokens) for tokens in answers)


def _of_rank(
    scenario: Scenario, layout: Layout, features: tuple[int, int], devices: int
) -> RankForecast:
    """What so many devices of a layout's rank train and send."""
    method, per_value = scenario.method, scenario.adapter.bits_per_value
    kept = method.expansion.planned(layout, max(densities_of(scenario)), None)
    first = payload_bits(planned_content(method, layout, kept, features), (), per_value)
    rounds = range(1, scenario.rounds + 1)
    of_each = {method.projection.sends(round_): round_ for round_ in rounds}
    later = 0
    for round_ in of_each.values():
        content = planned_content(method, layout, kept, features, round_)
        known = [item.name for item in content]
        later = max(later, payload_bits(content, known, per_value))
    trained = int(kept.sum()) + (layout.projection_size if method.projection.moves else 0)
    return RankForecast(layout.rank, devices, trained, first, later)


def _division_words(pool: TaskPool) -> str:
    """What each device of a task has, where it is divided otherwise than evenly."""
    if not pool.parts:
        return ""
    if not pool.answers:
        return f"; rows by device: {' | '.join(str(len(part)) for part in pool.parts)}"
    return f"; by device: {answers_in_words(pool.answers, pool.parts)}"


def _memory_words(estimate: MemoryEstimate, device: str) -> str:
    demand = f"about {estimate.total / GIB:.1f} GiB needed"
    if device != "cpu":  # the model is not in this machine's memory, and a GPU's is not looked at
        return f"{demand}, most of it on the GPU, whose memory is not looked at"
    return f"{demand}, {available_bytes() / GIB:.1f} GiB available"


def mean_rounds(
    scenario: Scenario, layout: Layout, work: Work, pools: Mapping[str, TaskPool]
) -> list[Workload]:
    """A mean round's work by device, all of them of the largest density, each of its own rank."""
    method, density = scenario.method, max(densities_of(scenario))
    rounds = Counter(map(method.projection.trains, range(1, scenario.rounds + 1)))
    devices = list(zip(tasks_of(scenario), scenario.ranks, strict=True))
    means = {}
    for name, rank in dict.fromkeys(devices):
        own = layout.of_rank(rank)
        kept = int(method.expansion.planned(own, density, None).sum())
        sizes = {"A": own.projection_size, "B": kept}
        of_rounds = {
            trains: _mean_round(
                work.adapted(own).training(trains),
                pools[name].train,
                scenario.training,
                sum(sizes[factor] for factor in trains),
            )
            for trains in rounds
        }
        means[name, rank] = _mean(of_rounds, rounds)
    return [means[device] for device in devices]


def _mean(works: Mapping[frozenset[str], Workload], rounds: Counter[frozenset[str]]) -> Workload:
    """The mean over rounds that train these factors so often."""
    first, *others = works.values()
    flop, trained = 0.0, 0.0
    for factors, work in works.items():
        share = rounds[factors] / rounds.total()
        flop += share * (work.flop - first.flop)
        trained += share * (work.trained - first.trained)
    if not others:
        return first
    return replace(first, flop=first.flop + flop, trained=round(first.trained + trained))


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
