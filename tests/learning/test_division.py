"""A task's rows among its devices: by answers, by stated shares, by amounts."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from cosim.errors import TaskError
from cosim.learning.data.division import answers_in_words, divided
from cosim.lifecycle.play import play
from cosim.preflight.explain import explain
from cosim.scenario.division import Division
from cosim.scenario.load import load
from cosim.trace.reader import read_run
from cosim.verification.verify import verify

ANSWERS = ["yes", "no", "yes", "maybe", "no", "yes"] * 100


def counts(parts: Sequence[Sequence[int]], answers: Sequence[str] = ANSWERS) -> list[Counter[str]]:
    return [Counter(answers[number] for number in part) for part in parts]


@given(
    st.lists(st.integers(0, 3), min_size=20, max_size=200),
    st.integers(1, 8),
    st.floats(0.2, 50),
    st.sampled_from(["dirichlet", "quantity"]),
    st.integers(0, 5),
)
def test_every_row_has_one_device_and_every_device_a_row(
    labels: list[int], devices: int, alpha: float, kind: str, seed: int
) -> None:
    answers = [str(label) for label in labels]
    division = Division.model_validate({kind: alpha})
    parts = divided("t", division, answers, len(answers), devices, seed)
    assert len(parts) == devices
    assert sorted(number for part in parts for number in part) == list(range(len(answers)))
    assert all(len(part) for part in parts)
    assert [list(part) for part in parts] == [
        list(part) for part in divided("t", division, answers, len(answers), devices, seed)
    ]


def test_shares_of_an_answer_have_the_moments_of_a_dirichlet_distribution() -> None:
    """Var p = (1/M)(1 − 1/M)/(Mα + 1) of M devices; the mean of 800 draws of its square is within
    five standard errors."""
    devices, alpha = 4, 0.7
    answers = ["a"] * 4000 + ["b"] * 4000
    shares = []
    for seed in range(400):
        parts = divided("t", Division(dirichlet=alpha), answers, 8000, devices, seed)
        table = np.array([[count[answer] for answer in "ab"] for count in counts(parts, answers)])
        shares += list((table / 4000).T)
    squares = (np.array(shares) - 1 / devices) ** 2
    variance = (1 / devices) * (1 - 1 / devices) / (devices * alpha + 1)
    error = squares.mean(1).std() / np.sqrt(len(shares))
    assert abs(squares.mean() - variance) < 5 * error


def test_a_small_alpha_separates_answers_and_a_large_one_does_not() -> None:
    def spread(alpha: float) -> float:
        parts = divided("t", Division(dirichlet=alpha), ANSWERS, 600, 5, 3)
        shares = [count["yes"] / count.total() for count in counts(parts)]
        return float(np.ptp(shares))

    assert spread(1000.0) < 0.1 < 0.5 < spread(0.2)


def test_stated_shares_are_met_over_and_over(recwarn: Any) -> None:
    stated = ({"yes": 0.9, "no": 0.1}, {"no": 0.5, "maybe": 0.5})
    parts = divided("t", Division(proportions=stated), ANSWERS, 600, 3, 1)
    found = counts(parts)
    each = len(parts[0])
    assert {len(part) for part in parts} == {each}
    assert found[0] == Counter(yes=round(0.9 * each), no=round(0.1 * each))
    assert found[1].keys() == {"no", "maybe"}
    assert abs(found[1]["no"] - each / 2) <= 0.5
    assert abs(found[2]["yes"] - found[0]["yes"]) <= 1
    # As many as there are rows for: 300 yes for 1.8 of a device, 100 maybe for 0.5 of one.
    assert each == 166
    every = [number for part in parts for number in part]
    assert len(set(every)) == len(every)


@given(st.lists(st.floats(0.0, 1.0), min_size=3, max_size=3), st.integers(1, 6))
def test_stated_shares_never_ask_for_more_rows_than_there_are(
    raw: list[float], devices: int
) -> None:
    assume(sum(raw) > 0.1)
    shares = {
        name: share / sum(raw) for name, share in zip(("maybe", "no", "yes"), raw, strict=True)
    }
    parts = divided("t", Division(proportions=(shares,)), ANSWERS, 600, devices, 0)
    every = [number for part in parts for number in part]
    assert len(set(every)) == len(every)
    for count, part in zip(counts(parts), parts, strict=True):
        assert all(abs(count[name] - share * len(part)) <= 1 for name, share in shares.items())


@pytest.mark.parametrize(
    ("division", "answers", "devices", "told"),
    [
        ({"dirichlet": 0.3}, [], 2, "answers are free text; only quantity"),
        ({"dirichlet": 0.3}, [str(n) for n in range(10)], 2, "10 rows have 10 different answers"),
        ({"dirichlet": 0.001}, ["a", "b"] * 9, 9, "1000 draws have left some device without a row"),
        ({"proportions": [{"jes": 1}]}, ANSWERS, 2, "the answer 'jes'; did you mean 'yes'"),
        ({"proportions": [{"yes": 1}]}, ["no"] * 5 + ["yes"], 2, "too few rows"),
    ],
)
def test_what_cannot_be_divided_is_one_sentence(
    division: Any, answers: list[str], devices: int, told: str
) -> None:
    choice = Division.model_validate(division)
    with pytest.raises(TaskError, match=f"^tasks.t.division: .*{told}"):
        divided("t", choice, answers, len(answers), devices, 1)


@pytest.mark.parametrize(
    ("division", "told"),
    [
        ({}, "expected one of dirichlet, proportions and quantity"),
        ({"dirichlet": 1, "quantity": 1}, "not dirichlet and quantity"),
        ({"proportions": [{"a": 0.5}]}, "proportions.0: the shares add up to 0.5"),
        ({"proportions": [{"a": 1.5, "b": -0.5}]}, "negative"),
    ],
)
def test_a_division_says_one_thing(division: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Division.model_validate(division)


def test_words_name_every_part_up_to_some() -> None:
    assert answers_in_words(["a", " b", "a"], ([0, 2], [1])) == "2 a | 1 b"
    assert answers_in_words(["a"] * 3, ([0], [1], [2]), most=1) == "1 a | … 2 more"


SCENARIO = """\
name: divided
seed: 3
rounds: 1
method: local
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2}}
tasks:
  sort: {{source: "jsonl:{rows}", division: {{dirichlet: 0.3}}}}
training: {{steps: 2, batch_size: 4}}
evaluation: {{samples: 4}}
devices: [{{count: 3}}]
"""


def test_a_run_trains_and_tells_what_each_device_has(tiny_llama: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"is {n} odd?", "choices": [" yes", " no"], "answer": n % 2} for n in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = SCENARIO.format(model=tiny_llama, rows=tmp_path / "rows.jsonl")
    (tmp_path / "s.yaml").write_text(text)
    scenario = load(tmp_path / "s.yaml", [])
    (words,) = [fact.value for fact in explain(scenario).facts if fact.name == "task sort"]
    devices = read_run(play(scenario, out=tmp_path / "run").directory).devices
    found = [json.loads(answers) for answers in devices["answers"]]
    assert [sum(answers.values()) for answers in found] == devices["training_rows"].tolist()
    told = " | ".join(
        ", ".join(f"{n} {answer.strip()}" for answer, n in answers.items()) for answers in found
    )
    assert words.endswith(f"; by device: {told}")
    assert sum(sum(answers.values()) for answers in found) > 40
    assert len({json.dumps(answers) for answers in found}) == 3
    assert all(not check.findings for check in verify(tmp_path / "run"))
