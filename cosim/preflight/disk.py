"""How much room on disk a scenario needs, before it is run."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.errors import RunDirectoryError
from cosim.learning.records import WATCHED_AT_MOST
from cosim.methods.workload import Workload
from cosim.physics.decibel import dbm_to_w
from cosim.physics.over_the_air import analog_symbols, symbols_time_s
from cosim.scenario.model import Scenario
from cosim.si_prefix import with_prefix
from cosim.simulation.compute_time import compute_time_s
from cosim.simulation.setup.build import given_work
from cosim.simulation.setup.equipment import equipment
from cosim.simulation.setup.radio_warnings import air_overhead_symbols
from cosim.simulation.setup.waiting import nobody_before_s, waits_s
from cosim.simulation.station import Device

# Of a row in a compressed file: what hardly compresses, its float64 columns, and a little.
_BYTES = {
    "transfers": 100.0, "rounds": 100.0, "positions": 24.0, "events": 6.0, "topology": 6.0,
    "layers": 12.0, "evaluations": 12.0, "diagnostics": 16.0, "devices": 20.0,
    "answers": 12.0,
}  # fmt: skip
# Of a file without rows: parquet's own description of the columns.
_BYTES_PER_FILE = 10e3
# Files that a round's rows are flushed to.
_PARTS_PER_ROUND = 5
_EVENTS_PER_ROUND, _EVENTS_PER_TRANSFER = 8, 3
_METRICS = 3
# One is written while the last two are kept.
_CHECKPOINTS = 3
_JOURNAL_BYTES = 100.0
_JOURNAL_BYTES_PER_ANSWER = 50.0
# Of a row that is like the others: where nothing fades or nothing arrives, rows hardly differ, and
# have taken 0.9 bytes a transfer and 10 bytes a round.
_LEAST_BYTES = {"transfers": 0.5, "rounds": 5.0, "positions": 0.5}


@dataclass(frozen=True)
class DiskEstimate:
    """A disk estimate counts bytes by use, at the moment of most.

    Measured against the most that lay on disk in fourteen runs, of six without learning to 200
    devices × 30 rounds, tiny models of six methods and one round of the quickstart: no total was
    below it. Traces are 1.6 to 3.9 times too high, checkpoints 1.0 to 3, adapters 1.3 to 3; where
    small clusters form, traces 10 times, as each is taken to hold all devices. `surely` was below
    what was left in the end, mostly by far: rows that are alike take next to nothing, and whoever
    may be away writes none.

    traces: bytes of parts and whole files beside each other, as at the end.
    checkpoints: bytes of those that lie there at once, with the journal.
    adapters: bytes of `adapters/`.
    surely: bytes that no run of the scenario does without.
    """

    traces: float
    checkpoints: float
    adapters: float
    surely: float

    @property
    def total(self) -> float:
        """Everything together, as if checkpoints were still there while adapters are written."""
        return self.traces + self.checkpoints + self.adapters


def rows_at_most(
    scenario: Scenario, work: Sequence[Workload], modules: int, waits_s: float = 0.0
) -> dict[str, float]:
    """Rows by table.

    work: a mean round's by device; waits_s: in which nobody may be there. A round takes the slowest
    device's time and Γ a mixing at most, or a turn a device, twice where silent devices answer;
    clusters are taken to hold all devices, and everybody to be there.
    """
    devices, rounds = scenario.device_count, scenario.rounds
    tasks = len(scenario.tasks) if scenario.learning.model != "none" else 0
    topology = scenario.method.topology
    mixings = len(scenario.method.schedule.played(1))
    transfers = float(devices * rounds * topology.most_receivers(devices - 1) * mixings)
    transfers *= topology.transfers_per_update()
    if scenario.method.sending.answers:
        transfers *= 2  # a beacon first, and then the answer
    if scenario.radio.access.model == "air":
        transfers *= 3  # reports, what a receiver tells, and the sum
    if topology.negotiated:
        transfers += devices  # announcements of heads
    duration_s = waits_s + rounds * _longest_round_s(scenario, work, modules)
    evaluations = 1 + rounds // scenario.evaluation.every
    diagnosed = min(devices, WATCHED_AT_MOST)
    per_diagnosis = 4 * diagnosed**2 + 2 * modules + 11 * diagnosed + diagnosed * devices * tasks
    per_diagnosis += 3
    return {
        "transfers": transfers,
        "rounds": float(devices * rounds),
        "positions": devices * (1.0 + math.floor(duration_s / scenario.trace.positions_every_s)),
        "events": _EVENTS_PER_ROUND * devices * rounds * mixings + _EVENTS_PER_TRANSFER * transfers,
        "topology": float(devices * rounds),
        "layers": float(devices * modules),
        "devices": float(devices),
        "evaluations": float(evaluations * devices * tasks * _METRICS),
        "diagnostics": float(evaluations * per_diagnosis if scenario.trace.diagnostics else 0),
        "answers": float(scenario.answers_at_most if scenario.keeps_answers else 0),
    }


def estimate_disk(
    scenario: Scenario,
    work: Sequence[Workload],
    storage: Any = None,
    modules: int = 0,
    *,
    waits_s: float = 0.0,
    absent_s: float = 0.0,
) -> DiskEstimate:
    """Room for the scenario's traces, checkpoints and adapters, in bytes.

    storage: a learner's `Storage`, None where nothing is learnt; modules: that are adapted.
    waits_s, absent_s: how long nobody is there, at most in all, and surely at first.
    """
    rows = rows_at_most(scenario, work, modules, waits_s)
    sizes = {table: rows[table] * each for table, each in _BYTES.items()}
    files = _BYTES_PER_FILE * (len(sizes) + _PARTS_PER_ROUND * scenario.rounds)
    traces = 2.0 * sum(sizes.values()) + files
    surely = _LEAST_BYTES["rounds"] * rows["rounds"]
    speaking = scenario.method.sending.every_turn and scenario.training.compute_deadline_s is None
    if speaking and not scenario.method.topology.negotiated:
        # Reports on the air that are of no length are not written.
        sure_share = 2 / 3 if scenario.radio.access.model == "air" else 1.0
        surely += _LEAST_BYTES["transfers"] * sure_share * rows["transfers"]
    surely *= _sure_rounds(scenario, work, modules) / scenario.rounds
    waited = scenario.device_count * absent_s / scenario.trace.positions_every_s
    surely += _LEAST_BYTES["positions"] * waited
    checkpoints = adapters = 0.0
    if storage is not None:
        if scenario.trace.checkpoints:
            checkpoints = _CHECKPOINTS * storage.checkpoint
            checkpoints += _JOURNAL_BYTES * (rows["transfers"] + rows["events"])
            checkpoints += _JOURNAL_BYTES_PER_ANSWER * rows["answers"]
        if scenario.trace.adapters:
            adapters = storage.adapters
            surely += storage.adapters_at_least
    return DiskEstimate(traces, checkpoints, adapters, surely)


def _sure_rounds(scenario: Scenario, work: Sequence[Workload], modules: int) -> int:
    """Rounds that every device plays: none where one may be away, else those until the first
    battery can be empty."""
    if any(group.availability.model != "always" for group in scenario.devices):
        return 0
    ends = {getattr(group.mobility, "after_end", "stay") for group in scenario.devices}
    if ends & {"away", "stop"}:
        return 0
    radio, lasts_s = scenario.radio, math.inf
    for profile in (device.profile for device in equipment(scenario)):
        if profile.battery_j is not None:
            most_w = max(profile.compute_w, profile.idle_w) + profile.receive_w
            most_w += profile.transmit_circuit_w
            most_w += float(dbm_to_w(radio.p_max_dbm)) / profile.pa_efficiency
            lasts_s = min(lasts_s, profile.battery_j / most_w)
    # Clusters calibrate, announce and exchange experts besides.
    spans = 4.0 if scenario.method.topology.negotiated else 1.0
    longest_s = spans * _longest_round_s(scenario, work, modules)
    return int(min(scenario.rounds, lasts_s // longest_s))


def _longest_round_s(scenario: Scenario, work: Sequence[Workload], modules: int) -> float:
    profiles = [device.profile for device in equipment(scenario)]
    slowest_s = max(compute_time_s(*pair) for pair in zip(profiles, work, strict=True))
    turns = len(scenario.method.schedule.played(1))
    turns *= 2 if scenario.method.sending.answers else 1
    if scenario.radio.access.model == "air":
        # Of both factors, where one alone may be trained.
        sums = analog_symbols(2 * max(each.trained for each in work))
        symbols = sums + air_overhead_symbols(scenario, modules)
        turn_s = float(symbols_time_s(symbols, scenario.radio.bandwidth_hz))
        return slowest_s + turns * scenario.device_count * turn_s
    return slowest_s + turns * scenario.radio.deadline_s


def free_bytes(directory: Path) -> float:
    """Room on the file system that a directory lies on, or will lie on."""
    folder = directory.absolute()
    while not folder.exists():
        folder = folder.parent
    return float(shutil.disk_usage(folder).free)


def in_words(size: float) -> str:
    """Bytes with the prefix that fits."""
    return with_prefix(size, "B")


def disk_words(estimate: DiskEstimate, directory: Path) -> tuple[str, str | None]:
    """What a run in a directory will write and what is free, and a warning where that is less."""
    free = free_bytes(directory)
    words = f"about {in_words(estimate.total)} at most (traces {in_words(estimate.traces)}, "
    words += f"checkpoints {in_words(estimate.checkpoints)}, adapters "
    words += f"{in_words(estimate.adapters)}), {in_words(free)} free in {directory}"
    return words, None if estimate.total <= free else "the run may find no room left to write to"


def disk_of(scenario: Scenario, learner: Any, devices: Sequence[Device] = ()) -> DiskEstimate:
    """The estimate with the learner and the devices that will play the scenario."""
    waited_s, absent_s = waits_s(scenario, devices), nobody_before_s(devices)
    if scenario.learning.model == "none":
        workloads = [given_work(scenario)] * scenario.device_count
        return estimate_disk(scenario, workloads, waits_s=waited_s, absent_s=absent_s)
    from cosim.learning.costs.storage import storage
    from cosim.learning.forecast import mean_rounds
    from cosim.learning.prepare import densities_of

    # The learner's method has been told what the scenario's may ask for.
    scenario = scenario.model_copy(update={"method": learner.method})
    work = mean_rounds(scenario, learner.layout, learner.work, learner.pools)
    densities = densities_of(scenario)
    shapes = learner.post.shapes
    stored = storage(learner.layout, scenario.method, densities, shapes, scenario.ranks)
    modules = len(learner.layout.modules)
    return estimate_disk(scenario, work, stored, modules, waits_s=waited_s, absent_s=absent_s)


def require_disk(estimate: DiskEstimate, directory: Path) -> None:
    """Raises `RunDirectoryError` with the numbers where not even what is sure to come has room.

    Checkpoints do not count: a run goes on without them.
    """
    free = free_bytes(directory)
    if estimate.surely > free:
        raise RunDirectoryError(
            f"{directory}: the run writes about {in_words(estimate.total)}, at least "
            f"{in_words(estimate.surely)}, and {in_words(free)} are free there (traces "
            f"{in_words(estimate.traces)}, checkpoints {in_words(estimate.checkpoints)}, adapters "
            f"{in_words(estimate.adapters)}); name another directory with --out, or use fewer "
            "rounds, a larger trace.positions_every_s, or trace.adapters: false"
        )
