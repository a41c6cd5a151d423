"""The slots of a method that learns: what each part is asked, and what it answers by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeVar

from cosim.methods.adapter import Adapter
from cosim.methods.expansion.budget import IntArray
from cosim.methods.expert import Expert, Routing
from cosim.methods.layout import Layout
from cosim.methods.message import Heard, Mask, Message, Said, Turn, Values
from cosim.methods.part import Part
from cosim.methods.state import DeviceState
from cosim.methods.workload import Workload

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from cosim.methods.calibration import Calibration

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


class Choosing(Protocol):
    """A trainer works for a part that chooses masks; a group's lessons go side by side."""

    @property
    def layout(self) -> Layout:
        """Where the modules lie."""

    @property
    def optimizer(self) -> str:
        """The scenario's."""

    def first_gradients(self) -> Iterator[Tensor]:
        """∂L/∂B (n,) of each lesson's first mini-batch, flat float32, B as it is."""

    def trained(self) -> Iterator[Tensor]:
        """Flat B of each lesson after all of its steps with a dense B from zero."""


class Projection(Part):
    """A projection draws the first A and says in which rounds it is trained."""

    slot: ClassVar[str] = "projection"
    # Whether A is ever trained, and therefore sent and mixed with B.
    moves: ClassVar[bool] = False
    # Whether there is an A at all.
    exists: ClassVar[bool] = True

    def trains(self, round_: int) -> frozenset[str]:
        """The factors that a round trains, of "A" and "B"."""
        return frozenset("AB") if self.moves else frozenset("B")

    def sends(self, round_: int) -> frozenset[str]:
        """The factors that are on the air after a round's training, of "A" and "B"."""
        return frozenset("AB") if self.moves else frozenset("B")

    def owner(self, device: int) -> int | str:
        """Names the stream that draws a device's first A; who shares the name shares A."""
        return "shared"

    @property
    def own(self) -> bool:
        """Whether a device's A is no other device's: drawn for it alone, or made its own by its
        calibration."""
        return self.owner(0) != self.owner(1)

    def first(self, layout: Layout, seed: int, owner: int | str) -> Tensor:
        """Flat A at the start, float32."""
        raise NotImplementedError

    def calibrated(self, A: Tensor, layout: Layout, calibration: Calibration) -> Tensor:
        """A once the device has been calibrated."""
        return A

    def fault(self, layout: Layout, calibration: Calibration) -> str | None:
        """What of a calibration, as it is sent, makes A useless; None where nothing does."""
        return None

    def says(self, own: DeviceState, layout: Layout) -> tuple[Said, ...]:
        """What tells a receiver A."""
        raise NotImplementedError


class Expansion(Part):
    """An expansion chooses which positions of B are trained, and when."""

    slot: ClassVar[str] = "expansion"
    # Whether a device trains and sends a part of B alone.
    masked: ClassVar[bool] = False
    # Whether the base model's own parameters are trained, and no adapter.
    every_parameter: ClassVar[bool] = False
    # Whether all of B is trained for a round before a mask is chosen.
    warms_up: ClassVar[bool] = False

    @property
    def whole(self) -> bool:
        """Whether every position is trained, whatever the budget."""
        return not self.masked

    def refuses_ranks(self) -> str | None:
        """A part of B, or no B."""
        if self.every_parameter:
            return f"expansion '{self.word()}' has no adapters: leave the rank out"
        if self.masked:
            return (
                f"expansion '{self.word()}' keeps positions of B wherever they lie, and a lower "
                "rank has a part of them: use expansion 'dense', or a density in place of the rank"
            )
        return None

    def first(self, layout: Layout) -> tuple[Tensor, Tensor | None]:
        """B = 0 and its support before the first round: values and positions."""
        import torch

        if self.masked:
            return torch.zeros(0), torch.zeros(0, dtype=torch.long)
        return torch.zeros(layout.expansion_size), None

    def planned(self, layout: Layout, density: float, calibration: Calibration | None) -> IntArray:
        """How many positions of each module's B a device is going to train (L,).

        density: Q_budget/Σd·r.
        """
        import numpy as np

        return np.array(layout.expansion_sizes)

    def choose(self, trainer: Choosing, kept: Sequence[IntArray]) -> list[Tensor]:
        """The support of every lesson of a group that has none, sorted; `kept` (L,) of each."""
        raise NotImplementedError


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
            f"aggregation '{self.word()}' {self.unpadded}: use 'mean' or 'product_svd', or one "
            "rank for all"
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

    def mix(self, own: DeviceState, heard: Sequence[Heard], at: Mixing) -> DeviceState:
        """The device's state after it has mixed what it heard, sorted by sender.

        Its own message, as others receive it, is among what it heard where it `averages` and the
        device has something of its own; so are messages that it `recalled`. Nothing is called where
        there is no message of others.
        """
        raise NotImplementedError

    def work(self, sizes: Sequence[int], layout: Layout) -> Workload:
        """What mixing costs the device: by default a multiplication and an addition a number.

        sizes: numbers on the air of each message that is mixed.
        """
        return Workload.of_flop(2.0 * sum(sizes))

    def banked_values(self, experts: Sequence[Adapter]) -> list[int]:
        """How many values of B each of several experts of a bank puts on the air."""
        return [int(expert.values.numel()) for expert in experts]


class Composition(Part):
    """A composition chooses the experts that answer a question."""

    slot: ClassVar[str] = "composition"
    # Whether others' experts answer too, and not a device's own adapter alone.
    asks_experts: ClassVar[bool] = True
    # Whether several experts answer one question side by side.
    together: ClassVar[bool] = False

    @property
    def reading(self) -> tuple[int, Literal["mean", "last"]]:
        """How a prompt is read for FEATURES: at how many blocks, by which of its tokens."""
        return 4, "mean"

    @property
    def routing(self) -> Routing | None:
        """How a gate weighs experts by FEATURES; None where none does."""
        return None

    def expert(self, own: DeviceState, task: str, tasks: Sequence[str]) -> Expert:
        """What a device answers a task with; tasks: of every device by id."""
        raise NotImplementedError

    def says(self, own: DeviceState) -> tuple[Said, ...]:
        """What a receiver must know of an expert to ask it."""
        return ()
