"""Rows that any task tests are trained on by none; which rows go where is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import TaskError
from cosim.learning.base.base_model import load
from cosim.learning.data.pool import TaskPool, load_pools
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.scenario.learning import AdapterChoice, Fields, TaskChoice, Training


def rows_of(count: int, first: int = 0, **more: Any) -> list[dict[str, Any]]:
    numbers = range(first, first + count)
    return [{"question": f"item {n}", "answer": f"a{n % 7}", **more} for n in numbers]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"jsonl:{path}"


def task(source: str, template: str = "{question}", **settings: Any) -> TaskChoice:
    fields = Fields(prompt=template, answer="answer", choices=None)
    return TaskChoice(source=source, fields=fields, **settings)


@pytest.fixture
def pools(tiny_tokenizer: Any) -> Any:
    def make(tasks: dict[str, TaskChoice], **changes: Any) -> dict[str, TaskPool]:
        settings = {"seed": 1, "test_samples": 64, "max_tokens": 10**5, **changes}
        shares = dict.fromkeys(tasks, settings.pop("shares", 1))
        return load_pools(tasks, tiny_tokenizer, **settings, shares=shares)

    return make


def numbers(tokenizer: Any, prompts: list[tuple[int, ...]]) -> set[str]:
    """What the prompts end with: "item 7", whatever their template."""
    return {tokenizer.decode(prompt).partition("item ")[2].split(".")[0] for prompt in prompts}


def overlap(tokenizer: Any, tested: TaskPool, trained: TaskPool) -> int:
    test = numbers(tokenizer, [question.candidates[0].prompt for question in tested.test])
    return len(test & numbers(tokenizer, [row.prompt for row in trained.train]))


@pytest.mark.parametrize("relabel", [None, 3])
@pytest.mark.parametrize("template", ["{question}", "Second desk. {question}", "{question} "])
def test_two_tasks_of_one_file_train_on_no_row_that_either_tests(
    pools: Any, tiny_tokenizer: Any, tmp_path: Path, template: str, relabel: int | None
) -> None:
    source = write(tmp_path / "a.jsonl", rows_of(400))
    found = pools({"one": task(source), "two": task(source, template, relabel=relabel)})
    for tested in found.values():
        assert len(tested.test) == 64
        for trained in found.values():
            assert overlap(tiny_tokenizer, tested, trained) == 0
    for name, other in (("one", "two"), ("two", "one")):
        (said,) = found[name].warnings
        left_out = 400 - 64 - len(found[name].train)
        assert said == (
            f"tasks.{name}: {left_out} training rows are among the test rows of {other} "
            "and left out"
        )
        assert left_out > 32


def test_a_reasoning_gym_dataset_of_two_tasks_shares_no_test_prompt(pools: Any) -> None:
    few = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
    made = TaskChoice(dataset="chain_sum", parameters=few, samples=1000)
    found = pools({"one": made, "two": made}, test_samples=30)
    tested = {question.candidates[0].prompt for pool in found.values() for question in pool.test}
    assert len(tested) > 30
    for pool in found.values():
        assert not tested & {row.prompt for row in pool.train}
        assert len(pool.train) > 60


def test_another_tasks_test_file_may_be_a_training_file(
    pools: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    big, small = tmp_path / "big.jsonl", tmp_path / "small.jsonl"
    own, test = write(big, rows_of(100)), rows_of(30, first=1000)
    write(small, test)
    found = pools(
        {"one": task(own, test=str(small)), "two": task(f"jsonl:{small}")}, test_samples=9
    )
    assert overlap(tiny_tokenizer, found["one"], found["two"]) == 0
    assert overlap(tiny_tokenizer, found["two"], found["two"]) == 0


def test_a_row_of_the_same_values_in_another_file_is_the_same_row(
    pools: Any, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    one = write(tmp_path / "one.jsonl", rows_of(50, id=1))
    two = write(tmp_path / "two.jsonl", rows_of(50, id=2))
    found = pools({"one": task(one), "two": task(two, "Desk two. {question}")})
    assert overlap(tiny_tokenizer, found["one"], found["two"]) == 0
    assert overlap(tiny_tokenizer, found["two"], found["one"]) == 0


def test_a_task_whose_rows_no_other_task_has_is_what_it_is_alone(
    pools: Any, tmp_path: Path
) -> None:
    one = task(write(tmp_path / "one.jsonl", rows_of(90)))
    two = task(write(tmp_path / "two.jsonl", rows_of(90, first=500)))
    together = pools({"two": two, "one": one}, test_samples=10)
    assert together["one"] == pools({"one": one}, test_samples=10)["one"]
    assert together["one"].warnings == ()


def test_where_other_tasks_hold_everything_out_it_is_said(pools: Any, tmp_path: Path) -> None:
    whole = tmp_path / "a.jsonl"
    source = write(whole, rows_of(20))
    write(tmp_path / "b.jsonl", rows_of(20))
    one = task(write(tmp_path / "other.jsonl", rows_of(5, first=99)), test=str(whole))
    with pytest.raises(TaskError, match=r"tasks\.two: all 20 .* held out, by one too, for eval"):
        pools({"one": one, "two": task(source)})


def test_repeated_prompts_are_counted(pools: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", rows_of(10) * 30)
    pool = pools({"even": task(source)}, test_samples=16)["even"]
    held = len({question.candidates[0].prompt for question in pool.test})
    left = len(pool.train)
    assert held + left == 10
    assert pool.facts == (
        f"300 rows → 290 repeated prompts, {held} in the test rows, {left} left; "
        f"{16 - held} of the test rows repeat a prompt"
    )
    assert pool.warnings == (
        f"tasks.even: 290 of 300 rows repeat a prompt and are left out, {left} are left",
    )
    with pytest.raises(TaskError) as refused:
        pools({"even": task(source)}, test_samples=16, shares=11)
    assert str(refused.value) == (
        f"devices: 11 devices share task 'even', which has {left} training rows ({pool.facts})"
    )


def test_a_training_file_that_holds_its_test_rows_is_told(pools: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", rows_of(60))
    pool = pools({"even": task(source, test=str(tmp_path / "a.jsonl"))}, test_samples=16)["even"]
    assert len(pool.train) == 44
    assert pool.warnings == ("tasks.even: 16 training rows are among its test rows and left out",)
    assert pool.facts == "60 rows → 16 in the test rows, 44 left"


def long_and_short(count: int, of: int) -> list[dict[str, Any]]:
    """One row in `of` is short."""
    rows = rows_of(count)
    for n, row in enumerate(rows):
        if n % of:
            row["question"] += " and so on" * 30
    return rows


def test_test_rows_are_drawn_from_those_that_fit(pools: Any, tmp_path: Path) -> None:
    train = write(tmp_path / "a.jsonl", long_and_short(200, 4))
    test = tmp_path / "b.jsonl"
    write(test, [row | {"question": row["question"] + "?"} for row in long_and_short(200, 4)])
    pool = pools({"one": task(train, test=str(test))}, test_samples=40, max_tokens=40)["one"]
    assert (len(pool.train), len(pool.test)) == (50, 40)
    (said,) = pool.warnings
    assert said.startswith("tasks.one: 150 of 200 training rows and ")
    assert said.endswith("that were drawn are longer than training.max_tokens (40) and left out")
    fewer = pools({"one": task(train, test=str(test))}, test_samples=64, max_tokens=40)["one"]
    assert len(fewer.test) == 50
    assert fewer.test[:40] == pool.test
    assert fewer.warnings[0] == ("tasks.one: 50 rows are held out, evaluation.samples asks for 64")


def test_one_row_in_five_of_those_that_fit_is_held_out(pools: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", long_and_short(400, 4))
    pool = pools({"one": task(source)}, test_samples=64, max_tokens=40)["one"]
    assert (len(pool.train), len(pool.test)) == (80, 20)
    pool = pools({"one": task(source)}, test_samples=16, max_tokens=40)["one"]
    assert (len(pool.train), len(pool.test)) == (84, 16)
    assert all(row.tokens <= 40 for row in pool.train)


def test_training_rows_are_filled_up_from_those_that_fit(pools: Any, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", long_and_short(400, 4))
    pool = pools({"one": task(source, samples=50)}, test_samples=16, max_tokens=40)["one"]
    assert len(pool.train) == 50


def test_mini_batches_do_not_depend_on_the_method(
    pools: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    base = load(f"path:{tiny_llama}", "float32")
    found = pools({"a": task(write(tmp_path / "a.jsonl", rows_of(60)))}, test_samples=5)
    training = Training(steps=3, batch_size=4)
    drawn = []
    for name in ("local", "lora", "proposed"):
        learner = ModelLearner(
            base, METHODS[name], AdapterChoice(rank=2), training, found, ["a", "a"], seed=1
        )
        drawn.append([learner.batches(device, 2) for device in range(2)])
    assert drawn[0] == drawn[1] == drawn[2]
