"""What one device says to others: content, from which its bits follow."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

# A Philox key names every entry of a frozen Gaussian A.
SEED_BITS = 64
# A single-precision number by which integers are multiplied.
SCALE_BITS = 32


# The neighbours of devices, by id.
Graph = Mapping[int, tuple[int, ...]]


class Turn(NamedTuple):
    """A turn is one occasion for a device to speak and to mix.

    round: of the run.
    mixing: which of the round's mixings, from 0 on.
    answer: whether it is what silent devices answer in, after the others have spoken.
    """

    round: int
    mixing: int = 0
    answer: bool = False


@dataclass(frozen=True)
class Values:
    """Values are numbers on the air, each of the scenario's bits per value, or of their own.

    name: what they are of.
    values: float32 (n,).
    once: a receiver that has had them needs them no more.
    bits_per_value: their own; None: the scenario's.
    scales: how many factors of 32 bit go with them.
    """

    name: str
    values: Tensor
    once: bool = False
    bits_per_value: int | None = None
    scales: int = 0

    def bits(self, per_value: int) -> int:
        """n × bits per value, and the scales."""
        own = per_value if self.bits_per_value is None else self.bits_per_value
        return int(self.values.numel()) * own + SCALE_BITS * self.scales


@dataclass(frozen=True)
class Renewed(Values):
    """Renewed values are those that were said before with some of them said anew.

    kept: how many are said anew in every message.
    version: how many messages there have been, this one included.
    """

    kept: int = 0
    version: int = 0

    def bits(self, per_value: int, had: int = 0) -> int:
        """This message's bits and those of all that a receiver missed, which has `had` a version;
        those of all values where that is less."""
        count = int(self.values.numel())
        missed = max(0, self.version - had)
        return min(missed * renewal_bits(count, self.kept, per_value), count * per_value)


@dataclass(frozen=True)
class Mask:
    """A mask is the positions of a factor, entropy-coded module by module.

    name, once: as of `Values`.
    support: int64 (n,), sorted positions in the flat factor.
    sizes: positions of each module, kept or not (L,).
    kept: how many of them are in the support (L,).
    """

    name: str
    support: Tensor
    sizes: Sequence[int]
    kept: Sequence[int]
    once: bool = True

    def bits(self, per_value: int) -> int:
        """Σ_l ⌈n_l·H2(k_l/n_l)⌉, `mask_bits` of every module."""
        return sum(mask_bits(n, int(k)) for n, k in zip(self.sizes, self.kept, strict=True))


@dataclass(frozen=True)
class Seed:
    """A seed tells a factor that a random stream gives: its key is on the air.

    name, once: as of `Values`.
    values: float32, what the stream gives.
    """

    name: str
    values: Tensor
    once: bool = True

    def bits(self, per_value: int) -> int:
        """64, the key's."""
        return SEED_BITS


@dataclass(frozen=True)
class Common:
    """A common factor is one that all devices have had from the start: nothing of it is on the air.

    name, values, once: as of `Values`.
    """

    name: str
    values: Tensor
    once: bool = True

    def bits(self, per_value: int) -> int:
        """0."""
        return 0


@dataclass(frozen=True)
class Blocks:
    """Blocks say that a message's factors hold the modules of a model's last blocks alone.

    name, once: as of `Values`.
    reached: how many blocks, counted from the last.
    adapted: L, how many have adapted modules.
    """

    name: str
    reached: int
    adapted: int
    once: bool = False

    def bits(self, per_value: int) -> int:
        """⌈log2(L + 1)⌉, for a number from 0 to L."""
        return self.adapted.bit_length()


Said = Values | Renewed | Mask | Seed | Common | Blocks


def payload_bits(
    content: Sequence[Said],
    known: Collection[str],
    per_value: int,
    had: Mapping[str, int] | None = None,
) -> int:
    """Bits of content for a receiver: what is told once only where its name is not `known`, and
    what is renewed from the version on that it `had`."""
    fresh = [item for item in content if not (item.once and item.name in known)]
    return sum(
        item.bits(per_value, (had or {}).get(item.name, 0))
        if isinstance(item, Renewed)
        else item.bits(per_value)
        for item in fresh
    )


def renewal_bits(count: int, kept: int, per_value: int) -> int:
    """Bits of `kept` values out of so many, with their places: ⌈log2 n⌉ bits each or a map of n
    bits, whichever is less; none where all are kept."""
    places = 0 if kept == count else min(kept * math.ceil(math.log2(count)), count)
    return kept * per_value + places


def mask_bits(positions: int, kept: int) -> int:
    """⌈n·H2(k/n)⌉: an entropy-coded mask with k ones in n positions, in bits.

    H2(s) = −s·log2 s − (1−s)·log2(1−s); at s = 0.1 that is 4.7 bits a kept value.
    """
    if kept <= 0 or kept >= positions:
        return 0
    s = kept / positions
    entropy = -s * math.log2(s) - (1 - s) * math.log2(1 - s)
    return math.ceil(positions * entropy)


