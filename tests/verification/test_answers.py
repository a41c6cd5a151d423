"""The answers of a run that learnt: the scores' own, the same when they are kept or not, and
refused where they say otherwise."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cosim
from cosim.errors import CosimError
from cosim.trace.schema import EVERY_SCHEMA, SCHEMAS
from tests.verification.tampering import put

SCENARIO = """\
seed: 3
rounds: 2
method: proposed_single_cluster
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  colours: {{source: "jsonl:{rows}", fields: {{prompt: "{{q}}", answer: a, choices: c}}}}
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.05}}
evaluation: {{samples: 6}}
devices: [{{count: 3, mobility: {{model: static}}}}]
radio: {{bandwidth_hz: 1.0e9, fading: {{model: none}}}}
trace: {{answers: {answers}, adapters: false}}
"""
COLOURS = ("red", "green", "dark blue")
Play = Callable[..., Path]


@pytest.fixture(scope="module")
def play(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Play:
    folder = tmp_path_factory.mktemp("answers")
    rows = [
        {"q": f"Q: The {n}th colour? A: ", "a": COLOURS[n % 3], "c": list(COLOURS)}
        for n in range(40)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    def run(answers: str, *overrides: str) -> Path:
        path = folder / "scenario.yaml"
        text = SCENARIO.format(model=tiny_llama, rows=folder / "rows.jsonl", answers=answers)
        path.write_text(text, encoding="utf-8")
        out = folder / f"run-{len(list(folder.iterdir()))}"
        return cosim.run(cosim.load_scenario(path, overrides), out=out).directory

    return run


@pytest.fixture(scope="module")
def kept(play: Play) -> Path:
    """Three devices, a task of three choices and one of free answers, three evaluations."""
    return play("true")


@pytest.mark.slow
def test_their_means_are_the_scores(kept: Path) -> None:
    answers = pq.read_table(kept / "answers.parquet").to_pylist()
    scores = pq.read_table(kept / "evaluations.parquet").to_pylist()
    task_of = {
        row["device"]: row["task"] for row in pq.read_table(kept / "devices.parquet").to_pylist()
    }
    checked = set()
    for score in scores:
        if score["metric"] == "acc_norm":
            continue
        own = [
            row
            for row in answers
            if all(row[key] == score[key] for key in ("round", "device", "task"))
        ]
        assert [row["question"] for row in own] == list(range(6)), score
        right = [row["right"] for row in own]
        if score["metric"] == "routing":
            right = [task_of[row["expert"]] == row["task"] for row in own]
        assert score["value"] == sum(right) / 6
        checked.add((score["metric"], score["task"]))
    assert checked == {("acc", "colours"), ("exact_match", "sums")} | {
        ("routing", task) for task in ("colours", "sums")
    }
    assert len(answers) == 3 * 3 * 2 * 6


def test_what_a_row_says_of_choices_and_of_free_answers(kept: Path) -> None:
    answers = cosim.read_run(kept).answers
    free = answers[answers["task"] == "sums"]
    assert free["chosen"].isna().all()
    assert free["margin"].isna().all()
    ranked = answers[answers["task"] == "colours"]
    assert set(ranked["chosen"]) <= {0, 1, 2}
    assert ((ranked["margin"] > 0) == (ranked["right"] == 1)).all()
    assert 0 < ranked["right"].mean() < 1
    # Whoever has no expert yet is asked itself: only a gate chooses.
    assert answers.loc[answers["round"] == 0, "expert"].isna().all()
    assert set(answers.loc[answers["round"] == 2, "expert"]) <= {0, 1, 2}
    by_content = ranked.groupby(["device", "round"])["content"].agg(tuple)
    assert by_content.nunique() == 1
    assert len(set(by_content.iloc[0])) == 6


def test_other_seeds_name_the_same_questions_alike(play: Play, kept: Path) -> None:
    runs = [kept, play("true", "seed=4", "rounds=1", "evaluation.samples=8")]
    (one, other) = (
        set(rows[rows["task"] == "colours"]["content"])
        for rows in (cosim.read_run(run).answers for run in runs)
    )
    assert (len(one), len(other)) == (6, 8)
    assert one != other
    assert one & other, "14 of 40 rows, drawn twice"


@pytest.mark.slow
def test_nothing_else_moves_and_the_hash_counts_them(play: Play, kept: Path) -> None:
    without = play("false")
    assert not (without / "answers.parquet").exists()
    for table in SCHEMAS:
        assert pq.read_table(kept / f"{table}.parquet").equals(
            pq.read_table(without / f"{table}.parquet")
        ), table
    hashes = {cosim.read_run(run).manifest["results_sha256"] for run in (kept, without)}
    assert len(hashes) == 2


def test_auto_keeps_what_is_small(play: Play, kept: Path) -> None:
    small = cosim.load_scenario(kept / "scenario.yaml", ["trace.answers=auto"])
    assert small.answers_at_most == 3 * 3 * 2 * 6
    assert small.keeps_answers
    grown = ["trace.answers=auto", "evaluation.samples=13_889"]
    large = cosim.load_scenario(kept / "scenario.yaml", grown)
    assert large.answers_at_most == 250_002
    assert not large.keeps_answers
    assert (play("auto", "rounds=1") / "answers.parquet").exists()
    with pytest.raises(CosimError, match="answers"):
        cosim.load_scenario(kept / "scenario.yaml", ["trace.answers=perhaps"])


def test_who_learns_nothing_new_answers_all_the_same(play: Play) -> None:
    answers = cosim.read_run(play("true", "training.learning_rate=1e-30", "method=local")).answers
    columns = ["device", "task", "question", "right", "chosen", "margin"]
    first, last = (
        answers.loc[answers["round"] == number, columns].reset_index(drop=True) for number in (0, 2)
    )
    assert len(first) == len(last) == 3 * 2 * 6
    pd.testing.assert_frame_equal(first, last, rtol=1e-4)


def test_they_are_verified(kept: Path, play: Play, verify: Any) -> None:
    code, told, err = verify(kept)
    assert (code, err) == (0, ""), told
    assert told["answers"] == "ok: 108 answers and their scores"
    code, told, _ = verify(play("false", "rounds=1"))
    assert (code, told["answers"]) == (0, "ok: none are kept")


def flipped(frame: pd.DataFrame) -> None:
    row = frame.index[frame["task"] == "sums"][0]
    frame.loc[row, "right"] = 1 - frame.loc[row, "right"]


CASES: dict[str, tuple[Any, str]] = {
    "an answer that was not right": (
        flipped, r"row 2: value of exact_match: expected \S+ of 6 answers in answers.parquet, found"
    ),
    "an answer less": (
        lambda frame: frame.drop(frame.index[-1]), "of 5 answers in answers.parquet"
    ),
    "a device's answers less": (
        lambda frame: frame[frame["device"] != 1], "expected its answers in answers.parquet"
    ),
    "answers without a score": (
        lambda frame: frame.assign(device=frame["device"].replace(1, 3)),
        "expected its score in evaluations.parquet",
    ),
    "a question that was asked twice": (
        put("question", 0, question=1),
        "question: expected the questions of a device and task in their order, from 0, found 0",
    ),
    "half an answer": (put("right", 3, task="sums"), "right: expected 0 or 1, found 3"),
    "a margin of the other sign": (
        put("margin", lambda old: -old, task="colours"), r"right: expected \d at a margin of"
    ),
    "a margin of nothing": (
        put("margin", 0.5, task="sums"), "margin: expected null, as of a free answer"
    ),
    "another expert": (
        put("expert", lambda old: 0 if old == 1 else 1, round=2), "value of routing: expected"
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_tampered_answers_are_refused(
    kept: Path, verify: Any, tmp_path: Path, case: tuple[Any, str]
) -> None:
    change, said = case
    copy = Path(shutil.copytree(kept, tmp_path / "run"))
    path, schema = copy / "answers.parquet", EVERY_SCHEMA["answers"]
    frame = pq.read_table(path).to_pandas()
    changed = change(frame)
    frame = frame if changed is None else changed
    arrays = [pa.array(frame[f.name], f.type, from_pandas=f.nullable) for f in schema]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path)
    code, told, err = verify(copy)
    assert (code, err) == (1, "")
    assert told["answers"].startswith("WRONG: ")
    assert re.search(said, told["answers"]), told["answers"]
    assert told["hash"].startswith("WRONG: ")


def test_answers_that_were_asked_for_are_missed(kept: Path, verify: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(kept, tmp_path / "run"))
    (copy / "answers.parquet").unlink()
    code, told, _ = verify(copy)
    assert code == 1
    assert told["answers"] == (
        "WRONG: answers.parquet: file: expected the answers that trace.answers asks for, found none"
    )
