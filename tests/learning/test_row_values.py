"""What a row says: values as text, choices that are numbers, templates with any key."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cosim.errors import TaskError
from cosim.learning.data.example import Example
from cosim.learning.data.files import hub_parts, jsonl_parts
from cosim.scenario.learning import Fields, TaskChoice


def read(path: Path, *rows: dict[str, Any] | None, **fields: Any) -> list[Example]:
    """The examples of a file; None is a blank line."""
    path.write_text("".join(f"{'' if row is None else json.dumps(row)}\n" for row in rows))
    return jsonl_parts("quiz", TaskChoice(source=f"jsonl:{path}", fields=Fields(**fields)))[0]


@pytest.fixture
def one(tmp_path: Path) -> Any:
    """The example of one row."""
    return lambda row, **fields: read(tmp_path / "a.jsonl", row, **fields)[0]


@pytest.fixture
def refused(tmp_path: Path) -> Any:
    """What is said of a row that cannot be read, on the file's second line."""

    def said(row: dict[str, Any], **fields: Any) -> str:
        with pytest.raises(TaskError) as found:
            read(tmp_path / "a.jsonl", None, row, **fields)
        start = f"{tmp_path / 'a.jsonl'}:2: tasks.quiz: "
        assert str(found.value).startswith(start)
        assert "\n" not in str(found.value)
        return str(found.value).removeprefix(start)

    return said


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "is null"),
        (["a", "b"], "is a list"),
        ([], "is a list"),
        ({"value": "yes"}, "is an object"),
        ({}, "is an object"),
        (float("nan"), "is nan"),
    ],
)
@pytest.mark.parametrize(
    ("key", "row"),
    [
        ("prompt", {"answer": "a"}),
        ("answer", {"prompt": "p"}),
        ("answer", {"prompt": "p", "choices": ["a", "b"]}),
    ],
)
def test_what_is_no_text_is_refused(
    refused: Any, key: str, row: dict[str, Any], value: Any, kind: str
) -> None:
    assert f"'{key}' {kind}" in refused(row | {key: value})


@pytest.mark.parametrize("value", [None, ["a"], {"b": 1}])
def test_choices_and_labels_are_texts(refused: Any, value: Any) -> None:
    row = {"prompt": "p", "answer": 0}
    assert "'choices.1' is " in refused(row | {"choices": ["yes", value]})
    labelled = row | {"choices": ["yes", "no"], "answer": "A", "l": ["A", value]}
    said = refused(labelled, labels="l")
    assert "'l.1' is " in said


def test_what_a_pattern_reads_is_text(refused: Any) -> None:
    said = refused({"prompt": "p", "answer": [1]}, answer_pattern="(.)")
    assert "'answer' is a list" in said


def test_numbers_and_booleans_are_written_as_json_writes_them(one: Any) -> None:
    row = {"a": 3, "b": 1.5, "c": True, "d": 1e20, "answer": False}
    assert one(row, prompt="{a} {b} {c} {d}") == Example("3 1.5 true 1e+20", "false")


@pytest.mark.parametrize(
    ("choices", "answer", "right"),
    [
        ([3, 5, 7], 5, "5"),
        ([3, 5, 7], 3, "3"),
        ([3, 5, 7], 1, "5"),  # no choice: the index
        ([3, 5, 7], 5.0, "5"),
        ([0, 1, 2], 1, "1"),  # both, and they agree
        ([2, 2, 1], 2, None),
        ([2, 0, 1], 2, None),
        ([1.5, 2.5], 2.5, "2.5"),
        (["yes", "no"], 1, "no"),
        (["yes", "no"], "no", "no"),
        (["2", "0", "1"], 2, "1"),  # an integer is the index of a choice that is text
        (["2", "0", "1"], "2", "2"),  # text is no index
        ([2, 0, 1], "2", "2"),
        ([True, False], False, "false"),
        (["true", "false"], True, "true"),
    ],
)
def test_an_answer_that_is_a_choice_is_that_choice(
    one: Any, refused: Any, choices: list[Any], answer: Any, right: str | None
) -> None:
    row = {"prompt": "p", "choices": choices, "answer": answer}
    if right is not None:
        assert one(row).answer == right
        return
    said = refused(row)
    assert f"answer {answer} is one of" in said
    assert said.endswith("say which with fields.answer_is: choice, or index")
    assert one(row, answer_is="choice").answer == str(answer)
    assert one(row, answer_is="index").answer == str(choices[answer])


def test_choices_of_the_scenario_are_text_that_a_row_may_number_or_hold(
    one: Any, refused: Any
) -> None:
    stars = {"choices": ("1", "2", "3", "4", "5")}
    assert one({"prompt": "p", "answer": 5}, **stars).answer == "5"
    assert one({"prompt": "p", "answer": 0}, **stars).answer == "1"
    assert "answer 3 is one of" in refused({"prompt": "p", "answer": 3}, **stars)
    assert one({"prompt": "p", "answer": 3}, **stars, answer_is="choice").answer == "3"


