"""Refusals for people: the right line, the real path, plain words, the nearest name."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from ruamel.yaml import YAML

from cosim.errors import ScenarioError
from cosim.scenario.complaints.validate import validate
from cosim.scenario.overrides import apply_overrides
from cosim.scenario.reading.document import read_document


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Still(Part):
    kind: Literal["still"] = "still"


class RandomWaypoint(Part):
    kind: Literal["random_waypoint"] = "random_waypoint"
    speed_m_s: float = Field(gt=0, description="the speed in metres per second")

    @field_validator("speed_m_s")
    @classmethod
    def _slower_than_light(cls, value: float) -> float:
        if value > 3e8:
            raise ValueError("nothing is faster than light")
        return value


Mobility = Annotated[Still | RandomWaypoint, Field(discriminator="kind")]


class Device(Part):
    count: int = Field(1, ge=1)
    mobility: Mobility = Still()
    indoors: bool = False


class Radio(Part):
    deadline_s: float = Field(gt=0, allow_inf_nan=False, description="a number of seconds")
    bandwidth_hz: float | Literal["auto"] = "auto"
    powers_w: tuple[Annotated[float, Field(ge=0)], ...] = ()
    share: Annotated[float, AfterValidator(lambda share: share), Field(le=1)] = 1.0


class Task(Part):
    max_terms: int = 2
    source: Still | list[int] | None = None


class Toy(Part):
    rounds: int = Field(3, ge=1)
    name: str = "toy"
    radio: Radio = Radio(deadline_s=1.0)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    devices: list[Device] = []
    spare: Device | None = None
    tasks: dict[str, Task] = {}
    weights: dict[Literal["mean", "max"], float] = {}
    seed: int = Field(0, alias="random_seed")

    @model_validator(mode="after")
    def _named(self) -> "Toy":
        if self.name == "nameless":
            raise ValueError("a toy needs a real name")
        return self


Complain = Callable[..., list[str]]


@pytest.fixture
def complain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complain:
    monkeypatch.chdir(tmp_path)

    def complain(text: str, *overrides: str) -> list[str]:
        Path("a.yaml").write_text(text, encoding="utf-8")
        document = apply_overrides(read_document(Path("a.yaml")), overrides)
        with pytest.raises(ScenarioError) as refused:
            validate(document, Toy)
        return str(refused.value).split("\n")

    return complain


def test_valid_document_becomes_the_model(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("rounds: 2\ndevices:\n- mobility: {kind: random_waypoint, speed_m_s: 1e1}\n")
    toy = validate(read_document(path), Toy)
    assert toy.rounds == 2
    assert toy.devices[0].mobility == RandomWaypoint(speed_m_s=10.0)


CASES = [
    ("rounds: 0\n", "a.yaml:1: rounds: expected an integer ≥ 1, got 0"),
    ("\nrounds: many\n", "a.yaml:2: rounds: expected an integer ≥ 1, got 'many'"),
    ("rounds: 2.5\n", "a.yaml:1: rounds: expected an integer ≥ 1, got 2.5"),
    ("name: 3\n", "a.yaml:1: name: expected text, got 3"),
    ("name: nameless\n", "a.yaml: a toy needs a real name"),
    ("random_seed: x\n", "a.yaml:1: random_seed: expected an integer, got 'x'"),
    (
        "optimizer: AdamV\n",
        "a.yaml:1: optimizer: 'AdamV' is not one of adamw, sgd; did you mean 'adamw'?",
    ),
    (
        "radio:\n  deadline_s: 1\n  powers: 3\n",
        "a.yaml:3: radio.powers: unknown key; did you mean 'powers_w'? "
        "(expected one of: deadline_s, bandwidth_hz, powers_w, share)",
    ),
    (
        "radio:\n  Deadlin_s: 1\n",
        "a.yaml:2: radio.Deadlin_s: unknown key; did you mean 'deadline_s'? "
        "(expected one of: deadline_s, bandwidth_hz, powers_w, share)",
    ),
    ("radio: {}\n", "a.yaml:1: radio: the key 'deadline_s' is missing (a number of seconds)"),
    (
        "radio: {deadline_s: .inf}\n",
        "a.yaml:1: radio.deadline_s: expected a finite number > 0, got .inf",
    ),
    (
        "radio:\n  deadline_s: 1\n  bandwidth_hz: atuo\n",
        "a.yaml:3: radio.bandwidth_hz: expected a number or 'auto', got 'atuo'; "
        "did you mean 'auto'?",
    ),
    (
        "radio:\n  deadline_s: 1\n  powers_w:\n  - 1\n  - -2\n",
        "a.yaml:5: radio.powers_w.1: expected a number ≥ 0, got -2",
    ),
    (
        "radio: {deadline_s: 1, powers_w: 3}\n",
        "a.yaml:1: radio.powers_w: expected a list, each a number ≥ 0, got 3",
    ),
    (
        "radio: {deadline_s: 1, share: 2}\n",
        "a.yaml:1: radio.share: expected a number ≤ 1, got 2",
    ),
    ("radio: [1]\n", "a.yaml:1: radio: expected a mapping with the keys deadline_s, bandwidth_hz, "
     "powers_w, share, got [1]"),
    (
        "devices:\n- mobility:\n    kind: random_waypoint\n    speed_m_s: -1\n",
        "a.yaml:4: devices.0.mobility.speed_m_s: expected a number > 0, got -1",
    ),
    (
        "devices:\n- mobility:\n    kind: random_waypoint\n    speed_m_s: 1e9\n",
        "a.yaml:4: devices.0.mobility.speed_m_s: nothing is faster than light",
    ),
    (
        "devices:\n- mobility:\n    kind: random_waypoint\n",
        "a.yaml:2: devices.0.mobility: the key 'speed_m_s' is missing "
        "(the speed in metres per second)",
    ),
    (
        "spare:\n  mobility:\n    kind: still\n    still: 1\n",
        "a.yaml:4: spare.mobility.still: unknown key (expected one of: kind)",
    ),
    (
        "spare:\n  mobility:\n    kind: random\n",
        "a.yaml:3: spare.mobility.kind: 'random' is not one of still, random_waypoint",
    ),
    (
        "spare:\n  mobility:\n    kind: Stil\n",
        "a.yaml:3: spare.mobility.kind: 'Stil' is not one of still, random_waypoint; "
        "did you mean 'still'?",
    ),
    (
        "spare:\n  mobility:\n    knd: still\n",
        "a.yaml:2: spare.mobility: the key 'kind' is missing "
        "(one of still, random_waypoint; found 'knd')",
    ),
    (
        "spare:\n  mobility: still\n",
        "a.yaml:2: spare.mobility: expected a mapping with the key 'kind' "
        "(still, random_waypoint), got 'still'; did you mean {kind: still}?",
    ),
    (
        "spare: {indoors: maybe}\n",
        "a.yaml:1: spare.indoors: expected true or false, got 'maybe'",
    ),
    (
        "tasks:\n  sums:\n    max_trms: 3\n",
        "a.yaml:3: tasks.sums.max_trms: unknown key; did you mean 'max_terms'? "
        "(expected one of: max_terms, source)",
    ),
    ("tasks:\n  sums:\n    source: [1, a]\n",
     "a.yaml:3: tasks.sums.source.1: expected an integer, got 'a'"),
    ("weights:\n  man: 1\n",
     "a.yaml:2: weights.man: the key 'man' is not one of mean, max; did you mean 'mean'?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_one_mistake_is_one_line(complain: Complain, text: str, expected: str) -> None:
    assert complain(text) == [expected]


def test_long_values_are_shortened(complain: Complain) -> None:
    (line,) = complain(f"rounds: {'x' * 500}\n")
    assert len(line) < 140
    assert line.endswith("…")


def test_first_five_in_the_order_of_the_file(complain: Complain) -> None:
    text = "zz: 1\n" + "".join(f"unknown{n}: 1\n" for n in range(5)) + "rounds: 0\n"
    lines = complain(text)
    assert [line.split(":")[1] for line in lines[:5]] == ["1", "2", "3", "4", "5"]
    assert lines[5:] == ["and 2 more"]


def test_overrides_are_named_instead_of_lines(complain: Complain) -> None:
    lines = complain("rounds: 0\nradio:\n  deadline_s: 1\n", "radio.deadline_s=-1", "spare.cout=1")
    assert lines == [
        "--set radio.deadline_s=-1: radio.deadline_s: expected a number > 0, got -1",
        "--set spare.cout=1: spare.cout: unknown key; did you mean 'count'? "
        "(expected one of: count, mobility, indoors)",
        "a.yaml:1: rounds: expected an integer ≥ 1, got 0",
    ]


def test_missing_key_of_a_level_that_an_override_made(complain: Complain) -> None:
    assert complain("rounds: 1\n", "radio.share=0.5") == [
        "--set radio.share=0.5: radio: the key 'deadline_s' is missing (a number of seconds)"
    ]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(["still", "auto", "x\ny"])
)
KEYS = st.sampled_from(
    ["rounds", "radio", "devices", "spare", "tasks", "mobility", "kind", "speed_m_s", "source",
     "deadline_s", "powers_w", "weights", "bandwidth_hz", "still", "x", "0", ""]
)  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
JARGON = ("Input should", "union_tag", "http", "pydantic", "Extra inputs", "Field required")


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.dictionaries(KEYS, TREES, max_size=4))
def test_any_structure_is_a_model_or_a_scenario_error(tmp_path: Path, data: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(data, file)
    message = str(path)
    try:
        validate(read_document(path), Toy)
    except ScenarioError as refused:
        message = str(refused)
    assert not any(word in message for word in JARGON)
    assert all(line.startswith((str(path), "and ")) for line in message.split("\n"))
