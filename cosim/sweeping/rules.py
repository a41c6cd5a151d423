"""Values of a grid by rule: from one number to another in steps, evenly, or by equal factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Context, Decimal, localcontext
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, model_validator

from cosim.scenario.reading.one_line import number_text, shown
from cosim.scenario.section import Section
from cosim.sweeping.naming import refuse_unfit_names

# The most values of one rule; a sweep has no more runs.
MAX_VALUES = 10_000
# Significant digits of values between the ends, and those of an even step.
_DIGITS = 3
# Decimal arithmetic gives every machine the same digits.
_CONTEXT = Context(prec=40)


def _number(value: Any) -> Any:
    """An integer stays one: some paths take nothing else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"expected a number, got {shown(value)}")
    return value


def three_numbers(words: str) -> BeforeValidator:
    def checked(value: Any) -> Any:
        if value is not None and not (isinstance(value, list) and len(value) == 3):
            raise ValueError(f"expected [{words}], got {shown(value)}")
        return value

    return BeforeValidator(checked)


_Number = Annotated[Any, AfterValidator(_number)]
_Count = Annotated[StrictInt, Field(ge=2, le=MAX_VALUES)]
_Steps = Annotated[tuple[_Number, _Number, _Number] | None, three_numbers("first, last, step")]
_Spread = Annotated[tuple[_Number, _Number, _Count] | None, three_numbers("first, last, count")]


class Rule(Section):
    """A rule gives the values of a path, or gives values names of their own: one key of these."""

    named: dict[str, Any] | None = Field(
        None,
        min_length=1,
        description="each value under the name that directories, tables and plots give it",
    )
    range: _Steps = Field(None, description="first, last, step: both ends are values")
    linear: _Spread = Field(None, description="first, last, count: evenly, both ends are values")
    log: _Spread = Field(None, description="first, last, count: by equal factors, with both ends")

    @model_validator(mode="after")
    def _fits(self) -> Rule:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"expected a list, or one of {', '.join(type(self).model_fields)}, got "
                f"{' and '.join(given) or 'none of them'}"
            )
        try:
            if self.named is not None:
                refuse_unfit_names(self.named)
            else:
                self.values()
        except ValueError as problem:
            raise ValueError(f"{given[0]}: {problem}") from None
        return self

    def values(self) -> tuple[Any, ...]:
        """The values, in their order."""
        if self.named is not None:
            return tuple(self.named.values())
        with localcontext(_CONTEXT):
            if self.range is not None:
                return tuple(_stepped(*self.range))
            if self.linear is not None:
                return tuple(_even(*self.linear))
            assert self.log is not None
            return tuple(_by_factors(*self.log))


def _stepped(first: float, last: float, step: float) -> Iterator[float]:
    low, high, by = map(_exact, (first, last, step))
    if by == 0 or (high - low) * by < 0:
        raise ValueError(f"steps of {shown(step)} do not lead from {shown(first)} to {shown(last)}")
    steps = int((high - low) / by)
    if steps >= MAX_VALUES:
        raise ValueError(f"asks for {steps + 1} values, more than {MAX_VALUES}")
    met = low + steps * by
    if met != high:
        near = " or ".join(number_text(float(end)) for end in (met, met + by))
        raise ValueError(
            f"steps of {shown(step)} from {shown(first)} do not meet {shown(last)}; end at {near}"
        )
    whole = all(isinstance(number, int) for number in (first, last, step))
    for number in range(steps + 1):
        value = low + number * by
        yield int(value) if whole else float(value)


def _even(first: float, last: float, count: int) -> list[float]:
    low, high = _ends(first, last)
    step = (high - low) / (count - 1)
    quantum = Decimal(1).scaleb(step.adjusted() - _DIGITS + 1)
    inner = [(low + number * step).quantize(quantum) for number in range(1, count - 1)]
    return _between(first, inner, last)


def _by_factors(first: float, last: float, count: int) -> list[float]:
    low, high = _ends(first, last)
    if low <= 0 or high <= 0:
        raise ValueError(f"{shown(min(first, last))} is not above 0, and no factor leads there")
    ratio = high / low
    exact = [low * ratio ** (Decimal(n) / (count - 1)) for n in range(1, count - 1)]
    for digits in range(_DIGITS, 17):
        inner = [Context(prec=digits).plus(value) for value in exact]
        if len({low, high, *inner}) == count:
            return _between(first, inner, last)
    raise ValueError(f"{count} values do not fit between {shown(first)} and {shown(last)}")


def _ends(first: float, last: float) -> tuple[Decimal, Decimal]:
    if first == last:
        raise ValueError(f"begins and ends at {shown(first)}")
    return _exact(first), _exact(last)


def _between(first: float, inner: Sequence[Decimal], last: float) -> list[float]:
    """The ends as they were written; whole numbers stay whole where both ends are."""
    whole = isinstance(first, int) and isinstance(last, int)
    numbers = [int(v) if whole and v == v.to_integral_value() else float(v) for v in inner]
    return [first, *numbers, last]


def _exact(number: float) -> Decimal:
    """The number that was written, and not its nearest fraction of powers of two."""
    return Decimal(repr(number))
