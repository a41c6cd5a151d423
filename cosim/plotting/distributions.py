"""What share lies below a value: how long messages took, and what a device's round cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.comparison.group import Group
from cosim.comparison.groups import Comparison
from cosim.errors import ViewError
from cosim.plotting.drawing import Drawing
from cosim.plotting.request import Request
from cosim.plotting.style import chunks, foot, prefixed, sheet, wide
from cosim.plotting.wording import listed, warning
from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind, TransferOutcome

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROW_IN = 3.0
# Marks tell curves apart; each stands on a step of its own.
_MARKS = 7


class _Sample(NamedTuple):
    """Measured values, and of how many they are: some were never delivered."""

    values: NDArray[np.float64]
    of: int


def latency(comparison: Comparison, request: Request) -> Drawing:
    """How long messages were on their way: the share of all sent ones that had arrived by then."""

    def sample(run: Run) -> _Sample:
        sent = run.transfers[run.transfers["kind"] != TransferKind.BEACON]
        there = sent[sent["outcome"] == TransferOutcome.DELIVERED]
        return _Sample((there["end_s"] - there["start_s"]).to_numpy(dtype=float), len(sent))

    samples = [
        _pooled(group, [sample(run) for run in group.runs.values()]) for group in comparison.groups
    ]
    return _drawing(
        comparison,
        samples,
        "latency_s",
        ("time from first bit to arrival", "s", "share of messages that had arrived"),
        "messages sent, beacons left out",
        "What never arrived keeps a curve below 1.",
        lacking=("nothing was sent", "nothing arrived"),
    )


def energy(comparison: Comparison, request: Request) -> Drawing:
    """What a device spent in a round, for everything."""

    def sample(run: Run) -> _Sample:
        spent = run.rounds.filter(regex="^energy_").sum(axis=1).to_numpy(dtype=float)
        return _Sample(spent, len(spent))

    samples = [
        _pooled(group, [sample(run) for run in group.runs.values()]) for group in comparison.groups
    ]
    return _drawing(
        comparison,
        samples,
        "energy_j",
        ("energy of a device in a round", "J", "share of devices' rounds"),
        "rounds of a device",
    )


def _pooled(group: Group, samples: Sequence[_Sample]) -> tuple[pd.DataFrame, int]:
    """A row a value that occurs: how many are no larger, of how many; and these once more, as a
    table may have no row."""
    every = np.concatenate([one.values for one in samples])
    # Sums in another order differ in their last digit, and are one value.
    values, counts = np.unique([float(f"{value:.12g}") for value in every], return_counts=True)
    n = sum(one.of for one in samples)
    table = pd.DataFrame({"value": values, "count": np.cumsum(counts), "n": n})
    table.insert(0, "label", group.label)
    return table, n


def _drawing(
    comparison: Comparison,
    samples: Sequence[tuple[pd.DataFrame, int]],
    column: str,
    words: tuple[str, str, str],
    counted: str,
    besides: str = "",
    lacking: tuple[str, str] = ("no round ended", "no round ended"),
) -> Drawing:
    """The figure of samples; lacking: why one is empty that is of nothing, or of something."""
    if all(one.empty for one, _ in samples):
        raise ViewError("These runs have nothing to draw: no message arrived, no round ended.")
    notes = [
        *comparison.notes,
        *(
            f"not drawn, as {lacking[n > 0]}: {group.label}"
            for group, (one, n) in zip(comparison.groups, samples, strict=True)
            if one.empty
        ),
    ]
    table = pd.concat([one for one, _ in samples if not one.empty], ignore_index=True)
    table["share"] = table["count"] / table["n"]
    table = table.rename(columns={"value": column})
    seeds = listed(seed for group in comparison.groups for seed in group.runs)
    totals = table.groupby("label", sort=False)["n"].first()
    told = ", ".join(f"{label} {n:,}" for label, n in totals.items())
    alone = seeds.isdigit()
    of_seeds = f"Seed {seeds} alone." if alone else f"All seeds ({seeds}) together."
    foot_words = f"{of_seeds} {besides} n, {counted}: {told}."
    return Drawing(table, lambda: _paint(table, column, words, foot_words, warning(notes)), notes)


def _paint(
    table: pd.DataFrame, column: str, words: tuple[str, str, str], told: str, missing: str
) -> Figure:
    name, unit, share = words
    parts = chunks(list(dict.fromkeys(table["label"])))
    figure, rows = sheet([_ROW_IN] * len(parts), 1)
    factor, unit = prefixed(table[column], unit)
    for styles, row in zip(parts, rows, strict=True):
        (panel,) = row.panels
        for label, style in styles.items():
            own = table[table["label"] == label]
            at, up = factor * own[column].to_numpy(), own["share"].to_numpy()
            # From 0 up to the first value's share, and level between the values.
            panel.plot(
                np.concatenate([at[:1], at]),
                np.concatenate([[0.0], up]),
                drawstyle="steps-post",
                markevery=_marks(len(at)),
                markersize=4.2,
                linewidth=1.1,
                **style._asdict(),
            )
        panel.set_ylim(-0.02, 1.02)
        if wide(table[column]) and table[column].min() > 0:
            panel.set_xscale("log")
        panel.set_xlim(*_ends(factor * table[column]))
        panel.set_xlabel(f"{name} ({unit})")
        panel.set_ylabel(share)
        row.legend(styles)
    foot(figure, told, missing)
    return figure


def _marks(count: int) -> list[int]:
    """Which of the points after the first have a mark: some, spread over the values."""
    return sorted({1 + round(k * (count - 1) / _MARKS) for k in range(_MARKS + 1)})


def _ends(values: pd.Series) -> tuple[float, float]:
    least, most = float(values.min()), float(values.max())
    if least > 0 and wide([least, most]):
        return least / 1.1, most * 1.1
    room = 0.03 * (most - least) or 0.5
    return least - room, most + room
