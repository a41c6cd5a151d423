"""The air: bandwidth, transmissions, deadlines. Devices never compute a delay.

What is going to be sent is solved before; what begins or changes otherwise than foreseen, together
at the end of its instant. The number of events grows with transfers and not with slots.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from simpy import Environment, Event, Timeout

from cosim.methods.message import Turn
from cosim.simulation.clock import Deadline, Deadlines, EndOfInstant, then
from cosim.simulation.links import reception
from cosim.simulation.links.channel import Channel
from cosim.simulation.links.foresight import Foresight
from cosim.simulation.links.stages import foresee
from cosim.simulation.links.start import drafts, start
from cosim.simulation.links.transmission import AirPhase, Burst, EndForecast, Transmission, unended
from cosim.simulation.message import AddressedMessage
from cosim.simulation.recorder import Recorder
from cosim.simulation.rows import LAST_BIT, transfer_row
from cosim.simulation.station import Station
from cosim.simulation.superposition import Superposition
from cosim.trace.schema import Cause, EventKind, TransferKind, TransferOutcome


class _Arrival(Timeout):
    """The moment at which a transmission's bits are through, if its forecast still holds then."""

    def __init__(self, env: Environment, transmission: Transmission, forecast: EndForecast) -> None:
        super().__init__(env, max(transmission.start_s + forecast.ends_s - env.now, 0.0))
        self.transmission, self.forecast = transmission, forecast


