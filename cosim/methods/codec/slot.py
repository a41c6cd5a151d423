"""What a codec is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from cosim.methods.message import Turn, Values, as_transmitted
from cosim.methods.part import Part
from cosim.methods.state import DeviceState

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

# What a codec remembers of a factor, by the factor's name.
Memory = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Coding:
    """A codec may ask this when a device says a factor, A or B.

    turn: when.
    counts: values of each module in the factor (L,).
    bits_per_value: the scenario's, 16 or 32.
    first: what every receiver takes the factor for before a first message, float32 (n,).
    draw: gives the generator of this device, turn and factor.
    speaks: whether somebody is told; else it is the device's own, in a turn in which it may have
        been silent.
    """

    turn: Turn
    counts: Sequence[int]
    bits_per_value: int
    first: Tensor
    draw: Callable[[], np.random.Generator]
    speaks: bool = True


class Codec(Part):
    """A codec turns the values of A and B into a message's bits, and back into what is read.

    Whoever hears a message has what is read, and so has its sender where it mixes its own. The
    scenario's precision stays for what else goes over the air: a calibration's tensors, and experts
    that go from cluster to cluster. What coding computes is neglected: a few additions a value,
    beside a fine-tuning's products of every token with every parameter, and beside the two FLOP a
    value and message of a mean.
    """

    slot: ClassVar[str] = "codec"
    # Whether what is read hangs on the turn as well, and not on the values alone.
    by_turn: ClassVar[bool] = False
    # Whether what is read is in the scenario's precision.
    in_precision: ClassVar[bool] = True
    # Whether every value has bits of its own, so that a lost packet is a few lost values.
    by_value: ClassVar[bool] = True

    def factor_bits(self, counts: Sequence[int], per_value: int) -> int:
        """Bits of a first message of a factor with so many values in each module (L,)."""
        return sum(counts) * per_value

    def form(self, factor: Values, counts: Sequence[int], memory: Memory) -> Values:
        """A factor as it goes on the air next, by its shape alone; its bits follow from this."""
        return factor

    def read(self, factor: Values, memory: Memory, at: Coding) -> tuple[Values, Memory]:
        """A factor as whoever hears it reads it, and what the device remembers once it is said."""
        form = self.form(factor, at.counts, memory)
        return replace(form, values=as_transmitted(factor.values, at.bits_per_value)), memory

    def settle(self, before: DeviceState, mixed: DeviceState, turn: Turn) -> DeviceState:
        """A device's state once it has mixed; before: with what it said in the turn."""
        return mixed
