"""How a task's training rows are divided among its devices, in a scenario."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from cosim.scenario.section import Section


class Division(Section):
    """A division gives each device of a task its rows; one of these says how, evenly without."""

    dirichlet: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="α: each answer's rows are dealt out by shares drawn from a Dirichlet "
        "distribution; the smaller, the fewer answers a device sees",
    )
    proportions: tuple[dict[str, float], ...] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="by answer, the share that it has of a device's rows; a mapping a device, "
        "over again where there are more devices",
    )
    quantity: float | None = Field(
        None,
        gt=0,
        le=1e6,
        description="α: devices have different numbers of rows, by shares drawn from a Dirichlet "
        "distribution; their answers are alike",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        stated = [name for name, value in self if value is not None]
        if len(stated) != 1:
            told = f"not {' and '.join(stated)}" if stated else "not none of them"
            raise ValueError(f"expected one of dirichlet, proportions and quantity, {told}")
        for number, shares in enumerate(self.proportions or ()):
            if any(share < 0 for share in shares.values()):
                raise ValueError(f"proportions.{number}: a share of a device's rows is negative")
            total = math.fsum(shares.values())
            if not math.isclose(total, 1.0, abs_tol=1e-6):
                raise ValueError(f"proportions.{number}: the shares add up to {total:g}, not to 1")
        return self
