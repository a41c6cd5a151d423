"""One transmit or receive chain of a device: on while any of its transfers is open."""

from __future__ import annotations


class RadioChain:
    """A radio chain draws its watts while at least one transfer is open, divided evenly among those
    open.

    OFDMA sends and receives all shares through one chain, so n transfers at once cost its power
    once. The shares of all transfers add up to watts × the time in which any was open.
    """

    def __init__(self, watts: float) -> None:
        self.watts = watts
        self._since_s = 0.0
        self._spent_j: dict[int, float] = {}

    def open(self, transfer: int, now_s: float) -> None:
        """Notes that a transfer begins."""
        self._divide(now_s)
        self._spent_j[transfer] = 0.0

    def close(self, transfer: int, now_s: float) -> float:
        """Notes that a transfer ends; returns its share of the chain's energy in J."""
        self._divide(now_s)
        return self._spent_j.pop(transfer)

    @property
    def drawn_w(self) -> float:
        """The power that it draws now."""
        return self.watts if self._spent_j else 0.0

    def _divide(self, now_s: float) -> None:
        if self._spent_j:
            each_j = self.watts * (now_s - self._since_s) / len(self._spent_j)
            for transfer in self._spent_j:
                self._spent_j[transfer] += each_j
        self._since_s = now_s
