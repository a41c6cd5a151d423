"""Answers against the scores that they add up to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

_FILE, _SCORES = "answers.parquet", "evaluations.parquet"
_KEYS = ["round", "device", "task"]
# A mean of ones and noughts is a sum of integers divided once.
_ROUNDING = 1e-12


def check_answers(run: Subject) -> Check:
    """The answers of a device to the questions of a task are numbered, go with their margins, and
    have the accuracy and the routing that its scores say; every accuracy has its answers."""
    if "evaluations" not in run.tables:
        return Check("answers", skipped=f"{_SCORES} cannot be used")
    scores = run.tables["evaluations"]
    if "answers" not in run.tables:
        if any(finding.file == _FILE for finding in run.unusable):
            return Check("answers", skipped=f"{_FILE} cannot be used")
        expected = run.scenario is not None and run.scenario.keeps_answers and len(scores) > 0
        lacking = [Finding(_FILE, "file", "the answers that trace.answers asks for", "none")]
        return Check("answers", "none are kept", lacking if expected else ())
    answers = run.tables["answers"]
    findings = [*_numbers(answers), *_margins(answers)]
    for metric, recount in _metrics(run, answers).items():
        findings += _against(scores[scores["metric"] == metric], recount, metric)
    return Check("answers", f"{len(answers)} answers and their scores", findings)


def _numbers(answers: pd.DataFrame) -> Iterator[Finding]:
    for row in where(answers["question"] != answers.groupby(_KEYS).cumcount()):
        expected = "the questions of a device and task in their order, from 0"
        yield Finding(_FILE, "question", expected, written(answers["question"][row]), row)
    for row in where(~answers["right"].isin([0, 1])):
        yield Finding(_FILE, "right", "0 or 1", written(answers["right"][row]), row)


def _margins(answers: pd.DataFrame) -> Iterator[Finding]:
    """Who is more likely than all others is chosen; of equal ones the first is."""
    margin, free = answers["margin"], answers["chosen"].isna()
    for row in where(free & margin.notna()):
        expected = "null, as of a free answer no candidate is chosen"
        yield Finding(_FILE, "margin", expected, written(margin[row]), row)
    wrong = ((margin > 0) & (answers["right"] == 0)) | ((margin < 0) & (answers["right"] == 1))
    for row in where(wrong):
        expected = f"{int(margin[row] > 0)} at a margin of {written(margin[row])}"
        yield Finding(_FILE, "right", expected, written(answers["right"][row]), row)


def _metrics(run: Subject, answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By metric and device, task and round: the value, and of how many answers."""
    free = answers["chosen"].isna()
    of_metric = {
        "exact_match": (answers[free], "right"),
        "acc": (answers[~free], "right"),
    }
    if "devices" in run.tables:
        task_of = run.tables["devices"].set_index("device")["task"]
        routed = answers[answers["expert"].notna()]
        own = routed["expert"].map(task_of) == routed["task"]
        of_metric["routing"] = (routed.assign(own=own), "own")
    return {
        metric: rows.groupby(_KEYS)[column].agg(["mean", "size"]).reset_index()
        for metric, (rows, column) in of_metric.items()
    }


def _against(scores: pd.DataFrame, recount: pd.DataFrame, metric: str) -> Iterator[Finding]:
    """Findings where a score is not the mean of its answers, or one of the two is without the
    other."""
    rows = scores.assign(row=scores.index)[[*_KEYS, "value", "n", "row"]]
    pairs = rows.merge(recount, how="outer", on=_KEYS)
    same = (pairs["n"] == pairs["size"]) & ((pairs["value"] - pairs["mean"]).abs() <= _ROUNDING)
    for pair in pairs[~same].to_dict("records"):
        who = f"round {pair['round']}, device {pair['device']}, task {pair['task']}"
        if np.isnan(pair["row"]):
            yield Finding(_FILE, metric, f"its score in {_SCORES}", f"none ({who})")
        elif np.isnan(pair["size"]):
            row = int(pair["row"])
            yield Finding(_SCORES, metric, f"its answers in {_FILE}", f"none ({who})", row)
        else:
            expected = f"{written(pair['mean'])} of {pair['size']:.0f} answers in {_FILE}"
            value = f"{written(pair['value'])} of {pair['n']:.0f} ({who})"
            yield Finding(_SCORES, f"value of {metric}", expected, value, int(pair["row"]))
