"""Scenario text to plain data with lines: values, refusals, overrides."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosim.errors import ScenarioError
from cosim.scenario.overrides import apply_overrides
from cosim.scenario.reading.document import Document, read_document

TEXT = """\
# a comment
rounds: 3
radio:
  deadline_s: 1.0

devices:
- count: 3
  speed: &fast [1, 2]
- {count: 4, speed: *fast}
nothing:
"""


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str | bytes) -> Document:
    path = Path("a.yaml")
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_document(path)


def refusal(text: str | bytes) -> str:
    with pytest.raises(ScenarioError) as refused:
        read(text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("20e6", 20e6), ("1e-3", 1e-3), ("20.0e6", 20e6), ("-2E+3", -2000.0), ("1.", 1.0),
        (".5", 0.5), ("+.5e3", 500.0), ("1_000", 1000), ("1_000.5", 1000.5), ("012", 12),
        ("-7", -7), ("0o17", 15), ("0x1f", 31), ("0x", "0x"), ("12e", "12e"), ("_1", "_1"),
        (".inf", math.inf), ("-.inf", -math.inf), ("1e400", math.inf), ("~", None), ("", None),
        ("yes", "yes"), ("true", True), ("False", False), ("1:30", "1:30"), ("'12'", "12"),
        ("2020-01-01", "2020-01-01"), ('"1e3"', "1e3"), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    got = read(f"key: {text}\n").data["key"]
    assert got == value
    assert type(got) is type(value)


def test_nan_is_a_float() -> None:
    assert math.isnan(read("key: .nan").data["key"])


def test_lines_of_paths() -> None:
    document = read(TEXT)
    assert document.data["devices"][1] == {"count": 4, "speed": [1, 2]}
    assert document.line_of(("rounds",)) == 2
    assert document.line_of(("radio", "deadline_s")) == 4
    assert document.line_of(("devices", 0, "count")) == 7
    assert document.line_of(("devices", 1)) == 9
    assert document.line_of(("devices", 1, "speed", 0)) == 8, "where the alias was written"
    assert document.line_of(("radio", "nowhere", 3)) == 3, "the nearest level around it"
    assert document.where(("radio",)) == "a.yaml:3"
    assert document.where(()) == "a.yaml"


def test_byte_order_mark_and_windows_lines() -> None:
    document = read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.line_of(("b",)) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: is empty; a scenario is a mapping of keys to values"),
        ("# nothing\n", "a.yaml: is empty; a scenario is a mapping of keys to values"),
        ("- 1", "a.yaml:1: the top level must be keys and values, not a list"),
        ("\n5", "a.yaml:2: the top level must be keys and values, not 5"),
        ("a: 1\nb: 2\na: 3", "a.yaml:3: the key 'a' is given twice, first on line 1"),
        ("1: 2", "a.yaml:1: a key must be text, not 1; put it in quotes"),
        ("? [1]\n: 2", "a.yaml:1: a key must be text, not a list or mapping; put it in quotes"),
        ("<<: {a: 1}", "a.yaml:1:1: '<<' merges are not YAML 1.2; repeat the keys"),
        ("a: &x [*x]", "a.yaml:1:8: '*x' contains itself"),
        ("a: *x", "a.yaml:1:4: '*x' has no '&x' above"),
        ("a: !!int 3", "a.yaml:1:4: the tag 'tag:yaml.org,2002:int' is not used in scenarios"),
        ("a: !python/name:os x", "a.yaml:1:4: the tag '!python/name:os' is not used in scenarios"),
        ("a: 1\n---\nb: 2", "a.yaml:2: a second document begins here; a file holds one"),
        ("a: b: c", "a.yaml:1:5: a ':' is not expected here; indent or quote the text"),
        ("a:\n\tb: 1", "a.yaml:2:1: a tab cannot indent; use spaces"),
        ("a: @x", "a.yaml:1:4: text cannot start with '@'; put it in quotes"),
        ("a: [1, 2\n", "a.yaml:2:1: expected ',' or ']' in the list (it begins on line 1)"),
        ("a: 'x\n", "a.yaml:2:1: the quoted text is not closed (it begins on line 1)"),
        ("- a\nb: 1", "a.yaml:2:1: this key is not indented like the lines above"),
        ('a: "\\q"', "a.yaml:1:6: '\\q' means nothing in double quotes; write '\\\\q'"),
        ("a: \x01", "a.yaml:1: holds a character that YAML does not allow"),
        ('a: "\\ud800"', "a.yaml:1:4: holds half of a surrogate pair"),
        ('a: "\\U00110000"', "a.yaml:1: holds a value that YAML cannot express"),
        ("a: " + "9" * 5000, "a.yaml:1: an integer has more than 100 digits"),
        ("a: " + "[" * 60, "a.yaml:1:53: is nested deeper than 50 levels"),
        (b"a: 1\nb: \xff\n", "a.yaml:2: is not UTF-8 text; save it as UTF-8"),
        (b"#" * (1 << 21), "a.yaml: is larger than 1 MiB, too large for a scenario"),
    ],
    ids=range(27),
)
def test_refusals(text: str | bytes, message: str) -> None:
    assert refusal(text) == message


def test_aliases_cannot_explode() -> None:
    levels = [f"k{n + 1}: &k{n + 1} [{', '.join([f'*k{n}'] * 10)}]" for n in range(9)]
    assert "holds more than 100000 values" in refusal("\n".join(["k0: &k0 [1]", *levels]))
    chain = [f"k{n + 1}: &k{n + 1} [*k{n}]" for n in range(60)]
    assert "nested deeper than 50" in refusal("\n".join(["k0: &k0 [1]", *chain]))


def test_missing_files_and_directories() -> None:
    Path("scenarios").mkdir()
    Path("scenarios/tiny.yaml").touch()
    for asked in ("tiny", "tinny.yaml", "scenarios/Tiny.yml"):
        with pytest.raises(
            ScenarioError, match=r"no such file; did you mean 'scenarios/tiny.yaml'"
        ):
            read_document(Path(asked))
    with pytest.raises(ScenarioError, match=r"^nowhere/far.yaml: no such file$"):
        read_document(Path("nowhere/far.yaml"))
    with pytest.raises(ScenarioError, match="is a directory"):
        read_document(Path("scenarios"))
    for unusable in ("a\0b.yaml", "x" * 5000):
        with pytest.raises(ScenarioError):
            read_document(Path(unusable))


@pytest.mark.parametrize(
    ("argument", "path", "value"),
    [
        ("radio.deadline_s=1.5", ("radio", "deadline_s"), 1.5),
        ("devices.1.count=8", ("devices", 1, "count"), 8),
        ("devices.0={count: 1}", ("devices", 0), {"count": 1}),
        ("tasks.arithmetic.max_terms=3", ("tasks", "arithmetic", "max_terms"), 3),
        ("nothing.here=true", ("nothing", "here"), True),
        ("new=[1, 2e3]", ("new",), [1, 2000.0]),
        ("new=a=b", ("new",), "a=b"),
        ("new=", ("new",), None),
    ],
)
def test_overrides_assign_and_are_remembered(
    argument: str, path: tuple[str | int, ...], value: object
) -> None:
    before = read(TEXT)
    after = apply_overrides(before, [argument])
    at: Any = after.data
    for step in path:
        at = at[step]
    assert at == value
    assert before.data == read(TEXT).data
    assert after.where(path) == f"--set {argument}"
    assert after.where((*path, "inside")) == f"--set {argument}"
    assert after.line_of(path) is None
    assert after.line_of(("rounds",)) == 2


def test_override_of_an_alias_leaves_its_anchor() -> None:
    after = apply_overrides(read(TEXT), ["devices.1.speed.0=9"])
    assert [device["speed"] for device in after.data["devices"]] == [[1, 2], [9, 2]]


def test_the_last_override_decides() -> None:
    after = apply_overrides(read(TEXT), ["a.b=1", "a={b: 2}", "a.c=3"])
    assert after.data["a"] == {"b": 2, "c": 3}
    assert after.where(("a", "b")) == "--set a={b: 2}"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("rounds", "has no '='; write path.to.key=value"),
        ("=3", "the path before '=' has an empty part; write path.to.key=value"),
        ("a..b=3", "the path before '=' has an empty part; write path.to.key=value"),
        ("devices.2.count=1", "'2' is not in the list 'devices' (indices 0 to 1)"),
        ("devices.-1=1", "'-1' is not in the list 'devices' (indices 0 to 1)"),
        ("rounds.x=1", "'rounds' is 3 and has no keys of its own"),
        ("x=a: b", "write a list as [a, b], a mapping as {a: 1}, and quote other text"),
        ("x=[1", "expected ',' or ']' in the list"),
        ("x=!foo 1", "the tag '!foo' is not used in scenarios"),
    ],
)
def test_unusable_overrides(argument: str, message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        apply_overrides(read(TEXT), [argument])
    assert str(refused.value) == f"--set {argument}: {message}"


SYNTAX = st.sampled_from(
    [*list("[]{},:-?&*!|>'\"%@`#\\~<=. \n\ta1"), "a: ", "- ", "&x ", "*x", "1e3"]
)
YAML_LIKE = st.lists(SYNTAX | st.characters(), max_size=30).map("".join)
FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(text=YAML_LIKE)
def test_any_text_is_a_document_or_a_scenario_error(text: str) -> None:
    try:
        assert isinstance(read(text.encode("utf-8", "replace")).data, dict)
    except ScenarioError as refused:
        message = str(refused)
    else:
        message = "a.yaml"
    assert message.startswith("a.yaml")
    assert "\n" not in message


@pytest.mark.slow
@FUZZ
@given(argument=YAML_LIKE, path=st.sampled_from(["", "rounds=", "devices.0=", "devices.1.speed."]))
def test_any_override_is_a_document_or_a_scenario_error(argument: str, path: str) -> None:
    message = "--set"
    try:
        apply_overrides(read(TEXT), [path + argument])
    except ScenarioError as refused:
        message = str(refused)
    assert message.startswith("--set")
    assert "\n" not in message
