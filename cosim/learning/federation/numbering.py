"""Names for what devices say, so that equal contents are known without a look at them."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import ref

from cosim.learning.federation.fleet import Fleet
from cosim.methods.adapter import Adapter
from cosim.methods.message import Turn


class Numbering:
    """A numbering names contents: two messages of one number hold the same.

    count: contents that have been named so far.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.count = fleet, 0
        self._last: dict[int, tuple[ref[Adapter], int, Turn | None]] = {}

    def of(self, device: int, turn: Turn) -> int:
        """The number of what the device says now: the same until its adapter is another, or the
        turn where what is read hangs on it."""
        adapter = self.fleet.states[device].adapter
        said_in = turn if self.fleet.method.codec.by_turn else None
        adapter_ref, number, known_in = self._last.get(device, (None, 0, None))
        if adapter_ref is None or adapter_ref() is not adapter or known_in != said_in:
            self.count += 1
            self._last[device] = ref(adapter), self.count, said_in
            number = self.count
        return number

    @property
    def latest(self) -> dict[int, tuple[int, Turn | None]]:
        """The numbers of what devices hold now, of those who have said it, and the turns that they
        are of."""
        states = self.fleet.states
        return {
            device: (number, turn)
            for device, (adapter_ref, number, turn) in sorted(self._last.items())
            if adapter_ref() is states[device].adapter
        }

    @latest.setter
    def latest(self, latest: Mapping[int, tuple[int, Turn | None]]) -> None:
        adapters = self.fleet.adapters
        self._last = {device: (ref(adapters[device]), *name) for device, name in latest.items()}
