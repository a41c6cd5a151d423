"""What becomes of bursts if nothing disturbs them, many bursts together.

Under fixed shares a transmission keeps its share to its end. Under dynamic ones, what ends leaves
its share to its sender's others; when that is, and what they do with it, follows from how the burst
starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cosim.simulation.links.channel import Channel
from cosim.simulation.links.fluid import advance
from cosim.simulation.links.reception import forecast
from cosim.simulation.links.transmission import Transmission

_Moment = tuple[Transmission, float]
"""A transmission, and a moment in s after its start."""


def foresee(channel: Channel, bursts: Sequence[Sequence[Transmission]]) -> None:
    """Gives all transmissions of bursts, which have their powers and slots, the stages that they go
    through if nothing else happens to them; they stay at their start."""
    everything = [transmission for burst in bursts for transmission in burst]
    starts = [(transmission.grid, transmission.share_hz) for transmission in everything]
    for transmission in everything:
        transmission.stages.clear()
    dynamic = channel.radio.share == "dynamic"
    flights = [_Flight(burst) for burst in bursts]
    if dynamic:
        for flight in flights:
            flight.share(channel, [(transmission, 0.0) for transmission in flight.on_air])
    changed = [transmission for flight in flights for transmission in flight.on_air]
    while changed:
        forecast(channel, changed)
        for transmission in changed:
            transmission.stages.append(transmission.stage())
        if not dynamic:
            break
        moments = [flight.next_change() for flight in flights]
        advance(channel, [moment for of_flight in moments for moment in of_flight])
        for flight, of_flight in zip(flights, moments, strict=True):
            flight.share(channel, of_flight)
        changed = [transmission for of_flight in moments for transmission, _ in of_flight]
    for transmission, (grid, share_hz) in zip(everything, starts, strict=True):
        transmission.rewind(grid, share_hz)


class _Flight:
    """The course of one burst: who of it is on the air, and when each will end."""

    def __init__(self, burst: Sequence[Transmission]) -> None:
        self._start_s = self._now_s = burst[0].start_s
        # What has no power is in outage before anything is sent.
        self.on_air = [each for each in burst if each.power_w > 0.0 or each.message.bits == 0]
        self._ends_s: dict[Transmission, float] = {}

    def share(self, channel: Channel, moments: Sequence[_Moment]) -> None:
        """Divides the band evenly among all on the air, and gives these their part."""
        for transmission, _ in moments:
            transmission.share_hz = channel.radio.bandwidth_hz / len(self.on_air)

    def next_change(self) -> list[_Moment]:
        """Goes on to the next end, and says which transmissions it leaves something, and when;
        none where nothing ends any more."""
        for transmission in self.on_air:
            forecast = transmission.forecast
            if transmission not in self._ends_s and forecast and math.isfinite(forecast.ends_s):
                # As the clock reckons: by how long it is until then.
                left_s = max(transmission.start_s + forecast.ends_s - self._now_s, 0.0)
                self._ends_s[transmission] = self._now_s + left_s
        if not self._ends_s:
            return []
        now_s = self._now_s = min(self._ends_s.values())
        self.on_air = [each for each in self.on_air if self._ends_s.get(each) != now_s]
        changed = [each for each in self.on_air if not each.through_by(now_s)]
        self._ends_s = {each: end_s for each, end_s in self._ends_s.items() if end_s > now_s}
        for transmission in changed:
            self._ends_s.pop(transmission, None)
        return [(transmission, now_s - self._start_s) for transmission in changed]
