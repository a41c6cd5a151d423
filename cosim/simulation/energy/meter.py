"""What a device spends: its power, integrated over simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simpy import Environment

from cosim.scenario.profile import Profile
from cosim.simulation.energy.battery import Battery
from cosim.simulation.energy.radio_chain import RadioChain


@dataclass
class Spent:
    """This is what a device spent since it was last asked.

    compute_s, send_s, wait_s, off_s: time computing, sending, doing neither, and switched off.
    compute_j, tx_j, rx_j, idle_j: energy of computing, sending, receiving and idling.
    sent_bits: bits put on the air.
    """

    compute_s: float = 0.0
    send_s: float = 0.0
    wait_s: float = 0.0
    off_s: float = 0.0
    compute_j: float = 0.0
    tx_j: float = 0.0
    rx_j: float = 0.0
    idle_j: float = 0.0
    sent_bits: float = 0.0


class Meter:
    """A meter counts the watts of a device by what they are for; between two changes they are
    constant.

    It draws compute watts while it fine-tunes and idle watts otherwise; the radio's come on top
    for as long as a transfer is open: each power amplifier's own, and each chain's once. A device
    that is off draws nothing.
    """

    def __init__(
        self, env: Environment, profile: Profile, empty: Callable[[], None] | None = None
    ) -> None:
        self.env = env
        self.profile = profile
        self.battery: Battery | None = None
        if profile.battery_j is not None and empty is not None:
            self.battery = Battery(env, profile.battery_j, empty)
        self.spent = Spent()
        self._since_s = float(env.now)
        self._on = True
        self._computing = False
        self._amplifiers_w: dict[int, float] = {}
        self._transmitter = RadioChain(profile.transmit_circuit_w)
        self._receiver = RadioChain(profile.receive_w)
        # What the device draws now, by what it is for.
        self._base_w = profile.idle_w
        self._transmit_w = self._receive_w = 0.0
        self._draw()

    def switch(self, on: bool) -> None:
        """Switches the device on or off; what it computed is lost, its radio must be idle."""
        self._count()
        self._on, self._computing = on, False
        self._base_w = self.profile.idle_w
        self._draw()

    def compute(self, on: bool) -> None:
        """Notes that fine-tuning begins or ends."""
        self._count()
        self._computing = on
        self._base_w = self.profile.compute_w if on else self.profile.idle_w
        self._draw()

    def open_transmitter(self, transmission: int, radiated_w: float) -> None:
        """Notes that a transmission begins at the sender."""
        self._transmitter.open(transmission, self._count())
        self._amplifiers_w[transmission] = radiated_w / self.profile.pa_efficiency
        self._transmit_w = self._transmitter.drawn_w + sum(self._amplifiers_w.values())
        self._draw()

    def close_transmitter(self, transmission: int) -> float:
        """Notes that a transmission ends at the sender; returns its part of the chain's energy in
        J."""
        share_j = self._transmitter.close(transmission, self._count())
        del self._amplifiers_w[transmission]
        self._transmit_w = self._transmitter.drawn_w + sum(self._amplifiers_w.values())
        self._draw()
        return share_j

    def open_receiver(self, transmission: int) -> None:
        """Notes that a transmission begins at the receiver."""
        self._receiver.open(transmission, self._count())
        self._receive_w = self._receiver.drawn_w
        self._draw()

    def close_receiver(self, transmission: int) -> float:
        """Notes that a transmission ends at the receiver; returns its part of the chain's energy in
        J."""
        share_j = self._receiver.close(transmission, self._count())
        self._receive_w = self._receiver.drawn_w
        self._draw()
        return share_j

    def take(self) -> Spent:
        """Returns what was spent since the last call."""
        self._count()
        self._draw()
        spent, self.spent = self.spent, Spent()
        return spent

    @property
    def battery_j(self) -> float | None:
        """The charge that was left at the last change or `take`; None on the mains."""
        return None if self.battery is None else self.battery.left_j

    def _draw(self) -> None:
        if self.battery is not None:
            watts = self._base_w + self._transmit_w + self._receive_w if self._on else 0.0
            self.battery.draw(watts)

    def _count(self) -> float:
        """Counts until now, and returns the time."""
        now_s = self.env.now
        passed_s = now_s - self._since_s
        if passed_s <= 0.0:
            return now_s
        self._since_s, spent = now_s, self.spent
        if not self._on:
            spent.off_s += passed_s
            return now_s
        if self._computing:
            spent.compute_s += passed_s
            spent.compute_j += passed_s * self._base_w
        else:
            spent.idle_j += passed_s * self._base_w
        spent.tx_j += passed_s * self._transmit_w
        spent.rx_j += passed_s * self._receive_w
        if self._amplifiers_w:
            spent.send_s += passed_s
        elif not self._computing:
            spent.wait_s += passed_s
        return now_s
