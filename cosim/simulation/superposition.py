"""Sums on the air: what neighbours of one receiver send at once, at powers that invert their
channels.

A receiver's turn has three parts, and a guard of silence after each. First each sender reports in
digital symbols, after a pilot by which the receiver knows its channel, the mean and scale of each
of its vectors. Then the receiver tells all of them, at p_max and after a pilot by which each knows
its channel, the mean and scale that they are to use and the η that they aim at. Then all who take
part send one real value on I and one on Q of each symbol. The channels of a turn are held to be
coherent from its reports to its end: who takes part, and η, follow from the gains at which the sums
begin. It ends on time: nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from simpy import Environment

from cosim.methods.message import Superposed, Turn
from cosim.physics.decibel import db_to_ratio, dbm_to_w
from cosim.physics.over_the_air import (
    estimate_error,
    inversion_power,
    inverted_power_w,
    symbols_time_s,
)
from cosim.scenario.radio import OverTheAir
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.grid import Grid
from cosim.simulation.links.transmission import AirPhase, Transmission
from cosim.simulation.message import AddressedMessage
from cosim.simulation.recorder import Recorder
from cosim.simulation.rows import LAST_BIT, transfer_row
from cosim.simulation.station import Station
from cosim.trace.schema import Cause, EventKind, TransferKind, TransferOutcome


@dataclass(eq=False)
class Star:
    """A star is a receiver, and its neighbours who have something to say to it in its turn.

    receiver: id of the device in the middle.
    messages: what each of them says, by id, as long as it is not sent.
    symbols: that each of them sends.
    turn: when.
    eta_w: η; 0 before the channels are known, and where nobody takes part.
    on_air: the open transmissions of its present part, by number.
    """

    receiver: int
    messages: dict[int, AddressedMessage]
    symbols: int
    turn: Turn
    eta_w: float = 0.0
    on_air: dict[int, Transmission] = field(default_factory=dict)


class Superposition:
    """The superposition carries stars, those of one turn side by side, and writes down what each
    sender did.

    `arrived` hears of every message that is in a sum at the end.
    """

    def __init__(
        self,
        env: Environment,
        channel: Channel,
        stations: Sequence[Station],
        record: Recorder,
        arrived: Callable[[AddressedMessage], None],
        numbers: Iterator[int],
    ) -> None:
        self.env, self.channel, self.stations, self.record = env, channel, stations, record
        self._arrived, self._numbers = arrived, numbers
        # Those of all turns that are not over: groups have theirs by clocks of their own.
        self._stars: list[Star] = []

    @property
    def _noise_w(self) -> float:
        """σ_z² over the whole band."""
        return float(self.channel.noise_w(self.channel.radio.bandwidth_hz))

    @property
    def _p_max_w(self) -> float:
        return float(dbm_to_w(self.channel.radio.p_max_dbm))

    @property
    def _least_gain(self) -> float:
        """g_th, the gain that brings the threshold's signal-to-noise ratio at p_max."""
        threshold_db = self._access.threshold_db
        if threshold_db is None:
            return 0.0
        return float(db_to_ratio(threshold_db)) * self._noise_w / self._p_max_w

    @property
    def _access(self) -> OverTheAir:
        access = self.channel.radio.access
        assert isinstance(access, OverTheAir), "links are digital"
        return access

    @property
    def guard_s(self) -> float:
        """How long all are silent after each part of a turn."""
        return self._symbols_s(self._access.guard_symbols)

    def begin_reports(self, stars: Sequence[Star], scales: int) -> float:
        """Has the senders of a turn report mean and scale of each of so many vectors to their
        receivers, and returns how many s all of that takes."""
        self._stars += stars
        bits = self._access.report_bits(scales)
        count = max(len(star.messages) for star in stars)
        # Senders who take turns at p_max need n slots of the whole band. Orthogonal shares W/n at
        # p_max/n for n slots are as long and radiate as many joules, and all begin and end at once;
        # but a sender's circuit is on in all n slots.
        reports_s = count * self._control_s(bits)
        if reports_s <= 0.0:
            return 0.0
        share_hz, power_w = self.channel.radio.bandwidth_hz / count, self._p_max_w / count
        for star in stars:
            links = [(sender, star.receiver) for sender in star.messages]
            for (sender, _), gain in zip(links, self._gains(star, links), strict=True):
                message = AddressedMessage(star.receiver, bits, None, TransferKind.CONTROL)
                grid = Grid(reports_s, 1)
                self._open(star, sender, message, grid, power_w, gain, share_hz)
        return reports_s

    def begin_replies(self, stars: Sequence[Star], scales: int) -> float:
        """Has the receivers tell what senders are to use for each of so many vectors, each at
        p_max, of which a sender's row has its share, and returns how many s that takes."""
        bits = self._access.reply_bits(scales)
        reply_s = self._control_s(bits)
        for star in stars:
            links = [(star.receiver, sender) for sender in star.messages]
            if not links:  # cut off since the turn began
                continue
            gains = self._gains(star, links)
            power_w = self._p_max_w / len(links)
            for (_, sender), gain in zip(links, gains, strict=True):
                message = AddressedMessage(sender, bits, None, TransferKind.CONTROL)
                self._open(star, star.receiver, message, Grid(reply_s, 1), power_w, gain)
        return reply_s

    def end_control(self, stars: Sequence[Star]) -> None:
        """Ends what the senders report, or what the receivers tell."""
        for star in stars:
            for transmission in list(star.on_air.values()):
                transmission.carried_bits = transmission.message.bits
                self._end(star, transmission, TransferOutcome.DELIVERED, Cause.BITS_DELIVERED)

    def begin_sums(self, stars: Sequence[Star]) -> float:
        """Has those take part whose channels are good enough for it as they are now, and returns
        how many s the longest of the sums takes."""
        for star in stars:
            messages, star.messages = star.messages, {}
            senders = list(messages)
            if not senders:
                continue
            gains = np.array(self._gains(star, [(sender, star.receiver) for sender in senders]))
            taking_part, star.eta_w = inversion_power(gains, self._p_max_w, self._least_gain)
            grid = Grid(self._symbols_s(star.symbols), 1)
            parts = zip(senders, gains.tolist(), taking_part.tolist(), strict=True)
            for sender, gain, takes_part in parts:
                power_w = 0.0
                if takes_part:
                    power_w = float(inverted_power_w(gain, star.eta_w, self._p_max_w))
                message = messages[sender]
                transmission = self._open(star, sender, message, grid, power_w, gain)
                if not takes_part:
                    self._end(star, transmission, TransferOutcome.OUTAGE, Cause.INFEASIBLE_POWER)
        return self._symbols_s(max(star.symbols for star in stars))

    def end_sums(self, stars: Sequence[Star]) -> None:
        """Hands the sums to their receivers."""
        for star in stars:
            error = None
            if star.on_air:
                error = float(estimate_error(star.eta_w, self._noise_w, len(star.on_air)))
            for transmission in list(star.on_air.values()):
                self._end(
                    star, transmission, TransferOutcome.DELIVERED, Cause.BITS_DELIVERED, error
                )
        self._stars = [star for star in self._stars if star not in stars]

    def cancel(self, station: Station, cause: Cause) -> None:
        """Ends what a device that is no longer there has a part in. A sum goes on without a sender,
        and what it had sent of its values is not counted."""
        for star in list(self._stars):
            for transmission in list(star.on_air.values()):
                if station.id in transmission.link:
                    self._end(star, transmission, TransferOutcome.CANCELLED, cause)
            if station.id == star.receiver:
                star.messages.clear()
            elif star.messages.pop(station.id, None) is not None:
                inbox = self.stations[star.receiver].inbox
                inbox.end(station.id, star.turn, in_time=False)

    def _control_s(self, bits: int) -> float:
        """How long a pilot and so many bits take on the whole band."""
        return self._symbols_s(self._access.control_symbols(bits))

    def _symbols_s(self, symbols: float) -> float:
        """How long so many symbols take, whoever sends them."""
        return float(symbols_time_s(symbols, self.channel.radio.bandwidth_hz))

    def _gains(self, star: Star, links: Sequence[tuple[int, int]]) -> list[float]:
        rounds = [star.turn.round] * len(links)
        return [float(gain) for gain in self.channel.gains(links, float(self.env.now), rounds)]

    def _open(
        self,
        star: Star,
        sender: int,
        message: AddressedMessage,
        grid: Grid,
        power_w: float,
        gain: float,
        share_hz: float | None = None,
    ) -> Transmission:
        """Begins a transmission over a share of the band, or all of it; one without power is never
        on the air."""
        now_s, on_air = float(self.env.now), power_w > 0.0
        if share_hz is None:
            share_hz = self.channel.radio.bandwidth_hz
        transmission = Transmission(
            turn=star.turn,
            sender=sender,
            message=message,
            start_s=now_s,
            share_hz=share_hz if on_air else 0.0,
            grid=grid,
            number=next(self._numbers),
            receiver_mixings=self.stations[message.receiver].inbox.mixings,
            power_w=power_w,
            known_gain=gain,
            phase=AirPhase.ON_AIR if on_air else AirPhase.WAITING,
        )
        (distance_m,) = self.channel.distances_m([transmission.link], now_s)
        transmission.distance_m = float(distance_m)
        star.on_air[transmission.number] = transmission
        why = Cause.COMPUTE_FINISHED if on_air else Cause.INFEASIBLE_POWER
        self._event(transmission, sender, EventKind.SEND_START, why)
        if on_air:
            self.stations[sender].meter.open_transmitter(transmission.number, power_w)
            self.stations[message.receiver].meter.open_receiver(transmission.number)
        return transmission

    def _end(
        self,
        star: Star,
        transmission: Transmission,
        outcome: TransferOutcome,
        cause: Cause,
        error: float | None = None,
    ) -> None:
        """Ends a transmission, here and nowhere else, and tells its receiver where it waits."""
        del star.on_air[transmission.number]
        message, number = transmission.message, transmission.number
        sender, receiver = (self.stations[device] for device in transmission.link)
        elapsed_s = float(self.env.now) - transmission.start_s
        transmission.pass_until(elapsed_s)
        chains_j = 0.0, 0.0
        aired = transmission.phase is AirPhase.ON_AIR
        if aired:
            noise_w = float(self.channel.noise_w(transmission.share_hz))
            received_w = transmission.power_w * transmission.known_gain
            transmission.snr_s = received_w / noise_w * elapsed_s
            chains_j = sender.meter.close_transmitter(number), receiver.meter.close_receiver(number)
        sent_bits = message.bits * min(elapsed_s / transmission.grid.deadline_s, 1.0)
        now_s, profile = float(self.env.now), sender.device.profile
        row = transfer_row(transmission, outcome, cause, profile, now_s, sent_bits, *chains_j)
        in_time = outcome is TransferOutcome.DELIVERED
        if message.kind is TransferKind.UPDATE:
            symbols = star.symbols if in_time else self._symbols_in(star, elapsed_s)
            row = row._replace(symbols=symbols, estimate_error=error)
        sender.meter.spent.sent_bits += row.sent_bits
        self.record.write(row)
        if in_time:
            self._arrived(message)
        if message.kind is TransferKind.UPDATE:
            if in_time:
                superposed = Superposed(star.eta_w, self._noise_w)
                mixings = transmission.receiver_mixings
                deliver = receiver.inbox.deliver
                deliver(sender.id, message, star.turn, mixings, superposed, in_time=True)
            receiver.inbox.end(sender.id, star.turn, in_time=in_time)
        if in_time:
            self._event(transmission, receiver.id, EventKind.RECEIVE, Cause.BITS_DELIVERED)
        self._event(transmission, sender.id, EventKind.SEND_END, LAST_BIT[outcome])

    def _symbols_in(self, star: Star, elapsed_s: float) -> int:
        """Whole symbols in a part of a turn."""
        return min(int(elapsed_s * self.channel.radio.bandwidth_hz), star.symbols)

    def _event(self, transmission: Transmission, of: int, kind: EventKind, cause: Cause) -> None:
        peer = next(device for device in transmission.link if device != of)
        self.record.event(kind, of, transmission.round, cause, peer, transmission.number)
