"""`cosim explain`: what a user reads of a key, of a variant, of a method, and of a typo."""

from pathlib import Path
from typing import Any

import pytest

from cosim.methods import METHODS
from cosim.methods.words import method_words
from cosim.scenario.reference import every_key, sections


def test_alone_it_lists_the_sections(cosim: Any) -> None:
    ended = cosim("explain")
    assert (ended.code, ended.err) == (0, "")
    first_words = [line.split(" ")[0] for line in ended.out.splitlines()]
    assert [word for word in first_words if word][:-1] == [key.name for key in sections()]


def test_a_key_with_its_type_range_default_unit_and_meaning(cosim: Any) -> None:
    assert cosim("explain", "radio.carrier_hz") == (
        0,
        "radio.carrier_hz\n  carrier frequency\n  number, ≥ 1e8, ≤ 3e11, in Hz\n  default 3.5e9\n",
        "",
    )
    assert "  integer, ≥ 1, ≤ 1e6\n  required\n" in cosim("explain", "rounds").out


def test_a_key_and_the_keys_inside_it(cosim: Any) -> None:
    out = cosim("explain", "radio.power").out
    for line in (
        "  lemma1, max_power or mapping",
        "  policy: lemma1",
        "    margin_db: power above Lemma 1's",
        "      number, ≥ 0, ≤ 60, in dB; default 3",
        "  policy: max_power",
    ):
        assert line in out.splitlines()


def test_a_key_that_two_variants_have(cosim: Any) -> None:
    out = cosim("explain", "radio.path_loss.exponent").out
    assert "radio.path_loss.exponent, of log_distance\n" in out
    assert "radio.path_loss.exponent, of paper\n" in out


def test_a_part_of_a_method_and_one_word_of_it(cosim: Any) -> None:
    ended = cosim("explain", "method.topology")
    assert ended.code == 0
    assert "  graph: random\n" in ended.out
    one = cosim("explain", "method.topology.random").out
    assert one.startswith("method.topology.random\n    A new uniform graph each round")
    assert "    degree: most neighbours" in one


@pytest.mark.parametrize("name", METHODS)
def test_a_method_by_its_name(cosim: Any, name: str) -> None:
    ended = cosim("explain", name)
    assert (ended.code, ended.err) == (0, "")
    told = " ".join(ended.out.split())
    assert METHODS[name].reference in told
    for part, choice in method_words(METHODS[name]):
        assert f"{part}: {choice}" in told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("radio.powr", "did you mean 'radio.power'?"),
        ("margin_db", "did you mean 'radio.power.margin_db'?"),
        ("propsed", "did you mean 'proposed'?"),
        ("xyzzy", "cosim explain lists the sections"),
        ("", "cosim explain lists the sections"),
    ],
)
def test_what_does_not_exist(cosim: Any, typed: str, said: str) -> None:
    ended = cosim("explain", typed)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"cosim: explain: '{typed}' is neither a key of a scenario nor a method; {said}\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize("columns", [20])
def test_every_key_fits_the_terminal(
    cosim: Any, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for key in every_key():
        ended = cosim("explain", key.name)
        assert ended.code == 0
        assert all(
            len(line) <= max(columns, 38) or " " not in line.strip()
            for line in ended.out.splitlines()
        ), key.name


FILE = '''\
from enum import Enum
from typing import Literal

from pydantic import Field

from cosim.methods import LORA, Topology, Weights


class Side(Enum):
    LEFT = "left"
    BOTH = "both"


class Circulant(Topology):
    """i is joined to i ± 1 and i ± s."""

    graph: Literal["circulant"] = "circulant"
    chord: int = Field(3, ge=2, description="s")
    side: Side = Field(Side.BOTH, description="of the chords")

    def edges(self, devices, random, positions_m, need):
        return list(zip(devices, devices[1:]))


class Unused(Weights):
    name: Literal["unused"] = "unused"
    range_m: float | None = None

    def of(self, device, heard, degrees):
        return [1.0 for _ in heard]


METHOD = LORA.with_(name="chords", reference="mine", topology=Circulant())
'''


def test_a_methods_file_with_the_settings_of_all_its_parts(cosim: Any, tmp_path: Path) -> None:
    (tmp_path / "chords.py").write_text(FILE, encoding="utf-8")
    ended = cosim("explain", f"path:{tmp_path / 'chords.py'}")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("chords\n  mine\n")
    assert "  topology: {graph: circulant, chord: 3, side: both}\n" in ended.out
    assert (
        "method.topology, graph: circulant\n"
        "    i is joined to i ± 1 and i ± s.\n"
        "    chord: s\n"
        "      integer, ≥ 2; default 3\n"
        "    side: of the chords\n"
        "      left or both; default both\n"
    ) in ended.out
    assert (
        "method.weights, name: unused\n    range_m\n      number, in m, or null; default null\n"
    ) in ended.out


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chords.py", "a method's file is named path:chords.py"),
        ("method.topology.chord", "cosim explain path:FILE tells the settings of a method's file"),
        ("path:none.py", "none.py: cannot be read: No such file or directory"),
    ],
)
def test_how_a_methods_file_is_named(cosim: Any, typed: str, said: str) -> None:
    ended = cosim("explain", typed)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
