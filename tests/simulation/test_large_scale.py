"""Path loss with lines of sight, shadowing and the power fallbacks, through the whole simulator."""

import itertools
import math

import numpy as np
import pytest

from cosim.errors import ScenarioError
from cosim.mobility.trajectory import Static
from cosim.physics.d2d import los_loss_db, los_probability, nlos_loss_db
from cosim.preflight.explain import explain
from cosim.randomness import stream
from cosim.scenario.radio import Radio
from cosim.simulation.links import large_scale
from cosim.simulation.links.channel import Channel
from cosim.trace.schema import Cause, EventKind, TransferOutcome
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    ZERO_MARGIN,
    MemoryTrace,
    scenario,
    simulate,
    world_of,
)

TIMES_S = np.linspace(0.0, 40.0, 81)
WALK = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0]}
STILL = {"model": "none"}
SHADOWED = {"sigma_db": 6.0, "decorrelation_m": 8.0}


def walkers(count: int, **radio: object) -> Channel:
    chosen = scenario(
        devices=[{"count": count, "profile": PROFILE, "mobility": WALK}],
        radio={"fading": {"model": "clarke", "sinusoids": 8}} | radio,
    )
    return world_of(chosen, MemoryTrace()).medium.channel


CHOICES = [
    {"path_loss": {"model": "d2d_outdoor"}},
    {"shadowing": SHADOWED},
    {"path_loss": {"model": "d2d_outdoor"}, "shadowing": SHADOWED},
]


@pytest.mark.parametrize("radio", CHOICES)
def test_both_directions_and_any_order_see_the_same(radio: dict[str, object]) -> None:
    one, other = walkers(4, **radio), walkers(6, **radio)
    other.mean_gains([(5, 0), (5, 1)], 7.0)
    there = np.array([one.mean_gains([(0, 1), (0, 2), (0, 3)], time) for time in TIMES_S])
    for k, device in enumerate((1, 2, 3)):
        back = [other.mean_gains([(device, 0)], time)[0] for time in TIMES_S[::-1]]
        np.testing.assert_array_equal(there[::-1, k], back)


@pytest.mark.parametrize("radio", CHOICES)
def test_the_slots_have_the_mean_gain_of_their_moment(radio: dict[str, object]) -> None:
    channel = walkers(3, **radio, fading=STILL)
    slots = channel.slot_gains([(0, 2), (0, 1)], TIMES_S, [1, 1])
    middles = (TIMES_S[:-1] + TIMES_S[1:]) / 2
    expected = [channel.mean_gains([(0, 2), (0, 1)], time) for time in middles]
    np.testing.assert_allclose(slots.T, expected, rtol=1e-12)


def test_a_line_of_sight_is_one_draw_of_the_pair() -> None:
    radio = Radio(path_loss={"model": "d2d_outdoor"}, fading=STILL)
    seen = 0.0
    for device in range(1, 400):
        channel = Channel(radio, [Static(0.0, 0.0)] * device + [Static(50.0, 0.0)], 3)
        (gain,) = channel.mean_gains([(device, 0)], 0.0)
        sees = stream(3, "los", 0, device).random() < los_probability(50.0)
        loss = los_loss_db(50.0, 3.5e9) if sees else nlos_loss_db(50.0, 3.5e9)
        assert gain == pytest.approx(10 ** (-float(loss) / 10), rel=1e-12)
        seen += float(sees)
    share = float(los_probability(50.0))
    assert abs(seen / 399 - share) < 4.5 * math.sqrt(share * (1 - share) / 399)


def test_shadowing_multiplies_the_mean_gain_and_nothing_else() -> None:
    plain, shadowed = walkers(3), walkers(3, shadowing=SHADOWED)
    for receiver in (1, 2):
        link = [(0, receiver)]
        ratio = shadowed.slot_gains(link, TIMES_S, [1]) / plain.slot_gains(link, TIMES_S, [1])
        middle = (TIMES_S[1:] + TIMES_S[:-1]) / 2
        mean = [shadowed.mean_gains(link, t)[0] / plain.mean_gains(link, t)[0] for t in middle]
        np.testing.assert_allclose(ratio[0], mean, rtol=1e-9)
        assert np.ptp(mean) > 0.1


def test_shadowing_over_pairs_has_its_deviation() -> None:
    radio = Radio(shadowing=SHADOWED, fading=STILL)
    receivers = list(range(1, 2_001))
    channel = Channel(radio, [Static(0.0, 0.0)] + [Static(30.0, 0.0)] * 2_000, 5)
    plain = Channel(Radio(fading=STILL), channel.trajectories, 5)
    found = 10 * np.log10(
        channel.mean_gains([(0, other) for other in receivers], 0.0)
        / plain.mean_gains([(0, 1)], 0.0)
    )
    assert abs(found.mean()) < 4.5 * 6.0 / math.sqrt(2_000)
    assert abs(np.mean((found / 6.0) ** 2) - 1) < 4.5 * math.sqrt(2 / 2_000)


