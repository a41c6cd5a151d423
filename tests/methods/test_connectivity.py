"""How fast devices agree, by the law of their graphs and weights, and the T that follows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosim
from cosim.errors import MethodError
from cosim.methods import METHODS
from cosim.methods.connectivity import expected_contraction, mixing_matrix
from cosim.methods.projection.alternating import Alternating
from cosim.methods.topology.complete import Complete
from cosim.methods.topology.erdos_renyi import ErdosRenyi
from cosim.methods.topology.nearest import Nearest
from cosim.methods.topology.ring import Ring
from cosim.methods.topology.slot import Topology
from cosim.methods.weights.by_rows import ByRows
from cosim.methods.weights.laplacian import Laplacian
from cosim.methods.weights.metropolis import Metropolis
from cosim.methods.weights.slot import Weights
from cosim.methods.weights.uniform import Uniform
from cosim.preflight.explain import explain
from cosim.randomness import stream
from cosim.scenario.model import Scenario
from cosim.simulation.agreement import settled
from cosim.topology.mixing import contraction
from cosim.verification.verify import verify

STAR = {4: (7, 9), 7: (4,), 9: (4,), 11: ()}


@pytest.mark.parametrize("weights", [ByRows(), Uniform()])
def test_rows_of_devices_that_weigh_alike(weights: Weights) -> None:
    third, half = 1 / 3, 0.5
    wanted = [[third, third, third, 0], [half, half, 0, 0], [half, 0, half, 0], [0, 0, 0, 1]]
    assert mixing_matrix(weights, STAR).tolist() == wanted


@pytest.mark.parametrize("weights", [Metropolis(), Laplacian()])
def test_rows_of_weights_from_the_graph(weights: Weights) -> None:
    """Of a star of three λmax is 3, and an edge has 1/3 or 2/9; both ends have the same."""
    edge = 1 / 3 if isinstance(weights, Metropolis) else 2 / 9
    W = mixing_matrix(weights, STAR)
    assert (W == W.T).all()
    assert W[0] == pytest.approx([1 - 2 * edge, edge, edge, 0])
    assert W.sum(axis=0) == pytest.approx(np.ones(4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "rho", "slack", "graphs"),
    [
        (ErdosRenyi(probability=0.5), 0.156, 0.01, 2000),
        (ErdosRenyi(probability=0.1), 0.643, 0.02, 2000),
        (ErdosRenyi(probability=0.01), 0.955, 0.01, 2000),
        (Ring(), 0.762, 0.0005, 1),
    ],
    ids=str,
)
def test_ten_devices_agree_as_fast_as_their_graphs_let_them(
    topology: Topology, rho: float, slack: float, graphs: int
) -> None:
    found, drawn = expected_contraction(topology, Metropolis(), range(10), seed=1)
    assert found == pytest.approx(rho, abs=slack)
    assert drawn == graphs
    assert (found, drawn) == expected_contraction(topology, Metropolis(), range(10), seed=1)


def test_a_graph_for_all_rounds_is_the_one_that_devices_will_have() -> None:
    topology = ErdosRenyi(probability=0.4, redraw=False)
    found, drawn = expected_contraction(topology, Metropolis(), range(8), seed=3)
    graph = topology.neighbours(range(8), topology.stream(3, 5))
    assert drawn == 1
    assert found == contraction([mixing_matrix(Metropolis(), graph)])
    assert expected_contraction(Complete(), Uniform(), range(8), seed=3)[0] < 1e-12


def test_a_round_that_mixes_twice_contracts_as_two() -> None:
    once, _ = expected_contraction(Ring(), Metropolis(), range(10), seed=1)
    twice, _ = expected_contraction(Ring(), Metropolis(), range(10), seed=1, mixings=2)
    assert twice == pytest.approx(once**2)
    asked = scenario(topology="ring", schedule={"name": "synchronous", "mixings": 3})
    found, words = settled(asked)
    assert found.method.projection == Alternating(interval=1)
    assert words is not None
    assert words.startswith(f"ρ = {once**3:.4g} ")


@pytest.mark.slow
def test_places_count_where_the_topology_looks_at_them() -> None:
    apart = np.array([[0.0, 0.0], [9.0, 0.0], [100.0, 0.0], [109.0, 0.0]])
    for range_m, rho in ((10.0, 1.0), (None, 0.0)):
        topology = Nearest(degree=3, range_m=range_m)
        found, _ = expected_contraction(topology, Metropolis(), range(4), 1, apart)
        assert found == pytest.approx(rho, abs=1e-12)


def scenario(count: int = 10, **method: Any) -> Scenario:
    projection = {"name": "alternating", "interval": method.pop("interval", "connectivity")}
    return Scenario.model_validate(
        {
            "rounds": 3,
            "learning": "none",
            "method": {"name": "tad_lora", "projection": projection, **method},
            "devices": [{"count": count, "mobility": "static"}],
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("topology", "interval"),
    [
        ({"graph": "erdos_renyi", "probability": 0.5}, 1),
        ({"graph": "erdos_renyi", "probability": 0.1}, 2),
        ({"graph": "erdos_renyi", "probability": 0.01}, 5),
        ("ring", 2),
    ],
    ids=str,
)
def test_the_interval_is_1_over_the_root_of_1_minus_rho(topology: Any, interval: int) -> None:
    asked = scenario(topology=topology)
    found, words = settled(asked)
    assert found.method.projection == Alternating(interval=interval)
    assert asked.method.projection.asks_contraction
    assert words is not None
    assert words.endswith(f"projection.interval: {interval}")
    told = {fact.name: fact.value for fact in explain(asked).facts}
    assert told["agreement"] == words


def test_a_number_stays_as_it_is() -> None:
    asked = scenario(interval=3)
    assert settled(asked) == (asked, None)
    assert settled(asked)[0] is asked
    assert Alternating(interval=3).told(0.5) == Alternating(interval=3)
    assert "agreement" not in {fact.name for fact in explain(asked).facts}


def test_what_has_not_been_told_knows_its_first_round_alone() -> None:
    projection = Alternating(interval="connectivity")
    assert projection.trains(1) == {"B"}
    with pytest.raises(ValueError, match="has not been told how fast devices agree"):
        projection.trains(2)
    assert [projection.told(0.75).trains(round_) for round_ in range(1, 6)] == [
        frozenset(factor) for factor in "BBAAB"
    ]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"schedule": "asynchronous"}, "devices mix what has come by then"),
        ({"weights": "as_printed"}, "do not sum to 1"),
        ({"aggregation": "stacked", "composition": "uniform"}, "averages nothing"),
        ({"topology": "none", "aggregation": "none"}, "averages nothing"),
    ],
)
def test_where_a_round_has_no_mixing_it_is_refused(parts: Any, words: str) -> None:
    projection = Alternating(interval="connectivity")
    with pytest.raises(ValueError, match=words):
        METHODS["lora"].with_(projection=projection, **parts)


def test_devices_that_never_agree_or_are_too_many_are_refused() -> None:
    never = scenario(topology={"graph": "erdos_renyi", "probability": 0.0})
    for ask in (settled, explain):
        with pytest.raises(MethodError, match="is 1: some devices never hear of others"):
            ask(never)
    with pytest.raises(MethodError, match="at most 500 devices"):
        settled(scenario(count=501))


RUN = """\
seed: 2
rounds: 3
method: {{name: tad_lora, topology: ring, projection: {{name: alternating, interval: {interval}}}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6}}
tasks: {{sums: {{dataset: chain_sum, samples: 60, parameters: {{max_terms: 2, max_digits: 1}}}}}}
training: {{steps: 1, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 3, samples: 3}}
devices: [{{count: 10, mobility: {{model: static}}}}]
radio: {{bandwidth_hz: 1.0e9, fading: {{model: none}}}}
trace: {{adapters: false}}
"""


@pytest.mark.slow
def test_a_run_is_that_of_its_number_to_the_bit(tiny_llama: Path, tmp_path: Path) -> None:
    """Ten devices in a ring: T = 2."""
    sums = []
    for interval in ("connectivity", 2, 1):
        path = tmp_path / f"{interval}.yaml"
        path.write_text(RUN.format(model=tiny_llama, interval=interval), encoding="utf-8")
        run = cosim.run(path, out=tmp_path / str(interval))
        sums.append(run.manifest["results_sha256"])
        told = {"projection": {"interval": 2}} if interval == "connectivity" else None
        assert run.manifest.get("told") == told
    assert sums[0] == sums[1] != sums[2]
    directory = tmp_path / "connectivity"
    assert [line for check in verify(directory) if not check.ok for line in check.lines()] == []
    kept = (directory / "scenario.yaml").read_text(encoding="utf-8")
    assert "interval: connectivity" in kept


def test_its_graphs_are_none_of_the_run() -> None:
    """They come from a stream of their own, so that whether T is asked for moves no graph."""
    topology = ErdosRenyi(probability=0.5)
    own = topology.neighbours(range(10), stream(1, "agreement", 1))
    assert own != topology.neighbours(range(10), topology.stream(1, 1))
