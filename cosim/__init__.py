"""cosim: a discrete-event network-and-learning co-simulator.

`run` plays a scenario and gives back the run, whose tables are pandas data frames; `resume` goes on
with one that was cut off, `sweep` plays many. `check` tells what a scenario asks for, `compare`
sets runs beside each other, `report` writes a page about them, `plot` draws them, `verify` checks
one, `ask` has a device of one answer, `evaluate` scores its devices on other rows. `Scenario` reads
a scenario and makes others of it.

What installed packages bring inherits from `PathLoss`, `Fading` or `Mobility`; whoever looks on at
a run is an `Observer`, such as `TensorBoard`, `WandB` and `MLflow`.

To import this takes next to no time: each name comes with what it needs when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cosim.calls.looking import ask as ask
    from cosim.calls.looking import check as check
    from cosim.calls.looking import compare as compare
    from cosim.calls.looking import evaluate as evaluate
    from cosim.calls.looking import load_scenario as load_scenario
    from cosim.calls.looking import plot as plot
    from cosim.calls.looking import read_run as read_run
    from cosim.calls.looking import report as report
    from cosim.calls.looking import verify as verify
    from cosim.calls.playing import resume as resume
    from cosim.calls.playing import run as run
    from cosim.calls.playing import sweep as sweep
    from cosim.calls.run import Run as Run
    from cosim.calls.scenario import Scenario as Scenario
    from cosim.errors import CosimError as CosimError
    from cosim.observers.mlflow import MLflow as MLflow
    from cosim.observers.tensorboard import TensorBoard as TensorBoard
    from cosim.observers.wandb import WandB as WandB
    from cosim.scenario.outside.fading import Fading as Fading
    from cosim.scenario.outside.mobility import Mobility as Mobility
    from cosim.scenario.outside.path_loss import PathLoss as PathLoss
    from cosim.simulation.observer import Observer as Observer

__version__ = "0.1.0"
_PLACES = {
    "CosimError": "cosim.errors",
    "Fading": "cosim.scenario.outside.fading",
    "MLflow": "cosim.observers.mlflow",
    "Mobility": "cosim.scenario.outside.mobility",
    "Observer": "cosim.simulation.observer",
    "PathLoss": "cosim.scenario.outside.path_loss",
    "Run": "cosim.calls.run",
    "Scenario": "cosim.calls.scenario",
    "TensorBoard": "cosim.observers.tensorboard",
    "WandB": "cosim.observers.wandb",
    "ask": "cosim.calls.looking",
    "check": "cosim.calls.looking",
    "compare": "cosim.calls.looking",
    "evaluate": "cosim.calls.looking",
    "load_scenario": "cosim.calls.looking",
    "plot": "cosim.calls.looking",
    "read_run": "cosim.calls.looking",
    "report": "cosim.calls.looking",
    "resume": "cosim.calls.playing",
    "run": "cosim.calls.playing",
    "sweep": "cosim.calls.playing",
    "verify": "cosim.calls.looking",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module 'cosim' has no attribute {name!r}")
    found = getattr(import_module(_PLACES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