@pytest.mark.slow
def test_what_is_kept_of_pairs_is_bounded_and_what_is_not_is_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All pairs of 40 devices, of which 50 are kept: the same gains as where all are kept, singly
    and together, before and after the others were asked for."""
    radio = {"path_loss": {"model": "d2d_outdoor"}, "shadowing": SHADOWED, "fading": STILL}
    pairs = list(itertools.combinations(range(40), 2))
    roomy = walkers(40, **radio)
    monkeypatch.setattr(large_scale, "_RANKS", 50)
    monkeypatch.setattr(large_scale, "_FIELDS", 50)
    narrow = walkers(40, **radio)
    expected = roomy.slot_gains(pairs, TIMES_S[:3], [1] * len(pairs))
    for order in (1, -1):
        found = narrow.slot_gains(pairs[::order], TIMES_S[:3], [1] * len(pairs))
        np.testing.assert_array_equal(found[::order], expected)
    middle_s = float(TIMES_S[0] + TIMES_S[1]) / 2
    np.testing.assert_array_equal(narrow.mean_gains(pairs, middle_s), expected[:, 0])
    singly = [narrow.mean_gains([link], middle_s)[0] for link in pairs]
    np.testing.assert_array_equal(singly, expected[:, 0])
    kept = narrow._large_scale
    assert kept._los_rank.cache_info().currsize == kept._field.cache_info().currsize == 50


def test_lemma_1_from_the_mean_knows_the_shadow() -> None:
    """Without fading the mean is all there is, so zero margin ends at Γ whatever the shadow."""
    chosen = scenario(
        devices=[{"count": 4, "profile": PROFILE, "mobility": {"model": "static"}}],
        radio={
            "fading": STILL,
            "shadowing": {"sigma_db": 8.0},
            "p_max_dbm": 60,
            "power": ZERO_MARGIN | {"channel_knowledge": "mean"},
        },
    )
    trace = simulate(chosen)
    assert {row.outcome for row in trace.transfers} == {TransferOutcome.DELIVERED}
    assert all(row.end_s == row.deadline_at_s for row in trace.transfers)


def test_a_carrier_that_the_model_does_not_cover_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"radio\.path_loss: carrier_hz must be 0\.45 to 6 GHz"):
        walkers(2, path_loss={"model": "d2d_outdoor"}, carrier_hz=28e9)


@pytest.mark.parametrize("fallback", ["scale", "drop_weakest", "max_power"])
def test_the_fallbacks_on_the_air(fallback: str) -> None:
    """Receivers at 50 m and 60 m fit into p_max, one at 3 km asks for far more."""
    chosen = scenario(
        learning=NO_LEARNING | {"payload_bits": 5_000_000},
        devices=[{"count": 4, "profile": PROFILE}],
        radio={
            "fading": STILL,
            "deadline_s": 1.0,
            "p_max_dbm": 10,
            "power": ZERO_MARGIN | {"fallback": fallback},
        },
    )
    trace = simulate(chosen, at=[(0.0, 0.0), (50.0, 0.0), (0.0, 60.0), (3_000.0, 0.0)])
    sent = [row for row in trace.transfers if row.src == 0]
    near, next_, far = sorted(sent, key=lambda row: row.dst)
    assert math.fsum(row.power_w for row in sent) <= 0.01 * (1 + 1e-12)
    assert {row.bandwidth_hz for row in trace.transfers} == {20.0e6 / 3}
    starts = [one for one in trace.events if one.kind is EventKind.SEND_START and one.device == 0]
    assert {one.cause for one in starts} == {Cause.INFEASIBLE_POWER}
    if fallback == "scale":
        assert {row.outcome for row in sent} == {TransferOutcome.LATE}
    elif fallback == "drop_weakest":
        assert {near.outcome, next_.outcome} == {TransferOutcome.DELIVERED}
        assert near.end_s == next_.end_s == near.deadline_at_s
        assert (far.outcome, far.power_w, far.end_s) == (TransferOutcome.OUTAGE, 0.0, far.start_s)
    else:
        assert near.power_w == next_.power_w == far.power_w == pytest.approx(0.01 / 3)
        assert near.outcome is next_.outcome is TransferOutcome.DELIVERED
        assert near.end_s < near.deadline_at_s
        assert far.outcome is TransferOutcome.LATE


def test_check_names_the_fallback() -> None:
    radio = {"path_loss": {"model": "d2d_outdoor"}, "p_max_dbm": -30}
    chosen = scenario(radio=radio | {"power": ZERO_MARGIN | {"fallback": "drop_weakest"}})
    (fact,) = [one for one in explain(chosen).facts if one.name == "Lemma 1"]
    assert fact.warning is not None
    assert "the weakest receivers will get no power" in fact.warning
