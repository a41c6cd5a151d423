"""What is asked of a figure beside its kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """A request is what one may say of a figure.

    over: the key of the scenario along whose values it is drawn, dotted.
    against: the label or method whose paired differences are drawn.
    measure: the figure of a run that is drawn, a name of `cosim.comparison.measures`.
    budget: budgets, as `cosim compare` takes them.
    target: an accuracy.
    """

    over: str | None = None
    against: str | None = None
    measure: str | None = None
    budget: str | None = None
    target: float | None = None

    def given(self) -> list[str]:
        """The names of what was said."""
        return [name for name, value in vars(self).items() if value is not None]
