"""`task`: one expert a task, which learns from the rows of all devices of that task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.data.together import Together


class ByTask(Together):
    """A task's rows lie in one place."""

    name: Literal["task"] = "task"
    by_task: ClassVar[bool] = True
    answered_with: ClassVar[str | None] = "oracle"

    def pools(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """The tasks."""
        return tuple(tasks)
