"""When a device that compares what it holds with what it last said speaks, and what is refused."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cosim.methods import METHODS
from cosim.methods.adapter import Adapter
from cosim.methods.aggregation.snapshots import gossip_from_snapshots
from cosim.methods.message import Turn
from cosim.methods.projection.frozen import Frozen
from cosim.methods.projection.trained import Trained
from cosim.methods.sending.on_drift import OnDrift, drift, fires, threshold
from cosim.methods.sending.slot import Deciding
from cosim.methods.state import DeviceState
from cosim.randomness import stream


def at(round_: int) -> Deciding:
    return Deciding.of(1, 0, Turn(round_))


def state(B: float, A: float = 1.0) -> DeviceState:
    return DeviceState(Adapter(torch.full((3,), B), None, torch.full((1,), A)), density=1.0)


def test_a_threshold_falls_with_the_round_and_with_the_rate() -> None:
    assert [threshold(t, 0.6, "constant") for t in (1, 4, 9)] == [0.6] * 3
    assert [threshold(t, 0.6, "sqrt") for t in (1, 4, 9)] == pytest.approx([0.6, 0.3, 0.2])
    assert [threshold(t, 0.6, "linear") for t in (1, 2, 3)] == pytest.approx([0.6, 0.3, 0.2])
    # Weak and strong agents of EF-HC's code: bandwidths of 1000 and 21000, 5000 on average.
    assert threshold(1, 0.01, "sqrt", 1000 / 5000) == pytest.approx(0.05)
    assert threshold(1, 0.01, "sqrt", 21000 / 5000) == pytest.approx(0.0024, rel=0.01)
    assert threshold(1, 0.01, "sqrt", 0.0) == math.inf
    assert threshold(1, 0.0, "sqrt", 0.0) == 0.0


def test_drift_is_of_all_factors_together() -> None:
    now = {"B": torch.tensor([3.0, 0.0]), "A": torch.tensor([4.0, 0.0])}
    last = {name: torch.zeros(2) for name in now}
    assert drift(now, last, "l2") == 5.0
    assert drift(now, last, "rms") == 2.5
    assert fires(now, last, 5.0)
    assert not fires(now, last, math.nextafter(5.0, math.inf))
    assert fires(now, now, 0.0)
    assert not fires(now, now, 5e-324)


def test_what_it_last_said_begins_as_what_all_have_and_changes_when_it_speaks() -> None:
    part = OnDrift(threshold=1.0, decay="constant", norm="rms")
    own = part.begins(state(0.0), Trained())
    own, spoke = part.speaks(own, at(1))
    assert not spoke
    for B, expected in ((1.0, False), (1.2, True), (2.0, False), (0.1, False), (-0.1, True)):
        # All four values count, of which A does not move.
        own = own.with_adapter(values=torch.full((3,), B))
        own, spoke = part.speaks(own, at(2))
        assert spoke == expected, B
        if spoke:
            assert torch.equal(own.memory["sending"]["last"]["B"], own.adapter.values)


def test_a_factor_that_is_never_trained_does_not_count() -> None:
    part = OnDrift(threshold=1.0, decay="constant", norm="rms")
    own = part.begins(state(0.0), Frozen(seed="shared"))
    assert part.speaks(own.with_adapter(values=torch.ones(3)), at(1))[1]


def test_the_rate_of_a_device_divides_its_threshold() -> None:
    part = OnDrift(threshold=1.0, decay="constant", norm="rms", by="rate")
    moved = torch.full((3,), 1.9)
    spoke = {}
    for rate in (0.25, 1.0, 4.0):
        own = part.informed(part.begins(state(0.0), Trained()), rate)
        own = own.with_adapter(values=moved)
        own, spoke[rate] = part.speaks(own, at(1))
        assert own.memory["sending"]["rate"] == rate
    assert spoke == {0.25: False, 1.0: True, 4.0: True}


@given(seed=st.integers(0, 1000), steps=st.lists(st.floats(0, 2), min_size=1, max_size=12))
def test_the_first_message_comes_no_earlier_with_a_higher_threshold(
    seed: int, steps: list[float]
) -> None:
    draws = stream(seed, "trajectory")
    path = [torch.zeros(3)]
    for step in steps:
        path.append(path[-1] + step * torch.from_numpy(draws.standard_normal(3)).float())
    firsts = []
    for least in (0.1, 0.5, 1.0, 3.0):
        part = OnDrift(threshold=least, decay="constant")
        own, first = part.begins(state(0.0), Trained()), len(path)
        for number, values in reversed(list(enumerate(path[1:]))):
            _, spoke = part.speaks(own.with_adapter(values=values), at(1))
            first = number if spoke else first
        firsts.append(first)
    assert firsts == sorted(firsts)


def test_on_a_straight_way_a_higher_threshold_speaks_less_often() -> None:
    counts = []
    for least in (0.5, 1.0, 2.0, 5.0, 100.0):
        part = OnDrift(threshold=least, decay="constant", norm="l2")
        own, count = part.begins(state(0.0), Trained()), 0
        for step in range(1, 101):
            own = own.with_adapter(values=torch.full((3,), 0.1 * step))
            own, spoke = part.speaks(own, at(step))
            count += spoke
        counts.append(count)
    # A step is 0.1·√3 long: 3, 6, 12 and 29 of them make one message.
    assert counts == [33, 16, 8, 3, 0]


@given(seed=st.integers(0, 1000), devices=st.integers(2, 6))
def test_gossip_from_snapshots_keeps_the_mean(seed: int, devices: int) -> None:
    draws = stream(seed, "gossip")
    own, said = (torch.from_numpy(draws.standard_normal((devices, 5))) for _ in range(2))
    shares = torch.from_numpy(draws.random((devices, devices)))
    shares = (shares + shares.T) / 2
    mixed = [
        gossip_from_snapshots(
            own[i],
            said[i],
            {j: said[j] for j in range(devices) if j != i},
            {j: float(shares[i, j]) for j in range(devices)},
        )
        for i in range(devices)
    ]
    torch.testing.assert_close(torch.stack(mixed).sum(0), own.sum(0), rtol=1e-12, atol=1e-10)


REFUSED = [
    ("event_gossip", {"schedule": "asynchronous"}, "wait for each other"),
    ("ef_hc", {"schedule": "asynchronous"}, "wait for each other"),
    ("event_gossip", {"expansion": "gradient_mask"}, "use 'dense'"),
    ("ef_hc", {"expansion": "gradient_mask"}, "use expansion 'dense'"),
    ("event_gossip", {"weights": "by_rows"}, "use weights 'metropolis' or 'laplacian'"),
    ("event_gossip", {"weights": {"name": "uniform", "absent": "keep_own"}}, "both ends"),
    ("event_gossip", {"projection": "frozen"}, "every device has another A"),
    ("event_gossip", {"sending": {"name": "on_drift", "edge": "either"}}, "use edge: sender"),
    ("event_gossip", {"sending": "every_turn", "schedule": "asynchronous"}, "no age"),
    (
        "ef_hc",
        {"projection": {"name": "alternating", "factors": "active"}},
        "sends one of them a round: use factors: both",
    ),
    ("ef_hc", {"aggregation": "layerwise_mean"}, "may send some blocks alone"),
    ("local", {"sending": "on_drift"}, "devices hear each other"),
]


@pytest.mark.parametrize(("name", "parts", "reason"), REFUSED)
def test_what_has_no_meaning_is_refused_with_its_reason(
    name: str, parts: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        METHODS[name].with_(**parts)


@pytest.mark.parametrize("name", ["event_gossip", "ef_hc"])
def test_clusters_of_a_graph_may_keep_clocks_of_their_own(name: str) -> None:
    assert METHODS[name].with_(schedule="cluster").schedule.waits
