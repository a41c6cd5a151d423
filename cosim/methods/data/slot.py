"""What a data part is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cosim.methods.part import Part


class Data(Part):
    """Data says whose rows an adapter learns from."""

    slot: ClassVar[str] = "data"
    # Whether a task has one expert, which all of its devices train.
    by_task: ClassVar[bool] = False
    # The composition that answers where rows lie in one place; None: any.
    answered_with: ClassVar[str | None] = None

    def pools(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """The pool of every device by id; empty where each device has its own rows."""
        return ()
