"""What is on its way between two devices: told once, kept when late, lost with its inbox."""

from collections.abc import Mapping
from typing import Any

import pytest

from cosim.methods.message import Turn
from cosim.methods.workload import Workload
from cosim.scenario.model import Scenario
from cosim.simulation.message import AddressedMessage
from cosim.simulation.rounds.expert_exchange import spread_experts
from cosim.simulation.rounds.plan import Plan
from cosim.trace.schema import EventKind, TransferKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    RecordingLearner,
    metres,
    scenario,
    simulate,
    world_at,
)

MBIT = 1_000_000
NEAR = [(0.0, 0.0), (metres(15.0), 0.0)]  # 4 Mbit/s
FAR = [(0.0, 0.0), (metres(1.0), 0.0)]  # 1 Mbit/s


class Introducing(RecordingLearner):
    """Updates of 1 Mbit, and 1 Mbit more for a receiver that has heard nothing of the sender; a
    mixing computes for `mixing_s` with `PROFILE`."""

    def __init__(self, chosen: Scenario, mixing_s: float = 0.0) -> None:
        super().__init__(chosen)
        self.known: set[tuple[int, int]] = set()
        self.lost: list[int] = []
        self.mixing = Workload.of_flop(mixing_s * 5.0e11)

    def payload_bits(self, update: Any, receiver: int) -> int:
        return MBIT if (update[0], receiver) in self.known else 2 * MBIT

    def hear(self, device: int, update: Any) -> None:
        self.known.add((update[0], device))

    def lose(self, device: int) -> None:
        self.lost.append(device)

    def mixing_work(self, device: int, inbox: Mapping[int, Any]) -> Workload:
        return self.mixing if inbox else Workload.none()


def profiles(*seconds: float) -> list[dict[str, Any]]:
    """A device each that computes so long."""
    return [{"count": 1, "profile": PROFILE | {"peak_flop_s": 2.0e12 / s}} for s in seconds]


def played(
    at: Any, devices: Any, *, mixing_s: float = 0.0, spells: Any = None, **sections: Any
) -> tuple[MemoryTrace, Introducing]:
    radio = ROUND_RADIO | sections.pop("radio", {})
    chosen = scenario(learning=NO_LEARNING, devices=devices, radio=radio, **sections)
    learner = Introducing(chosen, mixing_s)
    return simulate(chosen, at=at, spells=spells, learner=learner), learner


def asynchronous() -> dict[str, Any]:
    return {"name": "proposed_single_cluster", "topology": "ring", "schedule": "asynchronous"}


def test_a_receiver_that_has_not_mixed_yet_is_told_once() -> None:
    """Device 0 computes for 0.5 s and device 1 for 20 s."""
    trace, learner = played(NEAR, profiles(0.5, 20.0), method=asynchronous(), rounds=6)
    assert [row.bits for row in trace.sent(0, 1)] == [2 * MBIT] + [MBIT] * 5
    assert {row.outcome for row in trace.sent(0, 1)} == {TransferOutcome.DELIVERED}
    assert learner.mixed_by(1)[0] == ({0: (0, 6)}, {0: 0})


def test_bits_are_asked_for_when_the_air_is_free() -> None:
    """1 Mbit/s: 2 Mbit take from 0.25 s to 2.25 s, and only then the next update is sized."""
    trace, _ = played(FAR, profiles(0.25, 20.0), method=asynchronous(), rounds=3)
    sent = trace.sent(0, 1)
    assert [row.bits for row in sent] == [2 * MBIT, MBIT, MBIT]
    assert [row.start_s for row in sent] == pytest.approx([0.25, 2.25, 3.25], rel=1e-12)


def test_what_comes_late_and_whole_is_heard_too() -> None:
    """Γ is 1.5 s and the introduction takes 2 s."""
    trace, _ = played(FAR, profiles(2.0, 2.0), rounds=2, radio={"late": "stale", "deadline_s": 1.5})
    first, second = trace.sent(0, 1)
    assert first.outcome == TransferOutcome.LATE
    assert first.end_s == pytest.approx(4.0, rel=1e-12)
    assert (second.bits, second.outcome) == (MBIT, TransferOutcome.DELIVERED)


def test_what_is_cut_off_before_it_has_mixed_forgets() -> None:
    trace, learner = played(
        NEAR,
        profiles(0.5, 20.0),
        method=asynchronous(),
        rounds=2,
        spells={1: [(0.0, 1.5), (30.0, 100.0)]},
    )
    assert trace.sent(0, 1)[0].outcome is TransferOutcome.DELIVERED
    assert learner.lost == [1]


