"""The air: shares are taken and given back, also when somebody cuts a transmission off."""

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from small_networks import PROFILE, MemoryTrace, scenario, world_at

from cosim.mobility.trajectory import PiecewiseLinear
from cosim.simulation.medium import Exchange, Parcel
from cosim.simulation.transmission import solve
from cosim.simulation.world import World
from cosim.trace.schema import Cause, EventKind, Outcome, TransferRow

BITS = 4_000_000
SHARE_HZ = 10.0e6
PLACES = [(0.0, 0.0), (50.0, 0.0), (0.0, 90.0)]


@dataclass
class Air:
    """Three devices that exchange with each other at time zero, each flight within reach."""

    world: World
    trace: MemoryTrace
    flights: dict[tuple[int, int], Any] = field(default_factory=dict)
    exchanges: dict[int, Any] = field(default_factory=dict)

    def interrupt(self, sender: int, receiver: int, at_s: float) -> None:
        """Cuts one flight off at a time."""

        def cut() -> Generator[Any, Any, None]:
            yield self.world.env.timeout(at_s)
            self.flights[sender, receiver].interrupt("a test")

        self.world.env.process(cut())

    def row(self, sender: int, receiver: int) -> TransferRow:
        """The one row of a flight."""
        (row,) = [t for t in self.trace.transfers if (t.src, t.dst) == (sender, receiver)]
        return row

    def result(self, device: int) -> Exchange:
        """What an exchange that has ended brought."""
        assert self.exchanges[device].processed, f"device {device} is still waiting"
        found: Exchange = self.exchanges[device].value
        return found


def start(**sections: Any) -> Air:
    trace = MemoryTrace()
    places = sections.pop("at", PLACES)
    chosen = scenario(devices=[{"count": 3, "profile": PROFILE}], **sections)
    world = world_at(chosen, trace, places)
    env, air = world.env, Air(world, trace)
    for me in range(3):
        others = tuple(other for other in range(3) if other != me)
        parcels = [Parcel(other, BITS, f"{me} to {other}") for other in others]
        air.exchanges[me] = env.process(world.medium.exchange(me, parcels, others, 1))
    spawn = env.process

    def spy(flight: Any) -> Any:
        process = spawn(flight)
        if "sent" in (names := flight.gi_frame.f_locals):
            air.flights[names["sent"].sender, names["sent"].receiver] = process
        return process

    env.process = spy  # type: ignore[method-assign]
    return air


def test_everybody_gets_everything_and_gives_the_bandwidth_back() -> None:
    air = start()
    air.world.env.run(until=1e-9)
    assert air.world.medium.in_use_hz == pytest.approx({0: 20e6, 1: 20e6, 2: 20e6})
    air.world.env.run()
    assert air.result(0).inbox == {1: "1 to 0", 2: "2 to 0"}
    assert air.result(2).missed == 0
    assert air.world.medium.in_use_hz == pytest.approx({0: 0.0, 1: 0.0, 2: 0.0}, abs=1e-6)
    assert not air.world.medium._arrivals


def test_an_exchange_with_nobody_takes_no_time() -> None:
    air = start()
    done = air.world.env.process(air.world.medium.exchange(0, [], (), 2))
    air.world.env.run(until=done)
    assert air.world.env.now == 0.0
    assert done.value == Exchange()


def test_an_interrupt_frees_the_share_and_writes_what_came_through() -> None:
    air = start()
    whole = solve(air.world.medium.channel, 0, [1, 2], [BITS, BITS], 0.0, 1)[0]
    at_s = 0.3 * whole.duration_s
    air.interrupt(0, 1, at_s)
    air.world.env.run(until=at_s * 1.000001)
    assert air.world.medium.in_use_hz == pytest.approx({0: SHARE_HZ, 1: 20e6, 2: 20e6})
    air.world.env.run()
    assert air.world.medium.in_use_hz == pytest.approx({0: 0.0, 1: 0.0, 2: 0.0}, abs=1e-6)

    row = air.row(0, 1)
    assert row.outcome is Outcome.CANCELLED
    assert row.end_s == at_s < row.deadline_s
    # A constant channel: three tenths of the time are three tenths of the bits.
    assert row.delivered_bits == pytest.approx(0.3 * BITS, rel=1e-12)
    assert row.mean_rate_bit_s == pytest.approx(BITS / whole.duration_s, rel=1e-12)
    assert row.mean_snr_db == pytest.approx(whole.mean_snr_db, abs=1e-12)
    # Device 0 sends to two, and device 1 hears two: each chain's watts are halved.
    assert row.energy_tx_j == pytest.approx(at_s * (row.power_w / 0.4 + 0.25 / 2), rel=1e-12)
    assert row.energy_rx_j == pytest.approx(at_s * 0.75 / 2, rel=1e-12)
    ends = [e for e in air.trace.events if e.kind is EventKind.SEND_END and e.device == 0]
    assert (ends[0].time_s, ends[0].peer, ends[0].cause) == (at_s, 1, Cause.INTERRUPTED)


