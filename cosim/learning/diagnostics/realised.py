"""What devices really mixed, round by round: the share of each sender in what each then held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosim.methods.message import Turn
from cosim.topology.mixing import contraction_of, disagreement_of

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float64]


class RealisedMixing:
    """A round's mixing of a fleet is one matrix W, with the shares that its aggregation realises.

    Row i holds the share of each sender in what device i mixed, its own included. A device that
    mixed nothing, or was not there, keeps what it had; a round in which nobody mixed is I. Where a
    round has several turns W is their product.

    devices: how many there are.
    round: the last in which a device mixed.
    """

    def __init__(self, devices: int) -> None:
        self.devices, self.round = devices, 0
        # By mixing and device: some are at a later one while others are still at the one before.
        self._rows: dict[int, dict[int, Mapping[int, float]]] = {}
        # Of earlier rounds the sum of Wᵀ(I − 11ᵀ/m)W.
        self._second: FloatArray | None = None
        # Σ_i (x_i after − x_i before) of this round's mixings, by factor.
        self._moved: dict[str, Tensor] = {}

    @property
    def state(self) -> dict[str, Any]:
        """All of it but the number of devices, to be stored; nothing in it is changed in place."""
        return {
            "round": self.round,
            "rows": {mixing: dict(rows) for mixing, rows in self._rows.items()},
            "second": self._second,
            "moved": dict(self._moved),
        }

    @state.setter
    def state(self, state: Mapping[str, Any]) -> None:
        self.round, self._second = state["round"], state["second"]
        self._rows = {mixing: dict(rows) for mixing, rows in state["rows"].items()}
        self._moved = dict(state["moved"])

    def note(
        self,
        device: int,
        turn: Turn,
        shares: Mapping[int, float],
        moved: Mapping[str, Tensor] | None = None,
    ) -> None:
        """A device has mixed; rounds come in order.

        shares: of each sender, itself included; empty where it mixed nothing. moved: by factor,
        x after − x before, float64 (n,).
        """
        if turn.round > self.round:
            self._second = self._second_until(turn.round - 1)
            self.round, self._rows, self._moved = turn.round, {}, {}
        if shares:
            self._rows.setdefault(turn.mixing, {})[device] = dict(shares)
        for factor, difference in (moved or {}).items():
            before = self._moved.get(factor)
            self._moved[factor] = difference if before is None else before + difference

    @property
    def matrix(self) -> FloatArray:
        """W (m, m) of the last round, as far as it has come."""
        product: FloatArray = np.eye(self.devices)
        for _, rows in sorted(self._rows.items()):
            W = np.eye(self.devices)
            for device, shares in rows.items():
                W[device] = 0.0
                W[device, list(shares)] = list(shares.values())
            product = W @ product
        return product

    def contraction(self, round_: int) -> float:
        """ρ = λmax(mean of Wᵀ(I − 11ᵀ/m)W) over all rounds from the first to this one."""
        return contraction_of(self._second_until(round_), round_)

    def _second_until(self, round_: int) -> FloatArray:
        """Σ Wᵀ(I − 11ᵀ/m)W over the rounds from the first to this one."""
        second: FloatArray = (round_ - self.round) * disagreement_of(np.eye(self.devices))
        if self.round > 0:
            second = second + disagreement_of(self.matrix)
        return second if self._second is None else second + self._second

    def drifts(self, round_: int) -> dict[str, float]:
        """‖x̄ after − x̄ before‖² by factor, x̄ the mean over all devices, of a round's mixing."""
        if round_ != self.round:
            return {}
        return {
            factor: float((total / self.devices).square().sum())
            for factor, total in sorted(self._moved.items())
        }
