"""A finished run opened to be asked: what it kept is there, and its base model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cosim.errors import AskError
from cosim.export.kept import kept_adapters, refuse_unknown_device, scenario_of
from cosim.scenario.learning import Fields
from cosim.scenario.model import Scenario
from cosim.spelling import did_you_mean
from cosim.trace.reader import Run

if TYPE_CHECKING:
    from cosim.learning.respondents import Respondents


@dataclass(frozen=True)
class AskableRun:
    """An askable run is opened before its model is loaded, so that what is wrong is told at once.

    run: the finished run, which has kept its adapters.
    scenario: the one that it played.
    taken_for: the run's task that questions are taken for, None for a device's own.
    """

    run: Run
    scenario: Scenario
    taken_for: str | None = None

    @classmethod
    def of(cls, run: Run, devices: Sequence[int], taken_for: str | None = None) -> AskableRun:
        """Refuses what cannot be asked: raises `CosimError`."""
        kept_adapters(run)
        scenario = scenario_of(run)
        for device in devices:
            refuse_unknown_device(run, device, scenario.device_count)
        if taken_for is not None and taken_for not in scenario.tasks:
            names = list(scenario.tasks)
            raise AskError(
                f"--as {taken_for}: {run.directory} has the tasks {', '.join(names)}"
                f"{did_you_mean(taken_for, names)}."
            )
        return cls(run, scenario, taken_for)

    @property
    def fields(self) -> Fields:
        """Where rows of a file keep what: as the task has them that they are taken for."""
        return Fields() if self.taken_for is None else self.scenario.tasks[self.taken_for].fields

    def respondents(self) -> Respondents:
        """Loads the base model, which takes seconds."""
        from cosim.learning.respondents import Respondents

        manifest = self.run.manifest
        return Respondents.of(
            self.scenario,
            kept_adapters(self.run),
            str(manifest["dtype"]),
            str(manifest["base_model_sha256"]),
            self.taken_for,
        )
