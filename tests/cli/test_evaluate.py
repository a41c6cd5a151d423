"""`cosim evaluate`: a finished run's devices scored on rows, as the run scores its own."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from cosim import evaluate
from cosim.trace.reader import read_run
from tests.cli.test_ask import files_of, write_rows

KINDS: dict[str, list[dict[str, Any]]] = {
    "free": [{"prompt": f"{n} + 1 =", "answer": str(n + 1)} for n in range(14)],
    "choice": [
        {"prompt": f"Is {n} even?", "choices": ["yes", "no"], "answer": n % 2} for n in range(14)
    ],
}
METRICS = {"free": "exact_match", "choice": "acc"}


def last_accuracies(directory: Path) -> dict[tuple[str, int], float]:
    table = read_run(directory).evaluations
    last = table[(table["round"] == table["round"].max()) & table["metric"].isin(METRICS.values())]
    return {(row.task, row.device): row.value for row in last.itertuples()}


UNEQUAL = {"devices": [{"count": 2}, {"count": 1, "rank": 1}]}


@pytest.mark.parametrize(
    ("method", "groups"),
    [
        ("lora", {}),
        pytest.param("decaf", UNEQUAL, marks=pytest.mark.slow, id="ranks"),
        pytest.param("proposed_single_cluster", {}, marks=pytest.mark.slow),
    ],
)
def test_the_run_s_own_rows_give_the_accuracies_of_its_last_evaluation(
    cosim: Any, played: Any, method: str, groups: dict[str, Any]
) -> None:
    """By their file and by the scenario, to the last digit; the run stays as it is."""
    settings = ["training.steps=6", "rounds=2", "evaluation.samples=6"]
    for kind, name in zip(KINDS, ("sums", "the products"), strict=True):
        train = write_rows(Path(f"{kind}-train.jsonl"), KINDS[kind][:8])
        test = write_rows(Path(f"{kind}-test.jsonl"), KINDS[kind][8:])
        task = {"source": f"jsonl:{train.absolute()}", "test": str(test.absolute())}
        settings.append(f"tasks.{name}={json.dumps(task)}")
    settings += [f"{key}={json.dumps(value)}" for key, value in groups.items()]
    directory, _ = played(method, *(word for one in settings for word in ("--set", one)))
    before = files_of(directory)
    wanted = last_accuracies(directory)
    assert len(set(wanted.values())) > 1
    ended = cosim("evaluate", directory, "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert {(o["task"], o["device"]): o["value"] for o in found["accuracies"]} == wanted
    for kind, name in zip(KINDS, ("sums", "the products"), strict=True):
        ended = cosim("evaluate", directory, "--task", f"jsonl:{kind}-test.jsonl", "--json")
        found = json.loads(ended.out)
        by_device = {o["device"]: o["value"] for o in found["accuracies"]}
        assert by_device == {device: wanted[name, device] for device in range(3)}
        assert {o["metric"] for o in found["accuracies"]} == {METRICS[kind]}
        assert {o["questions"] for o in found["accuracies"]} == {6}
        called = evaluate(directory, f"jsonl:{kind}-test.jsonl", devices=[2], samples=3)
        assert [(one.device, one.questions) for one in called.accuracies] == [(2, 3)]
        (mean,) = found["means"].values()
        assert mean == pytest.approx(sum(by_device.values()) / 3)
    assert files_of(directory) == before


def test_own_rows_are_of_their_own_tasks(cosim: Any, played: Any) -> None:
    directory, _ = played("lora")
    ended = cosim("evaluate", directory, "--as", "sums")
    assert (ended.code, ended.out) == (2, "")
    assert (
        ended.err == "cosim: --as belongs to --task: the run's own rows have tasks of their own.\n"
    )


def test_a_table_says_who_answers_how_much(cosim: Any, played: Any) -> None:
    directory, _ = played("lora")
    long = {"prompt": "word " * 300, "answer": "1"}
    rows = write_rows(Path("rows.jsonl"), [*KINDS["free"], long])
    asked = ("evaluate", directory, "--task", f"jsonl:{rows}")
    ended = cosim(*asked, "--device", 2, "--device", 0)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0] == "rows.jsonl: exact_match, 14 questions a device"
    table = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert [cells[:2] for cells in table] == [
        ["0", "sums"],
        ["2", "sums"],
        ["mean", "of 2 devices"],
    ]
    assert "1 of 15 rows of rows.jsonl are longer than" in ended.err
    few = cosim(*asked, "--samples", 3)
    assert "3 questions a device" in few.out
    assert "longer than" not in few.err


def test_where_all_answers_are_wrong_a_sentence_says_how_to_see_them(
    cosim: Any, played: Any
) -> None:
    directory, _ = played("local")
    rows = write_rows(Path("rows.jsonl"), [{"prompt": "Say it's", "answer": "no word of mine"}])
    ended = cosim("evaluate", directory, "--task", f"jsonl:{rows}", "--device", 1)
    assert "nobody answers any question right" in ended.err
    assert "'no word of mine' to the first" in ended.err
    *_, command = ended.err.strip().split("instead: ")
    words = shlex.split(command)[1:]
    assert words == ["ask", str(directory), "--device", "1", "--", "Say it's"]
    assert cosim(*words).code == 0


def test_what_cannot_be_scored_is_told(cosim: Any, played: Any) -> None:
    directory, _ = played("local")

    def refused(said: str, *arguments: object) -> None:
        ended = cosim("evaluate", directory, *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err

    refused("expected jsonl:<path>", "--task", "rows.jsonl")
    refused("there is no file 'no.jsonl'", "--task", "jsonl:no.jsonl")
    refused("has the devices 0 to 2", "--device", 3)
    rows = write_rows(Path("rows.jsonl"), [{"prompt": "2 + 2 ="}])
    refused("rows.jsonl:1: --task: no 'answer' in the row", "--task", f"jsonl:{rows}")
