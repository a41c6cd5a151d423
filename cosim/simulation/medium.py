"""The air: bandwidth, flights, deadlines. Devices never compute a delay.

Whatever begins, ends or changes its share in an instant is solved together at the end of that
instant, so that the number of events grows with transfers and not with slots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from simpy import Environment, Event, Timeout

from cosim.simulation.clock import Deadline, EndOfInstant
from cosim.simulation.links import reception
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.flight import Departure, Flight, Grid, Parcel, Plan
from cosim.simulation.links.launch import launch
from cosim.simulation.mailbox import Letter
from cosim.simulation.recorder import Recorder
from cosim.simulation.rows import transfer_row
from cosim.simulation.station import Station
from cosim.trace.schema import Cause, EventKind, Outcome, TransferKind

_WHY_IT_ENDED = {
    Outcome.DELIVERED: Cause.BITS_DELIVERED,
    Outcome.LATE: Cause.DEADLINE,
    Outcome.OUTAGE: Cause.OUTAGE,
    Outcome.CANCELLED: Cause.INTERRUPTED,
}


class _Arrival(Timeout):
    """The moment at which a flight's bits are through, if its plan still holds then."""

    def __init__(self, env: Environment, flight: Flight, plan: Plan) -> None:
        super().__init__(env, max(flight.start_s + plan.ends_s - env.now, 0.0))
        self.flight, self.plan = flight, plan


