"""Calls that look: at a scenario before it is run, and at runs, or ask them, after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from cosim.calls.run import Run
from cosim.trace.reader import Run as TraceOfRun

if TYPE_CHECKING:
    from cosim.asking.evaluate import Evaluated
    from cosim.calls.compared import Compared
    from cosim.calls.scenario import Changes, Chosen, Scenario
    from cosim.calls.verified import Verified
    from cosim.learning.respondents import Answer
    from cosim.plotting.drawing import Drawing
    from cosim.preflight.explain import Explanation
    from cosim.sweeping.opened import OpenedRuns

# A run, its directory, or the directory of a sweep.
Opened: TypeAlias = "TraceOfRun | str | PathLike[str]"


def load_scenario(path: str | PathLike[str], overrides: Changes = ()) -> Scenario:
    """The validated, frozen scenario of a YAML file, with values by dotted path used instead.

    overrides: a mapping, or texts `key.path=value`. Raises `cosim.CosimError` naming the file, the
    line and the path in the scenario.
    """
    from cosim.calls.scenario import Scenario

    return Scenario.from_yaml(path, overrides)


def check(scenario: Chosen, *, set: Changes = None) -> Explanation:
    """What a scenario asks of its radio, its devices and this machine, without running it.

    It shows itself as text; `facts` and `warnings` are its lines. `scenario` and `set` are those of
    `cosim.run`. Raises `cosim.CosimError` where the scenario could not start.
    """
    from cosim.calls.scenario import opened
    from cosim.preflight.explain import explain
    from cosim.scenario.complaints.blame import blaming

    chosen, document = opened(scenario, set)
    with nullcontext() if document is None else blaming(document):
        return explain(chosen)


def read_run(path: str | PathLike[str]) -> Run:
    """Opens a run directory: manifest, scenario and every table as a pandas data frame.

    Raises `cosim.CosimError` where it is none.
    """
    return Run.read(Path(path))


def verify(run: Opened) -> Verified:
    """Checks that a finished run is whole: schema, time, partners, bits, energy, hashes.

    It shows itself as a line a check, and its `ok` says whether nothing is wrong. Raises
    `cosim.CosimError` where `run` is none.
    """
    from cosim.calls.verified import Verified
    from cosim.verification.verify import verify as checked

    directory = run.directory if isinstance(run, TraceOfRun) else Path(run)
    return Verified(checked(directory))


def compare(
    runs: Opened | Iterable[Opened],
    *,
    target: float | None = None,
    budget: str | None = None,
    against: Opened | Iterable[Opened] = (),
) -> Compared:
    """Sets runs beside each other: accuracy, time, energy, bits, misses, and their differences.

    runs: runs, their directories, or directories of sweeps; those that differ in their seed alone
    are one row. target: an accuracy; what it took to reach it. budget: such as "100s,4kJ,500Mbit";
    the last accuracy measured within each. against: the same methods undisturbed, to tell the
    difference of each to its twin. Raises `cosim.CosimError` where no run is completed.
    """
    from cosim.calls.compared import Compared
    from cosim.comparison.budgets import read_budgets
    from cosim.comparison.groups import compare as compared

    opened, twins = _opened(runs), _opened(against)
    comparison = compared(
        opened.runs,
        target,
        [*opened.notes, *twins.notes],
        budgets=[] if budget is None else read_budgets(budget),
        against=twins.runs,
        called=opened.called,
    )
    return Compared(comparison)


def ask(
    run: Opened,
    device: int | Literal["base"],
    text: str,
    *,
    max_tokens: int = 64,
    taken_for: str | None = None,
) -> Answer:
    """What a device of a finished run, or its base model alone, answers to a text, greedily.

    Printed, an answer is its text; `asked` tells whose experts gave it. taken_for: the run's task
    that the text is taken for, where a method is told a question's task; default: the device's own.
    Each call loads the base model: `cosim.asking.ask.ask` takes many texts. Raises
    `cosim.CosimError` for what a user can put right.
    """
    from cosim.asking.ask import ask as asked

    opened = run if isinstance(run, TraceOfRun) else read_run(run)
    return asked(opened, device, [text], max_tokens=max_tokens, taken_for=taken_for)[0]


def evaluate(
    run: Opened,
    task: str | Sequence[str] = (),
    *,
    devices: Sequence[int] = (),
    samples: int | None = None,
    taken_for: str | None = None,
) -> Evaluated:
    """Scores the devices of a finished run, or those that are named, as the run scored its own.

    The result's `accuracies` are by task and device. task: `jsonl:<path>`, one or several, whose
    rows are asked; default: the run's own held-out rows. samples: the first so many of each.
    taken_for: as in `cosim.ask`. Raises `cosim.CosimError` for what a user can put right.
    """
    from cosim.asking.evaluate import evaluate as evaluated

    opened = run if isinstance(run, TraceOfRun) else read_run(run)
    sources = [task] if isinstance(task, str) else task
    return evaluated(opened, sources, devices, samples=samples, taken_for=taken_for)


def plot(
    runs: Opened | Iterable[Opened],
    kind: str,
    out: str | PathLike[str] | Sequence[str | PathLike[str]] = (),
    *,
    over: str | None = None,
    against: str | None = None,
    measure: str | None = None,
    budget: str | None = None,
    target: float | None = None,
) -> Drawing:
    """Draws runs, as `cosim.compare` takes them, as `cosim plot` does.

    The drawing has the numbers as a data frame, `table`, and the Matplotlib `figure`. out: files to
    replace, .png, .svg or .csv. Raises `cosim.CosimError` for what a user can put right.
    """
    from cosim.plotting.plot import drawing
    from cosim.plotting.request import Request

    opened = _opened(runs)
    request = Request(over, against, measure, budget, target)
    drawn = drawing(opened.runs, kind, request, opened.notes, opened.called, opened.names)
    for path in [out] if isinstance(out, str | PathLike) else out:
        drawn.write(Path(path))
    return drawn


def report(runs: Opened | Iterable[Opened], out: str | PathLike[str] | None = None) -> Path:
    """Writes one HTML page about a run, or about several and their differences; returns its path.

    runs: as `cosim.compare` takes them. out: default `report.html` beside the traces of a single
    run, in this folder for several. Raises `cosim.CosimError` for what a user can put right.
    """
    from cosim.reporting.write import write_report

    opened, page = _opened(runs), None if out is None else Path(out)
    return write_report(opened.runs, page, notes=opened.notes, called=opened.called)


def _opened(runs: Opened | Iterable[Opened]) -> OpenedRuns:
    """The runs in their order, and what is told of them."""
    from cosim.sweeping.opened import OpenedRuns, opened_runs

    together = OpenedRuns([], [], {}, {})
    for one in [runs] if isinstance(runs, TraceOfRun | str | PathLike) else runs:
        if isinstance(one, TraceOfRun):
            found = OpenedRuns([one], [], {}, {})
        else:
            found = opened_runs([Path(one)])
        together.runs.extend(found.runs)
        together.notes.extend(found.notes)
        together.called.update(found.called)
        together.names.update(found.names)
    return together
