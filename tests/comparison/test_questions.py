"""Differences by seed and question against a bootstrap that is written out, from raw tables."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow.parquet as pq
import pytest

from cosim.comparison.estimate import Estimate
from cosim.comparison.groups import compare
from cosim.comparison.questions import AnswerDifference, by_question
from cosim.comparison.table import in_words, sentences
from cosim.trace.reader import Run
from cosim.trace.schema import AnswerRow

QUESTIONS = {"easy": 30, "hard": 20}
Write = Callable[..., Run]


def answers_of(seed: int, ability: float, *, crossed: bool, names: int = 0) -> Iterator[AnswerRow]:
    """Two rounds of two devices. Questions are of any difficulty; crossed: the same for all seeds,
    in an order of the seed's own."""
    random = np.random.default_rng([seed, int(100 * ability)])
    for round_ in (0, 1):
        for device in (0, 1):
            for task, count in QUESTIONS.items():
                for number in range(count):
                    place = (number * 7 + seed) % count
                    key = place if crossed else 1000 * seed + place
                    difficulty = np.random.default_rng([key, len(task)]).random()
                    right = int(random.random() < 0.5 * (ability + 1 - difficulty))
                    content = names + key
                    yield AnswerRow(round_, device, task, number, content, right, None, None, None)


@pytest.fixture
def groups(by_hand: Write) -> Callable[..., list[Run]]:
    def write(seeds: int = 4, *, crossed: bool = True, names: int = 0) -> list[Run]:
        return [
            by_hand(
                [0, 0.5],
                seed=seed,
                method=method,
                answers=answers_of(
                    seed, ability, crossed=crossed, names=names if method == "lora" else 0
                ),
            )
            for method, ability in (("local", 0.3), ("lora", 0.7))
            for seed in range(1, seeds + 1)
        ]

    return write


def compared(runs: list[Run]) -> AnswerDifference | str | None:
    first, second = compare(runs).groups
    return by_question(second, first)


def raw(run: Run) -> dict[tuple[str, int], float]:
    """Task and content → the share of devices that are right in the last round."""
    found: dict[tuple[str, int], list[int]] = {}
    for row in pq.read_table(run.directory / "answers.parquet").to_pylist():
        if row["round"] == 1:
            found.setdefault((row["task"], row["content"]), []).append(row["right"])
    return {key: sum(right) / len(right) for key, right in found.items()}


def expected(runs: list[Run], draws: int = 4000) -> tuple[float, float, float]:
    """Mean and percentiles, every resample a plain loop over seeds and tasks."""
    seeds = len(runs) // 2
    pairs = [(raw(runs[n]), raw(runs[seeds + n])) for n in range(seeds)]
    random = np.random.default_rng(0)
    contents = {
        task: sorted({c for one, _ in pairs for t, c in one if t == task}) for task in QUESTIONS
    }

    def value(order: list[int], weight: dict[str, dict[int, int]]) -> float:
        of_seeds = []
        for seed in order:
            own, other = pairs[seed]
            of_tasks = []
            for task, times in weight.items():
                here = [(times.get(c, 0), other[t, c] - own[t, c]) for t, c in own if t == task]
                of_tasks.append(sum(n * d for n, d in here) / sum(n for n, _ in here))
            of_seeds.append(sum(of_tasks) / len(of_tasks))
        return sum(of_seeds) / len(of_seeds)

    plain = value(
        list(range(seeds)), {task: dict.fromkeys(all_, 1) for task, all_ in contents.items()}
    )
    found = []
    for _ in range(draws):
        order = random.integers(seeds, size=seeds).tolist()
        weight: dict[str, dict[int, int]] = {}
        for task, all_ in contents.items():
            drawn = random.choice(all_, size=len(all_))
            weight[task] = {
                int(c): int(n) for c, n in zip(*np.unique(drawn, return_counts=True), strict=True)
            }
        found.append(value(order, weight))
    low, high = np.percentile(found, [2.5, 97.5])
    return plain, float(low), float(high)