def test_mixing_takes_its_time_and_its_energy() -> None:
    """2 s of fine-tuning, 0.5 s on the air, 0.75 s of mixing, at 5 W and 4.5e11 FLOP more."""
    trace, learner = played(NEAR, profiles(2.0, 2.0), mixing_s=0.75)
    (row,) = trace.rounds_of(0)
    assert (row.end_s, row.compute_s) == pytest.approx((3.25, 2.75), rel=1e-12)
    assert row.energy_compute_j == pytest.approx(5.0 * 2.75, rel=1e-12)
    assert row.flop == pytest.approx(1.0e12 + 0.75 * 5.0e11, rel=1e-12)
    assert trace.times(EventKind.COMPUTE_END, 0) == pytest.approx([2.0, 3.25], rel=1e-12)
    assert trace.times(EventKind.AGGREGATE, 0) == pytest.approx([3.25], rel=1e-12)
    assert learner.mixed_by(0) == [({1: (1, 1)}, {1: 0})]


@pytest.mark.parametrize("battery", [False, True])
def test_who_is_cut_off_while_it_mixes_has_mixed_nothing(battery: bool) -> None:
    """Mixing would last from 2.5 s to 3.25 s."""
    cut = 10.0 + 0.5 * (0.5 + 0.75 + (1.0 / 0.4 + 0.25)) + 0.5 * 5.0
    own = PROFILE | {"battery_j": cut} if battery else PROFILE
    trace, learner = played(
        NEAR,
        [{"count": 1, "profile": own}, {"count": 1, "profile": PROFILE}],
        mixing_s=0.75,
        spells=None if battery else {0: [(0.0, 3.0), (50.0, 99.0)]},
    )
    (cut_s,) = trace.times(EventKind.CUT_OFF, 0)
    assert cut_s == pytest.approx(3.0, rel=1e-12)
    assert learner.mixed_by(0) == []
    assert learner.lost[0] == 0
    (row,) = trace.rounds_of(0)
    assert (row.compute_s, row.flop) == pytest.approx((2.5, 1.25e12), rel=1e-12)


def test_without_a_neighbours_update_nothing_is_computed() -> None:
    trace, _ = played(NEAR[:1], profiles(2.0), mixing_s=0.75)
    assert trace.rounds_of(0)[0].compute_s == pytest.approx(2.0, rel=1e-12)
    assert len(trace.times(EventKind.COMPUTE_START, 0)) == 1


def heads(rounds: int, **radio: Any) -> tuple[MemoryTrace, RecordingLearner]:
    """Two clusters of one device, 1 Mbit/s apart, that exchange after each round at Γ = 2.5 s."""
    chosen = scenario(
        rounds=rounds,
        learning=NO_LEARNING,
        adapter={"density": 0.9},
        method={
            "name": "proposed_single_cluster",
            "topology": {
                "graph": "clusters",
                "max_collision_rate": 0.01,
                "exchange_every": 1,
                "exchange_attempts": 1,
            },
        },
        devices=[{"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | {"deadline_s": 2.5, "late": "stale"} | radio,
    )
    learner = RecordingLearner(chosen)
    return simulate(chosen, at=FAR, learner=learner), learner


def test_a_late_expert_is_stored_when_it_is_whole_and_not_charged_again() -> None:
    """4 Mbit take 4 s: the next round's fine-tuning is over before, and nothing else is sent."""
    trace, learner = heads(4)
    experts = [row for row in trace.transfers if row.kind is TransferKind.EXPERT]
    assert [(row.src, row.dst, row.outcome) for row in experts[:2]] == [
        (0, 1, TransferOutcome.LATE),
        (1, 0, TransferOutcome.LATE),
    ]
    whole = {(row.src, row.dst) for row in experts if row.delivered_bits == row.bits}
    assert whole == {(0, 1), (1, 0)}
    for link in whole:
        rows = [row for row in experts if (row.src, row.dst) == link]
        arrived = next(n for n, row in enumerate(rows) if row.delivered_bits == row.bits)
        assert rows[arrived + 1 :] == []
    assert learner.bank(0) == learner.bank(1) == {0, 1}


def test_an_exchange_in_which_nobody_lacks_anything_cuts_nothing() -> None:
    """Two heads that hold the same experts: the late update of one of them goes on."""
    chosen = scenario(
        learning=NO_LEARNING,
        devices=[{"count": 2, "profile": PROFILE}],
        radio=ROUND_RADIO | {"late": "stale"},
    )
    trace = MemoryTrace()
    world = world_at(chosen, trace, FAR)
    world.learner.hear(0, frozenset({0, 1}))
    world.learner.hear(1, frozenset({0, 1}))

    def exchange() -> Any:
        world.medium.send(world.stations[0], [AddressedMessage(1, 3 * MBIT, None)], Turn(1))
        yield world.env.timeout(2.5)
        yield from spread_experts(world, Plan(1, {0: (), 1: ()}), 3)
        world.medium.send(world.stations[0], [], Turn(1))

    world.env.process(exchange())
    world.env.run()
    (late,) = trace.transfers
    assert (late.outcome, late.delivered_bits) == (TransferOutcome.LATE, 3 * MBIT)
    assert late.end_s == pytest.approx(3.0, rel=1e-12)
