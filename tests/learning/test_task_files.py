"""Rows of files and of a hub: the project's own form, published forms, and what is refused."""

import json
import os
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import TaskError
from cosim.learning.data.example import Example
from cosim.learning.data.files import hub_parts, jsonl_parts
from cosim.scenario.learning import Fields, TaskChoice

OWN = [
    {"task": "t", "prompt": "2 + 2 =", "choices": None, "answer": "4", "source": "s"},
    {"task": "t", "prompt": "Water is", "choices": ["wet", "dry"], "answer": 0, "source": "s"},
    {"prompt": "Ice is", "choices": ["wet", "cold"], "answer": "cold"},
    {"prompt": "3 + 3 =", "answer": 6},
]
READ = [
    Example("2 + 2 =", "4"),
    Example("Water is", "wet", ("wet", "dry")),
    Example("Ice is", "cold", ("wet", "cold")),
    Example("3 + 3 =", "6"),
]
GSM8K: dict[str, Any] = {"prompt": "{question}", "answer": "answer", "answer_pattern": "#### (.+)"}
ARC: dict[str, Any] = {"prompt": "{question}", "choices": "choices.text", "labels": "choices.label"}
ARC_ROW = {
    "question": "Which is a planet?",
    "choices": {"text": ["the Moon", "Mars", "the Sun"], "label": ["A", "B", "C"]},
    "answerKey": "B",
}


def write(path: Path, rows: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, test: Path | None = None, **fields: Any) -> list[Example]:
    task = TaskChoice(source=f"jsonl:{path}", test=test and str(test), fields=Fields(**fields))
    return jsonl_parts("quiz", task)[0]


def refusal(path: Path, **fields: Any) -> str:
    with pytest.raises(TaskError) as refused:
        read(path, **fields)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n  \n"], ids=["plain", "BOM", "blank"])
def test_the_projects_own_rows(tmp_path: Path, start: bytes) -> None:
    path = write(tmp_path / "a.jsonl", OWN)
    path.write_bytes(start + path.read_bytes())
    assert read(path) == READ


def test_a_directory_holds_both_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "train.jsonl", OWN[:3])
    write(tmp_path / "test.jsonl", OWN[3:])
    task = TaskChoice(source=f"jsonl:{tmp_path}")
    assert jsonl_parts("quiz", task) == (READ[:3], READ[3:])
    monkeypatch.setenv("HOME", str(tmp_path))
    task = TaskChoice(source="jsonl:~/train.jsonl", test="~/test.jsonl")
    assert jsonl_parts("quiz", task) == (READ[:3], READ[3:])
    assert jsonl_parts("quiz", TaskChoice(source="jsonl:~/train.jsonl")) == (READ[:3], None)
    (tmp_path / "test.jsonl").unlink()
    assert refusal(tmp_path) == (f"tasks.quiz.source: there is no file '{tmp_path / 'test.jsonl'}'")
    task = TaskChoice(source="jsonl:~/train.jsonl", test="~/test.jsonl")
    with pytest.raises(TaskError, match=r"^tasks\.quiz\.test: there is no file "):
        jsonl_parts("quiz", task)


def test_gsm8k_as_it_is_published(tmp_path: Path) -> None:
    row = {"question": "Half of 144?", "answer": "144/2 = <<144/2=72>>72 clips.\n#### 72"}
    path = write(tmp_path / "a.jsonl", [row, row | {"answer": "Sure.\n#### 1,000 "}])
    assert read(path, **GSM8K) == [Example("Half of 144?", "72"), Example("Half of 144?", "1,000")]
    write(path, [row, row | {"answer": "72"}])
    assert refusal(path, **GSM8K) == (
        f"{path}:2: tasks.quiz: answer_pattern '#### (.+)' does not match the answer"
    )


