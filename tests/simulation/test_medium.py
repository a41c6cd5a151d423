"""The air: shares are taken and given back, also when a device is cut off in the middle."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from simpy import Event

from cosim.methods.message import Turn
from cosim.mobility.trajectory import PiecewiseLinear
from cosim.simulation.clock import Deadline
from cosim.simulation.links.transmission import Burst, Transmission
from cosim.simulation.message import AddressedMessage
from cosim.simulation.world import World
from cosim.trace.schema import Cause, EventKind, TransferOutcome, TransferRow
from tests.simulation.small_networks import (
    PROFILE,
    MemoryTrace,
    duration_s,
    in_use_hz,
    mean_snr_db,
    scenario,
    transmissions,
    world_at,
)

BITS = 4_000_000
W = 20.0e6
PLACES = [(0.0, 0.0), (50.0, 0.0), (0.0, 90.0)]
ENERGY: dict[str, Any] = {"energy_tx_j": 0.0, "energy_rx_j": 0.0, "consumed_w": 0.0}


@dataclass
class Air:
    """Three devices that send to each other at time zero, each transmission within reach."""

    world: World
    trace: MemoryTrace
    bursts: list[Burst]
    heard: list[Event]

    def cut(self, device: int, at_s: float, *, last: bool = False) -> None:
        """Cuts a device off at a time, before or after all else that happens then."""
        env = self.world.env

        def now(_: Event) -> None:
            self.world.medium.cancel(self.world.stations[device], Cause.AVAILABILITY)

        (Deadline(env, at_s) if last else env.timeout(at_s)).callbacks.append(now)

    def row(self, sender: int, receiver: int) -> TransferRow:
        """The one row of a link."""
        (row,) = self.trace.sent(sender, receiver)
        return row

    def inbox(self, device: int) -> dict[int, Any]:
        """What a device has, once nobody keeps it waiting."""
        assert self.heard[device].processed, f"device {device} is still waiting"
        return self.world.stations[device].inbox.take()[0]

    @property
    def in_use_hz(self) -> list[float]:
        """By sender."""
        return [in_use_hz(station) for station in self.world.stations]

    def solved(self, sender: int) -> list[Transmission]:
        """What this sender's transmissions would be if nothing came between."""
        others = [other for other in range(3) if other != sender]
        return transmissions(self.world.medium.channel, sender, others, [BITS] * 2, 0.0, 1)


def start(**sections: Any) -> Air:
    trace = MemoryTrace()
    places = sections.pop("at", PLACES)
    chosen = scenario(devices=[{"count": 3, "profile": PROFILE}], **sections)
    world = world_at(chosen, trace, places)
    air = Air(world, trace, [], [])
    for station in world.stations:
        others = [other for other in range(3) if other != station.id]
        messages = [AddressedMessage(other, BITS, f"{station.id} to {other}") for other in others]
        air.bursts.append(world.medium.send(station, messages, Turn(1)))
        air.heard.append(station.inbox.all_ended(others, Turn(1)))
    return air


def test_everybody_gets_everything_and_gives_the_bandwidth_back() -> None:
    air = start()
    air.world.env.run(until=1e-9)
    assert air.in_use_hz == [W] * 3
    assert not any(burst.over.triggered for burst in air.bursts)
    air.world.env.run()
    assert air.in_use_hz == [0.0] * 3
    assert air.inbox(0) == {1: "1 to 0", 2: "2 to 0"}
    assert air.inbox(2) == {0: "0 to 2", 1: "1 to 2"}
    assert [station.inbox.counts.missed for station in air.world.stations] == [0] * 3
    assert all(burst.over.processed for burst in air.bursts)
    assert not any(station.incoming or station.outgoing for station in air.world.stations)


def test_sending_to_nobody_takes_no_time() -> None:
    air = start()
    nothing = air.world.medium.send(air.world.stations[0], [], Turn(2))
    air.world.env.run(until=nothing.over)
    assert air.world.env.now == 0.0


