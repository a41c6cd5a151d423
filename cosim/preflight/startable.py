"""Whether scenarios could start, each thing that they share looked at once: nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosim.errors import CosimError
from cosim.preflight.disk import estimate_disk, require_disk
from cosim.scenario.model import Scenario
from cosim.simulation.agreement import settled
from cosim.simulation.setup.build import build_devices, given_work

# What a scenario's model, tasks, memory and disk do not depend on, or hardly.
_APART = {"seed", "name"}


class Preflight:
    """A preflight looks at one scenario after the other, and keeps what it has seen."""

    def __init__(self, directory: Path) -> None:
        """directory: where the runs will lie."""
        self._directory = directory
        self._results: dict[str, Any] = {}

    def refuse_unstartable(self, scenario: Scenario) -> None:
        """Raises CosimError where a scenario's devices, model or tasks cannot be used, or where
        memory or disk is too small for it."""
        # How fast devices agree hangs on where the seed puts them, and on their links.
        agreeing = any(part.asks_contraction for part in scenario.method.parts())
        values = scenario.model_dump(mode="json", exclude={"name"} if agreeing else _APART)
        self._once(("all", values), lambda: self._look(scenario, values))

    def _look(self, scenario: Scenario, values: dict[str, Any]) -> None:
        where = {
            name: values[name] for name in ("devices", "area", "rounds", "tasks") if name in values
        }
        self._once(("devices", where), lambda: build_devices(scenario) and None)
        scenario, _ = settled(scenario)
        if scenario.learning.model == "none":
            disk = estimate_disk(scenario, [given_work(scenario)] * scenario.device_count)
        else:
            from cosim.learning.base.base_model import refuse_absent_gpu, skeleton
            from cosim.learning.forecast import forecast_of
            from cosim.learning.prepare import read_tasks

            refuse_absent_gpu(scenario.base_model.device)
            source = scenario.base_model.source
            model, tokenizer = self._once(("model", source), lambda: skeleton(source))
            rows = {
                "source": source,
                "counts": [(group.count, group.tasks) for group in scenario.devices],
                **{name: values[name] for name in ("tasks", "evaluation")},
                "max_tokens": scenario.training.max_tokens,
            }
            pools = self._once(("tasks", rows), lambda: read_tasks(scenario, tokenizer))
            expected = forecast_of(scenario, model, tokenizer, pools)
            disk = estimate_disk(scenario, expected.work, expected.storage, expected.modules)
        require_disk(disk, self._directory)

    def _once(self, key: Any, look: Callable[[], Any]) -> Any:
        """What `look` finds, or what it raises, the first time that it is asked for."""
        text = json.dumps(key, sort_keys=True, default=str)
        if text not in self._results:
            try:
                self._results[text] = look()
            except CosimError as error:
                self._results[text] = error
        result = self._results[text]
        if isinstance(result, CosimError):
            raise result
        return result
