"""The parts that a recipe chooses from, but for the topology."""

from __future__ import annotations

from typing import Literal, Never, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from cosim.errors import UnplayedPartError

Projection = Literal["trainable", "frozen_own_seed", "frozen_shared_seed", "none"]
Expansion = Literal["dense", "gradient_mask", "entropy_mask", "magnitude_mask", "every_parameter"]
Aggregation = Literal["none", "mean", "support_normalised", "stacked"]
Composition = Literal["single", "oracle", "gate", "uniform", "literal"]
Data = Literal["own", "task", "pooled"]
Schedule = Literal["synchronous", "cluster", "asynchronous"]
# Where arXiv 2602.20492 is taken as printed; without a name in this list it is read as corrected.
LiteralPoint = Literal[
    "projection",  # eq. 16: A with entries N(0, 1), not N(0, 1/k)
    "refinement",  # eq. 26: A·diag(√k·h/‖h‖) before training
    "spectrum",  # eq. 20: C⁻¹ multiplied again, so that the spectrum is that of W0
    "density",  # eq. 22: max instead of min, so that every density is 1
    "mask",  # eq. 18: the largest signed B after the first mini-batch's step
    "weights",  # eq. 9-10: α_j/‖u‖, which do not sum to 1
    "readback",  # eq. 24: every A_j meets the whole average B
]


def unplayed(part: str, word: Never) -> NoReturn:
    """Ends a chain over a part's words: raises UnplayedPartError for one that is none of them.

    The type checker sees that a declared word is missing from the chain; a run ends here instead of
    playing another word in its place.
    """
    raise UnplayedPartError(
        f"method: {part} {word!r} is declared and nothing plays it here: a new word of "
        "cosim/methods/parts.py must be added wherever the part decides something"
    )


class Choice(BaseModel):
    """A frozen choice that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Gate(Choice):
    """How a sequence is routed: by what the base model makes of its prompt."""

    top_k: int = Field(2, ge=1, le=1000, description="experts that answer a sequence")
    temperature: float = Field(1.0, gt=0, le=1e3, description="T; towards 0 one expert answers")
    reads: Literal["mean", "last"] = Field(
        "mean", description="of a prompt's tokens: their mean, or the last one"
    )
    layers: int = Field(
        4, ge=1, le=1000, description="transformer blocks, evenly spaced, whose inputs vote"
    )


class Merge(Choice):
    """How composition `uniform` weighs its experts: all alike, whatever the sequence."""

    weight: float | None = Field(
        None, gt=0, le=100, description="of each expert's output; null: total/J of J experts"
    )
    total: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="sum of the weights where none is given, each of which is 1 at most",
    )

    def share(self, experts: int) -> float:
        """The weight of each of J experts: min(1, total/J), or the one that is given."""
        return self.weight if self.weight is not None else min(1.0, self.total / experts)
