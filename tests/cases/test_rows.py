"""Rows that are not what they seem: values that are no text, and choices that are numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROWS = [{"prompt": f"question {n}: the sun?", "answer": f"{n}"} for n in range(16)]
CHOICES = ["yes", "no"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        {"prompt": None, "answer": "x"},
        {"prompt": ["a", "b"], "answer": "x"},
        {"prompt": "p", "answer": ["a", "b"]},
        {"prompt": "p", "answer": {"text": "a"}},
        {"prompt": "p", "answer": None},
        {"prompt": "p", "choices": ["a", None], "answer": "a"},
        {"prompt": "p", "choices": ["a", {"b": 1}], "answer": "a"},
    ],
    ids=json.dumps,
)
def test_what_is_no_text_is_refused_with_file_and_line(
    called: Any, learning: Callable[..., Path], tiny_llama: Path, row: dict[str, Any]
) -> None:
    rows = [
        {**one, "choices": CHOICES, "answer": "no"} if "choices" in row else one for one in ROWS
    ]
    checked = called("check", learning(tiny_llama, [*rows[:3], row, *rows[3:]]))
    assert checked.code == 2
    assert "q.jsonl:4" in checked.err
    assert "Traceback" not in checked.err


def numbered(numbers: bool) -> list[dict[str, Any]]:
    """Sums with three choices, the answer of which is also the index of another one."""
    form: Any = int if numbers else str
    orders = ((2, 0, 1), (1, 2, 0), (2, 1, 0))
    return [
        {
            "prompt": f"question {n}: the sum?",
            "choices": [form(choice) for choice in orders[n % 3]],
            "answer": form(n % 3),
        }
        for n in range(18)
    ]


def test_an_answer_that_is_a_choice_is_not_its_index(
    called: Any, learning: Callable[..., Path], tiny_llama: Path, tmp_path: Path
) -> None:
    """Numbers give what their texts give, or are refused as what could be both."""
    results = {}
    for numbers in (False, True):
        scenario = learning(tiny_llama, numbered(numbers), f"{numbers}.yaml")
        ended = called("run", scenario, "--out", f"r-{numbers}", "--quiet")
        assert ended.code in ((0, 2) if numbers else (0,))
        if ended.code == 0:
            manifest = json.loads((tmp_path / f"r-{numbers}" / "manifest.json").read_text())
            results[numbers] = manifest["results_sha256"]
        else:
            assert "q.jsonl:" in ended.err
            assert "answer_is" in ended.err
    assert len(set(results.values())) == 1


def test_an_answer_among_numbers_is_one_of_them(
    called: Any, learning: Callable[..., Path], tiny_llama: Path
) -> None:
    rows = [
        {"prompt": f"{n}: which?", "choices": [3, 5, 7], "answer": (3, 5, 7)[n % 3]}
        for n in range(16)
    ]
    assert called("check", learning(tiny_llama, rows)).code == 0
    rows[4]["answer"] = 9
    checked = called("check", learning(tiny_llama, rows))
    assert checked.code == 2
    assert "q.jsonl:5" in checked.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt": "a", "prompt": "b", "answer": "x"}', "the key 'prompt' is there twice"),
        ('{"prompt": "a\\ud800", "answer": "x"}', r"\ud800 is half of a surrogate pair"),
        ('{"prompt": "a", "answer": %s}' % ("9" * 5000), "a number of more than 4300 digits"),
        ('{"prompt": "a", "choices": "yes,no", "answer": "no"}', "and is 'yes,no'"),
        ('{"prompt": "a", "choices": {"A": "x", "B": "y"}, "answer": "A"}', "and is an object"),
    ],
)
def test_a_row_that_says_two_things_or_none(
    called: Any, learning: Callable[..., Path], tiny_llama: Path, line: str, said: str
) -> None:
    scenario = learning(tiny_llama, ROWS[:3])
    with (scenario.parent / "q.jsonl").open("a", encoding="utf-8") as rows:
        rows.write(f"{line}\n")
    checked = called("check", scenario)
    assert checked.code == 2
    assert "q.jsonl:4: tasks.q: " in checked.err
    assert said in checked.err


def test_rows_in_another_form_are_told_their_own(
    called: Any, learning: Callable[..., Path], tiny_llama: Path
) -> None:
    scenario = learning(tiny_llama, ROWS)
    file = scenario.parent / "q.jsonl"
    for text in (json.dumps(ROWS), json.dumps(ROWS, indent=1), json.dumps(ROWS[0], indent=1)):
        file.write_text(text, encoding="utf-8")
        checked = called("check", scenario)
        assert checked.code == 2
        assert "q.jsonl:1: tasks.q: " in checked.err
        assert "jq -c" in checked.err
