"""`pooled`: one adapter learns from the rows of all devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from cosim.methods.data.together import Together


class Pooled(Together):
    """All rows lie in one place."""

    name: Literal["pooled"] = "pooled"
    answered_with: ClassVar[str | None] = "single"

    def pools(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """One for all."""
        return ("",) * len(tasks)
