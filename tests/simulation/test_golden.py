"""Tiny scenarios' traces against stored ones, and against themselves run again.

After a change that is meant to move numbers, write the golden files anew and look at the diff:

    COSIM_REGENERATE_GOLDEN=1 python -m pytest tests/simulation/test_golden.py

Numbers are compared to a relative 1e-9, not by bits: sines and logarithms differ in the last
digit between machines. Within one machine a scenario gives one trace, to the bit.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cosim import load_scenario, read_run, run
from cosim.trace.schema import SCHEMAS

GOLDEN = Path(__file__).parent.parent / "golden"
REGENERATE = os.environ.get("COSIM_REGENERATE_GOLDEN") == "1"

SCENARIO = """\
# A walker, a slow walker and a post; block and Clarke fading are one override apart.
name: golden
seed: 20260
rounds: 2
learning: {model: none, payload_bits: 8000000, flop: 1.0e12}
method: {name: proposed_single_cluster, topology: complete}
area: {shape: disc, radius_m: 150}
devices:
  - {count: 1, profile: flagship_phone}
  - {count: 1, profile: midrange_phone, mobility: {model: random_waypoint, speed_m_s: [1.0, 2.0]}}
  - {count: 1, profile: jetson_orin_nano, mobility: {model: static}}
radio:
  bandwidth_hz: 5.0e6
  deadline_s: 2.5
  p_max_dbm: 20
  fading: {model: clarke, sinusoids: 16}
  power: {policy: lemma1, margin_db: 3, fallback: scale}
trace: {positions_every_s: 5.0}
"""

WALK = "{model: random_waypoint, speed_m_s: [1.0, 3.0]}"
SIX = f"""\
[{{count: 3, profile: flagship_phone, mobility: {WALK}, speed_sigma: 0.3}},
 {{count: 3, profile: jetson_orin_nano, mobility: {WALK}}}]"""
WORN = "{source: a phone, peak_flop_s: 4.0e11, utilisation: 0.3, compute_w: 4, idle_w: 0.5, \
pa_efficiency: 0.35, transmit_circuit_w: 0.5, receive_w: 0.6, battery_j: 60}"
# What each trace is of, as `--set` would say it.
VARIANTS: dict[str, list[str]] = {
    "network": [],
    "dynamic": [
        f"devices={SIX}",
        "radio.share=dynamic",
        "radio.late=stale",
        "radio.shadowing={sigma_db: 6, decorrelation_m: 20}",
        "method={name: lora, topology: {graph: nearest, degree: 3}, schedule: asynchronous}",
        "radio.p_max_dbm=10",
    ],
    "faults": [
        f"devices={SIX}",
        "devices.0.availability={model: exponential, mean_on_s: 6, mean_off_s: 3}",
        f"devices.1.profile={WORN}",
        "radio.late=stale",
        "radio.path_loss={model: d2d_outdoor}",
        "method={name: lora, topology: {graph: random, degree: 2}, schedule: cluster}",
        "rounds=4",
    ],
    "clusters": [
        f"devices={SIX}",
        "method={name: proposed, topology: "
        "{graph: clusters, max_collision_rate: 0.5, exchange_every: 2, exchange_attempts: 2}}",
        "radio.late=stale",
        "radio.p_max_dbm=5",
        "rounds=4",
    ],
}
OUTCOMES = {
    "network": {"delivered", "late"},
    "dynamic": {"delivered", "late", "cancelled"},
    "faults": {"delivered", "late", "cancelled"},
    "clusters": {"delivered", "late"},
}


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    path = tmp_path / "golden.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def tables(directory: Path) -> dict[str, dict[str, list[Any]]]:
    opened = read_run(directory)
    return {name: opened.table(name).to_pydict() for name in SCHEMAS}


def close_to(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_trace_is_the_golden_one(scenario_file: Path, tmp_path: Path, variant: str) -> None:
    chosen = load_scenario(scenario_file, VARIANTS[variant])
    found = tables(run(chosen, out=tmp_path / "out").directory)
    golden = GOLDEN / f"{variant}.json"
    if REGENERATE:
        golden.parent.mkdir(exist_ok=True)
        lines = [
            f"{json.dumps(table)}: {{\n"
            + ",\n".join(f" {json.dumps(name)}: {json.dumps(own)}" for name, own in columns.items())
            + "}"
            for table, columns in found.items()
        ]
        golden.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    expected = json.loads(golden.read_text(encoding="utf-8"))
    assert list(found) == list(expected)
    assert set(found["transfers"]["outcome"]) == OUTCOMES[variant]
    for name, columns in expected.items():
        assert list(found[name]) == list(columns), f"the columns of {name} changed"
        for column, values in columns.items():
            got = found[name][column]
            assert len(got) == len(values), f"{name}.{column}"
            assert got == [close_to(value) for value in values], f"{name}.{column}"


@pytest.mark.slow
def test_one_scenario_gives_one_hash_whatever_the_hash_seed(
    scenario_file: Path, tmp_path: Path
) -> None:
    scenario = load_scenario(scenario_file)
    first = run(scenario, out=tmp_path / "a").manifest["results_sha256"]
    second = run(scenario, out=tmp_path / "b").manifest["results_sha256"]
    code = "from cosim.cli.app import main; main()"
    for hash_seed in ("1", "4242"):
        directory = tmp_path / hash_seed
        subprocess.run(
            [sys.executable, "-c", code, "run", scenario_file, "--out", directory, "--quiet"],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            check=True,
            timeout=60,
            capture_output=True,
        )
        assert read_run(directory).manifest["results_sha256"] == first
    assert second == first
    other = run(load_scenario(scenario_file, ["seed=2"]), out=tmp_path / "c")
    assert other.manifest["results_sha256"] != first
