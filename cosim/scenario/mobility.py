"""The mobility models of a device group: at rest, random, or recorded."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cosim.scenario.outside.from_outside import FromOutside
from cosim.scenario.outside.mobility import Mobility as OutsideMobility
from cosim.scenario.section import Section

Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Point = tuple[Coordinate, Coordinate]
Column = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0, le=9999)] | None


class StaticMobility(Section):
    """A device never moves: it is placed uniformly in the area, on a grid over it, or where it is
    said."""

    model: Literal["static"] = "static"
    placement: Literal["uniform", "grid", "given"] = Field(
        "uniform", description="all groups on a grid share one"
    )
    positions_m: tuple[Point, ...] | None = Field(
        None, description="[[x, y], …] of placement given, one for each device"
    )

    @model_validator(mode="after")
    def _positions_where_given(self) -> Self:
        if self.placement == "given" and self.positions_m is None:
            raise ValueError("placement 'given' needs positions_m, [[x, y], …]")
        if self.placement != "given" and self.positions_m is not None:
            raise ValueError(f"positions_m belongs to placement 'given', not '{self.placement}'")
        return self


class RandomWaypoint(Section):
    """A device goes straight from one uniform point to the next; stationary from the first
    instant."""

    model: Literal["random_waypoint"] = "random_waypoint"
    speed_m_s: tuple[float, float] = Field(
        (0.5, 2.0), description="least and greatest speed, > 0 and ≤ 1000"
    )
    pause_s: tuple[float, float] = Field(
        (0.0, 0.0), description="least and greatest pause, ≥ 0 and ≤ 1e6"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.speed_m_s
        if not 0 < low <= high <= 1000:
            raise ValueError(f"speed_m_s needs 0 < least ≤ greatest ≤ 1000, got [{low}, {high}]")
        low, high = self.pause_s
        if not 0 <= low <= high <= 1e6:
            raise ValueError(f"pause_s needs 0 ≤ least ≤ greatest, got [{low}, {high}]")
        return self


class GaussMarkov(Section):
    """The velocity has a memory: v⁺ = a·v + (1−a)·v̄ + σ√(1−a²)·w with a = e^(−Δ/τ)."""

    model: Literal["gauss_markov"] = "gauss_markov"
    mean_speed_m_s: float = Field(1.0, ge=0, le=1000, description="|v̄|; its direction is drawn")
    sigma_m_s: float = Field(
        0.3, ge=0, le=200, description="σ of each component; deviations are cut at 5σ"
    )
    memory_s: float = Field(20.0, gt=0, le=1e6, description="τ")
    step_s: float = Field(1.0, ge=1e-3, le=1e6, description="Δ, between two velocities")


class RecordedTrace(Section):
    """Paths come from a file: ns-2 setdest, SUMO FCD, GPX, or CSV.

    Samples that no device can have made are left out and told: those of another time (alone, or at
    most 1 % of the file's, and further from the others than ten times their span, a day at least
    and a year at most), at 0, 0 far from all others, or more than 100 km from the device's others
    and too fast; and devices most of whose steps are faster than 1000 m/s. A year in which no
    device has a sample is refused.
    """

    model: Literal["trace"] = "trace"
    path: str = Field(min_length=1, description="of the file, from the scenario's directory")
    format: Literal["auto", "ns2", "sumo_fcd", "gpx", "csv"] = Field(
        "auto", description="auto: by what the file begins with"
    )
    device_ids: tuple[str | int, ...] | None = Field(
        None, description="the file's devices, one for each; null: the next in its order"
    )
    time_origin: Literal["earliest", "file"] | Annotated[float, Field(ge=-1e12, le=1e12)] = Field(
        "earliest", description="the file's time at which the run starts, or its 0"
    )
    max_gap_s: float = Field(
        300.0,
        gt=0,
        le=1e12,
        description="after a longer gap a device jumps; with availability trace it is away in it",
    )
    max_speed_m_s: float = Field(
        150.0, gt=0, le=1000, description="what is faster is a jump and takes no time"
    )
    offset_m: Point = Field((0.0, 0.0), description="added to every place")
    degrees: bool | None = Field(
        None,
        description="sumo_fcd: x and y are longitude and latitude; null: as the file's head says. "
        "Metres that look like degrees are refused (all within ±180 and ±90, and a path below 1 % "
        "of what the file's speeds come to, or 1 mm/s), unless this is false",
    )
    centre_deg: (
        tuple[Annotated[float, Field(ge=-90, le=90)], Annotated[float, Field(ge=-180, le=360)]]
        | None
    ) = Field(None, description="[lat, lon] that becomes [0, 0]; null: the samples' mean")
    untimed: Literal["refuse", "skip"] = Field(
        "refuse", description="gpx, csv: what becomes of a sample without a time"
    )
    columns: dict[Literal["time_s", "device", "lat", "lon", "x_m", "y_m"], Column] = Field(
        default_factory=dict,
        description="csv: the file's names of its columns, {time_s: time, device: id, …}; numbers, "
        "from 0, for a file whose first row names none; device null: the file is one device",
    )
    separator: Literal[",", ";", "\t", "|", "blanks"] | None = Field(
        None, description="csv: what is between two fields; blanks: any number of them; null: ','"
    )
    after_end: Literal["stay", "away", "repeat", "stop"] = Field(
        "stay",
        description="when the file has ended: its devices stay where they are; are away for good; "
        "begin again at its start, without travelling there; or all devices of the run are away "
        "for good, which ends it",
    )

    @model_validator(mode="after")
    def _columns_of_one_kind(self) -> Self:
        columns = [column for column in self.columns.values() if column is not None]
        if any(column is None for name, column in self.columns.items() if name != "device"):
            raise ValueError("columns: only device may be null, where the file is one device")
        if len({type(column) for column in columns}) > 1:
            raise ValueError(
                "columns: either names, or numbers for a file whose first row names none; not both"
            )
        if self.columns and self.format not in ("auto", "csv"):
            raise ValueError(f"columns is for format csv, not {self.format}")
        return self


_Mobility = StaticMobility | RandomWaypoint | GaussMarkov | RecordedTrace
Mobility = Annotated[_Mobility | OutsideMobility, FromOutside(OutsideMobility, _Mobility)]
