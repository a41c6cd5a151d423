"""What one run comes to in numbers, from its traces."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from cosim.errors import SweepError
from cosim.methods.earlier_spelling import respelt
from cosim.methods.part import PARTS
from cosim.methods.projection.slot import Projection
from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS, TransferKind


def scenario_of(run: Run) -> dict[str, Any]:
    """The resolved scenario that the run has played, as plain data."""
    data: dict[str, Any] = YAML(typ="safe", pure=True).load(run.scenario_text)
    return data


def device_tasks(scenario: dict[str, Any]) -> list[str]:
    """The task of every device by id; `round_robin` deals them out in the scenario's order."""
    turns = cycle(scenario["tasks"])
    return [
        next(turns) if group["tasks"] == "round_robin" else str(group["tasks"])
        for group in scenario["devices"]
        for _ in range(group["count"])
    ]


def final_scores(run: Run) -> pd.DataFrame:
    """A row a device and task of the last checkpoint: device, task, accuracy."""
    scores = _headline(run)
    last: pd.DataFrame = scores[scores["round"] == scores["round"].max()]
    return last[["device", "task", "value"]].rename(columns={"value": "accuracy"})


def accuracy_by_task(run: Run) -> pd.Series:
    """Mean over devices by task, at the last checkpoint."""
    return final_scores(run).groupby("task", sort=False)["accuracy"].mean()


def questions_by_task(run: Run) -> pd.Series:
    """How many questions a device was asked of each task, at the last checkpoint."""
    scores = _headline(run)
    return scores[scores["round"] == scores["round"].max()].groupby("task", sort=False)["n"].mean()


def own_accuracy_by_task(run: Run) -> pd.Series:
    """As `accuracy_by_task`, of the devices that learn the task themselves."""
    scores, tasks = final_scores(run), device_tasks(scenario_of(run))
    own = scores[scores["task"] == scores["device"].map(dict(enumerate(tasks)))]
    return own.groupby("task", sort=False)["accuracy"].mean()


def traffic(run: Run) -> dict[str, float]:
    """Mean payload of an update, Mbit of all kinds a device puts on the air in a round, Gbit."""
    transfers = run.transfers
    updates = transfers.loc[transfers["kind"] == TransferKind.UPDATE, "bits"]
    total = float(transfers["sent_bits"].sum())
    return {
        "update_mbit": 0.0 if updates.empty else float(updates.mean()) / 1e6,
        "device_round_mbit": total / max(len(run.rounds), 1) / 1e6,
        "gbit": total / 1e9,
    }


def updated_parameters(run: Run, projection: float | None) -> float | None:
    """Values that a device trains: what its mask keeps of B, and A where it is trained.

    projection: the values of A, which no table counts; `projection_values` finds them.
    """
    active = float(run.layers.groupby("device")["active"].sum().mean())
    if not _trains_projection(run):
        return active
    return None if projection is None else active + projection


def _trains_projection(run: Run) -> bool:
    """Whether A is trained and sent, however the run's version spelt that."""
    said = respelt(scenario_of(run)["method"])["projection"]
    word = said["name"] if isinstance(said, dict) else said
    if word not in PARTS["projection"]:
        raise SweepError(f"{run.directory}: nothing here is known of projection {word!r}")
    kind = PARTS["projection"][word]
    assert issubclass(kind, Projection)
    return kind.moves


def projection_values(runs: list[Run]) -> float | None:
    """Values of A, from the first run that sends them: an update's values less those of B."""
    for run in runs:
        scenario = scenario_of(run)
        updates = run.transfers[run.transfers["kind"] == TransferKind.UPDATE]
        if _trains_projection(run) and not updates.empty:
            sent = updates["bits"].iloc[0] / scenario["adapter"]["bits_per_value"]
            active = run.layers.groupby("device")["active"].sum()
            return float(sent - active[updates["src"].iloc[0]])
    return None


def _headline(run: Run) -> pd.DataFrame:
    scores = run.evaluations[run.evaluations["metric"].isin(HEADLINE_METRICS)]
    if scores.empty:
        raise SweepError(f"{run.directory} has no accuracy: nothing was evaluated")
    return scores