def test_an_interrupt_leaves_nobody_waiting_and_everybody_else_alone() -> None:
    undisturbed, air = start(), start()
    undisturbed.world.env.run()
    air.interrupt(0, 1, 0.1)
    air.world.env.run()
    assert air.result(1).inbox == {2: "2 to 1"}
    assert air.result(1).missed == 1
    # The receiver waited for the cut alone, not for the deadline.
    assert air.result(0).bits_sent == pytest.approx(BITS + air.row(0, 1).delivered_bits)
    assert air.result(1).energy_rx_j == pytest.approx(
        air.row(0, 1).energy_rx_j + air.row(2, 1).energy_rx_j
    )
    for pair in ((0, 2), (1, 0), (1, 2), (2, 0), (2, 1)):
        # Only the chains' energy is divided anew, among fewer transfers.
        energy = {"energy_tx_j": 0.0, "energy_rx_j": 0.0}
        assert air.row(*pair)._replace(**energy) == undisturbed.row(*pair)._replace(**energy)
    assert not air.world.medium._arrivals


def test_an_interrupt_of_all_flights_ends_the_exchange_at_once() -> None:
    air = start()
    for pair in ((a, b) for a in range(3) for b in range(3) if a != b):
        air.interrupt(*pair, 0.25)
    done = air.world.env.all_of(list(air.exchanges.values()))
    air.world.env.run(until=done)
    assert air.world.env.now == 0.25
    assert all(air.result(device).inbox == {} for device in range(3))
    assert [row.outcome for row in air.trace.transfers] == [Outcome.CANCELLED] * 6


def test_an_interrupt_at_the_start_has_carried_nothing() -> None:
    air = start()
    air.interrupt(0, 1, 0.0)
    air.world.env.run()
    row = air.row(0, 1)
    assert (row.outcome, row.end_s, row.delivered_bits) == (Outcome.CANCELLED, 0.0, 0.0)
    assert (row.mean_rate_bit_s, row.energy_tx_j, row.energy_rx_j) == (0.0, 0.0, 0.0)


def test_what_is_through_before_the_interrupt_counts() -> None:
    """The interrupt comes in the instant of the arrival, but after it: nothing is taken back."""
    air = start()
    env = air.world.env
    env.run(until=1e-9)
    flight = air.flights[0, 1]
    through = next(e for e in flight.target._events if e.callbacks and hasattr(e, "_delay"))
    through.callbacks.append(lambda _: flight.interrupt())
    env.run()
    assert air.row(0, 1).outcome is Outcome.DELIVERED
    assert air.result(1).inbox == {0: "0 to 1", 2: "2 to 1"}
    assert air.world.medium.in_use_hz == pytest.approx({0: 0.0, 1: 0.0, 2: 0.0}, abs=1e-6)


def test_a_fading_link_is_cut_with_the_bits_of_its_own_rate() -> None:
    """Under Clarke fading half of the time is not half of the bits."""
    clarke = {"fading": {"model": "clarke"}}
    ways = [((0.0, 0.0), 1.0), ((50.0, 0.0), -1.5), ((0.0, 90.0), 2.0)]
    paths = [
        PiecewiseLinear((x, y), iter([(90.0, x + v * 90.0, y)]), speed_limit_m_s=2.0)
        for (x, y), v in ways
    ]
    air = start(radio=clarke, at=paths)
    whole = solve(air.world.medium.channel, 0, [1, 2], [BITS, BITS], 0.0, 1)[0]
    at_s = 0.5 * min(whole.duration_s, 2.0)
    air.interrupt(0, 1, at_s)
    air.world.env.run()
    row = air.row(0, 1)
    assert row.outcome is Outcome.CANCELLED
    assert 0 < row.delivered_bits < BITS
    assert row.delivered_bits != pytest.approx(0.5 * whole.delivered_bits, rel=1e-3)
    # Jensen: no rate is above that of the mean SNR, and here it varies.
    assert row.delivered_bits < SHARE_HZ * at_s * math.log2(1 + 10 ** (row.mean_snr_db / 10))
