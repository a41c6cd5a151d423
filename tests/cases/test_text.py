"""Tabs where YAML allows them, and characters that nobody sees."""

from pathlib import Path

import pytest

from cosim.errors import CosimError, ScenarioError
from cosim.scenario.load import load
from cosim.scenario.reading.one_line import shorten, shown
from cosim.scenario.reading.yaml_text import TextError, parse, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:\t1\n", {"a": 1}),
        ("a: 1\t# why\n", {"a": 1}),
        ("a \t:\t 1\t\n", {"a": 1}),
        ("a:\t\n  b: 1\n", {"a": {"b": 1}}),
        ("-\t1\n-\t2\n", [1, 2]),
        ("a: {b:\t1,\t\tc: 2\t}\n", {"a": {"b": 1, "c": 2}}),
        ("a: [\n\t1,\n\t2\n\t]\n", {"a": [1, 2]}),
        ("a: 1\n\t\nb: 2\n", {"a": 1, "b": 2}),
        ("a: 1\n\t# why\nb: 2\n", {"a": 1, "b": 2}),
        ("a:\t\"x\"\t\nb:\t'y'\n", {"a": "x", "b": "y"}),
        ("a: x\ty\n", {"a": "x\ty"}),
        ("a: |\n  x\ty\n", {"a": "x\ty\n"}),
    ],
)
def test_a_tab_separates_as_a_space_does(text: str, value: object) -> None:
    root = parse(text)
    assert root is not None
    assert plain(root) == value


@pytest.mark.parametrize("text", ["a:\n\tb: 1\n", "\ta: 1\n", "a:\n \tb: 1\n", "a:\n\t- 1\n"])
def test_a_tab_does_not_indent(text: str) -> None:
    with pytest.raises(TextError, match="a tab cannot indent; use spaces"):
        parse(text)


INVISIBLE = {
    "\u00a0": "no-break space (U+00A0)",
    "\u200b": "zero width space (U+200B)",
    "\ufeff": "zero width no-break space (U+FEFF)",
    "\u2009": "thin space (U+2009)",
    "\u00ad": "soft hyphen (U+00AD)",
    "\u200e": "left-to-right mark (U+200E)",
    "\u3000": "ideographic space (U+3000)",
}


@pytest.mark.parametrize("char", INVISIBLE, ids=INVISIBLE.get)
@pytest.mark.parametrize(
    "text",
    ["a:\n{0}{0}- {{c: 1}}\n", "a:{0}2\n", "a: 2{0}\n", "a{0}: 2\n", "b: 1\n{0}a: 2\n",
     "a: {{b: 1,{0}c: 2}}\n", "a: 2{0}# why\n", "a: [1, 2{0}]\n"],
)  # fmt: skip
def test_what_is_not_seen_is_named(char: str, text: str) -> None:
    with pytest.raises(TextError) as told:
        parse(text.format(char))
    assert INVISIBLE[char] in str(told.value)
    assert told.value.line == text.format(char).split(char)[0].count("\n") + 1


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_line_breaks_of_other_texts_are_named(char: str) -> None:
    with pytest.raises(TextError, match=rf"U\+{ord(char):04X}"):
        parse(f"a: 1{char}b: 2\n")


@pytest.mark.parametrize("char", INVISIBLE)
def test_in_quotes_comments_and_blocks_they_are_meant(char: str) -> None:
    root = parse(f"# {char}\na: 'x{char}y'\nb: |\n  x{char}y\n")
    assert root is not None
    assert plain(root) == {"a": f"x{char}y", "b": f"x{char}y\n"}


def test_messages_show_what_is_not_seen(network: Path) -> None:
    assert shown("2\u00a0") == "'2<U+00A0>'"
    assert shorten("ro\u200bunds") == "ro<U+200B>unds"
    assert shown("\\xa0") == r"'\\xa0'"
    assert str(CosimError("a\ufeffb\tc")) == "a<U+FEFF>b c"
    text = network.read_text(encoding="utf-8")
    network.write_text(text.replace("rounds", '"ro\u200bunds"'), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"ro<U\+200B>unds: unknown key; did you mean 'rounds'"):
        load(network)


def test_an_override_is_a_text_as_well(network: Path) -> None:
    with pytest.raises(ScenarioError, match=r"U\+00A0"):
        load(network, ["rounds=\u00a02"])
