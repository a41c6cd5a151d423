"""What a method acts on: the adapted modules, and where each lies in one flat vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class AdaptedModule:
    """An adapted module is a linear layer of the base model; where all is trained, a parameter.

    name: of the layer in the base model, with dots.
    layer: the number of its transformer block, 0 where it is in none.
    out_features, in_features: the shape d×k of its W0.
    transposed: its weight is kept as k×d, as by transformers' `Conv1D`.
    """

    name: str
    layer: int
    out_features: int
    in_features: int
    transposed: bool = False


@dataclass(frozen=True)
class Layout:
    """A layout says where each module's A (r×k) and B (d×r) lie in flat vectors of all modules.

    modules: in the order in which their values lie.
    rank: r of all of them.
    """

    modules: tuple[AdaptedModule, ...]
    rank: int

    @property
    def projection_shapes(self) -> list[tuple[int, int]]:
        """(r, k) of each module."""
        return [(self.rank, module.in_features) for module in self.modules]

    @property
    def expansion_shapes(self) -> list[tuple[int, int]]:
        """(d, r) of each module."""
        return [(module.out_features, self.rank) for module in self.modules]

    @property
    def projection_sizes(self) -> list[int]:
        """r·k of each module."""
        return [rows * columns for rows, columns in self.projection_shapes]

    @property
    def expansion_sizes(self) -> list[int]:
        """d·r of each module."""
        return [rows * columns for rows, columns in self.expansion_shapes]

    @property
    def projection_size(self) -> int:
        """Values of A over all modules."""
        return sum(self.projection_sizes)

    @property
    def expansion_size(self) -> int:
        """Values of B over all modules."""
        return sum(self.expansion_sizes)

    @property
    def blocks(self) -> list[int]:
        """The transformer blocks that have adapted modules, the first one first."""
        return sorted({module.layer for module in self.modules})

    def in_last(self, count: int) -> list[int]:
        """The numbers of the modules in the last so many blocks that have any."""
        last = set(self.blocks[len(self.blocks) - count :])
        return [number for number, module in enumerate(self.modules) if module.layer in last]

    def of_rank(self, rank: int) -> Layout:
        """The same modules with adapters of another rank."""
        return self if rank == self.rank else replace(self, rank=rank)

    def pairs(self, projection: Tensor, expansion: Tensor) -> list[tuple[Tensor, Tensor]]:
        """(A, B) of each module as (1, r, k) and (1, d, r) views of flat vectors."""
        A = projection.split(self.projection_sizes)
        B = expansion.split(self.expansion_sizes)
        return [
            (a.view(1, *a_shape), b.view(1, *b_shape))
            for a, a_shape, b, b_shape in zip(
                A, self.projection_shapes, B, self.expansion_shapes, strict=True
            )
        ]


def kept_positions(size: int, density: float) -> int:
    """Positions of a module of d·r = `size` that a mask of this density keeps; at least one."""
    return max(1, round(density * size))


# Leaves of one parent module that all read the same tensor.
_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


def shared_inputs(modules: Sequence[AdaptedModule]) -> list[int]:
    """For each module the number of the first that reads the same input; itself where unknown."""
    first: dict[tuple[str, object], int] = {}
    out = []
    for number, module in enumerate(modules):
        parent, _, leaf = module.name.rpartition(".")
        family = next((names for names in _SIBLINGS if leaf in names), leaf)
        out.append(first.setdefault((parent, family), number))
    return out