def test_arc_as_it_is_published(tmp_path: Path) -> None:
    numbered = ARC_ROW | {"answerKey": "3"}
    numbered["choices"] = {"text": ["x", "y", "z"], "label": ["1", "2", "3"]}
    path = write(tmp_path / "a.jsonl", [ARC_ROW, numbered])
    assert read(path, **ARC, answer="answerKey") == [
        Example("Which is a planet?", "Mars", ("the Moon", "Mars", "the Sun")),
        Example("Which is a planet?", "z", ("x", "y", "z")),
    ]
    write(path, [ARC_ROW | {"answerKey": "E"}])
    said = refusal(path, **ARC, answer="answerKey")
    assert "answer 'E' is not among the labels ['A', 'B', 'C']" in said


def test_choices_written_in_the_scenario(tmp_path: Path) -> None:
    rows = [{"text": "Great!", "label": 1}, {"text": "Dull.", "label": "negative"}]
    path = write(tmp_path / "a.jsonl", rows)
    fields: dict[str, Any] = {
        "prompt": "{text} It was",
        "answer": "label",
        "choices": ("negative", "positive"),
    }
    assert read(path, **fields) == [
        Example("Great! It was", "positive", ("negative", "positive")),
        Example("Dull. It was", "negative", ("negative", "positive")),
    ]
    write(path, [{"text": "Great!", "label": 2}])
    assert "answer 2 is neither a choice nor the index" in refusal(path, **fields)
    for wrong in ((), ("one",), ("a", "a")):
        said = refusal(path, **fields | {"choices": wrong})
        assert "'choices' must hold at least two different choices" in said


def test_a_repeated_choice_is_one_choice(tmp_path: Path) -> None:
    rows = [
        {"prompt": "p", "choices": ["irate", "glad", "glad", "sad"], "answer": n} for n in range(4)
    ]
    assert read(write(tmp_path / "a.jsonl", rows)) == [
        Example("p", answer, ("irate", "glad", "sad"))
        for answer in ("irate", "glad", "glad", "sad")
    ]


