"""Sums on the air played whole: turns by a colouring, powers, energies, who is missing."""

import math
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.methods.message import Superposed, Turn
from cosim.physics.over_the_air import estimate_error
from cosim.scenario.model import Scenario
from cosim.trace.schema import Cause, TransferOutcome
from tests.simulation.air_networks import (
    GUARD,
    SUMS_S,
    W_HZ,
    Speaking,
    before_s,
    chosen_of,
    played,
    reply_s,
    reports_s,
    stars,
    turn_s,
    updates,
)
from tests.simulation.small_networks import PROFILE, metres

PAIRED = {"graph": "nearest", "degree": 1}


def test_powers_invert_the_channels_and_the_weakest_sends_at_p_max() -> None:
    trace = played(chosen_of())
    for rows in stars(updates(trace)).values():
        assert max(row.power_w for row in rows) == pytest.approx(1.0)
        assert all(row.power_w <= 1.0 for row in rows)
        received = [10 ** (row.mean_snr_db / 10) for row in rows]
        assert received == pytest.approx([received[0]] * 3), "all arrive alike"
        error = [row.estimate_error for row in rows]
        assert error == pytest.approx([1 / (received[0] * 9)] * 3)
        nearest = min(rows, key=lambda row: row.distance_m)
        assert nearest.power_w == min(row.power_w for row in rows)


def test_who_is_below_the_threshold_takes_no_part_and_the_others_send_less() -> None:
    far = [(0.0, 0.0), (metres(40), 0.0), (0.0, metres(20)), (0.0, -metres(2))]
    for threshold_db, heard in ((3.0, 3), (3.1, 2)):
        chosen = chosen_of(access={"threshold_db": threshold_db})
        learner = Speaking(chosen)
        trace = played(chosen, learner, places=far)
        (rows,) = (rows for (_, dst), rows in stars(updates(trace)).items() if dst == 0)
        by_sender = {row.src: row for row in rows}
        assert sum(row.outcome is TransferOutcome.DELIVERED for row in rows) == heard
        assert set(learner.mixed[0, 1][0]) == {1, 2, 3} - ({3} if heard == 2 else set())
        assert trace.rounds_of(0)[0].missed == 3 - heard
        if heard == 2:
            out = by_sender[3]
            assert (out.outcome, out.cause) == (TransferOutcome.OUTAGE, Cause.INFEASIBLE_POWER)
            assert out.start_s == out.end_s
            assert (out.power_w, out.energy_tx_j, out.symbols) == (0.0, 0.0, 0)
            assert by_sender[2].power_w == pytest.approx(1.0), "now the weakest"
        else:
            assert by_sender[3].power_w == pytest.approx(1.0)
            assert by_sender[2].power_w == pytest.approx(0.1)


def test_the_learner_is_told_what_the_air_did() -> None:
    chosen = chosen_of(rounds=2)
    learner = Speaking(chosen)
    trace = played(chosen, learner)
    for (device, round_), (inbox, passages) in learner.mixed.items():
        assert inbox == {other: (other, Turn(round_)) for other in range(4) if other != device}
        (told,) = set(passages.values())
        assert isinstance(told, Superposed)
        error = [row.estimate_error for row in stars(updates(trace))[round_, device]]
        assert error == pytest.approx([float(estimate_error(told.eta_w, told.noise_w, 3))] * 3)


def test_a_device_that_diverged_listens_and_is_missed() -> None:
    chosen = chosen_of()
    learner = Speaking(chosen)
    learner.quarantined = (2,)
    trace = played(chosen, learner)
    assert {row.src for row in updates(trace)} == {0, 1, 3}
    assert set(learner.mixed[2, 1][0]) == {0, 1, 3}
    assert [trace.rounds_of(device)[0].missed for device in range(4)] == [1, 1, 0, 1]
    assert [trace.rounds_of(device)[0].received for device in range(4)] == [2, 2, 3, 2]


@pytest.mark.parametrize(
    "gone_s",
    [
        1.0,
        2.0 + reports_s(3) / 2,
        2.0 + reports_s(3),
        2.0 + reports_s(3) + 0.5 * GUARD / W_HZ,
        2.0 + reports_s(3) + GUARD / W_HZ + reply_s() / 2,
        2.0 + before_s(3) - 0.5 * GUARD / W_HZ,
        2.03,
        2.0 + turn_s(3) - 0.5 * GUARD / W_HZ,
        2.0 + turn_s(3) + reports_s(3) / 2,
        2.12,
        2.3,
    ],
)
@pytest.mark.parametrize("device", [0, 3])
def test_a_device_that_goes_ends_what_it_sends_and_hears(device: int, gone_s: float) -> None:
    """Before it speaks, amid reports, what a receiver tells, sums and guards, and amid turns of its
    own and of others."""
    chosen = chosen_of(rounds=2)
    learner = Speaking(chosen)
    spells = {device: [(0.0, gone_s)]}
    trace = played(chosen, learner, spells=spells)
    rows = trace.transfers
    assert all(row.end_s <= gone_s for row in rows if device in (row.src, row.dst))
    cut = [row for row in rows if row.outcome is TransferOutcome.CANCELLED]
    assert all(row.end_s == pytest.approx(gone_s) for row in cut)
    assert all(row.cause is Cause.AVAILABILITY for row in cut)
    whole = {row.number for row in updates(trace) if row.outcome is TransferOutcome.DELIVERED}
    for (dst, round_), (inbox, passages) in learner.mixed.items():
        arrived = {row.src for row in stars(updates(trace))[round_, dst] if row.number in whole}
        assert set(inbox) == set(passages) == arrived
    others = [one for one in range(4) if one != device]
    assert {row.round for row in trace.rounds_of(others[0])} == {1, 2}
    for one in others:
        assert set(learner.mixed[one, 2][0]) == set(others) - {one}
        first = trace.rounds_of(one)[0]
        assert first.received + first.missed == 3
    counts = Counter(row.number for row in rows)
    assert max(counts.values()) == 1


