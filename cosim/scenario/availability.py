"""When the devices of a group are there: always, on and off at random, or as a trace says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cosim.scenario.section import Section


class Always(Section):
    """Switched on from the start to the end."""

    model: Literal["always"] = "always"


class ExponentialOnOff(Section):
    """On and off by turns, for exponential times; stationary from the first instant."""

    model: Literal["exponential"] = "exponential"
    mean_on_s: float = Field(gt=0, le=1e9, description="mean time that a device stays")
    mean_off_s: float = Field(gt=0, le=1e9, description="mean time that it is away")


class AsRecorded(Section):
    """There while the file of its mobility trace says so: late joiners, early leavers, gaps."""

    model: Literal["trace"] = "trace"


_Model = Annotated[Always | ExponentialOnOff | AsRecorded, Field(discriminator="model")]


def _by_name(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


Availability = Annotated[
    _Model,
    BeforeValidator(_by_name, json_schema_input_type=Literal["always", "trace"] | _Model),
]