def as_transmitted(values: Tensor, bits_per_value: int) -> Tensor:
    """float32 values after a transmission at 16 (IEEE half precision) or 32 bits each."""
    return values.half().float() if bits_per_value == 16 else values


@dataclass(frozen=True)
class Message:
    """A device puts a message on the air after fine-tuning, as its receivers will read it.

    device: the sender.
    round: of the fine-tuning that the content comes from.
    content: what is said, in the air's precision.
    rows: the sender's training rows, α_j of eq. 9-10 of arXiv 2602.20492.
    number: names the content: two messages of one number hold the same.
    """

    device: int
    round: int
    content: tuple[Said, ...]
    rows: float
    number: int = 0

    @cached_property
    def by_name(self) -> dict[str, Said]:
        """The content by what it is of."""
        return {item.name: item for item in self.content}

    @property
    def values(self) -> Tensor:
        """B on its support, float32 (n,)."""
        item = self.by_name["B"]
        assert isinstance(item, Values)
        return item.values

    @property
    def support(self) -> Tensor | None:
        """The positions of `values` in flat B, int64 (n,); None where B is dense."""
        item = self.by_name.get("M")
        return item.support if isinstance(item, Mask) else None

    @property
    def projection(self) -> Tensor:
        """Flat A as whoever hears the message has it."""
        item = self.by_name["A"]
        assert not isinstance(item, Mask | Blocks)
        return item.values

    @property
    def sends_projection(self) -> bool:
        """Whether A itself is on the air, and not what names it."""
        return isinstance(self.by_name.get("A"), Values)

    @property
    def sends_expansion(self) -> bool:
        """Whether B is on the air, which it is not where a round sends A alone."""
        return "B" in self.by_name

    @property
    def whole(self) -> bool:
        """Whether a receiver learns both factors from it, or from what it has been told."""
        return {"A", "B"} <= self.by_name.keys() and self.reached is None

    @property
    def reached(self) -> int | None:
        """How many blocks, counted from the last, its factors hold; None where they hold all."""
        cuts = [item for item in self.content if isinstance(item, Blocks)]
        return min((item.reached for item in cuts if item.reached < item.adapted), default=None)


def on_air(content: Sequence[Said], bits_per_value: int) -> tuple[Said, ...]:
    """Content in the precision of the air."""
    return tuple(
        replace(item, values=as_transmitted(item.values, bits_per_value))
        if isinstance(item, Values)
        else item
        for item in content
    )


@dataclass(frozen=True)
class Heard:
    """What is heard is a message that a device mixes, its own among them.

    message: what was said.
    age: how often the device has mixed since it was sent.
    freshness: what of the message's weight is left, (1 + age)^−a.
    arrived: which of its values arrived (n,), by what they are of; None where all did. What did
        not is still among the message's values, and a part must not look at it.
    delivery: how probably a packet arrived; None where nobody can tell.
    packets: in how many of them that are lost independently each value lies (n,), by what they
        are of; None where in one, and where packets are not.
    superposed: what the air added to the sum that it is a part of; None where it came by itself.
    """

    message: Message
    age: int = 0
    freshness: float = 1.0
    arrived: Mapping[str, Tensor] | None = None
    delivery: float | None = 1.0
    packets: Mapping[str, Tensor] | None = None
    superposed: Superposed | None = None


class Flight(NamedTuple):
    """A flight is what the air did to a message whose packets were sent once.

    packet_bits: b; packet k, from 0 on, has the message's bits k·b to (k + 1)·b.
    lost: numbers of the packets that did not arrive, in order.
    delivery: how probably a packet arrived, as its receiver knows it; None where it cannot.
    independent: whether one packet is lost whatever becomes of its neighbours, as where losses are
        drawn; of packets that fade neighbours share one channel, or nearly so.
    """

    packet_bits: int
    lost: tuple[int, ...]
    delivery: float | None = None
    independent: bool = False


class Superposed(NamedTuple):
    """What is superposed was sent at once, and added up by the air: the receiver has the sum.

    eta_w: η, the power with which each sender's symbols arrived.
    noise_w: σ_z², of the receiver.
    """

    eta_w: float
    noise_w: float


# What the air did to a message that it did not bring whole and by itself.
Passage = Flight | Superposed

# The passages of messages all of which came so.
NOTHING_LOST: Mapping[int, Passage] = {}


def freshness(age: int, exponent: float) -> float:
    """(1 + n)^−a, the polynomial discount of a message of age n (FedAsync, arXiv 1903.03934)."""
    return float((1 + age) ** -exponent)
