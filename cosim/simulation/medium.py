"""The air: bandwidth, transmissions in flight, deadlines. Devices never compute a delay."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from simpy import Environment, Event, Interrupt

from cosim.physics.energy import transmit_energy_j
from cosim.scenario.devices import Profile
from cosim.simulation.channel import Channel
from cosim.simulation.clock import Deadline
from cosim.simulation.radio_chain import RadioChain
from cosim.simulation.recorder import Recorder
from cosim.simulation.transmission import Transmission, cut, solve
from cosim.trace.schema import Cause, EventKind, Outcome, TransferKind, TransferRow


@dataclass(frozen=True)
class Parcel:
    """An update addressed to one receiver, and its size on the air."""

    receiver: int
    bits: int
    content: Any


@dataclass
class Exchange:
    """What one exchange brought and cost a device; `inbox` maps senders to what arrived."""

    inbox: dict[int, Any] = field(default_factory=dict)
    expected: int = 0
    bits_sent: float = 0.0
    send_s: float = 0.0
    energy_tx_j: float = 0.0
    energy_rx_j: float = 0.0

    @property
    def missed(self) -> int:
        """Updates that were expected and did not arrive by their deadline."""
        return self.expected - len(self.inbox)


class Medium:
    """Carries parcels between devices over the channel and writes every transfer down."""

    def __init__(
        self,
        env: Environment,
        channel: Channel,
        profiles: Mapping[int, Profile],
        record: Recorder,
    ) -> None:
        self.env = env
        self.channel = channel
        self.profiles = profiles
        self.record = record
        self.in_use_hz: dict[int, float] = dict.fromkeys(profiles, 0.0)
        self._transmitters = {d: RadioChain(p.transmit_circuit_w) for d, p in profiles.items()}
        self._receivers = {d: RadioChain(p.receive_w) for d, p in profiles.items()}
        self._flights = count()
        self._arrivals: dict[tuple[int, int, int], Event] = {}

    def exchange(
        self, device: int, parcels: list[Parcel], senders: tuple[int, ...], round_: int
    ) -> Generator[Event, Any, Exchange]:
        """Sends all parcels at once, then waits until every sender's own parcel has come to its
        end, delivered or not; no wait outlives a sender's deadline."""
        done = Exchange(expected=len(senders))
        start = self.env.now
        receivers = [parcel.receiver for parcel in parcels]
        if parcels:
            solved = solve(
                self.channel, device, receivers, [p.bits for p in parcels], start, round_
            )
            flights = [
                self.env.process(self._carry(parcel, transmission, round_))
                for parcel, transmission in zip(parcels, solved, strict=True)
            ]
            rows = (yield self.env.all_of(flights)).values()
            for row in rows:
                done.bits_sent += row.delivered_bits
                done.energy_tx_j += row.energy_tx_j
        done.send_s = self.env.now - start
        for sender in senders:
            row, content = yield self._arrival(sender, device, round_)
            del self._arrivals[sender, device, round_]
            done.energy_rx_j += row.energy_rx_j
            if row.outcome is Outcome.DELIVERED:
                done.inbox[sender] = content
        return done

    def _carry(
        self, parcel: Parcel, sent: Transmission, round_: int
    ) -> Generator[Event, Any, TransferRow]:
        """One transmission, from its first bit to delivery, deadline or interrupt."""
        deadline_s = sent.start_s + self.channel.radio.deadline_s
        event = partial(self.record.event, round_=round_)
        started = Cause.COMPUTE_FINISHED if sent.whole_margin else Cause.MARGIN_REDUCED
        started = started if sent.feasible else Cause.INFEASIBLE_POWER
        event(EventKind.SEND_START, sent.sender, cause=started, peer=sent.receiver)
        outcome, share = Outcome.OUTAGE, _Share(self, sent)
        if sent.power_w > 0.0 or sent.bits == 0:
            with share:
                deadline = Deadline(self.env, self.channel.radio.deadline_s)
                if sent.duration_s <= self.channel.radio.deadline_s:
                    through: Event = self.env.timeout(sent.duration_s)
                else:
                    through = self.env.event()
                with suppress(Interrupt):
                    yield through | deadline
                if through.processed:
                    outcome = Outcome.DELIVERED
                elif deadline.processed:
                    outcome = Outcome.LATE
                else:
                    outcome = Outcome.CANCELLED
                    sent = cut(self.channel, sent, self.env.now - sent.start_s, round_)
        row = self._row(sent, outcome, deadline_s, round_, share)
        self.record.write(row)
        content, cause = None, Cause.OUTAGE
        if outcome is Outcome.DELIVERED:
            content, cause = parcel.content, Cause.BITS_DELIVERED
            event(EventKind.RECEIVE, sent.receiver, cause=cause, peer=sent.sender)
        elif outcome is Outcome.LATE:
            cause = Cause.DEADLINE
            event(EventKind.DEADLINE, sent.receiver, cause=cause, peer=sent.sender)
        elif outcome is Outcome.CANCELLED:
            cause = Cause.INTERRUPTED
        event(EventKind.SEND_END, sent.sender, cause=cause, peer=sent.receiver)
        self._arrival(sent.sender, sent.receiver, round_).succeed((row, content))
        return row

    def _row(
        self,
        sent: Transmission,
        outcome: Outcome,
        deadline_s: float,
        round_: int,
        share: _Share,
    ) -> TransferRow:
        end_s = self.env.now
        airtime_s = end_s - sent.start_s
        delivered = float(sent.bits) if outcome is Outcome.DELIVERED else sent.delivered_bits
        efficiency = self.profiles[sent.sender].pa_efficiency
        radiating_j = float(transmit_energy_j(airtime_s, sent.power_w, efficiency, 0.0))
        return TransferRow(
            round=round_,
            src=sent.sender,
            dst=sent.receiver,
            kind=TransferKind.UPDATE,
            bits=sent.bits,
            start_s=sent.start_s,
            end_s=end_s,
            deadline_s=deadline_s,
            distance_m=sent.distance_m,
            bandwidth_hz=sent.bandwidth_hz,
            power_w=sent.power_w,
            mean_snr_db=sent.mean_snr_db,
            mean_rate_bit_s=delivered / airtime_s if airtime_s > 0 else 0.0,
            delivered_bits=delivered,
            energy_tx_j=radiating_j + share.transmitter_j,
            energy_rx_j=share.receiver_j,
            outcome=outcome,
        )

    def _arrival(self, sender: int, receiver: int, round_: int) -> Event:
        """The event at which a parcel has come to its end; whoever asks first makes it."""
        return self._arrivals.setdefault((sender, receiver, round_), self.env.event())


class _Share:
    """What a transmission holds while it is open: a part of its sender's bandwidth, and of both
    ends' radio chains. Freed however the block ends."""

    def __init__(self, medium: Medium, sent: Transmission) -> None:
        self.transmitter_j = self.receiver_j = 0.0
        self._medium = medium
        self._sent = sent
        self._flight = next(medium._flights)

    def __enter__(self) -> None:
        medium, sent, now_s = self._medium, self._sent, self._medium.env.now
        medium.in_use_hz[sent.sender] += sent.bandwidth_hz
        medium._transmitters[sent.sender].open(self._flight, now_s)
        medium._receivers[sent.receiver].open(self._flight, now_s)

    def __exit__(self, *_: object) -> None:
        medium, sent, now_s = self._medium, self._sent, self._medium.env.now
        medium.in_use_hz[sent.sender] -= sent.bandwidth_hz
        self.transmitter_j = medium._transmitters[sent.sender].close(self._flight, now_s)
        self.receiver_j = medium._receivers[sent.receiver].close(self._flight, now_s)
