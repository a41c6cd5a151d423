"""The whole page: its sections, its style and its scripts, in one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

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
    labels = _labels(runs, comparison)
    names = list(dict.fromkeys(group for group, _ in labels))
    groups = [names.index(group) for group, _ in labels]
    courses = [
        course(run, label, name, group)
        for run, (name, label), group in zip(runs, labels, groups, strict=True)
    ]
    chart = course_section(courses)
    single = len(runs) == 1
    articles = articles_of(runs, groups, verified=verified, chart=chart if single else None)
    title = ", ".join(list(dict.fromkeys(map(_name, runs)))[:3])
    paragraphs = [tag("p", note, class_="note") for note in shortened(notes)]
    if single:
        body = together(articles.written, paragraphs)
    else:
        beside = paragraphs if comparison is None else comparison_section(comparison)
        heading = tag("h1", f"{len(runs)} runs")
        body = together(heading, beside, chart, _chooser(labels, articles), articles.written)
    most = max(map(groups.count, groups))
    facts = {"courses": courses, "runs": articles.facts, "student_t": student_t(most)}
    return _document(title, body, facts)


def _name(run: Run) -> str:
    return str(run.manifest.get("name", run.directory.name))


def _labels(runs: Sequence[Run], comparison: Comparison | None) -> list[tuple[str, str]]:
    """What the group of each run is called, and the run itself."""
    if comparison is None:
        return [2 * (_name(run) if len(runs) == 1 else _named(run),) for run in runs]
    known = {
        run.directory: (group.label, f"{group.label}, seed {seed}")
        for group in comparison.groups
        for seed, run in group.runs.items()
    }
    return [known.get(run.directory, 2 * (f"left out above: {_named(run)}",)) for run in runs]


def _named(run: Run) -> str:
    return str(run.directory)


def _chooser(labels: Sequence[tuple[str, str]], articles: Articles) -> Markup:
    options = [
        tag("option", labels[number][1], value=place) for place, number in enumerate(articles.runs)
    ]
    chosen = tag("select", options, id="chooser", autocomplete="off")
    left_out = articles.left_out(len(labels))
    note = None if left_out is None else tag("p", left_out, class_="note")
    return together(tag("h2", tag("label", "One of them: ", chosen)), note)


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
