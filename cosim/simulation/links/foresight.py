"""What devices are going to send, solved together before they do.

Positions and fading are functions of time, and when a device ends its computing is known when it
begins. So what it will send can be solved together with what others will send at other moments.
What turns out otherwise is solved when it is sent, to the same numbers: a wrong guess costs time,
and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from cosim.methods.message import Turn
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.stages import foresee
from cosim.simulation.links.start import drafts, start
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.message import AddressedMessage
from cosim.trace.schema import TransferKind

# Transmissions that are solved ahead together, if there are as many: numpy's calls then cost less
# than what they compute, and the gains of hardly more are held in memory before they are needed.
_TOGETHER = 512


@dataclass(frozen=True, slots=True)
class _Expected:
    """What a device is expected to send.

    at_s: when, on the clock.
    turn: the sender's turn.
    receivers: whom to, as far as they are there.
    """

    at_s: float
    turn: Turn
    receivers: Sequence[int]


class Foresight:
    """Foresight drafts the bursts that devices are expected to send, with powers, slots and stages.

    What a device will say is guessed to be as long as what it said last, or as what anybody did.
    """

    def __init__(self, channel: Channel, answers: Callable[[int], bool]) -> None:
        """`answers` tells whether a device is there now."""
        self._channel = channel
        self._answers = answers
        self._queue: list[tuple[float, int]] = []
        self._expected: dict[int, _Expected] = {}
        self._drafts: dict[int, list[Transmission]] = {}
        self._said_bits: dict[int, int] = {}
        self._heard_bits: int | None = None

    def expect(self, sender: int, receivers: Sequence[int], turn: Turn, at_s: float) -> None:
        """Notes that a device will probably send at a moment of the clock."""
        self._drafts.pop(sender, None)
        self._expected[sender] = _Expected(at_s, turn, receivers)
        heappush(self._queue, (at_s, sender))

    def drafted(
        self, sender: int, messages: Sequence[AddressedMessage], turn: Turn, now_s: float
    ) -> list[Transmission]:
        """What was drafted for messages that a device sends now to all who are there; nothing where
        it was expected otherwise."""
        if messages and messages[-1].kind is TransferKind.UPDATE:
            self._said_bits[sender] = self._heard_bits = messages[-1].bits
        expected = self._expected.get(sender)
        if expected is None or expected.at_s != now_s:
            return []
        if sender not in self._drafts:
            self._look_ahead(now_s)
        del self._expected[sender]
        burst = self._drafts.pop(sender, [])
        if expected.turn != turn or len(burst) != len(messages):
            return []
        # A share follows from how many there are.
        alike = all(
            message.receiver == draft.message.receiver
            and message.bits == draft.message.bits
            and message.kind is draft.message.kind
            for message, draft in zip(messages, burst, strict=True)
        )
        return burst if alike else []

    def _look_ahead(self, now_s: float) -> None:
        """Evaluates what is expected next: all of this moment, and more until it is enough."""
        bursts: list[list[Transmission]] = []
        many = 0
        while self._queue and (many < _TOGETHER or self._queue[0][0] <= now_s):
            at_s, sender = heappop(self._queue)
            expected = self._expected.get(sender)
            if expected is None or expected.at_s != at_s:
                continue
            if at_s < now_s:  # it did not send then
                del self._expected[sender]
                continue
            burst = self._guessed(sender, expected)
            if burst:
                self._drafts[sender] = burst
                bursts.append(burst)
                many += len(burst)
        start(self._channel, bursts)
        foresee(self._channel, bursts)

    def _guessed(self, sender: int, expected: _Expected) -> list[Transmission]:
        """What the sender will send if nothing changes; nothing where that cannot be guessed."""
        bits = self._said_bits.get(sender, self._heard_bits)
        there = [receiver for receiver in expected.receivers if self._answers(receiver)]
        if bits is None or not there:
            return []
        messages = [AddressedMessage(receiver, bits, None) for receiver in there]
        return drafts(self._channel.radio, sender, messages, expected.turn, expected.at_s)
