"""`by_rows`: a message counts by the rows that its sender trains on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from cosim.methods.message import Heard
from cosim.methods.weights.of_heard import OfHeard


class ByRows(OfHeard):
    """The weights are w_j = α_j·(1 + n_j)^−a over what was heard (eq. 9-10 of arXiv 2602.20492,
    renormalised)."""

    name: Literal["by_rows"] = "by_rows"

    def amount(self, rows: float) -> float:
        """α_j, the sender's training rows."""
        return rows

    def of(self, device: int, heard: Sequence[Heard], degrees: Mapping[int, int]) -> list[float]:
        """α_j times the freshness."""
        return [part.message.rows * part.freshness for part in heard]