def test_groups_have_their_turns_on_clocks_of_their_own() -> None:
    """Two pairs of which one is slower by half a turn: both hear each other, at once."""
    chosen = chosen_of(4, "pairs")
    data = chosen.model_dump()
    data["method"] = {"name": "air_fedavg", "schedule": "cluster", "topology": PAIRED}
    flop_s = PROFILE["peak_flop_s"]
    slower = PROFILE | {"peak_flop_s": flop_s * 2.0 / (2.0 + SUMS_S / 2)}
    static = {"model": "static"}
    data["devices"] = [
        {"count": 2, "profile": PROFILE, "mobility": static},
        {"count": 2, "profile": slower, "mobility": static},
    ]
    near = [(0.0, 0.0), (1.0, 0.0), (500.0, 0.0), (501.0, 0.0)]
    trace = played(Scenario.model_validate(data), places=near)
    rows = updates(trace)
    assert [(row.src, row.dst) for row in rows] == [(1, 0), (3, 2), (0, 1), (2, 3)]
    assert {row.outcome for row in rows} == {TransferOutcome.DELIVERED}
    assert rows[1].start_s < rows[0].end_s
    assert all(row.end_s - row.start_s == pytest.approx(SUMS_S) for row in rows)


def test_a_battery_that_runs_out_in_a_turn() -> None:
    chosen = chosen_of(3)
    data = chosen.model_dump()
    data["devices"][0]["profile"]["battery_j"] = 2 * 5.0 + 0.05
    trace = played(Scenario.model_validate(data))
    cut = [row for row in updates(trace) if row.outcome is TransferOutcome.CANCELLED]
    assert cut
    assert {row.cause for row in cut} == {Cause.BATTERY_EMPTY}
    assert all(0 <= (row.symbols or 0) < 50_000 for row in cut)


def test_fading_and_range_play_with_energies_that_add_up() -> None:
    chosen = chosen_of(
        4, {"graph": "erdos_renyi", "probability": 0.6}, 5, fading={"model": "block"}
    )
    trace = played(chosen)
    assert all(row.power_w <= 1.0 for row in updates(trace))
    for device in range(4):
        sent = [row for row in trace.transfers if row.src == device]
        spent = sum(row.energy_tx_j for row in trace.rounds_of(device))
        assert spent == pytest.approx(sum(row.energy_tx_j for row in sent))
        heard = [row for row in trace.transfers if row.dst == device]
        listened = sum(row.energy_rx_j for row in trace.rounds_of(device))
        assert listened == pytest.approx(sum(row.energy_rx_j for row in heard))
    # Half duplex: whoever sends values does not hear any meanwhile, and sends to one device.
    rows = [row for row in updates(trace) if row.end_s > row.start_s]
    for one in rows:
        for other in rows:
            meanwhile = one.start_s < other.end_s and other.start_s < one.end_s
            if meanwhile and other is not one:
                assert one.dst != other.src
                assert one.src != other.src


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"method": "lora"}, "needs each by itself"),
        ({"method": "lori"}, "needs each by itself"),
        ({"method": {"name": "air_fedavg", "schedule": "asynchronous"}}, "nobody waits"),
        (
            {"method": {"name": "air_fedavg", "schedule": {"name": "synchronous", "mixings": 2}}},
            "one turn a receiver",
        ),
        ({"method": {"name": "air_fedavg", "sending": "on_drift"}}, "use 'every_turn'"),
        ({"method": {"name": "air_fedavg", "topology": "random"}}, "limit_by_links: false"),
        ({"method": {"name": "air_fedavg", "codec": {"name": "rounded"}}}, "do not add up"),
        ({"adapter": {"bits_per_value": 16}}, "not rounded"),
        ({"radio": {"access": "air", "share": "dynamic"}}, "use 'fixed'"),
        ({"radio": {"access": "air", "packets": "blocks"}}, "use 'fluid'"),
        ({"radio": {"access": "air", "late": "stale"}}, "use 'drop'"),
    ],
)
def test_what_cannot_be_added_up_is_refused(section: dict[str, Any], words: str) -> None:
    data = chosen_of().model_dump() | section
    with pytest.raises(ValidationError, match=words):
        Scenario.model_validate(data)


def test_devices_that_talk_to_nobody_need_no_air() -> None:
    data = chosen_of().model_dump() | {"method": "local"}
    trace = played(Scenario.model_validate(data))
    assert not trace.transfers
    assert math.isclose(trace.rounds[0].end_s, 2.0)
