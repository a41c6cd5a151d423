"""Small networks whose neighbours send at once: what is said in them, and its rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cosim.learning.records import FineTuned, Outgoing
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup import build
from cosim.trace.schema import TransferKind, TransferRow
from tests.simulation.small_networks import (
    PROFILE,
    ROUND_RADIO,
    MemoryTrace,
    metres,
    scenario,
    simulate,
)

VALUES = 100_000
W_HZ, PILOT, SCALAR_BITS, GUARD = 1e6, 50, 10, 7
SUMS_S = VALUES / 2 / W_HZ
EVEN = [(0.0, 0.0), (metres(40), 0.0), (0.0, metres(20)), (metres(30), metres(30))]


def reports_s(senders: int, scales: int = 0, bit_s_hz: float = 1.0) -> float:
    """A slot for each sender's pilot and its means and scales."""
    return senders * (PILOT / W_HZ + 2 * scales * SCALAR_BITS / (bit_s_hz * W_HZ))


def reply_s(scales: int = 0, bit_s_hz: float = 1.0) -> float:
    """The receiver's pilot, the means and scales that all use, and η."""
    return PILOT / W_HZ + (2 * scales + 1) * SCALAR_BITS / (bit_s_hz * W_HZ)


def before_s(senders: int, scales: int = 0, bit_s_hz: float = 1.0) -> float:
    """What of a turn lies before its sums."""
    control_s = reports_s(senders, scales, bit_s_hz) + reply_s(scales, bit_s_hz)
    return 2 * GUARD / W_HZ + control_s


def turn_s(senders: int, scales: int = 0, bit_s_hz: float = 1.0) -> float:
    return before_s(senders, scales, bit_s_hz) + SUMS_S + GUARD / W_HZ


class Speaking(NullLearner):
    """What is mixed is kept; some devices have nothing to say, or diverge."""

    def __init__(self, chosen: Scenario, scales: int = 0) -> None:
        super().__init__(VALUES * 32, build.given_work(chosen))
        self.scales = scales
        self.quarantined: tuple[int, ...] = ()
        self.mixed: dict[tuple[int, int], tuple[dict[int, Any], dict[int, Passage]]] = {}

    def submit(self, device: int, round_: int) -> Any:
        job = super().submit(device, round_)
        if device in self.quarantined and job is not None:
            job.result = lambda: FineTuned(loss=None, quarantined=True)  # type: ignore[method-assign]
        return job

    def messages(self, device: int, turn: Turn, receivers: Sequence[int]) -> Outgoing | None:
        return Outgoing((device, turn), dict.fromkeys(receivers, VALUES * 32), self.scales)

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Any:
        assert set(ages.values()) <= {0}
        self.mixed[device, turn.round] = dict(inbox), dict(flights)
        return super().mix(device, inbox, ages, turn, graph, flights)


def chosen_of(
    count: int = 4, topology: Any = "complete", rounds: int = 1, **radio: Any
) -> Scenario:
    access = {
        "model": "air",
        "threshold_db": None,
        "pilot_symbols": PILOT,
        "scalar_bits": SCALAR_BITS,
        "guard_symbols": GUARD,
        **radio.pop("access", {}),
    }
    return scenario(
        rounds=rounds,
        learning={"model": "none", "payload_bits": VALUES * 32, "flop": 1e12},
        adapter={"bits_per_value": 32},
        method={"name": "air_fedavg", "topology": topology},
        devices=[{"count": count, "profile": PROFILE, "mobility": {"model": "static"}}],
        radio=ROUND_RADIO | radio | {"access": access},
    )


def played(chosen: Scenario, learner: Speaking | None = None, **how: Any) -> MemoryTrace:
    places = how.pop("places", EVEN[: chosen.device_count])
    return simulate(chosen, places, learner=learner or Speaking(chosen), **how)


def updates(trace: MemoryTrace) -> list[TransferRow]:
    return [row for row in trace.transfers if row.kind is TransferKind.UPDATE]


def control_rows(trace: MemoryTrace, bits: int) -> list[TransferRow]:
    """Control messages of so many bits, by which reports and replies differ."""
    control = [row for row in trace.transfers if row.kind is TransferKind.CONTROL]
    return [row for row in control if row.bits == bits]


def stars(rows: Sequence[TransferRow]) -> dict[tuple[int, int], list[TransferRow]]:
    """The transfers of each round and receiver."""
    found = defaultdict(list)
    for row in rows:
        found[row.round, row.dst].append(row)
    return found
