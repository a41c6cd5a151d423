"""A run's curves in Weights & Biases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.observers.tracker import Tracker

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario


class WandB(Tracker):
    """A W&B observer logs a run's curves over `simulated_s`, and the scenario as its config.

    `round` is logged beside them, and can be chosen as the axis. A run that fails or is interrupted
    ends with an exit code of 1.

    project: of W&B. settings: whatever else `wandb.init` takes, such as `mode="offline"`,
    `entity`, `group` or `dir`, which is the run's own directory unless it is given.
    """

    package, extra = "wandb", "wandb"

    def __init__(self, project: str = "cosim", **settings: Any) -> None:
        super().__init__()
        self._settings = {"project": project, **settings}
        self._run: Any = None

    def open(self, scenario: Scenario, directory: Path) -> None:
        """Opens a run of W&B beside any other that is open."""
        import wandb

        defaults = {
            "name": directory.absolute().name,
            "dir": str(directory),
            "config": scenario.model_dump(mode="json"),
            "reinit": "create_new",
        }
        self._run = wandb.init(**(defaults | self._settings))
        self._run.define_metric("simulated_s")
        self._run.define_metric("*", step_metric="simulated_s")

    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Logs a point of each curve."""
        self._run.log({**values, "simulated_s": time_s, "round": round_})

    def ended(self, status: str) -> None:
        """Has W&B write what it holds."""
        if self._run is not None:
            self._run.finish(exit_code=int(status != "completed"))
