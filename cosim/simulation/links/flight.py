"""One transmission in the air: what it holds, what it has carried, and when it will be through."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Event

from cosim.physics.decibel import ratio_to_db
from cosim.physics.rate import rate_bit_s
from cosim.simulation.links.channel import Channel, Link
from cosim.simulation.links.grid import Grid as Grid
from cosim.simulation.links.slots import finer
from cosim.trace.schema import Cause, TransferKind

FloatArray = NDArray[np.float64]

_NOT_CUT = Grid(1.0, 1)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An update addressed to one receiver, and its size on the air."""

    receiver: int
    bits: int
    content: Any
    kind: TransferKind = TransferKind.UPDATE


@dataclass(frozen=True, slots=True)
class Plan:
    """How a flight goes on if nothing changes; infinite `ends_s` where its bits are not through by
    the end of its last Γ. Seconds after the start; bits and ∫SNR dt from the start to that end."""

    ends_s: float
    carried_bits: float
    snr_s: float


class Departure:
    """What a device sends at once; `over` fires when every flight has ended, or goes on beyond its
    deadline by itself.

    It does not know its flights, so that what they carry is gone from memory when they have ended.
    """

    def __init__(self, env: Environment, flights: int) -> None:
        self.over: Event = env.event()
        self._unsettled = flights
        if flights == 0:
            self.over.succeed()

    def settle(self) -> None:
        """One flight need not be waited for any more."""
        self._unsettled -= 1
        if self._unsettled == 0:
            self.over.succeed()


@dataclass(eq=False, slots=True)
class Flight:
    """A transmission from its first bit on, on the `link` of sender and receiver; seconds in it
    count from its start.

    `carried_bits`, `snr_s` (∫SNR dt) and `hz_s` (∫B dt) hold what happened until `since_s`, when
    the present share `share_hz` began; `spans` Γ is how long it may last. `begun`: on the air;
    `overdue`: beyond its deadline; `over`: ended. `known_gain` is what its sender knows of the
    channel at the start, and `mixed` how often its receiver had mixed then.
    """

    number: int
    round: int
    sender: int
    parcel: Parcel
    start_s: float
    share_hz: float
    departure: Departure
    first_share_hz: float = 0.0
    mixed: int = 0
    power_w: float = 0.0
    distance_m: float = 0.0
    known_gain: float = 0.0
    cause: Cause = Cause.COMPUTE_FINISHED
    grid: Grid = _NOT_CUT
    spans: int = 1
    since_s: float = 0.0
    carried_bits: float = 0.0
    snr_s: float = 0.0
    hz_s: float = 0.0
    plan: Plan | None = None
    begun: bool = False
    overdue: bool = False
    over: bool = False
    gains: dict[int, FloatArray] = field(default_factory=dict)
    link: Link = field(init=False)

    def __post_init__(self) -> None:
        self.link = self.sender, self.parcel.receiver

    @property
    def horizon_s(self) -> float:
        """How long it may last at most."""
        return self.spans * self.grid.deadline_s

    def advance(self, channel: Channel, elapsed_s: float) -> None:
        """Counts what came through at the present share until `elapsed_s`."""
        if elapsed_s > self.since_s and self.plan is not None and self.power_w > 0.0:
            # A flight that goes on needs its narrower slots no longer.
            own, known = self.grid, self.gains.copy()
            self.refine(channel, elapsed_s)
            noise = channel.noise_w(self.share_hz)
            grid = self.grid
            for chunk in range(grid.chunk_at(self.since_s), grid.chunk_at(elapsed_s) + 1):
                edges = grid.edges_s(chunk)
                starts = np.maximum(edges[:-1], self.since_s)
                lengths = np.maximum(np.minimum(edges[1:], elapsed_s) - starts, 0.0)
                snr = self.power_w * self.gains_in(channel, chunk) / noise
                self.carried_bits += float(rate_bit_s(self.share_hz, snr) @ lengths)
                self.snr_s += float(snr @ lengths)
            self.carried_bits = min(self.carried_bits, float(self.parcel.bits))
            if self.grid is not own:
                self.grid, self.gains = own, known
        self.hz_s += self.share_hz * (elapsed_s - self.since_s)
        self.since_s = elapsed_s

    def refine(self, channel: Channel, until_s: float) -> bool:
        """Narrows its slots where it has too few until a moment; whether it had."""
        found = finer(channel, self.grid, self.start_s, until_s)
        narrowed = found is not self.grid
        if narrowed:
            self.grid = found
            self.gains.clear()
        return narrowed

    def gains_in(self, channel: Channel, chunk: int) -> FloatArray:
        """The gains (T,) of its channel in a chunk of its grid."""
        if chunk not in self.gains:
            edges = self.start_s + self.grid.edges_s(chunk)
            self.gains[chunk] = channel.slot_gains([self.link], edges, [self.round])[0]
        return self.gains[chunk]

    def complete(self, elapsed_s: float) -> None:
        """Counts what the plan foresaw for its end, which is now."""
        assert self.plan is not None
        self.carried_bits, self.snr_s = self.plan.carried_bits, self.plan.snr_s
        self.hz_s += self.share_hz * (elapsed_s - self.since_s)
        self.since_s = elapsed_s

    @property
    def mean_snr_db(self) -> float:
        """The signal-to-noise ratio, averaged over its time in the air; −inf without any."""
        return float(ratio_to_db(self.snr_s / self.since_s if self.since_s > 0 else 0.0))

    @property
    def mean_share_hz(self) -> float:
        """The bandwidth, averaged over its time in the air."""
        return self.hz_s / self.since_s if self.since_s > 0 else self.first_share_hz

    def through_by(self, time_s: float) -> bool:
        """Whether the plan has its bits through at a moment of the clock, or before; what the clock
        cannot tell from that moment is that moment."""
        if self.plan is None:
            return False
        return self.start_s + self.plan.ends_s <= math.nextafter(time_s, math.inf)

    @property
    def through_in_time(self) -> bool:
        """Whether the plan has its bits through by the end of its last Γ."""
        return self.plan is not None and math.isfinite(self.plan.ends_s)
