"""The axes of a grid: what varies by itself, and what varies together with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from cosim.scenario.reading.document import Loc
from cosim.sweeping.rules import Rule

Values = Annotated[tuple[Any, ...], Field(min_length=1)] | Rule


@dataclass(frozen=True)
class Track:
    """A track is one key of a grid with a value for each position of its axis.

    key: a path, or several with commas between them, which take each value together.
    values: one a position.
    names: what the values are called; None where they have not been given names.
    loc: where the values are in the sweep's file.
    listed: whether each value has a place of its own there, as in a list, and not as by a rule.
    """

    key: str
    values: Sequence[Any]
    names: Sequence[str] | None
    loc: Loc
    listed: bool

    @property
    def paths(self) -> list[str]:
        """The paths of the key."""
        return [path.strip() for path in self.key.split(",")]

    def loc_of(self, position: int) -> Loc:
        """Where one value is in the sweep's file."""
        if self.names is not None:
            return (*self.loc, "named", self.names[position])
        return (*self.loc, position) if self.listed else self.loc

    def written(self) -> Any:
        """The values as a sweep's file may have them."""
        if self.names is None:
            return list(self.values)
        return {"named": dict(zip(self.names, self.values, strict=True))}


@dataclass(frozen=True)
class GridAxis:
    """An axis is the tracks that move together; a grid has every combination of its axes.

    tracks: at least one, all of as many values.
    """

    tracks: Sequence[Track]

    def __len__(self) -> int:
        return len(self.tracks[0].values)


def axes_of(grid: Mapping[str, Values], zipped: Sequence[Mapping[str, Values]]) -> list[GridAxis]:
    """An axis for each key of the grid, and one for all keys of each mapping that is zipped."""
    axes = [GridAxis([_track(key, values, ("grid", key))]) for key, values in grid.items()]
    for number, keys in enumerate(zipped):
        axes.append(
            GridAxis([_track(key, values, ("zip", number, key)) for key, values in keys.items()])
        )
    return axes


def tracks_of(axes: Sequence[GridAxis]) -> Iterator[Track]:
    """Every track of some axes, in their order."""
    for axis in axes:
        yield from axis.tracks


def _track(key: str, values: Values, loc: Loc) -> Track:
    if not isinstance(values, Rule):
        return Track(key, values, None, loc, listed=True)
    names = None if values.named is None else tuple(values.named)
    return Track(key, values.values(), names, loc, listed=False)