def test_an_answer_that_is_not_what_it_should_be(one: Any, refused: Any) -> None:
    row = {"prompt": "p", "choices": ["1", "2", "3"]}
    assert one(row | {"answer": "2"}, answer_is="index").answer == "3"
    assert one(row | {"answer": 3}, answer_is="choice").answer == "3"
    assert refused(row | {"answer": 3}).endswith(
        "answer 3 is neither a choice nor the index of one of ('1', '2', '3'); as text it is a "
        "choice: fields.answer_is: choice"
    )
    for wrong, reading in ((3, "index"), (True, "index"), (-1, "index"), (0, "choice")):
        said = refused(row | {"answer": wrong}, answer_is=reading, choices="choices")
        assert f"answer {wrong} is not the {reading} that fields.answer_is says" in said


def test_a_label_names_one_choice(one: Any, refused: Any) -> None:
    row = {"prompt": "p", "choices": ["x", "y"], "answer": 1, "l": [0, 1]}
    assert one(row, labels="l").answer == "y"
    assert "labels no choice, or several" in refused(row | {"l": [1, 1]}, labels="l")
    assert "labels no choice, or several" in refused(row | {"l": [0, 2, 1]}, labels="l")
    assert one(row | {"choices": [2, 0, 1], "answer": 2}, labels="choices").answer == "2"


@pytest.mark.parametrize(
    ("template", "row", "prompt"),
    [
        ("{the question}", {"the question": "Why?"}, "Why?"),
        ("{q-1}/{Frage_ä}/{問}", {"q-1": 1, "Frage_ä": 2, "問": 3}, "1/2/3"),
        ("{a.b}", {"a.b": "key", "a": {"b": "path"}}, "key"),
        ("{a.b.c}", {"a": {"b.c": "key"}}, "key"),
        ("{a.b.c}", {"a.b": {"d": 1}, "a": {"b": {"c": "path"}}}, "path"),
        ("{a:b!r}", {"a:b!r": "key"}, "key"),
        ('{{"q": "{q}"}}', {"q": "Why?"}, '{"q": "Why?"}'),
        (r"\frac{{1}}{{{n}}}", {"n": 2}, r"\frac{1}{2}"),
        ("{a} {b}", {"a": "{b} {{", "b": "}}"}, "{b} {{ }}"),
    ],
)
def test_a_template_takes_any_key_and_braces(
    one: Any, template: str, row: dict[str, Any], prompt: str
) -> None:
    assert one(row | {"answer": "x"}, prompt=template).prompt == prompt


def test_an_unknown_key_names_the_nearest(refused: Any) -> None:
    row = {"the question": "Why?", "a": {"text": 1}, "answer": "x"}
    assert "no 'the qestion' in the row; did you mean 'the question'? (it has: " in refused(
        row, prompt="{the qestion}"
    )
    assert "no 'a.txt' in the row; did you mean 'text'? (it has: text)" in refused(
        row, prompt="{a.txt}"
    )
    assert "no '\"q\": 1' in the row (it has: " in refused(row, prompt='{"q": 1}')


@pytest.mark.parametrize("template", ["{", "a } b", "{a", "{}", "{ } b", "{a{b}", "{{{a}}", "}"])
def test_a_brace_without_a_partner_names_its_place_in_the_scenario(
    tmp_path: Path, template: str
) -> None:
    with pytest.raises(TaskError, match=r"^tasks\.quiz\.fields\.prompt: the ") as refused:
        read(tmp_path / "a.jsonl", {"prompt": "p", "answer": "a"}, prompt=template)
    assert str(refused.value).endswith(
        "a brace that belongs to the text is written twice, {{ or }}"
    )


def test_what_the_answer_is_goes_with_choices_and_without_labels() -> None:
    with pytest.raises(ValidationError, match="the answer is a label"):
        Fields(labels="l", answer_is="index")
    with pytest.raises(ValidationError, match="needs choices"):
        Fields(choices=None, answer_is="index")


def test_a_revision_is_the_hubs() -> None:
    with pytest.raises(ValidationError, match="'revision' belongs to an hf source alone"):
        TaskChoice(source="jsonl:a", revision="main")


def test_the_hub_is_asked_for_the_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(repository: str, configuration: str | None, **more: str) -> Any:
        asked.append(more)
        return [{"prompt": "p", "answer": "a"}]

    fake = types.ModuleType("datasets")
    fake.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    hub_parts("quiz", TaskChoice(source="hf:a/b", revision="v1"))
    assert asked == [{"split": "train", "revision": "v1"}, {"split": "test", "revision": "v1"}]
