"""What devices are going to send, evaluated together before they do.

Positions and fading are functions of time, and when a device ends its computing is known when it
begins. So what it will send can be solved together with what others will send at other moments, as
long as it turns out as expected; what does not is solved when it is sent, to the same numbers. A
wrong guess costs time, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from cosim.methods.message import Turn
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.stages import foresee
from cosim.simulation.links.start import start
from cosim.simulation.links.transmission import Transmission
from cosim.simulation.message import Message
from cosim.trace.schema import TransferKind

# Transmissions that are looked ahead at together, at least: numpy's calls then cost less than what
# they compute, and the gains of this many are held in memory before they are needed.
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
    """Starts bursts, those that were expected from what was evaluated before.

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

    def begin(self, bursts: Sequence[Sequence[Transmission]], now_s: float) -> None:
        """Gives all transmissions of the bursts that begin now their powers, distances and slots,
        and the stages that lie ahead of them."""
        unforeseen = [burst for burst in bursts if not self._adopted(burst, now_s)]
        for burst in unforeseen:
            for transmission in burst:
                if transmission.message.kind is TransferKind.UPDATE:
                    bits = transmission.message.bits
                    self._said_bits[transmission.sender] = self._heard_bits = bits
        start(self._channel, unforeseen)
        foresee(self._channel, unforeseen)

    def _adopted(self, burst: Sequence[Transmission], now_s: float) -> bool:
        """Whether a burst is as it was expected; if so, it takes over what was evaluated."""
        sender = burst[0].sender
        expected = self._expected.get(sender)
        if expected is None or expected.at_s != now_s:
            return False
        if sender not in self._drafts:
            self._look_ahead(now_s)
        del self._expected[sender]
        drafts = self._drafts.pop(sender, [])
        if [_content(each) for each in burst] != [_content(draft) for draft in drafts]:
            return False
        for transmission, draft in zip(burst, drafts, strict=True):
            transmission.power_w, transmission.cause = draft.power_w, draft.cause
            transmission.distance_m = draft.distance_m
            transmission.known_gain = draft.known_gain
            transmission.grid, transmission.stages = draft.grid, draft.stages
        return True

    def _look_ahead(self, now_s: float) -> None:
        """Evaluates what is expected next: all of this moment, and more until it is enough."""
        bursts: list[list[Transmission]] = []
        many = 0
        while self._queue and (many < _TOGETHER or self._queue[0][0] <= now_s):
            at_s, sender = heappop(self._queue)
            expected = self._expected.get(sender)
            if expected is None or expected.at_s != at_s:
                continue
            drafts = self._drafted(sender, expected)
            if at_s < now_s:
                del self._expected[sender]
            elif drafts:
                self._drafts[sender] = drafts
                bursts.append(drafts)
                many += len(drafts)
        start(self._channel, bursts)
        foresee(self._channel, bursts)

    def _drafted(self, sender: int, expected: _Expected) -> list[Transmission]:
        """What the sender will send if nothing changes; nothing where that cannot be guessed."""
        bits = self._said_bits.get(sender, self._heard_bits)
        there = [receiver for receiver in expected.receivers if self._answers(receiver)]
        if bits is None or not there:
            return []
        radio = self._channel.radio
        grid = Grid(radio.deadline_s, 1)
        return [
            Transmission(
                number=-1,
                turn=expected.turn,
                sender=sender,
                message=Message(receiver, bits, None),
                burst=None,
                start_s=expected.at_s,
                share_hz=radio.bandwidth_hz / len(there),
                grid=grid,
            )
            for receiver in there
        ]


def _content(transmission: Transmission) -> tuple[object, ...]:
    """All that what becomes of a transmission hangs on, besides its sender and its start."""
    message = transmission.message
    return message.receiver, message.bits, message.kind, transmission.turn, transmission.share_hz
