"""The reference of a scenario: complete, true to what the loader does, and found by any path."""

from pathlib import Path
from typing import Any

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.key_paths import key_paths
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.scenario.reference import Key, Variant, every_key, explained, nearest_name, sections
from cosim.scenario.values import kind, unit, written

SMALLEST = "rounds: 2\nlearning: none\nmethod: local\ndevices: [{count: 3}]\n"
KEYS = list(every_key())


@pytest.fixture
def smallest(tmp_path: Path) -> Path:
    """A scenario that leaves all to its defaults."""
    path = tmp_path / "smallest.yaml"
    path.write_text(SMALLEST, encoding="utf-8")
    return path


def value_at(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        data = data[int(step) if step.isdecimal() else step]
    return data


def test_it_has_every_key_that_an_override_may_name() -> None:
    names = {key.name for key in KEYS} | {f"{k.name}.{k.word_key}" for k in KEYS if k.word_key}
    assert set(key_paths()) <= names
    assert [key.name for key in sections()] == list(Scenario.model_fields)


def test_every_key_has_a_meaning() -> None:
    assert not [key.name for key in KEYS if not key.meaning]


@pytest.mark.parametrize(
    ("path", "words", "kinds", "bounds", "default", "in_unit"),
    [
        ("rounds", (), ("integer",), "≥ 1, ≤ 1e6", None, ""),
        ("seed", (), ("integer",), "≥ 0, ≤ 2^63 − 1", "1", ""),
        ("radio.carrier_hz", (), ("number",), "≥ 1e8, ≤ 3e11", "3.5e9", "Hz"),
        ("radio.fading", ("none", "block", "clarke"), ("mapping",), "", "clarke", ""),
        ("area", (), ("mapping",), "", "{radius_m: 100}", ""),
        ("training", (), ("mapping",), "", "", ""),
        ("tasks", (), ("mapping of names to mapping",), "", "{}", ""),
        ("devices.0.profile.mix", (), ("mapping of names to number",), "> 0, ≤ 100000", None, ""),
        ("devices.0.profile.peak_flop_s", (), ("number",), "≥ 1, ≤ 1e18", None, "FLOP/s"),
        ("devices.0.mobility.speed_m_s", (), ("[number, number]",), "", "[0.5, 2]", "m/s"),
        (
            "devices.0.mobility.centre_deg",
            (),
            ("[number, number]", "null"),
            "≥ -90, ≤ 90; ≥ -180, ≤ 360",
            "null",
            "°",
        ),
    ],
)
def test_types_ranges_defaults_and_units(
    path: str,
    words: tuple[str, ...],
    kinds: tuple[str, ...],
    bounds: str,
    default: str | None,
    in_unit: str,
) -> None:
    (key,) = explained(path)
    assert isinstance(key, Key)
    assert (key.words, key.kinds, key.bounds) == (words, kinds, bounds)
    assert (key.default, key.unit) == (default, in_unit)


def test_defaults_are_those_of_a_scenario_that_says_nothing(smallest: Path) -> None:
    filled = load(smallest, ()).model_dump(mode="json")
    compared = 0
    for key in KEYS:
        alone = key.name.count(".") < 2 and key.path[0] not in ("area", "learning", "method")
        if key.default and "mapping" not in key.kinds and alone:
            found = value_at(filled, key.path)
            assert written(found) == key.default or key.name in ("name", "rounds"), key.name
            compared += 1
    assert compared > 30


@pytest.mark.parametrize(
    "key",
    [k for k in KEYS if len(k.path) == 2 and k.bounds and k.kinds[0] in ("number", "integer")],
)
def test_ranges_are_those_of_the_loader(smallest: Path, key: Key) -> None:
    """A number beyond a bound is refused by the loader, whose message says the same bound."""
    for limit in key.bounds.split(", "):
        sign, number = limit.split(" ")
        beyond = float(number) + (-1 if sign in "≥>" else 1) * max(1.0, abs(float(number)))
        value = round(beyond) if key.kinds[0] == "integer" else beyond
        learning = "learning.model=none" if key.name.startswith("learning.") else "rounds=2"
        if key.word == "language_model":
            learning = "learning.model=language_model"
        with pytest.raises(ScenarioError) as refused:
            load(smallest, [learning, f"{key.name}={value}"])
        assert f"{key.name}: expected" in str(refused.value)
        assert sign in str(refused.value)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("radio.power", ["radio.power"]),
        ("radio.power.policy", ["radio.power"]),
        ("radio.fading.clarke", ["clarke"]),
        ("devices.0.count", ["devices.0.count"]),
        ("devices.7.count", ["devices.0.count"]),
        ("devices.count", ["devices.0.count"]),
        ("tasks.sums.fields.prompt", ["tasks.NAME.fields.prompt"]),
        ("tasks.sums", ["tasks"]),
        # Two path losses have an exponent.
        ("radio.path_loss.exponent", ["radio.path_loss.exponent"] * 2),
        ("radio.path_loss.paper.exponent", ["radio.path_loss.exponent"]),
        ("radio.powr", []),
        ("radio.power.margin_db.more", []),
        ("devices.first.count", []),
        ("", []),
        (".", []),
    ],
)
def test_what_lies_at_a_path(path: str, names: list[str]) -> None:
    places = explained(path)
    assert [one.word if isinstance(one, Variant) else one.name for one in places] == names


def test_each_path_finds_its_key() -> None:
    for key in KEYS:
        assert key in explained(key.name), key.name


@pytest.mark.parametrize(
    ("written_name", "meant"),
    [
        ("radio.powr", "radio.power"),
        ("bandwith_hz", "radio.bandwidth_hz"),
        ("margin_db", "radio.power.margin_db"),
        ("evaluation.sample", "evaluation.samples"),
        ("radio.margin", "radio.power.margin_db"),
        ("trimed", "trimmed"),
        ("xyzzy", None),
    ],
)
def test_the_nearest_name(written_name: str, meant: str | None) -> None:
    assert nearest_name(written_name, ["trimmed"]) == meant


def test_units_are_those_that_names_end_with() -> None:
    ends = {"idle_w": "W", "max_speed_m_s": "m/s", "peak_flop_s": "FLOP/s", "payload_bits": "bit"}
    assert {name: unit(name) for name in ends} == ends
    assert unit("rounds") == ""
    assert unit("sinusoids") == ""


def test_kinds_in_words() -> None:
    assert kind({"type": "array", "items": {"type": "string"}}) == "list of texts"
    assert kind({"type": "array", "items": {"enum": ["a", "b"]}}) == "list of a, b"
    assert kind({"type": "object"}) == "mapping"
    assert kind({}) == "value"