def test_a_cut_frees_the_share_and_writes_what_came_through() -> None:
    air = start()
    whole = air.solved(0)
    at_s = 0.3 * duration_s(whole[0])
    air.cut(0, at_s)
    air.world.env.run(until=at_s * 1.000001)
    assert air.in_use_hz == [0.0, W / 2, W / 2]
    air.world.env.run()
    assert air.in_use_hz == [0.0] * 3

    row = air.row(0, 1)
    assert row.outcome is TransferOutcome.CANCELLED
    assert row.end_s == at_s < row.deadline_at_s
    # A constant channel: three tenths of the time are three tenths of the bits.
    assert row.delivered_bits == pytest.approx(0.3 * BITS, rel=1e-12)
    assert row.mean_rate_bit_s == pytest.approx(BITS / duration_s(whole[0]), rel=1e-12)
    assert row.mean_snr_db == pytest.approx(mean_snr_db(whole[0]), abs=1e-12)
    # Device 0 sends to two, and device 1 hears two: each chain's watts are halved.
    assert row.energy_tx_j == pytest.approx(at_s * (row.power_w / 0.4 + 0.25 / 2), rel=1e-12)
    assert row.energy_rx_j == pytest.approx(at_s * 0.75 / 2, rel=1e-12)
    ends = [e for e in air.trace.events if e.kind is EventKind.SEND_END and e.device == 0]
    assert [(e.time_s, e.peer, e.cause) for e in ends] == [
        (at_s, 1, Cause.INTERRUPTED),
        (at_s, 2, Cause.INTERRUPTED),
    ]


def test_a_cut_leaves_nobody_waiting_and_everybody_else_alone() -> None:
    undisturbed, air = start(), start()
    undisturbed.world.env.run()
    air.cut(0, 0.1)
    air.world.env.run(until=air.bursts[0].over)
    assert air.world.env.now == 0.1
    air.world.env.run(until=air.heard[1])
    # The receiver waited for the cut alone, not for the deadline.
    assert air.world.env.now == air.row(2, 1).end_s < 2.0
    air.world.env.run()
    assert air.inbox(1) == {2: "2 to 1"}
    assert air.world.stations[1].inbox.counts.missed == 1
    assert air.world.stations[0].meter.spent.sent_bits == pytest.approx(
        air.row(0, 1).delivered_bits + air.row(0, 2).delivered_bits
    )
    for station in air.world.stations:
        station.meter.take()  # brings what was spent up to now
    for pair in ((1, 2), (2, 1)):
        # Only the chains' energy is divided anew, among fewer transfers.
        assert air.row(*pair)._replace(**ENERGY) == undisturbed.row(*pair)._replace(**ENERGY)
        assert air.row(*pair).energy_tx_j > undisturbed.row(*pair).energy_tx_j


def test_the_chains_energy_is_spent_once_however_it_is_divided() -> None:
    air = start()
    air.cut(0, 0.1)
    air.world.env.run()
    spent = air.world.stations[1].meter.take()
    mine = [air.row(0, 1), air.row(2, 1)]
    assert spent.rx_j == pytest.approx(sum(row.energy_rx_j for row in mine), rel=1e-12)
    assert spent.rx_j == pytest.approx(0.75 * max(row.end_s for row in mine), rel=1e-12)
    sent = [air.row(1, 0), air.row(1, 2)]
    assert spent.tx_j == pytest.approx(sum(row.energy_tx_j for row in sent), rel=1e-12)
    assert spent.send_s == pytest.approx(max(row.end_s for row in sent), rel=1e-12)


def test_a_cut_of_all_ends_everything_at_once() -> None:
    air = start()
    for device in range(3):
        air.cut(device, 0.25)
    done = [*air.heard, *(burst.over for burst in air.bursts)]
    air.world.env.run(until=air.world.env.all_of(done))
    assert air.world.env.now == 0.25
    assert all(air.inbox(device) == {} for device in range(3))
    assert [row.outcome for row in air.trace.transfers] == [TransferOutcome.CANCELLED] * 6


