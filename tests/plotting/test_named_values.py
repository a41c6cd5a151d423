"""What a sweep calls its values is what stands at the axis over them."""

from pathlib import Path

import pytest

import cosim

SCENARIO = """\
rounds: 1
learning: {model: none, payload_bits: 100000, flop: 1.0e9}
method: lora
devices: [{count: 3, mobility: {model: static}}]
radio: {deadline_s: 1.0}
"""
SWEEP = """\
name: bands
scenario: small.yaml
seeds: [1, 2]
grid:
  radio:
    named:
      narrow: {bandwidth_hz: 1.0e+6, deadline_s: 2.0}
      wide: {bandwidth_hz: 20.0e+6, deadline_s: 1.0}
  area:
    named:
      near: {shape: disc, radius_m: 10}
      far: {shape: disc, radius_m: 100}
"""


@pytest.fixture(scope="module")
def bands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bands")
    (folder / "small.yaml").write_text(SCENARIO, encoding="utf-8")
    (folder / "bands.sweep.yaml").write_text(SWEEP, encoding="utf-8")
    cosim.sweep(folder / "bands.sweep.yaml", out=folder / "runs")
    return folder / "runs"


def test_the_axis_has_the_names_of_the_values(bands: Path) -> None:
    drawing = cosim.plot(bands, "final", over="radio", measure="energy_j")
    table = drawing.table
    assert list(table["radio"].unique()) == ["narrow", "wide"]
    assert len(table) == 4
    names = [text.get_text() for text in drawing.figure.axes[0].get_xticklabels()]
    assert names == ["narrow", "wide"]
    # The other axis tells the curves apart, by its names.
    assert set(table["label"]) == {"near", "far"}
    named_by_method = cosim.plot(bands, "final", over="radio", measure="energy_j", against="near")
    assert named_by_method.table["difference"].notna().sum() == 2


def test_a_key_of_a_named_mapping_has_its_own_values(bands: Path) -> None:
    """Of `radio` two keys vary, so that one of them keeps its numbers; of `area` one, which has
    the names."""
    table = cosim.plot(bands, "final", over="bandwidth_hz", measure="energy_j").table
    assert set(table["radio.bandwidth_hz"]) == {1.0e6, 2.0e7}
    table = cosim.plot(bands, "final", over="radius_m", measure="energy_j").table
    assert list(table["area.radius_m"].unique()) == ["near", "far"]


def test_runs_that_nobody_has_named_keep_their_values(bands: Path) -> None:
    table = cosim.plot(sorted(bands.glob("*seed*")), "final", over="radius_m", measure="mbit").table
    assert set(table["area.radius_m"]) == {10, 100}


def test_one_name_for_two_values_is_none(bands: Path, tmp_path: Path) -> None:
    """Another sweep calls near what is far there: both are drawn, by their numbers."""
    (tmp_path / "small.yaml").write_text(SCENARIO, encoding="utf-8")
    other = SWEEP.replace("radius_m: 10}", "radius_m: 30}")
    (tmp_path / "other.sweep.yaml").write_text(other, encoding="utf-8")
    cosim.sweep(tmp_path / "other.sweep.yaml", out=tmp_path / "runs")
    table = cosim.plot([bands, tmp_path / "runs"], "final", over="radius_m", measure="mbit").table
    assert set(table["area.radius_m"]) == {10, 30, 100}
    both = cosim.plot([bands, tmp_path / "runs"], "final", over="radio", measure="mbit").table
    assert set(both["label"]) == {"far", "near: lora radius_m=10", "near: lora radius_m=30"}
