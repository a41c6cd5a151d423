"""The devices section: groups of devices, their profiles, mobility and task."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from cosim.errors import ScenarioError
from cosim.scenario.availability import Always, Availability
from cosim.scenario.catalogue import named_profile, refuse_unknown_profile
from cosim.scenario.mobility import Mobility, RandomWaypoint
from cosim.scenario.profile import ComputeTime, Profile
from cosim.scenario.section import Section


class ProfileMix(Section):
    """A mix is a distribution over profiles, of which every device of the group draws its own."""

    mix: dict[str, Annotated[float, Field(gt=0, le=1e5)]] = Field(
        min_length=1, description="weights by profile, of any sum"
    )

    @field_validator("mix")
    @classmethod
    def _all_known(cls, mix: dict[str, float]) -> dict[str, float]:
        for name in mix:
            refuse_unknown_profile(name)
        return mix


def _kind_of_profile(value: Any) -> str:
    if isinstance(value, ProfileMix) or (isinstance(value, dict) and "mix" in value):
        return "mix"
    return "profile" if isinstance(value, Profile | dict) else "name"


class ChangedProfile(BaseModel):
    """A changed profile is a named one but for the figures that are given besides; it is read as
    the whole profile that this makes."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(description="of the catalogue, or path:<file>")


def _with_figures_of(value: Any) -> Any:
    """The mapping of a profile that is a named one's but for the figures that are given."""
    if not (isinstance(value, dict) and isinstance(value.get("name"), str)):
        return value
    name, given = value["name"], {key: figure for key, figure in value.items() if key != "name"}
    if "mix" in given:
        raise ValueError("either one profile by its name, or a mix of several")
    refuse_unknown_profile(name)
    try:
        figures = named_profile(name).model_dump(mode="json")
    except ScenarioError as error:
        raise ValueError(str(error)) from error
    if given:
        changed = f"{', '.join(map(str, given))} given in the scenario"
        figures["source"] = f"{figures['source']}; {changed}"
    compute, own = figures["compute"], given.get("compute")
    if isinstance(own, dict) and own.get("model", compute["model"]) == compute["model"]:
        given["compute"] = compute | own
    return figures | given


_Profiles = Annotated[
    Annotated[str, Tag("name")]
    | Annotated[Profile, Tag("profile")]
    | Annotated[ProfileMix, Tag("mix")],
    Discriminator(_kind_of_profile),
]
ProfileChoice = Annotated[
    _Profiles,
    BeforeValidator(
        _with_figures_of, json_schema_input_type=str | Profile | ChangedProfile | ProfileMix
    ),
]


class DeviceGroup(Section):
    """The devices of a group share a profile and a mobility model; ids run on from group to
    group."""

    count: int = Field(ge=1, le=100_000, description="how many devices")
    tasks: str = Field("round_robin", description="'round_robin', or the name of one task")
    profile: ProfileChoice = Field(
        "flagship_phone",
        description="a catalogue name, path:<file>, {mix: {name: weight}} or a mapping; with a "
        "name in it, of the figures that differ, {name: flagship_phone, battery_j: 40}",
    )
    compute: ComputeTime | None = Field(None, description="null: as the profile says")
    density: float | None = Field(
        None,
        gt=0,
        le=1,
        description="s, share of B that they train at most; null: as the adapter says",
    )
    rank: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="r_i of their adapters, at most the adapter's rank; null: as the adapter says",
    )
    speed_sigma: float = Field(
        0.0, ge=0, le=2, description="σ of ln(speed) over the group's devices"
    )
    mobility: Mobility = Field(RandomWaypoint(), description="how they move")
    availability: Availability = Field(Always(), description="when they are there")

    @field_validator("profile")
    @classmethod
    def _in_catalogue(cls, profile: ProfileChoice) -> ProfileChoice:
        if isinstance(profile, str):
            refuse_unknown_profile(profile)
        return profile

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        mobility = self.mobility
        positions = getattr(mobility, "positions_m", None)
        if positions is not None and len(positions) != self.count:
            raise ValueError(
                f"mobility.positions_m: {len(positions)} positions for {self.count} devices"
            )
        if self.availability.model == "trace" and mobility.model != "trace":
            raise ValueError(
                "availability 'trace' is read from the file of mobility 'trace', and this group's "
                f"mobility is '{mobility.model}'"
            )
        ids = getattr(mobility, "device_ids", None)
        if ids is not None and len(ids) != self.count:
            raise ValueError(f"mobility.device_ids: {len(ids)} ids for {self.count} devices")
        return self


class Area(Section):
    """The area is where the devices are; it is centred at the origin."""

    shape: Literal["disc", "square"] = Field("disc", description="a square's sides lie along x, y")
    radius_m: float | None = Field(None, gt=0, le=1e6, description="of a disc")
    side_m: float | None = Field(None, gt=0, le=1e6, description="of a square")

    @model_validator(mode="after")
    def _sized(self) -> Self:
        size_key, other = ("radius_m", "side_m") if self.shape == "disc" else ("side_m", "radius_m")
        if getattr(self, size_key) is None:
            raise ValueError(f"a {self.shape} needs {size_key}")
        if getattr(self, other) is not None:
            raise ValueError(f"a {self.shape} has no {other}; it needs {size_key} alone")
        return self

    @property
    def diameter_m(self) -> float:
        """The largest distance between two points of the area."""
        if self.shape == "disc":
            assert self.radius_m is not None
            return 2 * self.radius_m
        assert self.side_m is not None
        return math.sqrt(2) * self.side_m
