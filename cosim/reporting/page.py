"""The whole page: its sections, its style and its scripts, in one text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from cosim.comparison.figures import figures_of
from cosim.comparison.groups import Comparison
from cosim.comparison.left_out import shortened
from cosim.reporting.adapters import adapters_section
from cosim.reporting.batteries import batteries_section
from cosim.reporting.beside import comparison_of, comparison_section
from cosim.reporting.course import course, course_section
from cosim.reporting.deadlines import radio_section
from cosim.reporting.devices import devices_section
from cosim.reporting.head import head, verification_note
from cosim.reporting.markup import Markup, embedded, tag, together
from cosim.reporting.numbers import four_numbers
from cosim.reporting.scene import scene_section
from cosim.reporting.scores import scores_section
from cosim.trace.reader import Run

# In the order in which they need each other.
_SCRIPTS = (
    *("elements.js", "unpack.js", "course.js"),
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
    groups = list(dict.fromkeys(group for group, _ in labels))
    courses = [
        course(run, label, group, groups.index(group))
        for run, (group, label) in zip(runs, labels, strict=True)
    ]
    chart = course_section(courses)
    articles: list[Markup] = []
    facts = []
    for number, run in enumerate(runs):
        scene, known = scene_section(run)
        facts.append(known)
        top = (
            head(run, verification_note(run, verified=verified)),
            four_numbers(run, figures_of(run, None)),
            chart if len(runs) == 1 else None,
        )
        sections = (
            devices_section(run),
            scene,
            radio_section(run),
            scores_section(run),
            adapters_section(run),
            batteries_section(run),
            _scenario(run),
        )
        articles.append(tag("article", *top, *sections, data_run=number, hidden=number > 0))
    title = ", ".join(_name(run) for run in runs[:3])
    paragraphs = [tag("p", note, class_="note") for note in shortened(notes)]
    if len(runs) == 1:
        body = together(articles, paragraphs)
    else:
        beside = paragraphs if comparison is None else comparison_section(comparison)
        heading = tag("h1", f"{len(runs)} runs")
        body = together(heading, beside, chart, _chooser([name for _, name in labels]), articles)
    return _document(title, body, {"courses": courses, "runs": facts})


def _name(run: Run) -> str:
    return str(run.manifest.get("name", run.directory.name))


def _labels(runs: Sequence[Run], comparison: Comparison | None) -> list[tuple[str, str]]:
    """What the group of each run is called, and the run itself."""
    if comparison is None:
        return [(_name(run), _name(run) if len(runs) == 1 else str(run.directory)) for run in runs]
    known = {
        run.directory: (group.label, f"{group.label}, seed {seed}")
        for group in comparison.groups
        for seed, run in group.runs.items()
    }
    return [known.get(run.directory, ("left out above", str(run.directory))) for run in runs]


def _chooser(labels: Sequence[str]) -> Markup:
    options = [tag("option", label, value=number) for number, label in enumerate(labels)]
    chosen = tag("select", options, id="chooser", autocomplete="off")
    return tag("h2", tag("label", "One of them: ", chosen))


def _scenario(run: Run) -> Markup:
    """The resolved scenario, folded: saved as a file it can be run again."""
    return tag(
        "details", tag("summary", "The scenario"), tag("pre", run.scenario_text), class_="scenario"
    )


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
