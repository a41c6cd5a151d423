"""What Lemma 1 cannot bring through is told by `check`, the manifest and the summary alike, and
telling it changes nothing of the run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cosim import read_run
from cosim.cli import app as cli
from cosim.mobility.trajectory import Static
from cosim.preflight.explain import explain, radio_facts
from cosim.scenario.model import Scenario
from cosim.simulation.links.channel import Channel
from cosim.simulation.setup import build, first_links
from tests.simulation.small_networks import (
    NO_LEARNING,
    PROFILE,
    MemoryTrace,
    method,
    play_to_the_end,
    scenario,
    world_at,
    world_of,
)

FORCED = {"graph": "random", "degree": 2, "limit_by_links": False}
ON_OFF = {"model": "exponential", "mean_on_s": 3.0, "mean_off_s": 2.0}
WALK = {"model": "random_waypoint", "speed_m_s": [0.5, 3.0]}
MOBILITY = [
    {"model": "static"},
    WALK,
    {"model": "gauss_markov", "mean_speed_m_s": 2.0},
]
# 60 Mbit to two within 2 s over 20 MHz are 3 bit/s/Hz.
BUSY = NO_LEARNING | {"payload_bits": 60_000_000}


def short(topology: Any = FORCED, **sections: Any) -> Scenario:
    """Eight devices in a disc of 3 km, whose links are far too long."""
    chosen: dict[str, Any] = {
        "method": method(topology),
        "learning": BUSY,
        "area": {"shape": "disc", "radius_m": 3000},
        "devices": [{"count": 8, "profile": PROFILE}],
    }
    return scenario(**chosen | sections)


def of_lemma_1(sentences: Any) -> list[str]:
    return [sentence for sentence in sentences if "Lemma 1" in sentence]


@pytest.mark.parametrize(
    ("topology", "said"),
    [
        (FORCED, " of 14 links cannot meet Γ at their mean gain"),
        ("complete", " of 56 links cannot meet Γ at their mean gain"),
        ("random", "nobody is in reach within Γ"),
    ],
)
def test_check_manifest_and_summary_say_it_once_in_the_same_words(
    topology: Any,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    payload = NO_LEARNING | {"payload_bits": 400_000_000 if topology == "random" else 60_000_000}
    chosen = short(topology, learning=payload)
    (sentence,) = of_lemma_1(explain(chosen).warnings)
    assert said in sentence
    world = world_of(chosen, MemoryTrace())
    assert of_lemma_1(world.warnings) == [sentence]
    path, out = tmp_path / "s.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(chosen.model_dump(mode="json")), encoding="utf-8")
    told = {}
    for command in (["check", path], ["run", path, "--out", out]):
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, command)])
        with pytest.raises(SystemExit):
            cli.main()
        told[command[0]] = " ".join(capsys.readouterr().out.split())
    assert of_lemma_1(read_run(out).manifest["warnings"]) == [sentence]
    assert told["check"].count(sentence) == 1
    assert told["run"].count(sentence) == 1


def test_what_is_carried_is_not_told() -> None:
    near = short(area={"shape": "disc", "radius_m": 20})
    assert of_lemma_1(explain(near).warnings) == []
    assert of_lemma_1(world_of(near, MemoryTrace()).warnings) == []
    alone = short(devices=[{"count": 1}])
    assert of_lemma_1(world_of(alone, MemoryTrace()).warnings) == []


@pytest.mark.slow
@pytest.mark.parametrize("availability", [{"model": "always"}, ON_OFF])
@pytest.mark.parametrize("mobility", MOBILITY, ids=lambda own: own["model"])
@pytest.mark.parametrize("topology", ["complete", "random", FORCED, {"graph": "nearest"}], ids=str)
def test_a_run_is_the_same_whether_it_is_told_or_not(
    topology: Any, mobility: Any, availability: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, with shadowing, lines of sight and fading drawn."""
    devices = [{"count": 8, "profile": PROFILE, "mobility": mobility, "availability": availability}]
    chosen = short(
        topology,
        devices=devices,
        area={"shape": "disc", "radius_m": 150},
        radio={
            "path_loss": {"model": "d2d_outdoor"},
            "shadowing": {"sigma_db": 7.0},
            "fading": {"model": "clarke", "sinusoids": 8},
        },
    )

    def played() -> MemoryTrace:
        trace = MemoryTrace()
        play_to_the_end(world_of(chosen, trace))
        return trace

    told = played()
    asked = []
    monkeypatch.setattr(build, "first_links", lambda *_: asked.append(1))
    untold = played()
    assert asked == [1]
    assert vars(told) == vars(untold)
    assert told.events


