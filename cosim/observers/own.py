"""The observers that cosim brings, by the names that a scenario uses."""

from __future__ import annotations

from cosim.observers.tracker import Tracker


def own_observer(name: str) -> Tracker:
    """The observer of a name of `cosim.scenario.outside.observers.OWN`, with its defaults.

    Raises ObserverError where the package that it draws with is not installed.
    """
    match name:
        case "tensorboard":
            from cosim.observers.tensorboard import TensorBoard

            return TensorBoard()
        case "wandb":
            from cosim.observers.wandb import WandB

            return WandB()
        case "mlflow":
            from cosim.observers.mlflow import MLflow

            return MLflow()
    raise ValueError(name)
