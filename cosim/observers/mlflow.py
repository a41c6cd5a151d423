"""A run's curves in MLflow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosim.observers.tracker import Tracker

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario

_STATUS = {"completed": "FINISHED", "interrupted": "KILLED"}
# What MLflow takes at once, and of one value.
_PARAMETERS, _LETTERS = 100, 500


class MLflow(Tracker):
    """An MLflow observer logs a run's curves, and the scenario's values as parameters.

    MLflow's step is the round; its timestamp is the simulated time in ms, so that the axis
    "relative time" shows simulated seconds and "wall time" counts from 1970.

    experiment: of MLflow. tracking_uri: of the server or the store; default: what MLflow itself
    goes by, such as MLFLOW_TRACKING_URI.
    """

    package, extra = "mlflow", "mlflow"

    def __init__(self, experiment: str = "cosim", tracking_uri: str | None = None) -> None:
        super().__init__()
        self._experiment, self._uri = experiment, tracking_uri
        self._client: Any = None
        self._run = ""

    def open(self, scenario: Scenario, directory: Path) -> None:
        """Opens a run of MLflow."""
        from mlflow.entities import Param
        from mlflow.tracking import MlflowClient

        from cosim.scenario.reading.differences import flat

        client = MlflowClient(self._uri)
        found = client.get_experiment_by_name(self._experiment)
        experiment = found.experiment_id if found else client.create_experiment(self._experiment)
        run = client.create_run(experiment, run_name=directory.absolute().name)
        self._client, self._run = client, run.info.run_id
        parameters = [
            Param(_fitting(path), str(value)[:_LETTERS])
            for path, value in flat(scenario.model_dump(mode="json")).items()
        ]
        for first in range(0, len(parameters), _PARAMETERS):
            client.log_batch(self._run, params=parameters[first : first + _PARAMETERS])

    def draw(self, values: dict[str, float], round_: int, time_s: float) -> None:
        """Logs a point of each curve, and the simulated seconds themselves."""
        from mlflow.entities import Metric

        metrics = [
            Metric(_fitting(name), value, round(time_s * 1e3), round_)
            for name, value in {**values, "simulated_s": time_s}.items()
        ]
        self._client.log_batch(self._run, metrics=metrics)

    def ended(self, status: str) -> None:
        """Says how the run has ended."""
        if self._client is not None:
            self._client.set_terminated(self._run, _STATUS.get(status, "FAILED"))


def _fitting(name: str) -> str:
    """The name with letters that MLflow takes."""
    return re.sub(r"[^\w\-. /]", "_", name)
