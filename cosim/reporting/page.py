"""The whole page: its sections, its style and its scripts, in one text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from cosim.comparison.groups import Comparison
from cosim.comparison.left_out import shortened
from cosim.reporting.articles import Articles, articles_of
from cosim.reporting.beside import comparison_of, comparison_section
from cosim.reporting.course import course, course_section, student_t
from cosim.reporting.markup import Markup, embedded, tag, together
from cosim.trace.reader import Run

# In the order in which they need each other.
_SCRIPTS = (
    *("elements.js", "unpack.js", "groups.js", "course.js"),
    *("scene.js", "map.js", "timeline.js", "row.js", "start.js"),
)
# Whatever the page were made to ask for, a browser would not fetch it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def page(
    runs: Sequence[Run],
    *,
    verified: bool = True,
    notes: Sequence[str] = (),
    called: Mapping[Path, str] | None = None,
) -> str:
    """The HTML of a report about runs; `notes` are sentences that it tells besides, `called` is
    what somebody has called runs, by directory."""
    comparison = comparison_of(runs, notes, called) if len(runs) > 1 else None
    places = _places(runs, comparison)
    courses = [
        course(run, place.label, place.group, place.number)
        for run, place in zip(runs, places, strict=True)
    ]
    chart = course_section(courses)
    single = len(runs) == 1
    compared = 0 if comparison is None else len(comparison.groups)
    articles = articles_of(
        runs,
        # Of what is in no group one after the other, when each group has had its turn.
        [min(place.number, compared) for place in places],
        verified=verified,
        chart=chart if single else None,
    )
    title = ", ".join(list(dict.fromkeys(map(_name, runs)))[:3])
    paragraphs = [tag("p", note, class_="note") for note in shortened(notes)]
    if single:
        body = together(articles.written, paragraphs)
    else:
        beside = paragraphs if comparison is None else comparison_section(comparison)
        heading = tag("h1", f"{len(runs)} runs")
        body = together(heading, beside, chart, _chooser(places, articles), articles.written)
    most = max(Counter(place.number for place in places).values())
    facts = {"courses": courses, "runs": articles.facts, "student_t": student_t(most)}
    return _document(title, body, facts)


def _name(run: Run) -> str:
    return str(run.manifest.get("name", run.directory.name))


class _Place(NamedTuple):
    """Where a run stands among others: its group's name and number, and what itself is called."""

    group: str
    number: int
    label: str


def _places(runs: Sequence[Run], comparison: Comparison | None) -> list[_Place]:
    """A place a run; who is in no group of the comparison has one alone, after all groups."""
    if comparison is None:
        names = [_name(run) if len(runs) == 1 else str(run.directory) for run in runs]
        return [_Place(name, number, name) for number, name in enumerate(names)]
    known = {
        id(run): _Place(group.label, number, f"{group.label}, seed {seed}")
        for number, group in enumerate(comparison.groups)
        for seed, run in group.runs.items()
    }
    places = []
    for number, run in enumerate(runs, start=len(comparison.groups)):
        name = f"left out above: {run.directory}"
        # A run that is given twice is counted once.
        places.append(known.pop(id(run), _Place(name, number, name)))
    return places


def _chooser(places: Sequence[_Place], articles: Articles) -> Markup:
    options = [
        tag("option", places[number].label, value=place)
        for place, number in enumerate(articles.runs)
    ]
    chosen = tag("select", options, id="chooser", autocomplete="off")
    told = [tag("p", line, class_="note") for line in articles.left_out]
    wrong = [tag("p", line, class_="warning") for line in articles.wrong]
    return together(tag("h2", tag("label", "One of them: ", chosen)), told, wrong)


def _asset(name: str) -> Markup:
    return Markup(files("cosim.reporting").joinpath("assets", name).read_text(encoding="utf-8"))


def _document(title: str, body: Markup, facts: object) -> str:
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    document = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("link", rel="icon", href="data:,"),
            tag("title", f"{title}: cosim report"),
            tag("style", _asset("page.css")),
        ),
        tag(
            "body",
            tag("main", body),
            tag("noscript", tag("p", "The charts need JavaScript; the numbers do not.")),
            tag("script", embedded(facts), type="application/json", id="facts"),
            tag("script", Markup(f'(function () {{\n"use strict";\n{script}\n}})();\n')),
        ),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{document}\n"