class Medium:
    """Carries parcels between stations over the channel and writes every transfer down.

    `arrived` hears of every parcel that is whole at its receiver, in time or late.
    """

    def __init__(
        self,
        env: Environment,
        channel: Channel,
        stations: Sequence[Station],
        record: Recorder,
        arrived: Callable[[Parcel], None],
    ) -> None:
        self.env = env
        self.channel = channel
        self.radio = channel.radio
        self.stations = stations
        self.record = record
        self._arrived = arrived
        self._numbers = count()
        self._departed: list[list[Flight]] = []
        self._changed: dict[int, Flight] = {}
        self._settling = False
        self._watched: dict[float, list[Flight]] = {}

    def send(self, sender: Station, parcels: Sequence[Parcel], round_: int) -> Departure:
        """Starts all parcels at once, in equal shares of the sender's bandwidth.

        A receiver that is not there answers nothing, so nothing is sent to it. If anything is sent,
        what the sender still had in the air beyond its deadline is cut short.
        """
        there = [self.stations[parcel.receiver].present for parcel in parcels]
        if any(there):
            self.land(sender)
            for flight in list(sender.flights_out.values()):
                self._end(flight, Outcome.LATE)
        departure = Departure(self.env, sum(there))
        share_hz = self.radio.bandwidth_hz / max(sum(there), 1)
        flights, now_s = [], float(self.env.now)
        for parcel, answers in zip(parcels, there, strict=True):
            receiver = self.stations[parcel.receiver]
            flight = Flight(
                next(self._numbers), round_, sender.id, parcel, now_s, share_hz, departure, share_hz
            )
            flight.mixed = receiver.mailbox.mixed
            if answers:
                sender.flights_out[flight.number] = flight
                receiver.flights_in[flight.number] = flight
                flights.append(flight)
            else:
                self._refuse(flight)
        if flights:
            self._departed.append(flights)
            self._settle_soon()
        return departure

    def land(self, sender: Station) -> None:
        """Ends those of a device's flights whose bits are through in this very instant, so that
        their receivers know them before it sends again."""
        for flight in list(sender.flights_out.values()):
            if flight.through_by(float(self.env.now)):
                self._land(flight)

    def _refuse(self, flight: Flight) -> None:
        """A parcel that is not sent, because nobody would hear it."""
        self._ground(flight)
        self._write(flight, Outcome.CANCELLED, 0.0, 0.0)

    def _ground(self, flight: Flight) -> None:
        """What never is on the air has a place and a deadline, and nothing else."""
        flight.share_hz = flight.first_share_hz = 0.0
        flight.over = True
        flight.grid = Grid(self.radio.deadline_s, 1)
        flight.distance_m = float(self.channel.distances_m([flight.link], flight.start_s)[0])

    def cancel(self, station: Station) -> None:
        """Ends every flight from or to a device that is no longer there, and frees the spectrum.

        What is through in this very instant counts.
        """
        for flight in [*station.flights_out.values(), *station.flights_in.values()]:
            if flight.through_by(float(self.env.now)):
                self._land(flight)
            else:
                self._end(flight, Outcome.LATE if flight.overdue else Outcome.CANCELLED)

    def silence(self, sender: Station, receivers: Sequence[int], round_: int) -> None:
        """Nothing comes from a device that was cut off before it sent, or may not send: others
        wait Γ for it."""

        def given_up(_: Event) -> None:
            for receiver in receivers:
                if self.stations[receiver].closed < round_:
                    self.stations[receiver].mailbox.end(sender.id, round_, in_time=False)

        _then(Deadline(self.env, self.radio.deadline_s), given_up)

    def _settle_soon(self) -> None:
        if not self._settling:
            self._settling = True
            _then(EndOfInstant(self.env), self._settle)

    def _settle(self, _: Event) -> None:
        """Launches what departed in this instant, and plans anew what changed in it."""
        self._settling = False
        departed, self._departed = self._departed, []
        changed, self._changed = self._changed, {}
        new = [[flight for flight in flights if not flight.over] for flights in departed]
        new = [flights for flights in new if flights]
        launch(self.channel, new, float(self.env.now))
        for flights in new:
            self._begin(flights)
        going = [flight for flights in new for flight in flights]
        going += [changed[number] for number in sorted(changed)]
        going = [flight for flight in going if not flight.over]
        reception.plan(self.channel, going)
        for flight in going:
            self._await_end(flight)

    def _begin(self, flights: Sequence[Flight]) -> None:
        """Radio chains go on, and one deadline watches over what one device sent at once."""
        for flight in flights:
            sender, receiver = self._ends(flight)
            self._tell(flight, EventKind.SEND_START, flight.cause, of=sender)
            sender.meter.open_transmitter(flight.number, flight.power_w)
            receiver.meter.open_receiver(flight.number)
            flight.begun = True
        for flight in flights:
            if flight.power_w <= 0.0 and flight.parcel.bits > 0:
                self._end(flight, Outcome.OUTAGE)
        self._watch([flight for flight in flights if not flight.over])

    def _watch(self, flights: Sequence[Flight]) -> None:
        """Flights whose Γ ends in one instant expire together, before anybody acts on it."""
        if flights:
            at_s = float(self.env.now) + self.radio.deadline_s
            if at_s not in self._watched:
                self._watched[at_s] = []
                deadline = Deadline(self.env, self.radio.deadline_s)
                _then(deadline, lambda _: self._expire(self._watched.pop(at_s)))
            self._watched[at_s] += flights

    def _await_end(self, flight: Flight) -> None:
        plan = flight.plan
        if plan is not None and flight.through_in_time:
            _then(_Arrival(self.env, flight, plan), self._arrive)

    def _arrive(self, at: Event) -> None:
        assert isinstance(at, _Arrival)
        if not at.flight.over and at.flight.plan is at.plan:
            self._land(at.flight)

    def _land(self, flight: Flight) -> None:
        """Its bits are through."""
        self._end(flight, Outcome.LATE if flight.overdue else Outcome.DELIVERED, planned=True)

    def _expire(self, flights: Sequence[Flight]) -> None:
        """Γ is over; exactly on time counted."""
        going = [flight for flight in flights if not flight.over]
        for flight in going:
            if flight.through_in_time:
                self._land(flight)
            elif self.radio.late == "drop":
                self._end(flight, reception.too_late(self.channel), planned=True)
            else:
                self._go_on(flight)
        self._watch([flight for flight in going if not flight.over])

    def _go_on(self, flight: Flight) -> None:
        """Beyond Γ a flight keeps its share, and nobody waits for it."""
        if not flight.overdue:
            self._miss(flight)
            flight.overdue = True
        flight.complete(flight.horizon_s)
        flight.spans += 1
        self._change(flight)

    def _end(self, flight: Flight, outcome: Outcome, *, planned: bool = False) -> None:
        """The one place where a flight ends: its share and both ends' chains are free again."""
        sender, receiver = self._ends(flight)
        if not flight.begun:
            self._ground(flight)
        now_s, in_time = float(self.env.now), outcome is Outcome.DELIVERED
        reception.count(self.channel, flight, now_s - flight.start_s, planned=planned)
        flight.over = True
        flight.gains.clear()
        del sender.flights_out[flight.number], receiver.flights_in[flight.number]
        tx_j = rx_j = 0.0
        if flight.begun:
            tx_j = sender.meter.close_transmitter(flight.number)
            rx_j = receiver.meter.close_receiver(flight.number)
        self._write(flight, outcome, tx_j, rx_j)
        whole = flight.carried_bits >= flight.parcel.bits
        if in_time or (outcome is Outcome.LATE and whole):
            self._arrived(flight.parcel)
            if flight.parcel.kind is TransferKind.UPDATE:
                letter = Letter(flight.parcel.content, flight.round, flight.mixed)
                receiver.mailbox.deliver(sender.id, letter, in_time=in_time)
            self._tell(flight, EventKind.RECEIVE, Cause.BITS_DELIVERED, of=receiver)
        if outcome is Outcome.LATE and not flight.overdue:
            self._miss(flight)
        elif not flight.overdue:
            self._release(flight, in_time=in_time)
        if flight.begun:
            self._tell(flight, EventKind.SEND_END, _WHY_IT_ENDED[outcome], of=sender)
        if self.radio.share == "dynamic":
            self._share_anew(sender)

    def _share_anew(self, sender: Station) -> None:
        """Those still in the air divide the whole bandwidth, at the power they have."""
        for flight in sender.flights_out.values():
            now_s = float(self.env.now)
            if flight.through_by(now_s):
                continue  # through in this very instant
            flight.advance(self.channel, now_s - flight.start_s)
            flight.share_hz = self.radio.bandwidth_hz / len(sender.flights_out)
            self._change(flight)

    def _change(self, flight: Flight) -> None:
        self._changed[flight.number] = flight
        self._settle_soon()

    def _miss(self, flight: Flight) -> None:
        """Γ is over and the bits are not through."""
        self._tell(flight, EventKind.DEADLINE, Cause.DEADLINE, of=self._ends(flight)[1])
        self._release(flight, in_time=False)

    def _release(self, flight: Flight, *, in_time: bool) -> None:
        """Nobody waits for this flight any more."""
        sender, receiver = self._ends(flight)
        if flight.parcel.kind is TransferKind.UPDATE:
            receiver.mailbox.end(sender.id, flight.round, in_time=in_time)
        flight.departure.settle()

    def _ends(self, flight: Flight) -> tuple[Station, Station]:
        sender, receiver = flight.link
        return self.stations[sender], self.stations[receiver]

    def _tell(self, flight: Flight, kind: EventKind, cause: Cause, *, of: Station) -> None:
        sender, receiver = flight.link
        peer = receiver if of.id == sender else sender
        self.record.event(kind, of.id, flight.round, cause, peer=peer)

    def _write(
        self, flight: Flight, outcome: Outcome, transmitter_j: float, receiver_j: float
    ) -> None:
        sender, _ = self._ends(flight)
        profile, now_s = sender.device.profile, float(self.env.now)
        sent_bits = reception.sent_bits(self.channel, flight)
        row = transfer_row(flight, outcome, profile, now_s, sent_bits, transmitter_j, receiver_j)
        sender.meter.spent.sent_bits += row.sent_bits
        self.record.write(row)


def _then(event: Event, callback: Callable[[Event], None]) -> None:
    assert event.callbacks is not None
    event.callbacks.append(callback)
