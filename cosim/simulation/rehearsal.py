"""A run of the network alone before the run, to see what devices will really mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.learning.diagnostics.realised import RealisedMixing
from cosim.methods.message import (
    NOTHING_LOST,
    Graph,
    Heard,
    Message,
    Passage,
    Turn,
    freshness,
)
from cosim.methods.weights.slot import Weights
from cosim.methods.workload import Workload
from cosim.scenario.learning import NoLearning
from cosim.scenario.model import Scenario
from cosim.simulation.learner import Job
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.rounds.schedule import play_out
from cosim.simulation.setup.build import build_devices, given_work, world_of
from cosim.trace.schema import Row


class RehearsingLearner(NullLearner):
    """A rehearsing learner has bits and work of every device, and learns who mixes whom.

    mixing: what has been mixed so far, by the shares that the weights give.
    """

    def __init__(
        self,
        bits: Sequence[int],
        work: Sequence[Workload],
        rows: Sequence[float],
        weighing: Weights,
        staleness_exponent: float,
    ) -> None:
        """bits, work, rows: of a message, a round and the training, by device."""
        super().__init__(max(bits), work[0])
        self.mixing = RealisedMixing(len(bits))
        self._bits_of, self._work_of, self._rows = bits, work, rows
        self._weighing, self._exponent = weighing, staleness_exponent

    def bits_of(self, device: int) -> int:
        """Bits of a message of the device's."""
        return self._bits_of[device]

    def work_of(self, device: int) -> Workload:
        """What a round takes the device."""
        return self._work_of[device]

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Job[None]:
        """Nothing is computed; what each sender's share would be is kept."""
        if inbox:
            ids, rows = sorted({device, *inbox}), self._rows
            ages = {**ages, device: 0}
            heard = [
                Heard(
                    Message(other, turn.round - ages[other], (), rows[other]),
                    ages[other],
                    freshness(ages[other], self._exponent),
                )
                for other in ids
            ]
            weights = self._weighing.within(device, heard, graph, rows)
            total = self._weighing.total(weights, sum(rows))
            shares = [weight / total for weight in weights]
            self.mixing.note(device, turn, dict(zip(ids, shares, strict=True)))
        return super().mix(device, inbox, ages, turn, graph, flights)


class _Unwritten:
    """A trace sink that keeps nothing."""

    directory = None

    def add(self, row: Row) -> None:
        """Forgets it."""

    def flush(self) -> None:
        """There is nothing to make readable."""


def rehearsed_contraction(scenario: Scenario) -> float:
    """ρ = λmax(mean of Wᵀ(I − 11ᵀ/m)W) over all rounds of the scenario's network, played alone.

    Devices, links, deadline, faults and batteries are the run's, by the same random streams. A
    message has the bits of the longest that its device will send, a round of training a mean
    round's work, by the scenario's method as it is; mixing and calibrating take nothing.

    Raises `CosimError` for a model or a task that cannot be used.
    """
    count = scenario.device_count
    if scenario.learning.model == "none":
        bits, rows = [scenario.learning.payload_bits] * count, [1.0] * count
        work = [given_work(scenario)] * count
    else:
        from cosim.learning.forecast import forecast

        expected = forecast(scenario)
        longest = {own.rank: max(own.first_bits, own.later_bits) for own in expected.ranks}
        bits = [longest[rank] for rank in scenario.ranks]
        work, rows = expected.work, [float(number) for number in expected.rows]
    method = scenario.method
    learner = RehearsingLearner(bits, work, rows, method.weighing, method.staleness_exponent)
    alone = scenario.model_copy(
        update={
            "learning": NoLearning(payload_bits=max(bits)),
            "trace": scenario.trace.model_copy(update={"observers": (), "diagnostics": False}),
        }
    )
    play_out(world_of(alone, build_devices(alone), learner, _Unwritten()))
    return learner.mixing.contraction(scenario.rounds)
