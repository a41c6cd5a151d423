"""Several mixings a round: each on the air by itself, with whoever is slow, silent or gone."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.learning.records import FineTuned, Outgoing
from cosim.methods import METHODS
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup import build
from cosim.trace.schema import EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    metres,
    scenario,
    simulate,
)

BITS = 1_000_000
# On a line, so that neighbours are near in one place and far in another.
UNEQUAL = [(x, 0.0) for x in (0.0, metres(30), metres(15), metres(3), metres(2.8))]


class Talking(NullLearner):
    """Each message says whose and of which turn it is; what is mixed is kept."""

    silent: tuple[int, ...] = ()
    quarantined: tuple[int, ...] = ()

    def __init__(self, chosen: Scenario) -> None:
        super().__init__(BITS, build.given_work(chosen))
        self.mixed: dict[tuple[int, Turn], tuple[dict[int, Any], dict[int, int]]] = {}

    def submit(self, device: int, round_: int) -> Any:
        """A job whose result may be quarantined."""
        job = super().submit(device, round_)
        if device in self.quarantined and job is not None:
            job.result = lambda: FineTuned(loss=None, quarantined=True)  # type: ignore[method-assign]
        return job

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        """The scenario's bits, and who speaks when."""
        if device in self.silent and turn.mixing == 1:
            return None
        return Outgoing((device, turn), dict.fromkeys(receivers, BITS))

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Any:
        assert (device, turn) not in self.mixed
        self.mixed[device, turn] = dict(inbox), dict(ages)
        return super().mix(device, inbox, ages, turn, graph, flights)


def chosen_of(mixings: int, rounds: int = 2, devices: int = 5, **radio: Any) -> Scenario:
    return scenario(
        rounds=rounds,
        learning=NO_LEARNING | {"payload_bits": BITS, "flop": 1.0e11},
        devices=[{"count": devices, "profile": PROFILE, "mobility": {"model": "static"}}],
        method={
            "name": "lora",
            "topology": "line",
            "schedule": {"name": "synchronous", "mixings": mixings},
        },
        radio=ROUND_RADIO | radio,
    )


def played(
    chosen: Scenario, kind: type[Talking] = Talking, **others: Any
) -> tuple[MemoryTrace, Talking]:
    learner = kind(chosen)
    return simulate(chosen, at=UNEQUAL[: chosen.device_count], learner=learner, **others), learner


def test_every_mixing_is_sent_waited_for_and_mixed_by_itself() -> None:
    """What a faster neighbour says of the next mixing before one has ended this, waits for it."""
    trace, learner = played(chosen_of(3))
    turns = [Turn(round_, mixing) for round_ in (1, 2) for mixing in range(3)]
    assert set(learner.mixed) == {(device, turn) for device in range(5) for turn in turns}
    for (device, turn), (inbox, ages) in learner.mixed.items():
        others = [other for other in (device - 1, device + 1) if 0 <= other < 5]
        assert inbox == {other: (other, turn) for other in others}
        assert set(ages.values()) == {0}
    assert Counter(Turn(row.round, row.mixing) for row in trace.transfers) == dict.fromkeys(
        turns, 8
    )
    mixed_s = defaultdict(list)
    for event in trace.events:
        if event.kind is EventKind.AGGREGATE:
            mixed_s[event.round, event.device].append(event.time_s)
    early = 0
    for row in trace.transfers:
        mine = mixed_s[row.round, row.src]
        if row.mixing:
            assert row.start_s == mine[row.mixing - 1]
        assert row.end_s <= mine[row.mixing]
        assert row.end_s <= mixed_s[row.round, row.dst][row.mixing]
        early += row.mixing > 0 and row.end_s < mixed_s[row.round, row.dst][row.mixing - 1]
    assert early > 0  # else the test shows nothing
    for times in mixed_s.values():
        assert times == sorted(times)
        assert len(times) == 3


@pytest.mark.parametrize("mixings", [1, 2, 5])
def test_bits_time_and_energy_on_the_air_grow_with_the_mixings(mixings: int) -> None:
    """Two devices, each alone with the other: J transfers one after the other."""
    once, _ = played(chosen_of(1, rounds=1, devices=2))
    trace, _ = played(chosen_of(mixings, rounds=1, devices=2))
    (first,) = once.sent(0, 1)
    for row, of_one in zip(trace.rounds, once.rounds, strict=True):
        assert row.bits_sent == mixings * of_one.bits_sent
        assert row.received == mixings
        assert row.energy_tx_j == pytest.approx(mixings * of_one.energy_tx_j, rel=1e-9)
        assert row.energy_rx_j == pytest.approx(mixings * of_one.energy_rx_j, rel=1e-9)
        expected_s = of_one.end_s + (mixings - 1) * (first.end_s - first.start_s)
        assert row.end_s == pytest.approx(expected_s, rel=1e-9)
    deadlines = [row.deadline_at_s - row.start_s for row in trace.transfers]
    assert deadlines == pytest.approx([2.0] * 2 * mixings, rel=1e-12)


