"""A run as a notebook shows it: a few facts, and accuracy over simulated time."""

from __future__ import annotations

from cosim.comparison.courses import accuracy_course
from cosim.comparison.figures import Figures, figures_of
from cosim.comparison.groups import Comparison
from cosim.comparison.table import sentences, tables
from cosim.reporting.markup import Markup, table, tag, together
from cosim.reporting.quantity import accuracy_text, exact
from cosim.reporting.svg import WIDTH, Chart, ChartAxis, legend
from cosim.trace.reader import Run
from cosim.trace.standing import standing

# Colours of Okabe and Ito, as the page has them; more tasks than these begin again.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
# Letters and rules take the notebook's own colour, light or dark.
_STYLE = f"""\
.cosim-run {{ {" ".join(f"--k{n}: {colour};" for n, colour in enumerate(_COLOURS))} }}
.cosim-run svg {{ display: block; width: {WIDTH}px; max-width: 100%; overflow: visible; }}
.cosim-run svg text {{ fill: currentColor; font-size: 12px; opacity: 0.75; }}
.cosim-run svg .grid {{ stroke: currentColor; stroke-width: 1; opacity: 0.2; }}
.cosim-run svg .line {{ fill: none; stroke-width: 2; }}
.cosim-run svg .dots {{ fill: none; stroke-width: 5; stroke-linecap: round; }}
.cosim-run .legend span {{ margin-right: 1em; }}
.cosim-run .legend i {{ display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.3em; }}
"""


def card(run: Run, name: str) -> Markup:
    """The facts of a run in a small table, and its curve where something was scored.

    It stands alone: no script, nothing to fetch. Raises RunDirectoryError for unreadable tables.
    """
    manifest, figures = run.manifest, figures_of(run, None)
    facts = [
        ("method", str(manifest.get("method", "?"))),
        ("seed", str(manifest.get("seed", "?"))),
        ("status", standing(run)),
        ("rounds", str(manifest.get("rounds", "?"))),
        *_costs(figures),
    ]
    body = together(table(("run", name), facts), _curve(run))
    return tag("div", tag("style", Markup(_STYLE)), body, class_="cosim-run")


def comparison_card(comparison: Comparison) -> Markup:
    """The tables of a comparison, and sentences about what they mean and lack."""
    parts: list[Markup] = []
    for one in tables(comparison):
        rows = [
            [tag("b", cell.text) if cell.bold else cell.text for cell in row] for row in one.rows
        ]
        parts += [tag("p", one.title)] if one.title else []
        parts.append(table(one.heads, rows))
    return tag("div", parts, [tag("p", sentence) for sentence in sentences(comparison)])


def _costs(figures: Figures) -> list[tuple[str, Markup | str]]:
    found: list[tuple[str, Markup | str]] = []
    if figures.accuracy is not None:
        found.append(("accuracy", exact(figures.accuracy, accuracy_text(figures.accuracy))))
    if figures.simulated_s is not None:
        found.append(("simulated time", exact(figures.simulated_s, unit="s")))
    found.append(("energy", exact(figures.energy_j, unit="J")))
    found.append(("on the air", exact(figures.mbit, unit="Mbit")))
    if figures.missed is not None:
        found.append(("not in time", exact(100 * figures.missed, unit="%")))
    return found


def _curve(run: Run) -> Markup | None:
    """A line a task, with a dot where it was scored."""
    course = accuracy_course(run)
    if course.empty:
        return None
    chart = Chart(
        ChartAxis(0.0, float(course["time_s"].max()), "simulated seconds"),
        ChartAxis(0.0, 1.0, "accuracy"),
    )
    drawn, entries = [], []
    for number, (task, rows) in enumerate(course.groupby("task", sort=False)):
        colour = f"k{number % len(_COLOURS)}"
        times_s, means = rows["time_s"].tolist(), rows["mean"].tolist()
        drawn += [
            chart.steps(colour, times_s, means),
            chart.points(colour, zip(times_s, means, strict=True)),
        ]
        entries.append((colour, str(task)))
    title = "Accuracy of each task over simulated time, mean over devices"
    return together(chart.drawn(title, drawn), legend(entries))
