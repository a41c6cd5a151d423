"""What a transformer block computes with, and what it remembers for its backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cosim.learning.base.packed_llama.geometry import PassPlan, Tokens
from cosim.learning.base.packed_llama.weights import Block

# A block's A and B by place, None where it is not adapted.
Pair = tuple[Tensor, Tensor] | None
Mix = Callable[[Tensor, Tensor], Tensor]
See = Callable[[int, Tensor, Tensor], None]
Attend = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Kept:
    """These are the tokens that a last block answers for; the others only give keys and values.

    index: (n,) among those of the pass.
    tokens: the same with their groups.
    """

    index: Tensor
    tokens: Tokens


@dataclass(frozen=True)
class Setting:
    """A block computes with this besides its input.

    block: its weights.
    plan: the geometry of the pass.
    scale: α/r, by which B·A is multiplied.
    kept: the tokens that it answers for; None: all.
    mix: ranks z (n, r) and the tokens' rows (n,) → z; None: as they are.
    see: hears each adapted module's number, W0 and inputs (n, k) before it computes; None: nobody.
    attend: from heads (n, H + K, size) and values (n, K, size) to the attention's output
        (n, H·size); None: to the tokens of the pass, by its plan.
    """

    block: Block
    plan: PassPlan
    scale: float = 1.0
    kept: Kept | None = None
    mix: Mix | None = None
    see: See | None = None
    attend: Attend | None = None

    @property
    def late(self) -> Tokens:
        """The tokens after the attention."""
        return self.plan.tokens if self.kept is None else self.kept.tokens


@dataclass
class Trace:
    """A trace holds what the backward pass needs of n tokens, m of them after the attention.

    rate, middle_rate: the norms' ρ, before and after the attention.
    heads, values: after the rotation, with a zero token.
    weights: of the attention, as far as they are kept; None where none are.
    mixed: (m, H·size), what the attention gives; None where no gradient reads it.
    middle: (m, h), after the attention.
    gate, up: before the SiLU.
    ranks: z by place, None where not adapted.
    """

    rate: Tensor
    heads: Tensor
    values: Tensor
    weights: Tensor | None
    mixed: Tensor | None
    middle: Tensor
    middle_rate: Tensor
    gate: Tensor
    up: Tensor
    ranks: list[Tensor | None]

    def tensors(self) -> list[Tensor | None]:
        """All of them in a row."""
        *single, ranks = vars(self).values()
        return [*single, *ranks]

    @classmethod
    def of(cls, tensors: Sequence[Any]) -> Trace:
        """From the row."""
        rate, heads, values, weights, mixed, middle, middle_rate, gate, up, *ranks = tensors
        return cls(rate, heads, values, weights, mixed, middle, middle_rate, gate, up, ranks)
