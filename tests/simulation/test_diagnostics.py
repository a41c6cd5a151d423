"""Diagnostics of a whole run: written when asked for, and nothing else moves."""

from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.learning.records import Diagnostic, Evaluation
from cosim.trace.reader import Run
from cosim.trace.schema import SCHEMAS, DiagnosticRow
from tests.simulation.small_networks import PROFILE, RecordingLearner, scenario, simulate

SCENARIO = """\
seed: 2
rounds: 2
method: proposed_single_cluster
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: {every}, samples: 3}}
devices: [{{count: 3, mobility: {{model: static}}}}]
radio: {{bandwidth_hz: 1.0e9, fading: {{model: none}}}}
trace: {{diagnostics: {asked}, adapters: false}}
"""


@pytest.fixture
def play(tiny_llama: Path, tmp_path: Path) -> Any:
    def run(asked: str, every: int = 1) -> Run:
        path = tmp_path / f"{asked}-{every}.yaml"
        text = SCENARIO.format(model=tiny_llama, asked=asked, every=every)
        path.write_text(text, encoding="utf-8")
        return cosim.run(path, out=tmp_path / f"{asked}-{every}")

    return run


@pytest.mark.slow
def test_a_run_that_asks_has_one_more_table_and_is_else_the_same(play: Any) -> None:
    asked, plain = play("true"), play("false")
    assert not (plain.directory / "diagnostics.parquet").exists()
    assert plain.diagnostics.empty
    for table in SCHEMAS:
        assert asked.table(table).equals(plain.table(table)), table
    found = asked.diagnostics
    assert set(found["round"]) == {1, 2}, "the untrained model has nothing to diagnose"
    evaluated = asked.evaluations.groupby("round")["time_s"].first()
    assert (found["time_s"] == found["round"].map(evaluated)).all()
    modules = len(asked.layers) // 3
    counts = found.groupby("quantity").size() / 2
    pairs = ("projection_overlap_mean", "projection_overlap_max", "update_similarity_max")
    assert counts[list(pairs)].tolist() == [3, 3, 3]
    assert counts[["projection_overlap", "update_similarity"]].tolist() == [modules, modules]
    assert counts["expert_share"] == 3 * 2 * 3
    theorem = found[found["quantity"].str.startswith("theorem1_")]
    assert len(theorem) == 2 * 3 * 6
    # Everybody exchanges with everybody: one set, one value.
    assert (theorem.groupby(["round", "quantity"])["value"].nunique() == 1).all()
    gaps = theorem.groupby(["round", "quantity"])["value"].first().unstack()
    assert (gaps["theorem1_own_support_gap"] < gaps["theorem1_gap"]).all()
    assert found["value"].notna().all()
    # All of them weigh alike in every mixture, and masks that collide move the mean.
    of_all = found[found["device"].isna() & found["module"].isna()].set_index("quantity")["value"]
    assert of_all["contraction"].to_list() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert len(of_all["drift_expansion"]) == 2
    assert (of_all["drift_expansion"] > 0).all()
    assert len(of_all) == 4
    assert (found.query("quantity == 'update_similarity_max'")["value"] < 1).all()


def test_only_evaluated_rounds_are_diagnosed(play: Any) -> None:
    run = play("true", every=2)
    assert set(run.diagnostics["round"]) == {2}


def test_a_network_alone_has_nothing_to_diagnose(tmp_path: Path) -> None:
    path = tmp_path / "network.yaml"
    path.write_text(
        "rounds: 1\nlearning: none\nmethod: lora\ndevices: [{count: 2}]\n"
        "trace: {diagnostics: true}\n",
        encoding="utf-8",
    )
    run = cosim.run(path, out=tmp_path / "run")
    assert not (run.directory / "diagnostics.parquet").exists()


class Asked(RecordingLearner):
    """Keeps whose updates it is asked about, and answers with their number."""

    def evaluate(self, devices: Any, sets: Any = None) -> Evaluation:
        if sets is None:
            return Evaluation(())
        said = {
            device: [self.spoken[other] for other in together if other in self.spoken]
            for device, together in sets.items()
        }
        self.sets.append(said)
        gaps = [Diagnostic("theorem1_gap", len(said[device]), device) for device in said]
        return Evaluation((), gaps)

    def __init__(self, chosen: Any) -> None:
        super().__init__(chosen)
        self.sets: list[dict[int, list[Any]]] = []


# Computing takes 2 s, and sending next to nothing.
THREE = scenario(
    rounds=3,
    trace={"diagnostics": True},
    devices=[{"count": 3, "profile": PROFILE, "mobility": {"model": "static"}}],
    radio={"fading": {"model": "none"}, "power": {"policy": "max_power"}},
)
PLACES = [(0.0, 0.0), (9.0, 0.0), (0.0, 9.0)]


def test_sets_are_those_who_exchange_and_have_finished() -> None:
    learner = Asked(THREE)
    trace = simulate(THREE, PLACES, spells={2: [(0.0, 3.0), (3.5, 1e9)]}, learner=learner)
    untrained, first, cut_off, last = learner.sets
    assert untrained == {}
    assert first == {device: [(0, 1), (1, 1), (2, 1)] for device in range(3)}
    # Cut off while it computes: its update of the round before is in nobody's average.
    assert cut_off == {device: [(0, 2), (1, 2)] for device in range(3)}
    assert last == {device: [(0, 3), (1, 3), (2, 3)] for device in range(3)}
    rows = [row for row in trace.rows if isinstance(row, DiagnosticRow)]
    told = [(row.device, row.value) for row in rows if row.round == 2]
    assert told == [(0, 2.0), (1, 2.0), (2, 2.0)]


def test_who_sits_a_round_out_has_no_set_in_it() -> None:
    learner = Asked(THREE)
    simulate(THREE, PLACES, spells={2: [(0.0, 3.0), (20.0, 1e9)]}, learner=learner)
    assert [sorted(sets) for sets in learner.sets] == [[], [0, 1, 2], [0, 1, 2], [0, 1]]


def test_unasked_the_learner_is_not_bothered() -> None:
    learner = Asked(scenario())
    simulate(scenario(), [(0, 0), (9, 0)], learner=learner)
    assert learner.sets == []
