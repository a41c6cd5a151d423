"""Graphs of chance in a run, what weights are told of them, and runs of the methods over them."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cosim.lifecycle.play import play
from cosim.methods.message import NOTHING_LOST, Graph, Passage, Turn
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup import build
from cosim.trace.reader import read_run
from cosim.verification.verify import verify
from tests.simulation.small_networks import ROUND_RADIO, MemoryTrace, scenario, simulate

SIX = [(float(x), 0.0) for x in range(6)]
GOSSIP = ["tad_lora", "adf_lora", "rolora", "ffa_lora", "dec_lora"]


class Told(NullLearner):
    """Keeps the graphs that it is told of, by round and device."""

    def __init__(self, chosen: Scenario) -> None:
        super().__init__(1000, build.given_work(chosen))
        self.graphs: dict[int, dict[int, Graph]] = defaultdict(dict)

    def mix(
        self,
        device: int,
        inbox: Mapping[int, Any],
        ages: Mapping[int, int],
        turn: Turn,
        graph: Graph,
        flights: Mapping[int, Passage] = NOTHING_LOST,
    ) -> Any:
        self.graphs[turn.round][device] = graph
        return super().mix(device, inbox, ages, turn, graph, flights)


def told(graph: Any, weights: str | None, rounds: int = 5) -> tuple[MemoryTrace, Told]:
    method = {"name": "lora", "topology": graph, "weights": weights}
    chosen = scenario(method=method, rounds=rounds, devices=[{"count": 6}], radio=ROUND_RADIO)
    learner = Told(chosen)
    return simulate(chosen, at=SIX, learner=learner), learner


def edges_by_round(trace: MemoryTrace) -> list[frozenset[tuple[int, int]]]:
    found: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for row in trace.transfers:
        found[row.round].add((min(row.src, row.dst), max(row.src, row.dst)))
    return [frozenset(found[number]) for number in range(1, 6)]


def test_a_static_graph_is_one_and_another_is_drawn_every_round() -> None:
    graph = {"graph": "erdos_renyi", "probability": 0.5}
    static, _ = told(graph | {"redraw": False}, None)
    (one,) = set(edges_by_round(static))
    assert 0 < len(one) < 15
    redrawn, _ = told(graph, None)
    assert len(set(edges_by_round(redrawn))) == 5


def test_who_meets_whom_is_a_matching_in_every_round() -> None:
    trace, _ = told({"graph": "pairs", "probability": 0.9}, None)
    for edges in edges_by_round(trace):
        ends = [end for edge in edges for end in edge]
        assert len(ends) == len(set(ends)) > 0


def test_weights_are_told_as_much_of_the_graph_as_they_ask_for() -> None:
    line: Graph = {
        0: (1,),
        1: (0, 2),
        2: (1, 3),
        3: (2, 4),
        4: (3, 5),
        5: (4,),
    }
    for weights, expected in (
        (None, {device: {} for device in line}),
        ("uniform", {device: {} for device in line}),
        ("metropolis", {d: {e: line[e] for e in (d, *line[d])} for d in line}),
        ("laplacian", dict.fromkeys(line, line)),
    ):
        _, learner = told("line", weights, rounds=2)
        assert learner.graphs == {1: expected, 2: expected}


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["synchronous", "cluster", "asynchronous"])
def test_runs_with_absent_devices_are_verified_on_every_schedule(
    tiny_llama: Path, tmp_path: Path, schedule: str
) -> None:
    for name in GOSSIP:
        chosen = Scenario.model_validate(
            {
                "rounds": 3,
                "method": {"name": name, "schedule": schedule, "topology": "ring"},
                "base_model": {"source": f"path:{tiny_llama}", "dtype": "float32"},
                "adapter": {"rank": 2, "target_modules": ["up_proj"]},
                "tasks": {"sums": {"dataset": "chain_sum", "samples": 40}},
                "training": {"batch_size": 2, "steps": 1},
                "devices": [
                    {
                        "count": 4,
                        "availability": {"model": "exponential", "mean_on_s": 30, "mean_off_s": 3},
                    }
                ],
                "evaluation": {"samples": 4},
            }
        )
        run = play(chosen, out=tmp_path / name).directory
        assert [line for check in verify(run) if not check.ok for line in check.lines()] == []
        transfers = read_run(run).transfers
        sizes = dict(zip(transfers["round"], transfers["bits"], strict=True))
        assert sizes, "nothing was sent"
        if name == "rolora" and schedule == "synchronous":
            assert sizes[1] == sizes[3] > sizes[2] > 0
