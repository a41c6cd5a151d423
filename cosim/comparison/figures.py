"""What one run reached and what it cost, from its traces alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from cosim.comparison.budgets import Budget
from cosim.trace.reader import Run
from cosim.trace.schema import HEADLINE_METRICS, TransferKind, TransferOutcome


@dataclass(frozen=True)
class Figures:
    """The figures are one run in numbers; None where the run has none.

    accuracy: mean over tasks of the mean over devices, at the last evaluation.
    best: the same at the evaluation at which it is largest.
    forgotten: the same mean of what a device has lost of its best accuracy on a task.
    simulated_s: the end of the last round.
    energy_j: of all devices.
    mbit: on the air, 10⁶ bit.
    missed: share of the transfers that were not delivered in time, beacons left out.
    to_target_s: time of the first evaluation at which the accuracy reached the target.
    to_target_j: energy until then, with all of that round.
    to_target_mbit: on the air until then, likewise.
    at_budgets: accuracy at each budget, by the name of that figure.
    spent: of each cost in all, by the column of `evaluated_rounds`.
    """

    accuracy: float | None
    best: float | None
    forgotten: float | None
    simulated_s: float | None
    energy_j: float
    mbit: float
    missed: float | None
    to_target_s: float | None
    to_target_j: float | None
    to_target_mbit: float | None
    at_budgets: Mapping[str, float | None]
    spent: Mapping[str, float]

    def value(self, name: str) -> float | None:
        """The figure of that name."""
        figure: float | None = (
            self.at_budgets[name] if name in self.at_budgets else getattr(self, name)
        )
        return figure

    def values(self) -> dict[str, float | None]:
        """Every figure by its name."""
        rest = ("at_budgets", "spent")
        plain = [field.name for field in fields(self) if field.name not in rest]
        return {name: self.value(name) for name in (*plain, *self.at_budgets)}


def figures_of(run: Run, target: float | None, budgets: Sequence[Budget] = ()) -> Figures:
    """The figures of a run; raises RunDirectoryError where a table cannot be read."""
    rounds, transfers = run.rounds, run.transfers
    points = evaluated_rounds(run)
    losses = forgetting(run)
    reached = points if target is None else points[points["accuracy"] >= target]
    # Who is silent misses nothing, and a beacon hardly ever fails.
    messages = transfers[transfers["kind"] != TransferKind.BEACON]
    missed = messages["outcome"] != TransferOutcome.DELIVERED
    first = None if target is None or reached.empty else reached.iloc[0]
    simulated_s = None if rounds.empty else float(rounds["end_s"].max())
    energy_j = float(rounds.filter(regex="^energy_").to_numpy().sum())
    mbit = float(transfers["sent_bits"].sum()) / 1e6
    return Figures(
        accuracy=None if points.empty else float(points["accuracy"].iloc[-1]),
        best=None if points.empty else float(points["accuracy"].max()),
        forgotten=None if losses.empty else float(_mean_by_round(losses, "forgotten").iloc[-1]),
        simulated_s=simulated_s,
        energy_j=energy_j,
        mbit=mbit,
        missed=None if messages.empty else float(missed.mean()),
        to_target_s=None if first is None else float(first["time_s"]),
        to_target_j=None if first is None else float(first["energy_j"]),
        to_target_mbit=None if first is None else float(first["mbit"]),
        at_budgets={budget.name: budget.accuracy(points) for budget in budgets},
        spent={"time_s": simulated_s or 0.0, "energy_j": energy_j, "mbit": mbit},
    )


def evaluated_rounds(run: Run) -> pd.DataFrame:
    """A row a round that was scored: accuracy, time_s; energy_j and mbit up to and with it."""
    scores = headline(run)
    points = _mean_by_round(scores, "value").to_frame("accuracy")
    points["time_s"] = scores.groupby("round")["time_s"].max()
    costs = pd.DataFrame(
        {
            "energy_j": run.rounds.filter(regex="^energy_").sum(axis=1),
            "mbit": run.rounds["bits_sent"] / 1e6,
        }
    )
    for name, spent in costs.groupby(run.rounds["round"]).sum().cumsum().items():
        points[name] = [float(spent[spent.index <= number].max()) for number in points.index]
    return points.fillna({"energy_j": 0.0, "mbit": 0.0}).reset_index()


def forgetting(run: Run) -> pd.DataFrame:
    """A row a round, device and task that was scored: round, device, task, accuracy, forgotten.

    forgotten: the device's best accuracy on the task so far minus the present one, so 0 at a new
    best. The best of noisy scores is flattered by their noise, so that small values say little.
    """
    scores = headline(run).sort_values("round", kind="stable")
    best = scores.groupby(["device", "task"])["value"].cummax()
    rows = scores.assign(accuracy=scores["value"], forgotten=best - scores["value"])
    return rows[["round", "device", "task", "accuracy", "forgotten"]].reset_index(drop=True)


def final_accuracy(run: Run) -> float | None:
    """The mean over tasks of the mean over devices at the last evaluation; None without one."""
    means = _mean_by_round(headline(run), "value")
    return None if means.empty else float(means.iloc[-1])


def headline(run: Run) -> pd.DataFrame:
    """The scores that are a task's accuracy."""
    scores = run.evaluations
    return scores[scores["metric"].isin(HEADLINE_METRICS)]


def _mean_by_round(scores: pd.DataFrame, column: str) -> pd.Series:
    """Mean over tasks of the mean over devices."""
    return scores.groupby(["round", "task"])[column].mean().groupby("round").mean()