@pytest.mark.slow
@pytest.mark.parametrize("crossed", [True, False])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_interval_is_that_of_a_bootstrap_written_out(
    groups: Callable[..., list[Run]], crossed: bool, seeds: int
) -> None:
    runs = groups(seeds, crossed=crossed)
    found = compared(runs)
    assert isinstance(found, AnswerDifference)
    mean, low, high = expected(runs)
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)
    assert (found.seeds, found.questions) == (seeds, 50)
    assert found.low < found.mean < found.high
    assert compared(runs) == found, "its draws are a stream of their own"


def test_no_difference_is_none_for_sure(by_hand: Write) -> None:
    answers = list(answers_of(1, 0.5, crossed=True))
    runs = [by_hand([0, 0.5], method=method, answers=answers) for method in ("lora", "local")]
    found = compared(runs)
    assert isinstance(found, AnswerDifference)
    assert (found.mean, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_question_that_is_asked_twice_counts_twice(by_hand: Write) -> None:
    def answers(*right: int) -> list[AnswerRow]:
        contents = (7, 7, 8)
        return [
            AnswerRow(1, 0, "sums", number, contents[number], one, 0, 0.0, None)
            for number, one in enumerate(right)
        ]

    first = by_hand([0, 0.5], answers=answers(0, 0, 0))
    other = by_hand([0, 0.5], method="local", answers=answers(1, 0, 1))
    found = compared([first, other])
    assert isinstance(found, AnswerDifference)
    assert found.mean == pytest.approx(2 / 3)


def test_runs_without_answers_are_compared_without(
    by_hand: Write, groups: Callable[..., list[Run]]
) -> None:
    runs = [*groups(1), by_hand([0, 0.5], method="rolora")]
    comparison = compare(runs)
    first, _, bare = comparison.groups
    assert by_question(bare, first) is None
    assert [line.split(" ")[0] for line in sentences(comparison)] == ["lora"]


def test_other_questions_are_told_and_not_compared(groups: Callable[..., list[Run]]) -> None:
    runs = groups(1, names=50_000)
    said = "asked other questions than local: lora, seed 1"
    assert compared(runs) == said
    assert said in sentences(compare(runs))


def test_the_sentence_says_it_in_points() -> None:
    more = AnswerDifference(0.0312, 0.012, 0.0504, 5, 64)
    assert in_words("A", "B", more, Estimate(0.0312, 0.02, 5)) == (
        "A minus B: 3.1 points, 95 % from 1.2 to 5.0 over 5 seeds × 64 questions (paired "
        "bootstrap): told apart"
    )
    fewer = AnswerDifference(-0.02, -0.05, 0.01, 1, 64)
    assert in_words("A", "B", fewer, Estimate(-0.02, None, 1)) == (
        "A minus B: −2.0 points, 95 % from −5.0 to 1.0 over 64 questions of one seed, which says "
        "nothing of other seeds (paired bootstrap): not told apart on these "
        "questions"
    )


@pytest.mark.parametrize(
    ("low", "high", "half_width", "said"),
    [
        (-0.063, -0.007, 0.02, "told apart"),
        (-0.063, 0.007, 0.04, "not told apart"),
        (
            -0.063,
            -0.007,
            0.039,
            "questions tell them apart, seeds do not (over seeds alone from −7.3 to 0.5)",
        ),
        (
            -0.063,
            0.007,
            0.02,
            "seeds tell them apart, questions do not (over seeds alone from −5.4 to −1.4)",
        ),
    ],
)
def test_the_sentence_says_whether_both_intervals_tell_two_apart(
    low: float, high: float, half_width: float, said: str
) -> None:
    difference = AnswerDifference(-0.034, low, high, 5, 64)
    told = in_words("A", "B", difference, Estimate(-0.034, half_width, 5))
    assert told.split(" (paired bootstrap): ")[1] == said
