"""When the devices of a group are there: always, on and off at random, or as a trace says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cosim.scenario.by_name import by_name
from cosim.scenario.section import Section


class Always(Section):
    """A device is switched on from the start to the end."""

    model: Literal["always"] = "always"


class ExponentialOnOff(Section):
    """A device is on and off by turns, for exponential times; stationary from the first instant."""

    model: Literal["exponential"] = "exponential"
    mean_on_s: float = Field(gt=0, le=1e9, description="mean time that a device stays")
    mean_off_s: float = Field(gt=0, le=1e9, description="mean time that it is away")


class AsRecorded(Section):
    """A device is there while the file of its mobility trace says so: late joiners, early leavers,
    gaps."""

    model: Literal["trace"] = "trace"


Availability = Annotated[
    Annotated[Always | ExponentialOnOff | AsRecorded, Field(discriminator="model")],
    by_name("model", Always | ExponentialOnOff | AsRecorded),
]
