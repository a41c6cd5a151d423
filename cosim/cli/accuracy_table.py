"""A run's accuracy by task and evaluation, in a table that fits where it is printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from cosim.trace.schema import HEADLINE_METRICS

# A run is under way before its summary needs pandas.
if TYPE_CHECKING:
    import pandas as pd

# What rich puts around a column's text: a blank at each side and a rule.
_AROUND = 3


def accuracy_by_task(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Mean over devices of each task's headline metric: a row a task, a column a round."""
    headline = evaluations[evaluations["metric"].isin(HEADLINE_METRICS)]
    if headline.empty:
        import pandas as pd

        return pd.DataFrame()
    order = list(dict.fromkeys(headline["task"]))
    # Who was not scored after a round, being gone for good, keeps the last score.
    scores = headline.pivot_table(index=["device", "task"], columns="round", values="value")
    return scores.ffill(axis=1).groupby("task").mean().loc[order]


def accuracy_table(name: str, accuracy: pd.DataFrame, width: int) -> Table:
    """As many evaluations as fit into `width` characters: the last always, then the first, the
    best average and some between. The caption tells how many there are in all."""
    heads = {round_: f"round {round_}" for round_ in accuracy.columns}
    tasks = max(map(len, [*map(str, accuracy.index), "average"]))
    # A long name is cut before the last number is.
    tasks = max(min(tasks, width - 2 * _AROUND - 1 - len(heads[accuracy.columns[-1]])), 1)
    column_width = max(map(len, heads.values())) + _AROUND
    rounds = _chosen(accuracy, max((width - tasks - _AROUND - 1) // column_width, 1))
    table = Table(title=f"{name}: accuracy, mean over devices")
    table.add_column("task", no_wrap=True, width=tasks, overflow="ellipsis")
    for round_ in rounds:
        table.add_column(heads[round_], justify="right", no_wrap=True)
    for task, row in accuracy[rounds].iterrows():
        table.add_row(str(task), *(f"{value:.3f}" for value in row))
    if len(accuracy) > 1:
        table.add_section()
        table.add_row("average", *(f"{value:.3f}" for value in accuracy[rounds].mean()))
    if len(rounds) < len(heads):
        table.caption = f"{len(rounds)} of {len(heads)} evaluations, the last and the best among"
        table.caption = f"{table.caption} them" if len(rounds) > 1 else "the last evaluation"
    return table


def _chosen(accuracy: pd.DataFrame, room: int) -> Sequence[int]:
    """The rounds that are shown, in order, `room` of them at most."""
    rounds = list(accuracy.columns)
    if len(rounds) <= room:
        return rounds
    best = accuracy.mean().idxmax()
    # By rank: what is the more wanted comes first.
    even = [rounds[k * (len(rounds) - 1) // max(room - 1, 1)] for k in range(room)]
    ranking = dict.fromkeys([rounds[-1], best, rounds[0], *even])
    return sorted(list(ranking)[:room])