def test_one_mixing_is_what_a_schedule_is_without_them() -> None:
    plain = chosen_of(1)
    word = plain.model_dump() | {"method": {"name": "lora", "topology": "line"}}
    assert plain == Scenario.model_validate(word)
    assert plain.model_dump(mode="json")["method"]["schedule"] == "synchronous"
    assert simulate(plain).rows == simulate(Scenario.model_validate(word)).rows


def test_a_message_that_is_late_is_missed_in_its_mixing_alone() -> None:
    """Γ is too short for the far ones: every mixing takes Γ, and mixes what the near ones said."""
    trace, learner = played(chosen_of(3, rounds=1, deadline_s=0.4))
    late = {(row.src, row.dst) for row in trace.transfers if row.outcome is TransferOutcome.LATE}
    assert late
    assert any(row.outcome is TransferOutcome.DELIVERED for row in trace.transfers)
    for (device, turn), (inbox, _) in learner.mixed.items():
        for sender, said in inbox.items():
            assert said == (sender, turn)
            assert (sender, device) not in late
    for row in trace.rounds:
        heard = [t for t in trace.transfers if t.dst == row.device]
        assert row.missed == sum(t.outcome is TransferOutcome.LATE for t in heard)


@pytest.mark.parametrize("cut_s", [0.1, 0.3, 0.8, 1.5, 2.5, 3.5])
def test_a_device_that_leaves_is_waited_for_once(cut_s: float) -> None:
    """Whenever it goes, others end their round; they miss what it owed, and wait Γ at most."""
    trace, learner = played(chosen_of(3, rounds=2), spells={1: [(0.0, cut_s)]})
    whole, _ = played(chosen_of(3, rounds=2))
    cut = [event for event in trace.events if event.kind is EventKind.CUT_OFF]
    assert [(event.device, event.time_s) for event in cut] == [(1, cut_s)]
    in_round = cut[0].round
    for device in (0, 2, 3, 4):
        for round_ in (1, 2):
            turns = [turn for one, turn in learner.mixed if one == device and turn.round == round_]
            assert turns == [Turn(round_, mixing) for mixing in range(3)]
    (row,) = [row for row in trace.rounds_of(0) if row.round == in_round]
    assert row.received + row.missed == 3
    came = [
        t for t in trace.sent(1, 0) if (t.round, t.outcome) == (in_round, TransferOutcome.DELIVERED)
    ]
    assert row.missed == 3 - len(came)
    ends = {(row.round, row.device): row.end_s for row in whole.rounds}
    assert row.end_s <= ends[in_round, 0] + 2.0


def test_who_is_silent_or_quarantined_in_a_mixing_holds_nobody_up() -> None:
    class Silent(Talking):
        silent = (0, 2)

    class Quarantined(Talking):
        quarantined = (2,)

    trace, learner = played(chosen_of(3, rounds=1), Silent)
    assert learner.mixed[1, Turn(1, 1)][0] == {}
    assert learner.mixed[1, Turn(1, 2)][0] == {0: (0, Turn(1, 2)), 2: (2, Turn(1, 2))}
    assert all(row.missed == 0 for row in trace.rounds)
    trace, learner = played(chosen_of(3, rounds=1), Quarantined)
    for mixing in range(3):
        assert set(learner.mixed[1, Turn(1, mixing)][0]) == {0}
    assert {row.device: row.missed for row in trace.rounds} == {0: 0, 1: 3, 2: 0, 3: 3, 4: 0}


@pytest.mark.parametrize("schedule", ["asynchronous", "cluster"])
def test_devices_on_clocks_of_their_own_mix_once(schedule: str) -> None:
    with pytest.raises(ValidationError, match="keep step"):
        METHODS["lora"].with_(schedule={"name": schedule, "mixings": 2})
    METHODS["lora"].with_(schedule={"name": schedule, "mixings": 1})


@pytest.mark.parametrize(
    ("method", "reason"), [("proposed", "keeps sets of experts"), ("lori", "averages nothing")]
)
def test_what_several_mixings_do_nothing_for_is_refused(method: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        METHODS[method].with_(schedule={"name": "synchronous", "mixings": 2})
