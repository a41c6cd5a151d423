"""Errors met after reading are told with the line that caused them."""

from pathlib import Path

import pytest

from cosim.errors import CosimError, TaskError
from cosim.scenario.complaints.blame import blaming
from cosim.scenario.overrides import apply_overrides
from cosim.scenario.reading.document import Document, read_document

TEXT = """rounds: 1
tasks:
  sums:
    dataset: chain_sum
  family:
    dataset: family
"""


@pytest.fixture
def document(tmp_path: Path) -> Document:
    path = tmp_path / "a.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return read_document(path)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("tasks.family.dataset: no such dataset", 6),
        ("tasks.family: no rows", 5),
        ("tasks.sums.parameters.size: not there", 3),
    ],
)
def test_the_line_is_that_of_the_nearest_key(document: Document, message: str, line: int) -> None:
    with pytest.raises(TaskError) as caught, blaming(document):
        raise TaskError(message)
    assert str(caught.value) == f"{document.path}:{line}: {message}"


@pytest.mark.parametrize("message", ["a.jsonl:3: tasks.sums: no JSON", "out of luck", "area: x"])
def test_other_messages_stay_as_they_are(document: Document, message: str) -> None:
    with pytest.raises(CosimError) as caught, blaming(document):
        raise CosimError(message)
    assert str(caught.value) == message


def test_an_override_is_blamed_by_its_argument(document: Document) -> None:
    changed = apply_overrides(document, ["tasks.sums.dataset=nothing"])
    with pytest.raises(TaskError) as caught, blaming(changed):
        raise TaskError("tasks.sums.dataset: no such dataset")
    assert str(caught.value).startswith("--set tasks.sums.dataset=nothing: tasks.sums.dataset: ")


def test_a_section_that_an_override_changed_is_blamed_on_it(document: Document) -> None:
    changed = apply_overrides(document, ["tasks.family.parameters.size=3"])
    with pytest.raises(TaskError) as caught, blaming(changed):
        raise TaskError("tasks.family: no rows")
    assert str(caught.value).startswith("--set tasks.family.parameters.size=3: tasks.family: ")
    with pytest.raises(TaskError) as caught, blaming(changed):
        raise TaskError("tasks.sums: no rows")
    assert str(caught.value) == f"{changed.path}:3: tasks.sums: no rows"
