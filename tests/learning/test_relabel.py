"""Relabelled tasks: the same prompts, every answer another, by one rule for all rows."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cosim.errors import TaskError
from cosim.learning.base.base_model import load
from cosim.learning.data.example import Example
from cosim.learning.data.relabel import relabelled
from cosim.scenario.learning import TaskChoice
from tests.learning.small_learners import load_pool

LABELS = ("blue", "green", "red", "white")


def labelled(answers: Sequence[str], choices: tuple[str, ...] | None = LABELS) -> list[Example]:
    return [Example(f"row {n}", answer, choices) for n, answer in enumerate(answers)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("choices", [LABELS, None])
def test_no_answer_stays_and_equal_answers_stay_equal(
    seed: int, choices: tuple[str, ...] | None
) -> None:
    rows = labelled(LABELS * 3, choices)
    train, test = relabelled("colours", seed, rows[:9], rows[9:])
    assert (len(train), len(test)) == (9, 3)
    exchange: dict[str, str] = {}
    for before, after in zip(rows, train + test, strict=True):
        assert (after.prompt, after.choices) == (before.prompt, before.choices)
        assert after.answer != before.answer
        assert exchange.setdefault(before.answer, after.answer) == after.answer
    assert sorted(exchange.values()) == sorted(LABELS)


def test_labels_are_permuted_whatever_their_order_in_a_row() -> None:
    rows = labelled(["blue", "blue"])
    rows[1] = Example("turned", "blue", LABELS[::-1])
    train, _ = relabelled("colours", 3, rows, [])
    assert train[0].answer == train[1].answer != "blue"


def test_choices_of_their_own_change_places() -> None:
    rows = [Example("a", "w", ("w", "x", "y")), Example("b", "m", ("m", "n", "o"))]
    train, _ = relabelled("own", 3, rows, [])
    moved = []
    for row in train:
        assert row.choices is not None
        moved.append(row.choices.index(row.answer))
    assert moved[0] == moved[1] != 0


def test_seeds_disagree_and_one_seed_agrees_with_itself() -> None:
    rows = labelled(LABELS)
    found = {
        tuple(row.answer for row in relabelled(name, seed, rows, [])[0])
        for seed in range(40)
        for name in ("one", "two")
    }
    assert len(found) == 6, "a cycle through four labels can be drawn in six ways"


def test_two_labels_are_exchanged() -> None:
    train, _ = relabelled("mood", 5, labelled(["good", "bad"], ("good", "bad")), [])
    assert [row.answer for row in train] == ["bad", "good"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (labelled(["yes", "yes"], None), "all answers are 'yes'"),
        ([*labelled(["blue"]), *labelled(["blue"], None)], "some rows have choices"),
    ],
)
def test_what_cannot_be_relabelled_is_refused(rows: list[Example], message: str) -> None:
    with pytest.raises(TaskError, match=f"tasks.same.relabel: {message}"):
        relabelled("same", 1, rows, [])


def test_a_pool_keeps_its_prompts_and_changes_its_answers(tiny_llama: Path) -> None:
    tokenizer = load(f"path:{tiny_llama}", "float32").tokenizer
    pools = [
        load_pool(
            "family",
            TaskChoice(dataset="family_relationships", samples=30, relabel=relabel),
            tokenizer,
            seed=1,
            test_samples=5,
            max_tokens=400,
        )
        for relabel in (None, 4)
    ]
    for part in ("train", "test"):
        before, after = (getattr(pool, part) for pool in pools)
        rows = [
            [row.candidates[0] if part == "test" else row for row in them]
            for them in (before, after)
        ]
        assert [r.prompt for r in rows[0]] == [r.prompt for r in rows[1]]
        assert all(a.answer != b.answer for a, b in zip(*rows, strict=True))
