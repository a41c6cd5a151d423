"""Values by rule and with names: what they are, what their runs are called, what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.errors import ScenarioError
from cosim.sweeping.definition import Sweep, read_sweep
from cosim.sweeping.naming import point_label, point_name
from cosim.sweeping.rules import Rule

SCENARIO = """\
rounds: 3
learning: none
method: {name: lora}
devices:
  - {count: 3, mobility: {model: static}}
"""
SWEEP = """\
scenario: small.yaml
seeds: [3]
grid:
  method:
    named:
      plain LoRA: lora
      p=0.5: {name: lora, topology: {graph: erdos_renyi, probability: 0.5}}
  radio.deadline_s: {log: [0.1, 10, 3]}
zip:
  - radio.bandwidth_hz: [5.0e+6, 20.0e+6]
    rounds: {range: [1, 2, 1]}
"""


@pytest.fixture
def swept(tmp_path: Path) -> Callable[..., Sweep]:
    (tmp_path / "small.yaml").write_text(SCENARIO, encoding="utf-8")

    def read(*edits: tuple[str, str]) -> Sweep:
        text = SWEEP
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "named.yaml"
        path.write_text(text, encoding="utf-8")
        return read_sweep(path)

    return read


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ({"range": [5, 20, 5]}, [5, 10, 15, 20]),
        ({"range": [3, 1, -1]}, [3, 2, 1]),
        ({"range": [0.1, 0.4, 0.1]}, [0.1, 0.2, 0.3, 0.4]),
        ({"range": [7, 7, 1]}, [7]),
        ({"linear": [1, 9, 5]}, [1, 3, 5, 7, 9]),
        ({"linear": [0, 1, 4]}, [0, 0.333, 0.667, 1]),
        ({"linear": [1000.0, 1001.0, 5]}, [1000.0, 1000.25, 1000.5, 1000.75, 1001.0]),
        ({"linear": [0.123456, -1, 2]}, [0.123456, -1]),
        ({"log": [1e-4, 1e-2, 5]}, [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]),
        ({"log": [1, 100, 3]}, [1, 10, 100]),
        ({"log": [1000, 1001, 3]}, [1000, 1000.5, 1001]),
        ({"log": [8, 1, 4]}, [8, 4, 2, 1]),
        ({"named": {"a": None, "b": [1]}}, [None, [1]]),
    ],
)
def test_the_values_of_a_rule(rule: dict[str, Any], values: list[Any]) -> None:
    found = Rule.model_validate(rule).values()
    assert list(found) == values
    assert [type(value) for value in found] == [type(value) for value in values]


numbers = st.floats(1e-9, 1e9) | st.integers(1, 10**6)


@given(st.sampled_from(["linear", "log"]), numbers, numbers, st.integers(2, 40))
def test_ends_are_exact_and_what_lies_between_lies_between(
    kind: str, first: float, last: float, count: int
) -> None:
    try:
        values = Rule.model_validate({kind: [first, last, count]}).values()
    except ValueError:
        assert abs(first - last) <= 1e-9 * max(first, last), "only what is too near is refused"
        return
    assert (values[0], values[-1], len(values)) == (first, last, count)
    assert len(set(values)) == count
    assert list(values) == sorted(values, reverse=last < first)


def test_axes_that_are_zipped_move_together_and_all_others_are_combined(
    swept: Callable[..., Sweep],
) -> None:
    found = [
        (
            p.scenario.method.topology.word(),
            p.scenario.radio.deadline_s,
            p.scenario.radio.bandwidth_hz,
            p.scenario.rounds,
        )
        for p in swept().points
    ]
    assert found == [
        (topology, deadline_s, bandwidth_hz, rounds)
        for topology in (found[0][0], "erdos_renyi")
        for deadline_s in (0.1, 1, 10)
        for bandwidth_hz, rounds in ((5e6, 1), (20e6, 2))
    ]


def test_a_name_is_that_of_the_directory_and_of_the_rows_of_tables(
    swept: Callable[..., Sweep],
) -> None:
    points = swept().points
    assert points[0].name == (
        "method-plain-LoRA__deadline_s-0.1__bandwidth_hz-5e6__rounds-1__seed-3"
    )
    assert points[-1].name == "method-p=0.5__deadline_s-10__bandwidth_hz-2e7__rounds-2__seed-3"
    assert points[-1].label == "p=0.5 deadline_s=10 bandwidth_hz=2e7 rounds=2"
    assert points[-1].names == {"method": "p=0.5"}


def test_a_value_without_a_name_is_told_by_its_words_and_their_hash() -> None:
    values = {"method": {"name": "lora", "topology": "ring"}, "rounds": 3}
    assert point_name(values, 1) == "method-lora-ring-7f7ac0__rounds-3__seed-1"
    assert point_name(values, 1, {"rounds": "few"}) == "method-lora-ring-7f7ac0__rounds-few__seed-1"
    assert point_label(values, {}, values) is None
    mapping = {"method": "lora", "method.schedule": {"name": "synchronous", "mixings": 3.0}}
    assert point_label(mapping, {"method": "own"}, mapping) == "own schedule=synchronous 3"


def test_the_dump_keeps_names_and_values(swept: Callable[..., Sweep], tmp_path: Path) -> None:
    sweep = swept()
    copy = tmp_path / "copy.yaml"
    copy.write_text(sweep.dump(), encoding="utf-8")
    again = read_sweep(copy)
    assert [(p.name, p.label, p.scenario) for p in again.points] == [
        (p.name, p.label, p.scenario) for p in sweep.points
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "log:",
            "lgo:",
            "named.yaml:8: grid.radio.deadline_s.lgo: unknown key; did you mean 'log'",
        ),
        (
            "[0.1, 10, 3]",
            "[0.1, 10]",
            ":8: grid.radio.deadline_s.log: expected [first, last, count",
        ),
        ("zip:", "  zip:", ":9: grid.zip: 'zip' stands beside 'grid' and not in it: a list of"),
        ("[0.1, 10, 3]", "[0, 10, 3]", ":8: grid.radio.deadline_s.log: 0 is not above 0"),
        ("[0.1, 10, 3]", "[a, 10, 3]", "log.0: expected a number, got 'a'"),
        ("[0.1, 10, 3]", "[0.1, 10, 1]", "log.2: expected an integer ≥ 2"),
        ("[0.1, 10, 3]", "[-1, 10, 3]", "-1 is not above 0"),
        ("{log: [0.1, 10, 3]}", "{}", "got none of them"),
        ("[1, 2, 1]", "[1, 4, 2]", ":11: zip.0.rounds.range: steps of 2 from 1 do not meet 4; end"),
        ("[1, 2, 1]", "[1, 2, -1]", "steps of -1 do not lead from 1 to 2"),
        ("[1, 2, 1]", "[1, 3, 1]", ":11: zip.0.rounds: has 3 values and radio.bandwidth_hz has 2"),
        ("[1, 2, 1]", "[1, 1000000, 1]", "asks for 1000000 values, more than 10000"),
        ("rounds: {range", "method: {range", ":11: zip.0.method: the grid has it twice"),
        ("p=0.5:", "plain-LoRA:", "the names 'plain LoRA' and 'plain-LoRA' are too alike"),
        ("p=0.5:", "1/2:", "the name '1/2' does not fit"),
        ("plain LoRA: lora", "plain LoRA: lorra", ":6: method: 'lorra' is not a method"),
        ("named:", "name:", "did you mean 'named'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    swept: Callable[..., Sweep], old: str, new: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as refused:
        swept((old, new))
    assert said in str(refused.value)
    assert str(refused.value).count("\n") == 0
