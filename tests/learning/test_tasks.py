"""The pool of a task: held out by prompt, divided among devices, the same for every method."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.errors import TaskError
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import TaskPool, device_tasks
from cosim.learning.data.procedural import procedural_examples
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.scenario.learning import AdapterChoice, TaskChoice, Training
from tests.learning.small_learners import load_pool, tuning

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"
# Two terms of one digit: fewer than two hundred distinct prompts.
FEW = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}


@pytest.fixture
def pool(tiny_tokenizer: Any) -> Any:
    """Loads a task with a few defaults."""

    def make(task: TaskChoice, **changes: Any) -> TaskPool:
        settings = {"seed": 1, "test_samples": 20, "max_tokens": 10**5, **changes}
        return load_pool("quiz", task, tiny_tokenizer, **settings)

    return make


def refusal(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(TaskError) as refused:
        call(*args, **kwargs)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def prompts(pool: TaskPool) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    return [row.prompt for row in pool.train], [q.candidates[0].prompt for q in pool.test]


def rows_file(path: Path, count: int, repeat: int = 1) -> TaskChoice:
    rows = [{"prompt": f"item {n}", "answer": f"a{n}"} for n in range(count)] * repeat
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskChoice(source=f"jsonl:{path}", samples=count * repeat)


def test_procedural_rows_belong_to_the_seed_and_the_part() -> None:
    task = TaskChoice(dataset="chain_sum")

    def first(seed: int, part: str, name: str = "quiz") -> list[Any]:
        return list(islice(procedural_examples(name, task, seed, part), 30))

    rows = first(1, "train")
    assert rows == first(1, "train")
    for other in (first(2, "train"), first(1, "test"), first(1, "train", "other")):
        assert not {row.prompt for row in rows} & {row.prompt for row in other}
    for row in rows:
        sum_ = row.prompt.partition(":")[2].removesuffix("=").strip().rstrip("?").rstrip("= ")
        assert eval(sum_) == int(row.answer)


def test_procedural_parameters_reach_the_dataset(pool: Any) -> None:
    found = pool(TaskChoice(dataset="chain_sum", parameters=FEW, samples=10_000), test_samples=30)
    train, test = prompts(found)
    assert len(test) == 30
    assert 100 < len(train) < 200  # every other prompt there is
    assert len({*train, *test}) == len(train) + len(test)
    said = refusal(pool, TaskChoice(dataset="chain_sum", parameters=FEW), test_samples=1000)
    assert said.startswith("tasks.quiz: ")
    assert "held out" in said


def test_a_dataset_finds_the_library_that_others_do_not_import() -> None:
    for dataset in ("game_of_life", "game_of_life_halting"):
        task = TaskChoice(source="reasoning_gym", dataset=dataset, parameters={})
        assert "Game of Life" in next(procedural_examples("life", task, 1, "train")).prompt


@pytest.mark.parametrize(
    "dataset", ["gsm_symbolic", "list_functions", "word_ladder", "mini_sudoku"]
)
def test_datasets_that_draw_all_their_rows_at_once_are_usable(pool: Any, dataset: str) -> None:
    found = pool(TaskChoice(dataset=dataset, samples=3), test_samples=2)
    assert (len(found.train), len(found.test)) == (3, 2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dataset": "chain_sun"}, "tasks.quiz.dataset: reasoning_gym has no dataset 'chain_sun'; "
         "did you mean 'chain_sum'? ("),
        ({"dataset": "zzz"}, "tasks.quiz.dataset: reasoning_gym has no dataset 'zzz' ("),
        ({"parameters": {"max_term": 3}}, "tasks.quiz.parameters.max_term: chain_sum has no such "
         "parameter; did you mean 'max_terms'? (allow_negation, max_digits, max_terms, "
         "min_digits, min_terms)"),
        ({"parameters": {"seed": 3}}, "tasks.quiz.parameters.seed: chain_sum has no such "
         "parameter (allow_negation, "),
        ({"parameters": {"min_terms": 9, "max_terms": 2}}, "chain_sum refuses {'min_terms': 9, "
         "'max_terms': 2}: max_terms must be >= min_terms"),
        ({"parameters": {"min_terms": "two"}}, "refuses {'min_terms': 'two'}: '>' not supported"),
        ({"dataset": "graph_color"}, "tasks.quiz: row 0 of graph_color: the answer is empty"),
    ],
)  # fmt: skip
def test_what_reasoning_gym_does_not_have(pool: Any, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(pool, TaskChoice(**{"dataset": "chain_sum", **changes}))


def test_rows_without_a_test_file_are_held_out_by_prompt(pool: Any, tmp_path: Path) -> None:
    task = rows_file(tmp_path / "a.jsonl", 40, repeat=2)
    train, test = prompts(pool(task, test_samples=10))
    assert len(test) == 10
    assert not set(train) & set(test)
    assert len(set(train)) == len(train)
    assert prompts(pool(task, test_samples=10)) == (train, test)
    assert prompts(pool(task, test_samples=10, seed=2)) != (train, test)
    assert len(prompts(pool(task, test_samples=1000))[1]) == 80 // 5
    (repeats,) = pool(task, test_samples=10).warnings
    assert repeats.startswith("tasks.quiz: 40 of 80 rows repeat a prompt and are left out, ")
    said, _ = pool(task, test_samples=1000).warnings
    assert said.endswith("16 rows are held out, evaluation.samples asks for 1000")


def test_a_prompt_of_the_test_file_is_not_trained_on(pool: Any, tmp_path: Path) -> None:
    rows_file(tmp_path / "train.jsonl", 40)
    rows_file(tmp_path / "test.jsonl", 25)
    train, test = prompts(pool(TaskChoice(source=f"jsonl:{tmp_path}"), test_samples=100))
    assert (len(train), len(test)) == (15, 25)
    assert not set(train) & set(test)
    train, test = prompts(pool(TaskChoice(source=f"jsonl:{tmp_path}", samples=7), test_samples=5))
    assert (len(train), len(test)) == (7, 5)


def test_long_rows_are_left_out_and_nothing_left_is_refused(pool: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"prompt": "p" * n, "choices": ["yes", "n" * 9], "answer": 0} for n in range(1, 31)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = pool(TaskChoice(source=f"jsonl:{path}"), max_tokens=25)
    assert 0 < len(found.train) < 24
    assert all(row.tokens <= 25 for row in found.train)
    assert all(row.tokens <= 25 for q in found.test for row in q.candidates)
    assert {(q.right, q.lengths, q.free) for q in found.test} == {(0, (3, 9), False)}
    said = refusal(pool, TaskChoice(source=f"jsonl:{path}"), max_tokens=2)
    assert said.startswith("tasks.quiz: ")
    assert "longer than" in said
    said = refusal(pool, TaskChoice(source=f"jsonl:{path}"), shares=25)
    assert said == "devices: 25 devices share task 'quiz', which has 24 training rows"


def test_only_free_answers_end_with_the_terminator(pool: Any, tiny_tokenizer: Any) -> None:
    end = tiny_tokenizer.eos_token_id
    free = pool(TaskChoice(dataset="chain_sum", samples=5))
    assert all(row.answer[-1] == end for row in free.train)
    assert all(q.free and q.candidates[0].answer[-1] == end for q in free.test)


@given(st.integers(1, 7), st.integers(1, 20), st.integers(0, 5), st.integers(0, 9))
def test_a_batch_is_drawn_from_the_devices_own_rows(
    shares: int, size: int, seed: int, step: int
) -> None:
    pool = TaskPool("quiz", tuple(Encoded((number,), (1,)) for number in range(30)), ())
    for share in range(shares):
        own = range(share, 30, shares)
        name = {"seed": seed, "device": 10 + share, "round_": 2, "step": step, "size": size}
        batch = [row.prompt[0] for row in pool.batch(own, **name)]
        assert batch == [row.prompt[0] for row in pool.batch(own, **name)]
        assert len(set(batch)) == len(batch) == min(size, len(own))
        assert set(batch) <= set(own)


def test_every_name_of_a_batch_counts() -> None:
    pool = TaskPool("quiz", tuple(Encoded((number,), (1,)) for number in range(1000)), ())
    name = {"seed": 1, "device": 2, "round_": 3, "step": 4}
    batches = [
        pool.batch(range(1000), **{**name, **change}, size=8)
        for change in ({}, {"seed": 9}, {"device": 9}, {"round_": 9}, {"step": 9})
    ]
    assert len(set(batches)) == 5


def test_devices_of_one_task_share_no_row(pool: Any, tiny_llama: Path, tmp_path: Path) -> None:
    base = load(f"path:{tiny_llama}", "float32")
    pools = {
        name: pool(rows_file(tmp_path / name, 40, 1), test_samples=5, shares=3) for name in "ab"
    }
    training = Training(steps=4, batch_size=16)
    method = METHODS["local"]
    learner = ModelLearner(
        base, method, AdapterChoice(rank=2), training, pools, list("abaab"), seed=1
    )
    drawn = [
        {row for batch in tuning(learner, device, 1).lesson.batches for row in batch}
        for device in range(5)
    ]
    for task, devices in (("a", (0, 2, 3)), ("b", (1, 4))):
        assert set().union(*(drawn[device] for device in devices)) == set(pools[task].train)
        assert sum(len(drawn[device]) for device in devices) == len(pools[task].train)


def test_round_robin_goes_on_over_groups() -> None:
    groups = [(4, "round_robin"), (2, "c"), (0, "a"), (3, "round_robin")]
    assert device_tasks(["a", "b", "c"], groups) == list("abcaccbca")


@pytest.mark.slow
@pytest.mark.skipif(not DATASETS.is_dir(), reason="the real slices are not here")
def test_every_real_slice_loads(pool: Any) -> None:
    folders = sorted(path.parent for path in DATASETS.glob("*/train.jsonl"))
    assert len(folders) == 13
    for folder in folders:
        found = pool(TaskChoice(source=f"jsonl:{folder}", samples=12), test_samples=6, shares=4)
        assert (len(found.train), len(found.test)) == (12, 6), folder.name
        assert not {*prompts(found)[0]} & {*prompts(found)[1]}
        chosen = json.loads((folder / "test.jsonl").read_text().partition("\n")[0])["choices"]
        assert all(question.free == (chosen is None) for question in found.test), folder.name
    said = refusal(pool, TaskChoice(source=f"jsonl:{DATASETS / 'humaneval'}"))
    assert said.endswith("train.jsonl'")
