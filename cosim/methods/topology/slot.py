"""What a topology is asked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cosim.errors import MethodError
from cosim.methods.part import Part, where
from cosim.randomness import stream
from cosim.topology.graphs import Neighbours, joined
from cosim.topology.link_power import LinkNeed

Edges = Sequence[tuple[int, int]]


class Topology(Part):
    """A topology says who may hear whom in a round; the relation is symmetric."""

    slot: ClassVar[str] = "topology"
    key: ClassVar[str] = "graph"
    # Whether nobody is joined.
    silent: ClassVar[bool] = False
    # Whether everybody is joined with everybody.
    joins_all: ClassVar[bool] = False
    # Whether groups of devices form by messages, which takes time.
    negotiated: ClassVar[bool] = False

    @property
    def needs_positions(self) -> bool:
        """Whether `neighbours` must be told where the devices are."""
        return False

    @property
    def limited(self) -> bool:
        """Whether only pairs are joined whose links carry what the devices send."""
        return False

    @property
    def static(self) -> bool:
        """Whether what is drawn is drawn once for all rounds."""
        return False

    def stream(self, seed: int, round_: int) -> np.random.Generator:
        """What a round's graph is drawn from: a stream of the round, or one for all rounds."""
        return stream(seed, "topology", *(() if self.static else (round_,)))

    @property
    def farthest_m(self) -> float | None:
        """The distance beyond which no two devices are joined; None: there is none."""
        return None

    def most_receivers(self, others: int) -> int:
        """The largest ‖u‖ that a device may have among so many other devices."""
        return others

    def budgeted_receivers(self, others: int) -> int:
        """To how many receivers a device's links must carry what it trains."""
        return self.most_receivers(others)

    def transfers_per_update(self) -> float:
        """Transmissions at most for one update to one receiver, experts included."""
        return 1.0

    def expert_attempts(self, round_: int, rounds: int) -> int:
        """How often an expert may be sent after a round of so many; 0: no experts are exchanged."""
        return 0

    @abstractmethod
    def edges(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None,
        need: LinkNeed | None,
    ) -> Edges:
        """Pairs of devices that are joined."""

    def neighbours(
        self,
        devices: Sequence[int],
        random: np.random.Generator,
        positions_m: NDArray[np.float64] | None = None,
        need: LinkNeed | None = None,
    ) -> Neighbours:
        """The neighbours of every device, sorted.

        positions_m: (M, 2) in m in the order of the devices; ValueError if the graph needs them
        and they are missing or of another shape. need: of the devices in the order of their ids;
        None: links carry any number of neighbours. Raises MethodError, with the line of its code,
        for edges that are no pairs of two of the devices.
        """
        returned: object = self.edges(devices, random, positions_m, need)
        edges: Any = list(returned) if isinstance(returned, Iterable) else returned
        try:
            return joined(devices, edges)
        except (KeyError, TypeError, ValueError) as error:
            raise MethodError(
                f"{where(self.edges)}: edges of topology '{self.word()}' returned "
                f"{_no_pair(edges, set(devices))}, expected pairs of two different ones of the "
                f"{len(devices)} devices, by their ids"
            ) from error

    def _places_m(
        self, devices: Sequence[int], positions_m: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Positions in the order of the ids."""
        if positions_m is None or np.shape(positions_m) != (len(devices), 2):
            raise ValueError(f"graph '{self.word()}' needs positions of shape ({len(devices)}, 2)")
        return positions_m[np.argsort(np.asarray(devices))]


def _no_pair(edges: object, devices: set[int]) -> object:
    """The first edge that does not join two of the devices; all that was returned, where that is
    no list of any."""
    for edge in edges if isinstance(edges, Iterable) else ():
        pair = list(edge) if isinstance(edge, Iterable) else []
        if len(pair) != 2 or pair[0] == pair[1] or not all(end in list(devices) for end in pair):
            return edge
    return edges