def test_a_cut_at_the_start_has_carried_nothing() -> None:
    air = start()
    air.cut(0, 0.0)
    air.world.env.run()
    for pair in ((0, 1), (0, 2), (1, 0), (2, 0)):
        row = air.row(*pair)
        assert (row.outcome, row.end_s, row.delivered_bits) == (TransferOutcome.CANCELLED, 0.0, 0.0)
        assert (row.mean_rate_bit_s, row.energy_tx_j, row.energy_rx_j) == (0.0, 0.0, 0.0)
        assert row.distance_m == math.dist(PLACES[row.src], PLACES[row.dst])
    assert [air.row(1, 2).outcome, air.row(2, 1).outcome] == [TransferOutcome.DELIVERED] * 2
    # What never was on the air neither starts nor stops.
    kinds = EventKind.SEND_START, EventKind.SEND_END
    on_air = [sorted((e.device, e.peer) for e in air.trace.events if e.kind is k) for k in kinds]
    assert on_air == [[(1, 2), (2, 1)]] * 2


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("end", [0, 1])
def test_what_is_through_in_the_instant_of_the_cut_counts(end: int, last: bool) -> None:
    """Whichever of the two was written into the clock's list first, and whoever is cut."""
    air = start()
    at_s = duration_s(air.solved(0)[0])
    air.cut(end, at_s, last=last)
    air.world.env.run()
    row = air.row(0, 1)
    assert (row.outcome, row.end_s, row.delivered_bits) == (TransferOutcome.DELIVERED, at_s, BITS)
    assert air.inbox(1)[0] == "0 to 1"
    assert air.in_use_hz == [0.0] * 3


@pytest.mark.parametrize("late", ["drop", "stale"])
def test_a_fading_link_is_cut_with_the_bits_of_its_own_rate(late: str) -> None:
    """Under Clarke fading half of the time is not half of the bits."""
    clarke = {"fading": {"model": "clarke"}, "late": late}
    ways = [((0.0, 0.0), 1.0), ((50.0, 0.0), -1.5), ((0.0, 90.0), 2.0)]
    paths = [
        PiecewiseLinear((x, y), iter([(90.0, x + v * 90.0, y)]), speed_limit_m_s=2.0)
        for (x, y), v in ways
    ]
    air = start(radio=clarke, at=paths)
    whole = air.solved(0)[0]
    at_s = 0.5 * min(duration_s(whole), 2.0)
    air.cut(0, at_s)
    air.world.env.run()
    row = air.row(0, 1)
    assert row.outcome is TransferOutcome.CANCELLED
    assert 0 < row.delivered_bits < BITS
    assert row.delivered_bits != pytest.approx(0.5 * BITS, rel=1e-3)
    # Jensen: no rate is above that of the mean SNR, and here it varies.
    assert row.delivered_bits < W / 2 * at_s * math.log2(1 + 10 ** (row.mean_snr_db / 10))
    # The rate of its own slots, summed by a plain loop.
    channel, edges = air.world.medium.channel, whole.grid.edges_s(0)
    gains = channel.slot_gains([(0, 1)], edges, [1])[0]
    noise = float(channel.noise_w(W / 2))
    bits = sum(
        W / 2 * math.log2(1 + whole.power_w * gain / noise) * max(min(b, at_s) - a, 0.0)
        for a, b, gain in zip(edges[:-1], edges[1:], gains, strict=True)
    )
    assert edges[-1] >= at_s
    assert row.delivered_bits == pytest.approx(bits, rel=1e-12)


def settled_at(air: Air, ask: Callable[[], Event]) -> float:
    air.world.env.run(until=ask())
    return float(air.world.env.now)


def test_after_silence_others_wait_for_a_deadline_and_no_longer() -> None:
    air = start()
    medium, inbox = air.world.medium, air.world.stations[1].inbox
    air.world.env.run()
    now_s = air.world.env.now
    medium.silence(air.world.stations[0], [1], Turn(2))
    assert settled_at(air, lambda: inbox.all_ended([0], Turn(2))) == now_s + 2.0
    assert inbox.counts.missed == 1


def test_nothing_is_sent_to_a_device_that_is_not_there() -> None:
    air = start()
    env, stations = air.world.env, air.world.stations
    env.run()
    now_s, rows = env.now, len(air.trace.transfers)
    stations[1].present = False
    sent = air.world.medium.send(
        stations[0], [AddressedMessage(1, BITS, "a"), AddressedMessage(2, BITS, "b")], Turn(2)
    )
    refused, *none = air.trace.transfers[rows:]
    assert not none
    assert (refused.dst, refused.outcome) == (1, TransferOutcome.CANCELLED)
    assert (refused.start_s, refused.end_s, refused.delivered_bits) == (now_s, now_s, 0.0)
    assert (refused.bandwidth_hz, refused.power_w, refused.distance_m) == (0.0, 0.0, 50.0)
    # The other has all of the bandwidth.
    assert in_use_hz(stations[0]) == W
    env.run()
    assert sent.over.processed
    assert air.trace.transfers[-1].outcome is TransferOutcome.DELIVERED
    assert air.trace.transfers[-1].bandwidth_hz == pytest.approx(W, rel=1e-12)