def test_dotted_paths_reach_into_rows_and_lists(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"a": {"b": [{"c": "Why?"}, "Because"]}, "prompt": "{x}"}])
    assert read(path, prompt="{a.b.0.c} {prompt}", answer="a.b.1") == [
        Example("Why? {x}", "Because")
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": "{question}"}, "no 'question' in the row (it has: prompt, answer, n)"),
        ({"answer": "n.x.y"}, "no 'n.x.y' in the row (it has: int)"),
        ({"answer": "prompt.x"}, "no 'prompt.x' in the row (it has: str)"),
        ({"choices": "options"}, "no 'options' in the row (it has: prompt, answer, n)"),
        ({"choices": "answer"}, "'answer' must hold at least two different choices"),
        ({"choices": ("a", "b"), "labels": "n.x"}, "'n.x' must hold the labels of the choices"),
        ({"prompt": " "}, "the prompt is empty"),
        ({"answer_pattern": "a"}, "'a' has no group that holds the answer"),
        ({"answer_pattern": "a(b)?"}, "'a(b)?' has no group that holds the answer"),
    ],
)
def test_a_field_that_does_not_fit_names_file_and_line(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    path = write(tmp_path / "a.jsonl", [{"prompt": "p", "answer": "a", "n": {"x": 1}}])
    found = refusal(path, **fields)
    assert found.startswith(f"{path}:1: tasks.quiz: ")
    assert said in found


@pytest.mark.parametrize("pattern", ["(", "(" * 490 + ")" * 490, "a{99999999999999999999}"])
def test_a_pattern_that_is_none_names_its_place_in_the_scenario(
    tmp_path: Path, pattern: str
) -> None:
    path = write(tmp_path / "a.jsonl", [{"prompt": "p", "answer": "a"}])
    found = refusal(path, answer_pattern=pattern)
    assert found.startswith("tasks.quiz.fields.answer_pattern: '")
    assert "' is not a regular expression: " in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prompt": "p", "answer": "a"}\n\n{"prompt": }\n', ":3: tasks.quiz: not a JSON row (Ex"),
        (b"[" * 100_000, ":1: tasks.quiz: not a JSON row (nested too deep)"),
        (b'{"answer": ' + b"1" * 5000 + b"}", ":1: tasks.quiz: not a JSON row (a number of more"),
        (b'["p", "a"]\n', ":1: tasks.quiz: expected an object with fields, a row a"),
        (b'{"prompt": "p", "answer": ""}', ":1: tasks.quiz: the answer is empty"),
        (b'{"prompt": "p", "answer": null}', ":1: tasks.quiz: the answer is empty"),
        (b'{"prompt": "\\ud800", "answer": "a"}', ":1: tasks.quiz: \\ud800 is half of a surrogate"),
        (b'{"prompt": "p", "answer": true, "choices": ["a", "b"]}', "answer True is neither"),
        (b'{"prompt": "p", "answer": -1, "choices": ["a", "b"]}', "answer -1 is neither"),
        (b'{"prompt": "p", "answer": 0, "choices": ["a", "a"]}', "at least two different"),
        (b"", ": tasks.quiz: the task has no rows"),
        (b"\n\n", ": tasks.quiz: the task has no rows"),
        ('{"prompt": "é", "answer": "a"}'.encode("latin-1"), ": tasks.quiz: not a UTF-8 text file"),
        ('{"prompt": "p", "answer": "a"}'.encode("utf-16"), ": tasks.quiz: not a UTF-8 text file"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    found = refusal(path)
    assert found.startswith(str(path))
    assert said in found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", OWN)
    path.chmod(0)
    assert refusal(path) == f"{path}: tasks.quiz: Permission denied"


def test_the_hub_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TaskError) as refused:
        hub_parts("quiz", TaskChoice(source="hf:allenai/ai2_arc"))
    assert str(refused.value) == (
        "tasks.quiz.source: 'hf:allenai/ai2_arc' needs the package datasets; "
        "install it with: pip install 'cosim[hub]'"
    )


def test_the_hub_is_asked_for_both_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, str]] = []

    def load_dataset(repository: str, configuration: str | None, *, split: str) -> Any:
        asked.append((repository, configuration, split))
        if split == "gone":
            raise RuntimeError("Unknown split\nand more")
        return [ARC_ROW, ARC_ROW | {"answerKey": "C"}][: 1 if split == "held" else 2]

    fake = types.ModuleType("datasets")
    fake.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    fields = Fields(**ARC, answer="answerKey")
    where = {"source": "hf:allenai/ai2_arc", "configuration": "ARC-Easy", "fields": fields}
    train, test = hub_parts("quiz", TaskChoice(**where, split="some", test_split="held"))
    assert [example.answer for example in train] == ["Mars", "the Sun"]
    assert [example.answer for example in test or []] == ["Mars"]
    assert asked == [("allenai/ai2_arc", "ARC-Easy", split) for split in ("some", "held")]
    with pytest.raises(TaskError) as refused:
        hub_parts("quiz", TaskChoice(**where, test_split="gone"))
    assert str(refused.value) == (
        "tasks.quiz.source: split 'gone' of 'allenai/ai2_arc' could not be loaded: Unknown split"
    )
    with pytest.raises(TaskError, match=r"^allenai/ai2_arc\[train\]:0: tasks\.quiz: no 'prompt'"):
        hub_parts("quiz", TaskChoice(source="hf:allenai/ai2_arc"))


@pytest.mark.parametrize(
    ("name", "first", "hinted"),
    [
        ("a.jsonl", b"{", True),
        ("a.jsonl", b'[{"prompt": "p", "answer": "a"},', True),
        ("a.jsonl", b'{"prompt": }  ', False),
        ("a.jsonl", b"{'prompt': 'p', 'answer': 'a'}", False),
        ("a.jsonl", b'{"prompt": "p", "prompt": "q", "answer": "a"}', False),
        ("a.jsonl", b'{"answer": ' + b"1" * 5000 + b"}", False),
        ("a.jsonl", b'{"answer": ' + b"1" * 5000 + b", ", False),
        ("a.csv", b"prompt,answer", True),
        ("a.csv", b'{"prompt": "p", "prompt": "q", "answer": "a"}', False),
    ],
)
def test_another_form_is_named_where_the_first_line_is_of_one(
    tmp_path: Path, name: str, first: bytes, hinted: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(first + b"\n}\n")
    found = refusal(path)
    assert found.startswith(f"{path}:1: tasks.quiz: not a JSON row (")
    assert ("; rows are JSON objects, one a line: " in found) is hinted
