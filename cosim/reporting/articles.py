"""All that is told of one run, and of how many runs so much is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from cosim.comparison.figures import figures_of
from cosim.reporting.adapters import adapters_section
from cosim.reporting.batteries import batteries_section
from cosim.reporting.deadlines import radio_section
from cosim.reporting.devices import devices_section
from cosim.reporting.head import head, verification_note
from cosim.reporting.markup import Markup, tag, together
from cosim.reporting.numbers import four_numbers
from cosim.reporting.scene import scene_section
from cosim.reporting.scores import scores_section
from cosim.trace.reader import Run

# A page that is mailed and opened at once: so many runs whole, and no further once they hold so
# many letters.
MOST_ARTICLES = 24
MOST_LETTERS = 2_500_000


@dataclass(frozen=True)
class Articles:
    """Articles are what is told of single runs, one of which is looked at.

    written: an article a run, hidden but for the first.
    facts: what the scripts know of each.
    runs: which runs they are of, by their number among all.
    left_out: sentences on runs of which there is no article; none where there are all.
    wrong: what verifying those has found.
    """

    written: Sequence[Markup]
    facts: Sequence[dict[str, Any] | None]
    runs: Sequence[int]
    left_out: Sequence[str]
    wrong: Sequence[str]


def articles_of(
    runs: Sequence[Run], groups: Sequence[int], *, verified: bool, chart: Markup | None
) -> Articles:
    """The articles in the order of the runs, chosen so that each group has one before any has two.

    groups: the group of each run. verified: whether every run is, with an article or without.
    chart: what stands below the numbers of a run by itself.
    """
    found: dict[int, tuple[Markup, dict[str, Any] | None]] = {}
    letters = 0
    for number in _in_turn(groups)[:MOST_ARTICLES]:
        sections = _sections(runs[number], verified=verified, chart=chart)
        letters += len(sections[0])
        if found and letters > MOST_LETTERS:
            break
        found[number] = sections
    numbers = sorted(found)
    written = [
        tag("article", found[number][0], data_run=place, hidden=place > 0)
        for place, number in enumerate(numbers)
    ]
    others = [run for number, run in enumerate(runs) if number not in found]
    told, wrong = _left_out(others, len(numbers), verified=verified)
    return Articles(written, [found[number][1] for number in numbers], numbers, told, wrong)


def _left_out(
    others: Sequence[Run], shown: int, *, verified: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """What is said of runs without an article, and what is wrong with them."""
    if not others:
        return (), ()
    told = (
        f"Map, timeline and devices of {shown} of {shown + len(others)} runs follow, spread over "
        "the groups; `cosim report RUN` writes the page of any other."
    )
    if not verified:
        return (told,), ()
    notes = [(run, verification_note(run, verified=True)) for run in others]
    wrong = [f"{run.directory}: {line}" for run, note in notes for line in note.wrong]
    found = "what is wrong with them:" if wrong else "nothing wrong"
    return (told, f"Of the others those that have ended were verified: {found}"), wrong


def _in_turn(groups: Sequence[int]) -> list[int]:
    """The numbers of all runs: the first of each group, then the second of each, and so on."""
    members: dict[int, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    turns = zip_longest(*(members[group] for group in sorted(members)))
    return [number for turn in turns for number in turn if number is not None]


def _sections(
    run: Run, *, verified: bool, chart: Markup | None
) -> tuple[Markup, dict[str, Any] | None]:
    """The sections of a run, and what the scripts know of it."""
    scene, known = scene_section(run)
    sections = together(
        head(run, verification_note(run, verified=verified)),
        four_numbers(run, figures_of(run, None)),
        chart,
        devices_section(run),
        scene,
        radio_section(run),
        scores_section(run),
        adapters_section(run),
        batteries_section(run),
        _scenario(run),
    )
    return sections, known


def _scenario(run: Run) -> Markup:
    """The resolved scenario, folded: saved as a file it can be run again."""
    return tag(
        "details", tag("summary", "The scenario"), tag("pre", run.scenario_text), class_="scenario"
    )
