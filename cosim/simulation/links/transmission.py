"""One transmission in the air: what it holds, what it has carried, and when it will be through."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from simpy import Environment, Event

from cosim.methods.message import Flight, Turn
from cosim.physics.decibel import ratio_to_db
from cosim.simulation.links.channel import Channel, Link
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.slots import finer
from cosim.simulation.message import AddressedMessage
from cosim.trace.schema import Cause

FloatArray = NDArray[np.float64]


class AirPhase(Enum):
    """An air phase says how far a transmission has come."""

    WAITING = "sent in this instant, not yet on the air"
    ON_AIR = "on the air, within its deadline"
    OVERDUE = "on the air beyond its deadline"
    OVER = "ended"


class EndForecast(NamedTuple):
    """A forecast is the predicted end of a transmission under its present share and power.

    ends_s: s after its start; infinite where its bits are not through by the end of its last Γ.
    carried_bits: bits from the start to that end.
    snr_s: ∫SNR dt from the start to that end, in s.
    flight: what is lost until then of packets that are sent once; None of what loses none.
    """

    ends_s: float
    carried_bits: float
    snr_s: float
    flight: Flight | None = None


class Stage(NamedTuple):
    """A stage is what is foreseen of a transmission from the moment on that gives it a share.

    since_s: that moment, in s after its start.
    share_hz: the share.
    carried_bits, snr_s: its sums until then.
    grid, gains: its slots and their gains under this share.
    forecast: its end under this share.
    """

    since_s: float
    share_hz: float
    carried_bits: float
    snr_s: float
    grid: Grid
    gains: dict[int, FloatArray]
    forecast: EndForecast


class Burst:
    """A burst is the transmissions that a device starts at once; `over` fires when each has ended,
    or goes on beyond its deadline by itself.

    It does not know its transmissions, so that what they carry is gone from memory when they have
    ended.

    heard: whom its messages have reached by their deadline.
    """

    def __init__(self, env: Environment, transmissions: int) -> None:
        self.over: Event = env.event()
        self.heard: set[int] = set()
        self._unsettled = transmissions
        if transmissions == 0:
            self.over.succeed()

    def settle(self, heard_by: int | None = None) -> None:
        """Counts one transmission that need not be waited for any more, and whom it reached."""
        if heard_by is not None:
            self.heard.add(heard_by)
        self._unsettled -= 1
        if self._unsettled == 0:
            self.over.succeed()


@dataclass(eq=False, slots=True, kw_only=True)
class Transmission:
    """A transmission is one message on one link, from its first bit on; seconds in it count from
    its start.

    turn: the sender's round, and which of its mixings.
    sender: id of the sending device.
    message: what it carries.
    start_s: when it was sent, on the simulation's clock.
    share_hz: its present bandwidth.
    grid: the slots of its present Γ.
    number: unique in a run; −1 as long as it is only expected.
    burst: the transmissions that its sender started with it.
    first_share_hz: its bandwidth at the start; 0 if it never is on the air.
    receiver_mixings: how often its receiver had mixed at the start.
    power_w: radiated power.
    distance_m: distance of the two devices at the start.
    known_gain: what its sender knows of the channel at the start.
    cause: why it has this power.
    spans: how many Γ it may last.
    since_s: when the present share began; the three sums that follow reach until then.
    carried_bits: bits that got through.
    snr_s: ∫SNR dt.
    hz_s: ∫B dt.
    flight: what was lost of it; None where nothing can be.
    forecast: its end if nothing changes.
    phase: how far it has come.
    gains: its channel's gains (T,) by chunk of its grid, as far as they are known.
    stages: what is foreseen of it, one stage after another, as long as it goes as foreseen.
    link: ids of sender and receiver.
    """

    turn: Turn
    sender: int
    message: AddressedMessage
    start_s: float
    share_hz: float
    grid: Grid
    number: int = -1
    burst: Burst | None = None
    receiver_mixings: int = 0
    power_w: float = 0.0
    distance_m: float = 0.0
    known_gain: float = 0.0
    cause: Cause = Cause.COMPUTE_FINISHED
    spans: int = 1
    since_s: float = 0.0
    carried_bits: float = 0.0
    snr_s: float = 0.0
    hz_s: float = 0.0
    flight: Flight | None = None
    forecast: EndForecast | None = None
    phase: AirPhase = AirPhase.WAITING
    gains: dict[int, FloatArray] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    first_share_hz: float = field(init=False)
    link: Link = field(init=False)

    def __post_init__(self) -> None:
        self.first_share_hz = self.share_hz
        self.link = self.sender, self.message.receiver

    def take_off(
        self, number: int, message: AddressedMessage, burst: Burst, receiver_mixings: int
    ) -> None:
        """Is sent now, as it was expected to be."""
        self.number, self.message, self.burst = number, message, burst
        self.receiver_mixings = receiver_mixings

    @property
    def round(self) -> int:
        """The sender's round."""
        return self.turn.round

    @property
    def horizon_s(self) -> float:
        """The longest that it may last, from its start."""
        return self.spans * self.grid.deadline_s

    def stage(self) -> Stage:
        """Its present state and forecast, as a stage."""
        assert self.forecast is not None
        return Stage(
            self.since_s,
            self.share_hz,
            self.carried_bits,
            self.snr_s,
            self.grid,
            dict(self.gains),
            self.forecast,
        )

    def rewind(self, grid: Grid, share_hz: float) -> None:
        """Takes it back to its start, where it had these slots and this share; what is foreseen
        stays."""
        self.since_s = self.carried_bits = self.snr_s = self.hz_s = 0.0
        self.grid, self.share_hz, self.gains, self.forecast = grid, share_hz, {}, None

    def goes_as_foreseen(self) -> bool:
        """Whether its present share is what was foreseen; its forecast then is, too."""
        if not self.stages:
            return False
        stage = self.stages.pop(0)
        if stage.since_s != self.since_s or stage.share_hz != self.share_hz:
            self.stages.clear()
            return False
        self.grid, self.gains, self.forecast = stage.grid, stage.gains, stage.forecast
        return True

    def comes_as_foreseen(self, elapsed_s: float) -> bool:
        """Whether its share is foreseen to change at this moment; if so, it has come to it."""
        if elapsed_s > self.since_s:
            if not self.stages or self.stages[0].since_s != elapsed_s:
                self.stages.clear()
                return False
            stage = self.stages[0]
            self.carried_bits, self.snr_s = stage.carried_bits, stage.snr_s
        self.pass_until(elapsed_s)
        return True

    def pass_until(self, elapsed_s: float) -> None:
        """Counts the band that it had until a moment, at which the present share ends."""
        self.hz_s += self.share_hz * (elapsed_s - self.since_s)
        self.since_s = elapsed_s

    def refine(self, channel: Channel, until_s: float) -> bool:
        """Narrows its slots where it has too few until a moment; returns whether it had."""
        grid = finer(channel, self.grid, self.start_s, until_s)
        if grid is self.grid:
            return False
        self.grid = grid
        self.gains.clear()
        return True

    def complete(self, elapsed_s: float) -> None:
        """Counts what its forecast says of its end, which is now."""
        assert self.forecast is not None
        _, self.carried_bits, self.snr_s, self.flight = self.forecast
        self.pass_until(elapsed_s)

    @property
    def mean_snr_db(self) -> float:
        """The signal-to-noise ratio, averaged over its time in the air; −inf without any."""
        return float(ratio_to_db(self.snr_s / self.since_s if self.since_s > 0 else 0.0))

    @property
    def mean_share_hz(self) -> float:
        """The bandwidth, averaged over its time in the air."""
        return self.hz_s / self.since_s if self.since_s > 0 else self.first_share_hz

    def through_by(self, time_s: float) -> bool:
        """Whether its forecast has its bits through by a moment of the clock; what the clock cannot
        tell from that moment is that moment."""
        if self.forecast is None:
            return False
        return self.start_s + self.forecast.ends_s <= math.nextafter(time_s, math.inf)

    @property
    def through_in_time(self) -> bool:
        """Whether its forecast has its bits through by the end of its last Γ."""
        return self.forecast is not None and math.isfinite(self.forecast.ends_s)


def unended(transmissions: Iterable[Transmission]) -> list[Transmission]:
    """Those that are not over."""
    return [each for each in transmissions if each.phase is not AirPhase.OVER]
