"""The devices section: groups of devices, their profile, mobility and task."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from cosim.scenario.mobility import Mobility, RandomWaypoint
from cosim.scenario.section import Section
from cosim.spelling import did_you_mean


class Profile(Section):
    """What a device computes and consumes; figures are of the device, never of the host."""

    source: str = Field("given in the scenario", description="where the figures come from")
    peak_flop_s: float = Field(gt=0, le=1e18, description="peak FLOP/s")
    utilisation: float = Field(gt=0, le=1, description="share of the peak that training reaches")
    compute_w: float = Field(ge=0, le=1e5, description="watts while fine-tuning")
    idle_w: float = Field(ge=0, le=1e5, description="watts while not fine-tuning")
    pa_efficiency: float = Field(gt=0, le=1, description="radiated over consumed power")
    transmit_circuit_w: float = Field(ge=0, le=1e3, description="watts of a transmit chain")
    receive_w: float = Field(ge=0, le=1e3, description="watts of a receive chain")
    battery_j: float | None = Field(None, gt=0, description="energy at the start; null: mains")


class DeviceGroup(Section):
    """Devices that share a profile and a mobility model; ids run on from group to group."""

    count: int = Field(ge=1, le=100_000, description="how many devices")
    tasks: str = Field("round_robin", description="'round_robin', or the name of one task")
    profile: str | Profile = Field("flagship_phone", description="a catalogue name or a mapping")
    mobility: Mobility = RandomWaypoint()

    @field_validator("profile")
    @classmethod
    def _in_catalogue(cls, profile: str | Profile) -> str | Profile:
        from cosim.scenario.catalogue import catalogue  # which needs Profile, above

        known = catalogue()
        if isinstance(profile, str) and profile not in known:
            hint = did_you_mean(profile, known)
            raise ValueError(f"'{profile}' is not a profile{hint} (one of {', '.join(known)})")
        return profile

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        mobility = self.mobility
        given = getattr(mobility, "positions_m", None)
        if given is not None and len(given) != self.count:
            raise ValueError(
                f"mobility.positions_m: {len(given)} positions for {self.count} devices"
            )
        named = getattr(mobility, "device_ids", None)
        if named is not None and len(named) != self.count:
            raise ValueError(f"mobility.device_ids: {len(named)} ids for {self.count} devices")
        return self


class Area(Section):
    """Where the devices are; centred at the origin."""

    shape: Literal["disc", "square"] = "disc"
    radius_m: float | None = Field(None, gt=0, le=1e6, description="of a disc")
    side_m: float | None = Field(None, gt=0, le=1e6, description="of a square")

    @model_validator(mode="after")
    def _sized(self) -> Self:
        needed, other = ("radius_m", "side_m") if self.shape == "disc" else ("side_m", "radius_m")
        if getattr(self, needed) is None:
            raise ValueError(f"a {self.shape} needs {needed}")
        if getattr(self, other) is not None:
            raise ValueError(f"a {self.shape} has no {other}; it needs {needed} alone")
        return self

    @property
    def diameter_m(self) -> float:
        """The largest distance between two points of the area."""
        if self.shape == "disc":
            assert self.radius_m is not None
            return 2 * self.radius_m
        assert self.side_m is not None
        return math.sqrt(2) * self.side_m
