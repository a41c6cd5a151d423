"""A learner that only has a size and a cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cosim.learning.records import Description, Evaluation, FineTuned, Outgoing
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.methods.workload import Workload
from cosim.simulation.learner import Job

if TYPE_CHECKING:
    from cosim.learning.data.pool import TaskPool


@dataclass
class _FineTuning:
    work: Workload
    dropped: bool = False

    def cut(self, flop: int) -> None:
        """There are no blocks: whoever has not done all of its work has nothing to say."""
        self.dropped = True

    def result(self) -> FineTuned:
        return FineTuned(loss=None, dropped=self.dropped)

    def discard(self) -> None:
        """There is nothing to forget."""


@dataclass
class _Mixing:
    """One more expert of each sender."""

    bank: set[int]
    senders: Sequence[int]
    work: Workload

    def cut(self, flop: int) -> None:
        """Nothing cuts a mixing."""

    def result(self) -> None:
        self.bank.update(self.senders)

    def discard(self) -> None:
        """There is nothing to forget."""


class NullLearner:
    """The null learner has fixed bits and fixed work, and no torch: the network alone.

    `density` s of the masks that a method would have, None where it has none. `bits_of` and
    `work_of` tell what a device's are: here those given, of everyone.
    """

    def __init__(
        self, payload_bits: int, work: Workload, density: float | None = None, per_value: int = 16
    ) -> None:
        self._bits = payload_bits
        self._work = work
        self._density = density
        self._values = payload_bits / per_value
        self._banks: dict[int, set[int]] = {}
        self.warnings: tuple[str, ...] = ()
        self.base = None
        self.pools: dict[str, TaskPool] = {}

    def inform(self, device: int, bits: float, rate: float | None) -> None:
        """The bits are the scenario's, and nothing hangs on the rate."""

    def submit(self, device: int, round_: int) -> Job[FineTuned] | None:
        """A job of the scenario's work; nothing is calibrated."""
        return _FineTuning(self.work_of(device)) if round_ else None

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """The device's bits for everybody."""
        return Outgoing(None, dict.fromkeys(receivers, self.bits_of(device)))

    def experts(self, device: int, receivers: Sequence[int], offered: Any = None) -> Outgoing:
        """The scenario's bits for every expert that a receiver lacks."""
        experts = frozenset(self.bank(device)) if offered is None else offered
        lacking = {receiver: experts - self.bank(receiver) for receiver in receivers}
        bits = {receiver: self._bits * len(owners) for receiver, owners in lacking.items()}
        return Outgoing(experts, bits)

    def hear(self, device: int, content: Any) -> None:
        """The device holds the experts that arrived; of a message nothing is told once."""
        if isinstance(content, Set):
            self.bank(device).update(content)

    def lose(self, device: int) -> None:
        """Nothing is told once."""

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Job[None]:
        """Nothing is learnt or computed; the device holds one more expert of each sender."""
        return _Mixing(self.bank(device), list(inbox), Workload.none())

    def evaluate(
        self, devices: Sequence[int], sets: Mapping[int, Sequence[int]] | None = None
    ) -> Evaluation:
        """Nothing is scored."""
        return Evaluation(())

    def describe(self, devices: Sequence[int], together: bool = False) -> Description:
        """One module whose mask keeps as many values as are sent; none without masks."""
        bits = [self.bits_of(device) for device in devices]
        if self._density is None:
            return Description(bits, np.zeros((len(devices), 0)), np.zeros(0))
        sizes = np.array([self._values / self._density])
        return Description(bits, np.full((len(devices), 1), self._density), sizes)

    def save(self, folder: Path) -> None:
        """Nothing is learnt."""

    def close(self) -> None:
        """Nothing outlives the last event."""

    def bits_of(self, device: int) -> int:
        """Bits of a message of the device's."""
        return self._bits

    def work_of(self, device: int) -> Workload:
        """What a round takes the device."""
        return self._work

    def bank(self, device: int) -> set[int]:
        """The owners whose experts a device holds, itself among them."""
        return self._banks.setdefault(device, {device})
