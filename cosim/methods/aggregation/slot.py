"""What an aggregation is asked, and what it may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

from cosim.methods.adapter import Adapter
from cosim.methods.composition.slot import Composition
from cosim.methods.layout import Layout
from cosim.methods.message import Heard, Mask, Message, Said, Turn, Values
from cosim.methods.part import Part
from cosim.methods.projection.slot import Projection
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Speaking:
    """A part may ask this when a device speaks.

    layout: where the modules lie.
    kept: positions of each module's B that are in the mask (L,).
    projection, composition: the parts that have something to say besides B.
    """

    layout: Layout
    kept: Sequence[int]
    projection: Projection
    composition: Composition


@dataclass(frozen=True)
class Mixing:
    """A part may ask this when a device mixes.

    layout: where the modules lie.
    device: who mixes.
    turn: when.
    weights: w_j of what is heard, in its order, not divided by anything yet.
    total: what w_j is divided by to be j's share.
    bits_per_value: the air's precision.
    renormalised: whether the shares sum to 1, so that a value that fewer devices hold may be
        divided by less.
    descent: η·K, the lengths of a round's local steps together.
    open_share: in how many of all rounds devices speak at all.
    degrees: neighbours of the device and of those whom it heard, by id, where the graph is known.
    shared: computes what depends on the heard messages and their weights alone, once for all
        devices that heard the same.
    draw: gives a generator of the part's own by a purpose.
    """

    layout: Layout
    device: int
    turn: Turn
    weights: Sequence[float]
    total: float
    bits_per_value: int
    renormalised: bool = True
    descent: float = 1.0
    open_share: float = 1.0
    degrees: Mapping[int, int] = field(default_factory=dict)
    shared: Callable[[Callable[[], T]], T] = lambda compute: compute()
    draw: Callable[..., np.random.Generator] | None = None


class Aggregation(Part):
    """An aggregation makes a device's message and mixes those that it heard."""

    slot: ClassVar[str] = "aggregation"
    # Whether anything is made of what others send.
    exchanges: ClassVar[bool] = True
    # Whether a receiver keeps the experts of others beside its own.
    keeps_experts: ClassVar[bool] = False
    # Whether what arrives is averaged with what the device has, its own message among the heard.
    averages: ClassVar[bool] = True
    # Whether it mixes A and B apart, so that a message may hold one of them alone.
    by_factor: ClassVar[bool] = False
    # Whether a device's A and B are in the same basis after a mixing.
    keeps_basis: ClassVar[bool] = True
    # Whether it moves a device from what it holds, said or not, and not from what it said.
    keeps_own: ClassVar[bool] = False
    # Whether it mixes messages of whose values some were lost on their way.
    reads_erased: ClassVar[bool] = False
    # Whether all that it makes of others' messages is sums of their values, so that the air may add
    # them up.
    superposes: ClassVar[bool] = False
    # Why factors that are padded by zeros, as their senders have a lower rank, mean nothing to it;
    # None where they do.
    unpadded: ClassVar[str | None] = "does not say what it makes of factors padded by zeros"
    # Whether it mixes in every turn, with what it remembers of neighbours of whom nothing arrived;
    # its messages then lose no weight with their age.
    remembers: ClassVar[bool] = False
    # The weights where a method names none, as a scenario writes them.
    own_weights: ClassVar[str | Mapping[str, str]] = "by_rows"

    def refuses_ranks(self) -> str | None:
        """Factors padded by zeros."""
        if self.unpadded is None or not self.exchanges:
            return None
        return (
            f"aggregation '{self.word()}' {self.unpadded}: use 'mean' or 'product_svd' "
            "with projection 'trained' and no mask, or 'stacked', or one rank for all"
        )

    def begins(self, own: DeviceState, first: Message) -> DeviceState:
        """The state before the first round of a device whose aggregation `remembers`; first: what
        each device would say then."""
        return own

    def said(self, own: DeviceState, message: Message) -> DeviceState:
        """The state of a device that has put this message on the air."""
        return own

    def recalled(self, own: DeviceState, silent: Sequence[int]) -> Sequence[Message]:
        """The messages that stand for neighbours of whom nothing has arrived."""
        return ()

    @property
    def says_held(self) -> bool:
        """Whether what it says of A and B is what the device holds, and not what changed."""
        return True

    @property
    def asks_delivery(self) -> bool:
        """Whether it must know how probably a value arrives."""
        return False

    @property
    def by_block(self) -> bool:
        """Whether a device that the compute deadline stops may keep and say the blocks that
        back-propagation has reached; else all of its round's training is lost."""
        return False

    def correction(self, own: DeviceState) -> Mapping[str, Tensor]:
        """What is taken off the gradient in each local step, by factor, flat as its values are;
        nothing of a factor that is not named."""
        return {}

    def learnt(
        self, before: DeviceState, own: DeviceState, reached: int | None, layout: Layout
    ) -> DeviceState:
        """The state after a fine-tuning, with what the part remembers of it.

        before: the state that the fine-tuning began with. reached: how many of the layout's blocks,
        counted from the last, hold anything new; None: all of them.
        """
        return own

    def says(self, own: DeviceState, at: Speaking) -> tuple[Said, ...]:
        """The content of a device's message; its bits follow from it."""
        adapter = own.adapter
        content: list[Said] = []
        if "B" in at.projection.sends(adapter.round):
            content.append(Values("B", adapter.values))
        if adapter.support is not None:
            content.append(Mask("M", adapter.support, at.layout.expansion_sizes, at.kept))
        return (
            *content,
            *at.projection.says(own, at.layout),
            *at.composition.says(own),
        )

    @classmethod
    def lacks(cls) -> Sequence[str]:
        """Where anything is exchanged, how it is mixed."""
        mixed = cls.mix is not Aggregation.mix or not cls.exchanges
        return [*super().lacks(), *(() if mixed else ("mix",))]

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """The device's state after it has mixed what it heard, sorted by sender.

        Its own message, as others receive it, is among what it heard where it `averages` and the
        device has something of its own; so are messages that it `recalled`. Nothing is called where
        there is no message of others.
        """
        raise NotImplementedError

    def effective_shares(
        self, shares: Sequence[float], heard: Sequence[Heard], device: int
    ) -> Sequence[float]:
        """The share of each message in what the device then holds, on average over values, for the
        diagnostics; by default as it was weighed.

        shares: w_j by the weights, in the order of what was heard, the device's own among them.
        """
        return shares

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """What mixing costs the device: by default a multiplication and an addition a number.

        sizes: numbers on the air of each message that is mixed.
        """
        return Workload.of_flop(2.0 * sum(sizes))

    def offers(self, experts: Sequence[Adapter], projection: Projection) -> list[tuple[Said, ...]]:
        """What is said of each of several experts of one bank to who has none of them, besides what
        a receiver is told once."""
        return [
            (
                Values("B", expert.values),
                *([Values("A", expert.projection)] if projection.moves else ()),
            )
            for expert in experts
        ]
