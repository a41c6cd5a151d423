"""What devices say to each other, what of it a receiver knows already, and what they make of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cosim.learning.federation.coded import Speech, as_banked, read, spoken_in
from cosim.learning.federation.contents import numbers_in, numbers_of, scales_in, told_once
from cosim.learning.federation.copies import Copies
from cosim.learning.federation.fleet import Fleet
from cosim.learning.federation.hearing import Hearing
from cosim.learning.federation.numbering import Numbering
from cosim.learning.federation.planned_content import content_of, planned_content
from cosim.learning.federation.returned import fitting, refuse_unreadable, weighed
from cosim.learning.records import Outgoing
from cosim.learning.threads import one_thread_each
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.slot import Mixing
from cosim.methods.codec.slot import Codec, Memory
from cosim.methods.message import (
    NOTHING_LOST,
    Graph,
    Heard,
    Message,
    Passage,
    Said,
    Superposed,
    Turn,
    Values,
    mask_bits,
    on_air,
    payload_bits,
)
from cosim.methods.sending.slot import Deciding
from cosim.methods.workload import Workload
from cosim.randomness import stream

T = TypeVar("T")
Bank = Mapping[int, Adapter]


class Messages:
    """Messages are made of a fleet's states, counted in bits, and mixed where they arrived.

    rows: the devices' numbers of training rows, α_j of eq. 9-10.
    knows: names of what was told once, by (owner, receiver).
    unmixed: owners of whom a receiver knows such things from messages alone that it has not mixed.
    copies: how far receivers have followed what is renewed in parts.
    numbering: names of contents.
    shapes: L and h of a calibration's features (L, h).
    descent: η·K, the lengths of a round's local steps together.
    """

    def __init__(
        self,
        fleet: Fleet,
        rows: Sequence[float],
        shapes: tuple[int, int] = (0, 0),
        seed: int = 0,
        descent: float = 1.0,
    ) -> None:
        self.fleet, self.method = fleet, fleet.method
        self.bits_per_value = fleet.bits_per_value
        self.rows, self.shapes, self.seed, self.descent = rows, shapes, seed, descent
        self.knows: dict[tuple[int, int], frozenset[str]] = {}
        self.unmixed: dict[int, set[int]] = {}
        self.numbering = Numbering(fleet)
        self.copies = Copies()
        self._mixtures: dict[tuple[Any, ...], tuple[int, Any]] = {}
        if self.method.aggregation.remembers:
            self._begin()

    def _begin(self) -> None:
        """Has every device remember what all of them begin with, and could say."""
        adapter = self.fleet.states[0].adapter
        content = [Values("B", adapter.values)]
        if self.method.projection.moves:
            content.append(Values("A", adapter.projection))
        first = Message(0, 0, on_air(content, self.bits_per_value), 0.0)
        aggregation, states = self.method.aggregation, self.fleet.states
        self.fleet.states = [aggregation.begins(state, first) for state in states]

    def message(self, device: int, round_: int, turn: Turn | None = None) -> Message:
        """What the device says now of its training of a round, as it is read; turn: by default its
        first."""
        return self._said(device, round_, turn or Turn(round_))[0]

    def tell(self, device: int, turn: Turn, receivers: Sequence[int]) -> Message:
        """What the device says now of its last training; its codec remembers what it has told
        anybody."""
        message, memory = self._said(device, self.fleet.states[device].adapter.round, turn)
        if receivers:
            self._remember(device, memory)
        return message

    def _own(self, device: int, turn: Turn) -> Message:
        """The device's own message where it mixes: what it said in the turn, if it did."""
        round_ = self.fleet.states[device].adapter.round
        message, memory = self._said(device, round_, turn, speaks=False)
        self._remember(device, memory)
        return message

    def _remember(self, device: int, memory: Memory) -> None:
        if memory:
            states = self.fleet.states
            states[device] = states[device].remember(Codec.slot, **memory)

    def _said(
        self, device: int, round_: int, turn: Turn, *, speaks: bool = True
    ) -> tuple[Message, Memory]:
        """A message, and what the device's codec remembers with it."""
        state, layout, method = self.fleet.states[device], self.fleet.layout, self.method
        kept = self.fleet.kept_by_module(device)
        own, first = self.fleet.own[device], self.fleet.first_projections[device]
        known = None if method.projection.own else own.narrowed("A", first)
        turn = spoken_in(turn)
        draw = partial(stream, self.seed, Codec.slot, device, turn.round, turn.mixing)
        at = Speech(turn, self.bits_per_value, known, draw, speaks=speaks)
        with one_thread_each(1):  # a part may take small matrices apart for what it says
            content = content_of(method, layout, state, kept)
            refuse_unreadable(content, layout, method.aggregation)
            memory, content = state.memory.get(Codec.slot, {}), own.said(content)
            items, memory = read(method.codec, content, own.layout, kept.tolist(), memory, at)
        number = self.numbering.of(device, turn)
        return Message(device, round_, items, self.rows[device], number), memory

    def say(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """What a device puts on the air in a turn, with its bits for each receiver; None where it
        keeps silent. In a turn of answers it does not, and what is said to nobody is not said."""
        states, method = self.fleet.states, self.method
        if receivers and not turn.answer:
            at = Deciding.of(self.seed, device, turn)
            with one_thread_each(1):  # a sum's last bit may hang on who adds it up
                states[device], speaks = method.sending.decided(states[device], at)
            if not speaks:
                return None
        message = self.tell(device, turn, receivers)
        if receivers:
            states[device] = method.aggregation.said(states[device], message)
        bits = {to: self.payload_bits(message, to) for to in receivers}
        added = method.aggregation.superposes
        return Outgoing(message, bits, scales_in(message, self.fleet.layout) if added else 0)

    def payload_bits(self, message: Message, receiver: int) -> int:
        """Bits of a message for this receiver: what it has not been told already."""
        known = self.knows.get((message.device, receiver), frozenset())
        had = self.copies.of(message.device, receiver)
        return payload_bits(message.content, known, self.bits_per_value, had)

    def hear(self, device: int, message: Message) -> None:
        """A message has arrived whole: what is told once the device now knows."""
        self.copies.hear(message, device)
        if (message.device, device) not in self.knows:
            self.knows[message.device, device] = told_once(message.content)
            self.unmixed.setdefault(device, set()).add(message.device)

    def lose(self, device: int) -> None:
        """What the device heard and did not mix is lost, and with it what was only told with
        that."""
        self.copies.lose(device)
        for owner in self.unmixed.pop(device, ()):
            self.knows.pop((owner, device), None)

    def first_bits(self, device: int) -> int:
        """Bits of the device's next message for a receiver that has had nothing of it yet."""
        return payload_bits(self._planned(device), (), self.bits_per_value)

    def _planned(self, device: int, kept: NDArray[np.int64] | None = None) -> tuple[Said, ...]:
        """What the device is going to say of the round after its last."""
        counts = self.fleet.kept_by_module(device) if kept is None else kept
        state = self.fleet.states[device]
        round_, memory = state.adapter.round + 1, state.memory.get(Codec.slot, {})
        layout = self.fleet.own[device].layout
        return planned_content(self.method, layout, counts, self.shapes, round_, memory)

    def values_in(self, bits: float) -> int:
        """How many values of B a device may send first in so many bits, spread evenly over the
        modules, which is when a mask has the most bits."""
        sizes = np.array(self.fleet.own[0].layout.expansion_sizes)
        total, modules = int(sizes.sum()), range(len(sizes))
        others = [item for item in self._planned(0, sizes) if item.name not in ("B", "M")]
        other_bits = payload_bits(others, (), self.bits_per_value)

        def needed(kept: int) -> int:
            counts = [kept // len(sizes) + (number < kept % len(sizes)) for number in modules]
            bits = self.method.codec.factor_bits(counts, self.bits_per_value)
            return bits + mask_bits(total, kept) + other_bits

        return max(0, bisect_right(range(total + 1), bits, key=needed) - 1)

    def mix(self, device: int, hearing: Hearing, *, with_shares: bool = False) -> dict[int, float]:
        """Mixes what arrived into the device's state, and returns `with_shares` the effective one
        of each sender, its own included; an empty inbox changes nothing, and has none.

        A device mixes its own message as the others receive it, so that devices with the same
        inbox end with the same mixture. A message of age n weighs (1 + n)^−a.
        """
        inbox, _, turn, graph, flights = hearing
        self.unmixed.get(device, set()).difference_update(inbox)
        self.copies.mix(device)
        aggregation, state = self.method.aggregation, self.fleet.states[device]
        recalled = self._recalled(device, inbox, graph)
        if not (inbox or recalled) or not aggregation.exchanges:
            return {}
        exponent = 0.0 if aggregation.remembers else self.method.staleness_exponent
        heard = [*hearing.heard(exponent, self.bits_per_value), *map(Heard, recalled)]
        if aggregation.averages and not self._empty_handed(device):
            heard.append(Heard(self._own(device, turn)))
            state = self.fleet.states[device]
        heard = [self.fleet.padded(part) for part in sorted(heard, key=lambda p: p.message.device)]
        weighing = self.method.weighing
        weights = weighed(weighing, device, heard, graph, self.rows)
        newest = max(part.message.round for part in heard)
        name = tuple((p.message.number, weight) for p, weight in zip(heard, weights, strict=True))
        at = Mixing(
            self.fleet.layout,
            device,
            turn,
            weights,
            weighing.total(weights, sum(self.rows)),
            self.bits_per_value,
            weighing.renormalised,
            self.descent,
            self.method.sending.open_share,
            {member: len(others) for member, others in graph.items()},
            # What was lost on its way is another device's, and another mixture.
            shared=lambda compute: compute() if flights else self._shared(name, newest, compute),
            draw=lambda purpose: stream(
                self.seed, aggregation.slot, purpose, device, turn.round, turn.mixing
            ),
        )
        mixed = fitting(aggregation.mix(state, heard, at), state, aggregation)
        codec, states = self.method.codec, self.fleet.states
        own = self.fleet.own[device]
        states[device] = own.settled(codec, state, mixed, spoken_in(turn))
        if not with_shares:
            return {}
        plain = [weight / at.total for weight in weights]
        shares = aggregation.effective_shares(plain, heard, device)
        return {part.message.device: w for part, w in zip(heard, shares, strict=True)}

    def _recalled(
        self, device: int, inbox: Mapping[int, Message], graph: Graph
    ) -> Sequence[Message]:
        """What the device remembers of its neighbours of whom nothing has arrived."""
        silent = [other for other in graph.get(device, ()) if other not in inbox]
        return self.method.aggregation.recalled(self.fleet.states[device], silent)

    def _shared(self, name: tuple[Any, ...], newest: int, compute: Callable[[], T]) -> T:
        """A mixture by the messages and weights that it is of, computed once; those of earlier
        rounds are let go."""
        if name not in self._mixtures:
            self._mixtures = {
                key: entry for key, entry in self._mixtures.items() if entry[0] == newest
            }
            self._mixtures[name] = newest, compute()
        mixture: T = self._mixtures[name][1]
        return mixture

    def _empty_handed(self, device: int) -> bool:
        """Whether a device has nothing of its own to mix: quarantined from its calibration on."""
        return bool(self.method.needs) and self.fleet.states[device].calibration is None

    def mixing_work(
        self,
        device: int,
        inbox: Mapping[int, Message],
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Workload:
        """What mixing these, what is remembered besides, and the device's own takes; what the air
        has added up is one message."""
        aggregation, layout = self.method.aggregation, self.fleet.own[device].layout
        messages = [*inbox.values(), *self._recalled(device, inbox, graph)]
        if not messages or not aggregation.exchanges:
            return Workload.none()
        sizes = [numbers_in(message) for message in messages]
        if any(isinstance(passage, Superposed) for passage in flights.values()):
            sizes = [max(sizes)]
        if aggregation.averages and not self._empty_handed(device):
            adapter = self.fleet.states[device].adapter
            sends = self.method.projection.sends(adapter.round)
            sizes.append(numbers_of(adapter, sends, layout))
        return aggregation.work(sizes, layout)

    def bank(self, sender: int) -> Bank:
        """Every expert that the sender holds, for another cluster or a member of its own, in the
        scenario's precision whatever the codec."""
        bank = self.fleet.states[sender].bank
        if self.method.codec.in_precision:
            return dict(bank)
        return {owner: as_banked(expert, self.bits_per_value) for owner, expert in bank.items()}

    def bank_bits(self, bank: Bank, receiver: int) -> int:
        """Bits of a bank for this receiver: experts that it has not, or has older, and what it must
        be told once of those whom it does not know."""
        news, method = self._news(bank, receiver), self.method
        experts = [self.fleet.own[owner].own_part(bank[owner]) for owner in news]
        offers = method.aggregation.offers(experts, method.projection)
        bits = 0
        for owner, offer in zip(news, offers, strict=True):
            # An expert read back whole has lost its mask; its owner's stays as it was chosen.
            content = [*offer, *(item for item in self._planned(owner) if item.once)]
            known = self.knows.get((owner, receiver), frozenset())
            bits += payload_bits(content, known, self.bits_per_value)
        return bits

    def absorb(self, device: int, bank: Bank) -> None:
        """Stores experts of another bank; averages nothing, and a newer one replaces an older."""
        news = self._news(bank, device)
        # What a bank holds stays, whatever is lost unmixed.
        for owner in news:
            self.knows.setdefault((owner, device), told_once(self._planned(owner)))
        self.unmixed.get(device, set()).difference_update(news)
        state = self.fleet.states[device]
        self.fleet.states[device] = state.hold({owner: bank[owner] for owner in news})

    def _news(self, bank: Bank, receiver: int) -> list[int]:
        experts = self.fleet.states[receiver].bank
        return [
            owner
            for owner, expert in sorted(bank.items())
            if owner != receiver and (owner not in experts or experts[owner].round < expert.round)
        ]
