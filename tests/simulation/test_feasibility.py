"""What `cosim check` foresees is what the run then does."""

import math
from pathlib import Path

import pytest

from cosim.lifecycle.play import play
from cosim.methods.topology.clusters import Clusters
from cosim.methods.topology.random import RandomGraph
from cosim.preflight.explain import compute_fact, explain
from cosim.randomness import stream
from cosim.simulation.setup.build import given_work
from cosim.trace.schema import TransferOutcome
from tests.simulation.small_networks import NO_LEARNING, method, scenario, simulate


@pytest.mark.parametrize("count", [1, 2, 3, 6])
@pytest.mark.parametrize(
    "graph", ["none", "complete", "ring", {"graph": "random", "degree": 1}, "random"]
)
def test_no_graph_gives_a_device_more_receivers(count: int, graph: object) -> None:
    chosen = scenario(method=method(graph), devices=[{"count": count}])
    choice = chosen.method.topology
    assert not isinstance(choice, Clusters)
    degrees = {
        len(others)
        for round_ in range(20)
        for others in choice.neighbours(range(count), stream(1, "topology", round_)).values()
    }
    assert max(degrees) == choice.most_receivers(count - 1)
    assert isinstance(choice, RandomGraph) or len(degrees) == 1


def facts(**radio: object) -> dict[str, str | None]:
    """Every fact's warning, by name."""
    area = {"shape": "disc", "radius_m": 50}
    chosen = scenario(area=area, radio={"fading": {"model": "none"}} | radio)
    return {fact.name: fact.warning for fact in explain(chosen).facts}


def test_what_fits_has_no_warning_and_is_delivered() -> None:
    assert not any(facts().values())
    assert {row.outcome for row in simulate(scenario()).transfers} == {TransferOutcome.DELIVERED}


def test_a_payload_beyond_the_spectrum_is_warned_of_and_late() -> None:
    """4 Mbit in 2 s over 0.2 MHz are 10 bit/s/Hz; at 0.5 MHz, 4 bit/s/Hz, they are not too many."""
    warnings = facts(bandwidth_hz=2.0e5)
    assert warnings["Q·n/(W·Γ)"] is not None
    assert "at least 1e+06" in warnings["Q·n/(W·Γ)"]
    assert facts(bandwidth_hz=5.0e5)["Q·n/(W·Γ)"] is None


def test_too_little_power_is_warned_of_and_late() -> None:
    weak = {"p_max_dbm": -30, "fading": {"model": "none"}}
    warning = facts(**weak)["Lemma 1"]
    assert warning is not None
    assert "infeasible" in warning
    trace = simulate(scenario(radio=weak), at=[(0.0, 0.0), (45.0, 0.0)])
    assert {row.outcome for row in trace.transfers} == {TransferOutcome.LATE}


def test_the_compute_time_is_the_one_of_the_trace() -> None:
    chosen = scenario(
        learning=NO_LEARNING | {"flop": 3.0e12},
        devices=[
            {"count": 1, "profile": "flagship_phone"},
            {"count": 1, "profile": "raspberry_pi_5"},
        ],
    )
    times = sorted(row.compute_s for row in simulate(chosen).rounds)
    assert times == pytest.approx([3.0 / (2.77 * 0.3), 3.0 / (0.154 * 0.4)])
    said = compute_fact(chosen, [given_work(chosen)] * 2).value
    assert f"a round: {times[0]:.3g} s to {times[1]:.3g} s" in said


def test_the_coherence_time_is_that_of_the_two_fastest() -> None:
    walk = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0]}
    chosen = scenario(
        devices=[{"count": 1, "mobility": walk}, {"count": 1, "mobility": {"model": "static"}}]
    )
    found = {fact.name: fact.value for fact in explain(chosen).facts}["coherence time"]
    doppler = 3.0 * 3.5e9 / 299_792_458.0
    coherence = math.sqrt(9 / (16 * math.pi)) / doppler
    assert found.startswith(f"{coherence * 1e3:.1f} ms")
    assert found.endswith(f"Γ is {2.0 / coherence:.0f} of them")


def lemma_1(**sections: object) -> tuple[str, str | None]:
    """What `cosim check` says of the first links, and its warning."""
    (fact,) = [one for one in explain(scenario(**sections)).facts if one.name == "Lemma 1"]
    return fact.value, fact.warning


def at(*places: tuple[float, float]) -> list[dict[str, object]]:
    static = {"model": "static", "placement": "given", "positions_m": list(places)}
    return [{"count": len(places), "mobility": static}]


WIDE = {"shape": "disc", "radius_m": 3000}


def test_links_are_judged_where_the_devices_are_and_not_by_the_area() -> None:
    """Three devices within 4 m of each other in a disc of 3 km, and one that is 2.5 km away."""
    near = at((0.0, 0.0), (3.0, 0.0), (0.0, 4.0))
    value, warning = lemma_1(area=WIDE, devices=near)
    assert value.startswith("6 links at the start: median 4.0 m")
    assert warning is None
    far = at((0.0, 0.0), (3.0, 0.0), (0.0, 4.0), (2500.0, 0.0))
    busy = {"model": "none", "payload_bits": 60_000_000}
    warning = lemma_1(area=WIDE, devices=far, learning=busy)[1]
    assert warning is not None
    assert "6 of 12 links cannot meet Γ" in warning


def test_whom_nobody_can_reach_is_told() -> None:
    graph = method({"graph": "random", "degree": 2})
    far = at((0.0, 0.0), (2900.0, 0.0))
    busy = {"model": "none", "payload_bits": 80_000_000}
    value, warning = lemma_1(area=WIDE, devices=far, method=graph, learning=busy)
    assert value == "no link at the start: no pair of 2 devices can be joined"
    assert warning is not None
    assert "infeasible" in warning
    alone = explain(scenario(devices=[{"count": 1}], method=method("ring"))).facts
    assert "none: one device is alone" in {fact.value for fact in alone}


def test_what_goes_with_the_path_loss_of_36_843_is_told() -> None:
    warnings = facts(path_loss={"model": "d2d_outdoor"})
    assert "sigma_db: 7" in str(warnings["shadowing"])
    assert "line of sight" in warnings
    shadowed = facts(path_loss={"model": "d2d_outdoor"}, shadowing={"sigma_db": 7})
    assert shadowed["shadowing"] is None
    assert "shadowing" not in facts()


@pytest.mark.parametrize(
    ("quantity", "sections"),
    [
        ("Q·n/(W·Γ)", {"radio": {"bandwidth_hz": 2.0e5, "fading": {"model": "none"}}}),
        ("Lemma 1", {"radio": {"p_max_dbm": -30, "fading": {"model": "none"}}}),
        (
            "shadowing",
            {"radio": {"path_loss": {"model": "d2d_outdoor"}, "fading": {"model": "none"}}},
        ),
    ],
)
def test_a_run_repeats_what_check_warns_of(
    quantity: str, sections: dict[str, object], tmp_path: Path
) -> None:
    chosen = scenario(**sections)
    warned = explain(chosen).warnings
    assert any(sentence.startswith(f"{quantity}: ") for sentence in warned)
    assert list(play(chosen, tmp_path / "run").manifest["warnings"]) == list(warned)
