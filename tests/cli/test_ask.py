"""`cosim ask`: devices of a finished run answer, with the experts that the run's traces name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import cosim as package
from cosim.learning.data.files import json_rows
from cosim.learning.data.pool import load_pools
from cosim.scenario.load import load
from cosim.trace.reader import read_run

ROWS: list[dict[str, Any]] = [
    {"prompt": "Q: what is 1 + 2? A:", "id": 7},
    {"prompt": "The quick brown fox"},
    {"prompt": "Q: what is 1 + 2? A:", "answer": "3"},
]


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def rows_in(path: Path) -> list[Any]:
    return [row for _, row in json_rows(path, "the test", named="the test")]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_device_answers_and_the_run_stays_as_it_was(cosim: Any, played: Any) -> None:
    directory, _ = played("lora")
    before = files_of(directory)
    asked = ("ask", directory, "--device", 1, "--max-tokens", 5, ROWS[0]["prompt"])
    ended = cosim(*asked)
    assert ended.code == 0
    assert re.fullmatch(
        r"asked: device 1 \(the products\)(; cut after 5 tokens \(--max-tokens\))?\n", ended.err
    )
    assert cosim(*asked) == ended
    answer = package.ask(directory, 1, ROWS[0]["prompt"], max_tokens=5)
    assert f"{answer}\n" == ended.out
    assert len(answer.tokens) <= 5
    base = cosim("ask", directory, "--device", "base", "--max-tokens", 5, ROWS[0]["prompt"])
    assert (
        base.out == f"{package.ask(read_run(directory), 'base', ROWS[0]['prompt'], max_tokens=5)}\n"
    )
    assert base.err.startswith("asked: the base model alone")
    assert files_of(directory) == before


def test_rows_of_a_file_are_answered_as_they_are_one_by_one(cosim: Any, played: Any) -> None:
    directory, _ = played("proposed_single_cluster")
    rows = write_rows(Path("rows.jsonl"), ROWS)
    command = ("ask", directory, "--device", 0, "--jsonl", rows, "--max-tokens", 6)
    ended = cosim(*command)
    assert (ended.code, ended.err) == (0, "")
    found = [json.loads(line) for line in ended.out.splitlines()]
    for row, given in zip(found, ROWS, strict=True):
        alone = package.ask(directory, 0, given["prompt"], max_tokens=6)
        assert row == {**given, "generated": alone.text, "asked": alone.asked[0].owner}
        assert sum(one.share for one in alone.asked) == pytest.approx(1)
    assert cosim(*command, "--out", "answered.jsonl").out == "written: answered.jsonl\n"
    assert rows_in(Path("answered.jsonl")) == found


@pytest.mark.slow
def test_the_gate_asks_the_expert_that_the_traces_name(cosim: Any, played: Any) -> None:
    directory, learner = played("proposed_single_cluster", "--set", "evaluation.samples=8")
    answers = read_run(directory).answers
    last = answers[answers["round"] == answers["round"].max()]
    texts = prompts_of(load(directory / "scenario.yaml"), learner)
    for device in (0, 2):
        for task, prompts in texts.items():
            rows = write_rows(Path("rows.jsonl"), [{"prompt": prompt} for prompt in prompts])
            command = ("ask", directory, "--device", device, "--jsonl", rows, "--max-tokens", 1)
            ended = cosim(*command)
            named = last[(last["device"] == device) & (last["task"] == task)]
            asked = [json.loads(line)["asked"] for line in ended.out.splitlines()]
            assert asked == named.sort_values("question")["expert"].tolist()
    assert last["expert"].nunique() > 1


def prompts_of(scenario: Any, learner: Any) -> dict[str, list[str]]:
    """The texts of a run's held-out questions."""
    tokenizer = learner.base.tokenizer
    pools = load_pools(
        scenario.tasks,
        tokenizer,
        seed=scenario.seed,
        test_samples=scenario.evaluation.samples,
        max_tokens=scenario.training.max_tokens,
        shares=dict.fromkeys(scenario.tasks, 1),
    )
    return {
        name: [
            tokenizer.decode(question.candidates[0].prompt, skip_special_tokens=True)
            for question in pool.test
        ]
        for name, pool in pools.items()
    }


def test_a_method_that_is_told_the_task_is_told_it(cosim: Any, played: Any) -> None:
    directory, _ = played("hard_moe")
    own = cosim("ask", directory, "--device", 1, "--max-tokens", 2, "1 + 2 =")
    assert own.err.startswith("asked: all devices (the products)")
    told = cosim("ask", directory, "--device", 1, "--as", "sums", "--max-tokens", 2, "1 + 2 =")
    assert told.err.startswith("asked: all devices (sums)")


def test_what_cannot_be_asked_is_told(cosim: Any, played: Any, scenario_file: Path) -> None:
    directory, _ = played("local")

    def refused(said: str, *arguments: object) -> None:
        ended = cosim("ask", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert "Traceback" not in ended.err

    who = ("--device", 0)
    refused("one of TEXT and --jsonl", directory, *who)
    refused("--device N says who", directory, "2 + 2 =")
    refused("'three' is no device", directory, "--device", "three", "2 + 2 =")
    refused("has the devices 0 to 2; the nearest is 2.", directory, "--device", 9, "2 + 2 =")
    refused("the text is empty", directory, *who, " ")
    refused("did you mean 'sums'?", directory, *who, "--as", "sum", "2 + 2 =")
    refused("--out takes the rows of --jsonl", directory, *who, "--out", "x", "2 + 2 =")
    refused("there is no file 'no.jsonl'", directory, *who, "--jsonl", "no.jsonl")
    rows = write_rows(Path("rows.jsonl"), [ROWS[0], {"question": "2 + 2 ="}])
    refused("rows.jsonl:2: --jsonl: no 'prompt' in the row", directory, *who, "--jsonl", rows)
    rows = write_rows(Path("rows.jsonl"), [{"prompt": "  "}])
    refused("rows.jsonl:1: --jsonl: the prompt is empty", directory, *who, "--jsonl", rows)
    rows = write_rows(Path("rows.jsonl"), [])
    refused("the file has no rows", directory, *who, "--jsonl", rows)
    assert cosim("run", scenario_file, "--out", "network").code == 0
    refused("played the network alone (learning: none)", "network", *who, "2 + 2 =")
    manifest = directory / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    digest = json.loads(text)["base_model_sha256"]
    manifest.write_text(text.replace(digest, "0" * 64), encoding="utf-8")
    refused("has other weights here than in the run", directory, *who, "2 + 2 =")
    manifest.write_text(text.replace('"completed"', '"interrupted"'), encoding="utf-8")
    refused("cosim resume run goes on with it", directory, *who, "2 + 2 =")


def test_a_run_without_adapters_says_what_to_set(cosim: Any, played: Any) -> None:
    directory, _ = played("local", "--set", "trace.adapters=false")
    ended = cosim("ask", directory, "--device", 0, "2 + 2 =")
    assert (ended.code, ended.out) == (2, "")
    assert "run it again with trace.adapters: true" in ended.err