class Medium:
    """The medium carries messages between stations over the channel and writes every transfer down.

    `arrived` hears of every message that is whole at its receiver, in time or late. What is sent
    to be added up goes by `superposition`.
    """

    def __init__(
        self,
        env: Environment,
        channel: Channel,
        stations: Sequence[Station],
        record: Recorder,
        arrived: Callable[[AddressedMessage], None],
    ) -> None:
        self.env = env
        self.channel = channel
        self.radio = channel.radio
        self.stations = stations
        self.record = record
        self._arrived = arrived
        self._foresight = Foresight(channel, lambda device: stations[device].present)
        self._numbers = count()
        self.superposition = Superposition(env, channel, stations, record, arrived, self._numbers)
        # What was sent in this instant, and whether it is solved already.
        self._bursts: list[tuple[list[Transmission], bool]] = []
        self._changed: dict[int, Transmission] = {}
        self._settling = False
        self._deadlines = Deadlines(env, self._expire)

    def send(self, sender: Station, messages: Sequence[AddressedMessage], turn: Turn) -> Burst:
        """Starts all messages at once, in equal shares of the sender's bandwidth.

        A receiver that is not there answers nothing, so nothing is sent to it. If anything is sent,
        what the sender still had in the air beyond its deadline is cut short.
        """
        answers = [self.stations[message.receiver].present for message in messages]
        if any(answers):
            self.deliver_due(sender)
            for transmission in list(sender.outgoing.values()):
                self._end(transmission, TransferOutcome.LATE, Cause.INTERRUPTED)
        heard = [message for message, answer in zip(messages, answers, strict=True) if answer]
        burst, now_s = Burst(self.env, len(heard)), float(self.env.now)
        foreseen = self._foresight.drafted(sender.id, heard, turn, now_s)
        started = foreseen or drafts(self.radio, sender.id, heard, turn, now_s)
        on_air = iter(started)
        for message, answer in zip(messages, answers, strict=True):
            receiver, number = self.stations[message.receiver], next(self._numbers)
            if answer:
                transmission = next(on_air)
                sender.outgoing[number] = receiver.incoming[number] = transmission
            else:
                (transmission,) = drafts(self.radio, sender.id, [message], turn, now_s)
            transmission.take_off(number, message, burst, receiver.inbox.mixings)
            if not answer:
                self._refuse(transmission)
        if started:
            self._bursts.append((started, bool(foreseen)))
            self._settle_soon()
        return burst

    def expect(self, sender: Station, receivers: Sequence[int], turn: Turn, in_s: float) -> None:
        """Hears that a device will probably send in a while, so that less is left to do then."""
        self._foresight.expect(sender.id, receivers, turn, float(self.env.now) + in_s)

    def deliver_due(self, sender: Station) -> None:
        """Ends those of a device's transmissions whose bits are through in this very instant, so
        that their receivers know them before it sends again."""
        for transmission in list(sender.outgoing.values()):
            if transmission.through_by(float(self.env.now)):
                self._deliver(transmission)

    def _refuse(self, transmission: Transmission) -> None:
        """Writes down a message that is not sent, because nobody would hear it."""
        self._keep_off_air(transmission)
        transmission.phase = AirPhase.OVER
        self._write(transmission, TransferOutcome.CANCELLED, Cause.UNREACHABLE)

    def _keep_off_air(self, transmission: Transmission) -> None:
        """Gives a transmission that never is on the air its distance, no bandwidth and no power."""
        transmission.share_hz = transmission.first_share_hz = transmission.power_w = 0.0
        distances_m = self.channel.distances_m([transmission.link], transmission.start_s)
        transmission.distance_m = float(distances_m[0])

    def cancel(self, station: Station, cause: Cause) -> None:
        """Ends every transmission from or to a device that is no longer there, and frees the
        spectrum; what is through in this very instant counts. cause: why it is not there."""
        self.superposition.cancel(station, cause)
        for transmission in [*station.outgoing.values(), *station.incoming.values()]:
            if transmission.through_by(float(self.env.now)):
                self._deliver(transmission)
            else:
                overdue = transmission.phase is AirPhase.OVERDUE
                outcome = TransferOutcome.LATE if overdue else TransferOutcome.CANCELLED
                self._end(transmission, outcome, cause)

    def silence(self, sender: Station, receivers: Sequence[int], turn: Turn) -> None:
        """Has receivers wait Γ for a device that was cut off before it sent, or may not send."""

        def given_up(_: Event) -> None:
            for station in map(self.stations.__getitem__, receivers):
                # Whoever is away expects nothing, and misses nothing.
                if station.present and station.closed < turn.round:
                    station.inbox.end(sender.id, turn, in_time=False)

        then(Deadline(self.env, self.radio.deadline_s), given_up)

    def pass_over(self, sender: Station, receivers: Sequence[int], turn: Turn) -> None:
        """Has nobody wait for a device that has nothing to say; it is silent, and not late."""
        for receiver in receivers:
            self.stations[receiver].inbox.end(sender.id, turn, in_time=True)

    def _settle_soon(self) -> None:
        if not self._settling:
            self._settling = True
            then(EndOfInstant(self.env), self._settle)

    def _settle(self, _: Event) -> None:
        """Starts the bursts of this instant, and forecasts anew what changed in it."""
        self._settling = False
        bursts, self._bursts = self._bursts, []
        changed, self._changed = self._changed, {}
        begun, unforeseen = [], []
        for burst, foreseen in bursts:
            if rest := unended(burst):
                begun.append(rest)
                if not foreseen or len(rest) < len(burst):
                    unforeseen.append(rest)
        if unforeseen:
            start(self.channel, unforeseen)
            foresee(self.channel, unforeseen)
        for burst in begun:
            self._begin(burst)
        started = [transmission for burst in begun for transmission in burst]
        unsolved = unended([*started, *(changed[number] for number in sorted(changed))])
        surprised = [each for each in unsolved if not each.goes_as_foreseen()]
        reception.forecast(self.channel, surprised)
        for transmission in unsolved:
            self._await_end(transmission)

    def _begin(self, burst: Sequence[Transmission]) -> None:
        """Switches radio chains on; one deadline watches over what one device sent at once."""
        for transmission in burst:
            sender, receiver = self._ends(transmission)
            self._record_event(transmission, sender, EventKind.SEND_START, transmission.cause)
            sender.meter.open_transmitter(transmission.number, transmission.power_w)
            receiver.meter.open_receiver(transmission.number)
            transmission.phase = AirPhase.ON_AIR
        for transmission in burst:
            if transmission.power_w <= 0.0 and transmission.message.bits > 0:
                self._end(transmission, TransferOutcome.OUTAGE, Cause.INFEASIBLE_POWER)
        self._deadlines.watch(unended(burst), self.radio.deadline_s)

    def _await_end(self, transmission: Transmission) -> None:
        """Has a transmission arrive by its forecast, unless its share will change before."""
        forecast = transmission.forecast
        if forecast is not None and transmission.through_in_time and not transmission.stages:
            then(_Arrival(self.env, transmission, forecast), self._arrive)

    def _arrive(self, at: Event) -> None:
        assert isinstance(at, _Arrival)
        transmission = at.transmission
        if transmission.phase is not AirPhase.OVER and transmission.forecast is at.forecast:
            self._deliver(transmission)

    def _deliver(self, transmission: Transmission) -> None:
        """Ends a transmission whose bits are through."""
        overdue = transmission.phase is AirPhase.OVERDUE
        outcome = TransferOutcome.LATE if overdue else TransferOutcome.DELIVERED
        self._end(transmission, outcome, Cause.BITS_DELIVERED, as_forecast=True)

    def _expire(self, transmissions: Sequence[Transmission]) -> None:
        """Ends or prolongs transmissions whose Γ is over; exactly on time counted."""
        expired = unended(transmissions)
        for transmission in expired:
            if transmission.through_in_time:
                self._deliver(transmission)
            elif self.radio.late == "drop":
                outcome, cause = reception.too_late(self.channel)
                self._end(transmission, outcome, cause, as_forecast=True)
            else:
                self._go_on(transmission)
        self._deadlines.watch(unended(expired), self.radio.deadline_s)

    def _go_on(self, transmission: Transmission) -> None:
        """Lets a transmission keep its share beyond Γ, where nobody waits for it."""
        if transmission.phase is not AirPhase.OVERDUE:
            self._miss(transmission)
            transmission.phase = AirPhase.OVERDUE
        transmission.complete(transmission.horizon_s)
        transmission.spans += 1
        self._change(transmission)

    def _end(
        self,
        transmission: Transmission,
        outcome: TransferOutcome,
        cause: Cause,
        *,
        as_forecast: bool = False,
    ) -> None:
        """Ends a transmission, here and nowhere else: its share and both ends' chains are free."""
        sender, receiver = self._ends(transmission)
        phase, transmission.phase = transmission.phase, AirPhase.OVER
        if phase is AirPhase.WAITING:
            self._keep_off_air(transmission)
        elapsed_s = float(self.env.now) - transmission.start_s
        reception.count(self.channel, transmission, elapsed_s, as_forecast=as_forecast)
        transmission.gains.clear()
        transmission.stages.clear()
        del sender.outgoing[transmission.number], receiver.incoming[transmission.number]
        chains_j = 0.0, 0.0
        if phase is not AirPhase.WAITING:
            number = transmission.number
            chains_j = sender.meter.close_transmitter(number), receiver.meter.close_receiver(number)
        self._write(transmission, outcome, cause, chains_j)
        in_time = outcome is TransferOutcome.DELIVERED
        whole = transmission.carried_bits >= transmission.message.bits
        if in_time or (outcome is TransferOutcome.LATE and whole):
            self._receive(transmission, in_time=in_time)
        if outcome is TransferOutcome.LATE and phase is not AirPhase.OVERDUE:
            self._miss(transmission)
        elif phase is not AirPhase.OVERDUE:
            self._release(transmission, in_time=in_time)
        if phase is not AirPhase.WAITING:
            self._record_event(transmission, sender, EventKind.SEND_END, LAST_BIT[outcome])
        if self.radio.share == "dynamic":
            self._share_anew(sender)

    def _receive(self, transmission: Transmission, *, in_time: bool) -> None:
        """Hands a whole message to its receiver."""
        message, receiver = transmission.message, self.stations[transmission.message.receiver]
        self._arrived(message)
        if message.kind is TransferKind.UPDATE:
            sender, turn, flight = transmission.sender, transmission.turn, transmission.flight
            mixings = transmission.receiver_mixings
            receiver.inbox.deliver(sender, message, turn, mixings, flight, in_time=in_time)
        self._record_event(transmission, receiver, EventKind.RECEIVE, Cause.BITS_DELIVERED)

    def _share_anew(self, sender: Station) -> None:
        """Divides the whole bandwidth among those still in the air, at the power they have."""
        now_s = float(self.env.now)
        others = [each for each in sender.outgoing.values() if not each.through_by(now_s)]
        reception.come_to(self.channel, [(each, now_s - each.start_s) for each in others])
        for transmission in others:
            transmission.share_hz = self.radio.bandwidth_hz / len(sender.outgoing)
            self._change(transmission)

    def _change(self, transmission: Transmission) -> None:
        self._changed[transmission.number] = transmission
        self._settle_soon()

    def _miss(self, transmission: Transmission) -> None:
        """Notes that Γ is over and the bits are not through."""
        receiver = self.stations[transmission.message.receiver]
        self._record_event(transmission, receiver, EventKind.DEADLINE, Cause.DEADLINE)
        self._release(transmission, in_time=False)

    def _release(self, transmission: Transmission, *, in_time: bool) -> None:
        """Has nobody wait for this transmission any more."""
        message = transmission.message
        if message.ends_turn:
            inbox = self.stations[message.receiver].inbox
            inbox.end(transmission.sender, transmission.turn, in_time=in_time or message.brief)
        assert transmission.burst is not None
        transmission.burst.settle(heard_by=message.receiver if in_time else None)

    def _ends(self, transmission: Transmission) -> tuple[Station, Station]:
        sender, receiver = transmission.link
        return self.stations[sender], self.stations[receiver]

    def _record_event(
        self, transmission: Transmission, of: Station, kind: EventKind, cause: Cause
    ) -> None:
        sender, receiver = transmission.link
        peer = receiver if of.id == sender else sender
        self.record.event(kind, of.id, transmission.round, cause, peer, transmission.number)

    def _write(
        self,
        transmission: Transmission,
        outcome: TransferOutcome,
        cause: Cause,
        chains_j: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        sender = self.stations[transmission.sender]
        profile, now_s = sender.device.profile, float(self.env.now)
        sent_bits = reception.sent_bits(self.channel, transmission)
        row = transfer_row(transmission, outcome, cause, profile, now_s, sent_bits, *chains_j)
        sender.meter.spent.sent_bits += row.sent_bits
        self.record.write(row)