def test_drawn_spells_are_the_same_whoever_looks_first() -> None:
    chosen = short(devices=[{"count": 20, "availability": ON_OFF}])
    devices, untouched = build.build_devices(chosen), build.build_devices(chosen)
    there = [first_links._there(device) for device in devices]
    assert set(there) == {True, False}
    for one, other, was in zip(devices, untouched, there, strict=True):
        assert one.spells is not None
        assert other.spells is not None
        spells = [next(iter(own)) for own in (one.spells, other.spells)]
        assert spells[0] == spells[1]
        assert (spells[0][0] == 0.0) is was


def test_spells_that_can_be_gone_through_once_are_left_to_the_run() -> None:
    def once() -> Iterator[tuple[float, float]]:
        yield 0.0, 1.0

    spells = once()
    places = [(0.0, 0.0), (2900.0, 0.0)]
    chosen = short(devices=[{"count": 2}])
    world = world_at(chosen, MemoryTrace(), places, spells={1: spells})
    assert of_lemma_1(world.warnings)
    assert list(spells) == [(0.0, 1.0)]


@pytest.mark.parametrize("graph", ["nearest", "random"])
def test_a_range_that_joins_nobody_is_told_as_that(graph: str) -> None:
    """Not as a matter of the radio, which carries these links easily."""
    chosen = short({"graph": graph, "range_m": 1.0}, learning=NO_LEARNING)
    apart = [(10.0 * number, 0.0) for number in range(8)]
    said = "no two devices are within range_m (1 m) of each other at the start"
    assert world_at(chosen, MemoryTrace(), apart).warnings == [f"Lemma 1: {said}"]
    near = [(0.5, 0.0), *apart[:7]]
    assert of_lemma_1(world_at(chosen, MemoryTrace(), near).warnings) == []


def test_in_range_and_out_of_reach_is_a_matter_of_the_radio() -> None:
    wide = {"graph": "random", "range_m": 1e6}
    chosen = short(wide, learning=NO_LEARNING | {"payload_bits": 400_000_000})
    assert "nobody is in reach within Γ; raise" in of_lemma_1(explain(chosen).warnings)[0]


def test_one_is_told_in_the_singular() -> None:
    """Five in a row, the last of which is farther from all than the range."""
    chosen = short({"graph": "nearest", "degree": 2, "range_m": 20.0}, learning=NO_LEARNING)
    for far, said in ((1, "1 of 5 devices has no link"), (2, "2 of 5 devices have no link")):
        places = [(10.0 * n if n < 5 - far else 1000.0 * n, 0.0) for n in range(5)]
        channel = Channel(chosen.radio, [Static(*place) for place in places], chosen.seed)
        devices = build.build_devices(chosen)[:5]
        links = first_links.first_links(chosen, devices, channel, 1000)
        facts = {fact.name: fact for fact in radio_facts(chosen, devices, 1000, 1000, links)}
        assert said in facts["Lemma 1"].value
    assert links is not None
    for reduced, told in ((1, "1 sender less"), (2, "2 senders less")):
        fewer = replace(links, reduced=reduced)
        assert first_links.shortfall(chosen, fewer) == f"p_max leaves {told} than the margin"


def test_links_at_the_start_are_those_of_the_first_round() -> None:
    """Drawn anew every round or once for all, whoever asks first."""
    for redraw in (True, False):
        graph = {"graph": "erdos_renyi", "probability": 0.4, "redraw": redraw}
        chosen = short(graph, learning=NO_LEARNING, area={"shape": "disc", "radius_m": 20})
        trace = MemoryTrace()
        play_to_the_end(world_of(chosen, trace))
        sent = sum(row.round == 1 for row in trace.transfers)
        (fact,) = [fact for fact in explain(chosen).facts if fact.name == "Lemma 1"]
        assert sent > 0
        assert fact.value.startswith(f"{sent} links at the start")


def test_chance_that_joins_nobody_is_not_a_matter_of_the_radio() -> None:
    for graph in ("erdos_renyi", "pairs"):
        chosen = short({"graph": graph, "probability": 1e-9, "range_m": 1e4})
        explained = explain(chosen)
        assert of_lemma_1(explained.warnings) == []
        (fact,) = [fact for fact in explained.facts if fact.name == "Lemma 1"]
        assert fact.value == "no link at the start: no pair of 8 devices meets in round 1"
        apart = short({"graph": graph, "probability": 1.0, "range_m": 1.0})
        (said,) = of_lemma_1(explain(apart).warnings)
        assert "no two devices are within range_m (1 m)" in said
