"""How the figures look: one colour, marker and line for a method in all of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

WIDTH_IN = 7.2  # at 700 pixels, 9 pt are about 12 pixels
_DPI = 180


class Style(NamedTuple):
    """Of one method's line."""

    color: str
    marker: str
    linestyle: Any


# Okabe–Ito, black and grey; methods of one family share a colour.
_KNOWN = {
    "proposed": Style("#0072B2", "o", "-"),
    "proposed_single_cluster": Style("#56B4E9", "s", "-"),
    "proposed_literal": Style("#0072B2", "v", ":"),
    "lora": Style("#D55E00", "^", "-"),
    "lori": Style("#009E73", "D", "-"),
    "lori_dense": Style("#009E73", "d", "--"),
    "hard_moe": Style("#000000", "*", "--"),
    "centralised": Style("#000000", "P", ":"),
    "full_finetune": Style("#CC79A7", "X", "-"),
    "local": Style("#888888", "p", "--"),
}
_OTHERS = ("#E69F00", "#CC79A7", "#56B4E9", "#009E73", "#D55E00", "#0072B2")
_MARKERS = "<>hvPs"
_LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))


def styles(labels: list[str]) -> dict[str, Style]:
    """A method looks alike in every figure; other labels take what is left, in their order."""
    unknown = [label for label in labels if label not in _KNOWN]
    given = {
        label: Style(
            _OTHERS[k % len(_OTHERS)], _MARKERS[k % len(_MARKERS)], _LINES[k % len(_LINES)]
        )
        for k, label in enumerate(unknown)
    }
    return {label: _KNOWN.get(label) or given[label] for label in labels}


def panels(rows: int, columns: int, height_in: float, **options: Any) -> tuple[Any, Any]:
    """A figure of the common width and its panels, in an array of two dimensions."""
    plt.rcParams.update({"font.size": 9, "axes.titlesize": 9, "legend.fontsize": 8.5})
    size = (WIDTH_IN, height_in)
    figure, grid = plt.subplots(
        rows, columns, figsize=size, layout="constrained", squeeze=False, **options
    )
    for panel in grid.flat:
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    return figure, grid


def legend(figure: Any, labels: list[str], columns: int, *others: Any) -> None:
    """The lines of the labels above the panels, and what else is drawn."""
    lines = [
        Line2D([], [], markersize=5, linewidth=1.3, label=label, **style._asdict())
        for label, style in styles(labels).items()
    ]
    figure.legend(
        handles=[*lines, *others], loc="outside upper center", ncols=columns, frameon=False
    )


def within_a_rate(mean: Any, half: Any, whole: float = 100.0) -> Any:
    """Lengths (2, n) of intervals below and above their means that stay within 0 and `whole`,
    since no rate lies beyond."""
    mean, half = np.asarray(mean, dtype=float), np.nan_to_num(np.asarray(half, dtype=float))
    return np.array([np.minimum(half, mean), np.minimum(half, whole - mean)])


def listed(numbers: Iterable[int]) -> str:
    """'3', or '2 to 3'."""
    known = sorted(set(numbers))
    return str(known[0]) if len(known) == 1 else f"{known[0]} to {known[-1]}"


def wrapped(label: str) -> str:
    """A long label on two lines."""
    head, joint, tail = label.partition(" " if " " in label else "_")
    return f"{head}{joint}\n{tail}" if len(label) > 14 and tail else label


def save(figure: Any, out: Path, note: str) -> None:
    """OUT.png, with what is missing written across its foot."""
    if note:
        figure.supxlabel(note, fontsize=8, color="#B00020", wrap=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out.with_suffix(".png"), dpi=_DPI)
    plt.close(figure)
