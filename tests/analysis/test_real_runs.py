"""The scripts on runs that were played, with a tiny language model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import figure5
import figure6
import pandas as pd
import pytest
import table1

import cosim
from cosim.sweeping.definition import read_sweep
from cosim.sweeping.index import Entry, write_index
from cosim.sweeping.state import State

pytestmark = pytest.mark.slow

SCENARIO = """\
rounds: 2
method: lora
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 4, alpha: 8, density: 0.1}}
tasks:
  sums: {{dataset: chain_sum, samples: 20}}
  words: {{dataset: word_sequence_reversal, samples: 20}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 3, mobility: {{model: static}}}}]
trace: {{adapters: false}}
"""
SWEEP = """\
scenario: small.yaml
seeds: [1, 2]
grid: {method: [lora, proposed_single_cluster, local]}
"""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> Path:
    folder = tmp_path_factory.mktemp("played")
    (folder / "small.yaml").write_text(SCENARIO.format(model=tiny_llama))
    (folder / "small.sweep.yaml").write_text(SWEEP)
    sweep = read_sweep(folder / "small.sweep.yaml")
    for point in sweep.points:
        cosim.run(point.scenario, out=folder / point.name)
    write_index(folder, sweep, [Entry(point, State.COMPLETED, 1.0) for point in sweep.points])
    return folder


def test_table1_counts_what_the_learner_trains_and_sends(
    played: Path, table: Callable[..., pd.DataFrame]
) -> None:
    found = table(table1, played)
    lora, proposed = found.loc["lora"], found.loc["proposed_single_cluster"]
    run = cosim.read_run(played / "method-lora__seed-1")
    expansion = run.layers.groupby("device")["parameters"].sum().iloc[0]
    # Hidden 32, intermediate 64, half as many key and value heads: k of seven modules, two blocks.
    projection = 2 * 4 * (32 * 6 + 64)
    assert lora["updated"] == expansion + projection
    assert lora["update_mbit"] == pytest.approx(16 * lora["updated"] / 1e6, rel=1e-4)
    assert proposed["updated"] == pytest.approx(0.1 * expansion, rel=0.01)
    assert found.loc["local", "updated"] == lora["updated"]
    assert found.loc["local", "gbit"] == 0


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (figure6, ()),
        (figure5, ("--method", "proposed_single_cluster")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_scripts_read_what_runs_write(
    played: Path, table: Callable[..., pd.DataFrame], script: Any, arguments: list[str]
) -> None:
    assert len(table(script, played, *arguments))


def test_figures_of_the_command_line_read_the_same_sweep(
    played: Path, table: Callable[..., pd.DataFrame]
) -> None:
    over = cosim.plot(played, "accuracy").table
    assert over.groupby("label")["n"].unique().map(list).to_dict() == {
        label: [2] for label in ("lora", "proposed_single_cluster", "local")
    }
    last = over[over["round"] == 2].set_index("label")["accuracy"]
    ended = cosim.plot(played, "final", against="lora").table.set_index("label")
    averages = table(table1, played)["average"]
    for label, accuracy in last.items():
        assert accuracy == ended.loc[label, "accuracy"]
        assert averages[label] == pytest.approx(accuracy, rel=1e-4)
    assert last["local"] - last["lora"] == pytest.approx(ended.loc["local", "difference"])
