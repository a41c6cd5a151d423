"""cosim: a discrete-event network-and-learning co-simulator.

`load_scenario` reads and validates a YAML scenario, `run` plays it and writes the traces,
`read_run` opens them again, `report` writes a page about them, `plot` draws them, `ask` has a
device answer. Heavy imports happen inside the calls.

What installed packages bring inherits from `PathLoss`, `Fading` or `Mobility`; whoever looks on at
a run is an `Observer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from cosim.learning.respondents import Answer
    from cosim.plotting.drawing import Drawing
    from cosim.scenario.model import Scenario
    from cosim.scenario.outside.fading import Fading
    from cosim.scenario.outside.mobility import Mobility
    from cosim.scenario.outside.path_loss import PathLoss
    from cosim.simulation.observer import Observer
    from cosim.trace.reader import Run

__version__ = "0.1.0"
__all__ = [
    "Fading",
    "Mobility",
    "Observer",
    "PathLoss",
    "ask",
    "load_scenario",
    "plot",
    "read_run",
    "report",
    "run",
]


def __getattr__(name: str) -> Any:
    """The classes to inherit from, imported when they are first asked for."""
    match name:
        case "Fading":
            from cosim.scenario.outside.fading import Fading

            return Fading
        case "Mobility":
            from cosim.scenario.outside.mobility import Mobility

            return Mobility
        case "Observer":
            from cosim.simulation.observer import Observer

            return Observer
        case "PathLoss":
            from cosim.scenario.outside.path_loss import PathLoss

            return PathLoss
    raise AttributeError(f"module 'cosim' has no attribute {name!r}")


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """The validated, frozen scenario of a YAML file, with `key.path=value` overrides applied.

    Raises `cosim.errors.ScenarioError` naming the file, the line and the path in the scenario.
    """
    from cosim.scenario.load import load

    return load(Path(path), overrides)


def run(
    scenario: Scenario | str | Path,
    out: str | Path | None = None,
    *,
    observers: Sequence[Observer] = (),
) -> Run:
    """Plays a scenario to its end and opens the run directory that it wrote.

    observers: who looks on, besides those that the scenario names. Raises
    `cosim.errors.CosimError` for what a user can put right.
    """
    from cosim.lifecycle.play import play
    from cosim.scenario.complaints.blame import blaming
    from cosim.scenario.load import load_with_document
    from cosim.trace.reader import read_run as read

    directory = Path(out) if out is not None else None
    if isinstance(scenario, str | Path):
        chosen, document = load_with_document(Path(scenario))
        with blaming(document):
            return read(play(chosen, out=directory, observers=observers).directory)
    return read(play(scenario, out=directory, observers=observers).directory)


def read_run(path: str | Path) -> Run:
    """Opens a run directory: manifest, scenario and every table as a pandas data frame."""
    from cosim.trace.reader import read_run as read

    return read(Path(path))


def ask(
    run: Run | str | Path,
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
    `cosim.errors.CosimError` for what a user can put right.
    """
    from cosim.asking.ask import ask as asked
    from cosim.trace.reader import Run

    opened = run if isinstance(run, Run) else read_run(run)
    return asked(opened, device, [text], max_tokens=max_tokens, taken_for=taken_for)[0]


def report(runs: Run | Sequence[Run], out: str | Path | None = None) -> Path:
    """Writes one HTML page about a run, or about several and their differences; returns its path.

    out: default `report.html` beside the traces of a single run, in this folder for several.
    Raises `cosim.errors.CosimError` for what a user can put right.
    """
    from cosim.reporting.write import write_report
    from cosim.trace.reader import Run

    chosen = [runs] if isinstance(runs, Run) else list(runs)
    return write_report(chosen, Path(out) if out is not None else None)


def plot(
    runs: Run | str | Path | Sequence[Run | str | Path],
    kind: str,
    out: str | Path | Sequence[str | Path] = (),
    *,
    over: str | None = None,
    against: str | None = None,
    measure: str | None = None,
    budget: str | None = None,
    target: float | None = None,
) -> Drawing:
    """Draws runs, or directories of runs and sweeps, as `cosim plot` does.

    The drawing has the numbers as a data frame, `table`, and the Matplotlib `figure`. out: files to
    replace, .png, .svg or .csv. Raises `cosim.errors.CosimError` for what a user can put right.
    """
    from cosim.plotting.plot import drawing
    from cosim.plotting.request import Request
    from cosim.sweep.opened import Opened, opened_runs
    from cosim.trace.reader import Run

    chosen = Opened([], [], {})
    for one in [runs] if isinstance(runs, Run | str | Path) else runs:
        opened = Opened([one], [], {}) if isinstance(one, Run) else opened_runs([Path(one)])
        chosen.runs.extend(opened.runs)
        chosen.notes.extend(opened.notes)
        chosen.called.update(opened.called)
    request = Request(over, against, measure, budget, target)
    drawn = drawing(chosen.runs, kind, request, chosen.notes, chosen.called)
    for path in [out] if isinstance(out, str | Path) else out:
        drawn.write(Path(path))
    return drawn
