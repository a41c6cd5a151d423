"""A written profile reads as what was written, and nothing is overwritten."""

from pathlib import Path

import pytest

from cosim.errors import ProfileError
from cosim.profiling.fit import Fitted
from cosim.profiling.write import measured_profile, refuse_unwritable, write_profile
from cosim.scenario.catalogue import catalogue, named_profile
from cosim.scenario.profile import FlopTime

FITTED = Fitted(5.328e11, FlopTime(pass_overhead_s=0.107, value_update_s=7.6e-9))


def test_a_written_profile_is_read_again(tmp_path: Path) -> None:
    profile = measured_profile(FITTED, catalogue()["laptop"], 'measured: "a: b", # ä', 30.0, None)
    write_profile(profile, tmp_path / "a b.yaml")
    assert named_profile(f"path:{tmp_path}/a b.yaml") == profile


def test_speed_is_measured_and_the_rest_copied() -> None:
    power = catalogue()["laptop"].model_copy(update={"speed": 0.5})
    profile = measured_profile(FITTED, power, "x", None, 4.0)
    assert (profile.peak_flop_s, profile.utilisation, profile.speed) == (5.328e11, 1.0, 1.0)
    assert profile.compute == FITTED.compute
    kept = {"compute_w", "pa_efficiency", "transmit_circuit_w", "receive_w", "battery_j"}
    assert profile.model_dump(include=kept) == power.model_dump(include=kept)
    assert profile.idle_w == 4.0


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("kept")
    profile = catalogue()["laptop"]
    for attempt in (lambda: refuse_unwritable(file), lambda: write_profile(profile, file)):
        with pytest.raises(ProfileError, match="exists already; name another file with --out"):
            attempt()
    assert file.read_text() == "kept"


def test_a_directory_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="the directory does not exist"):
        refuse_unwritable(tmp_path / "no" / "mine.yaml")
    with pytest.raises(ProfileError, match="cannot be written"):
        write_profile(catalogue()["laptop"], tmp_path / "no" / "mine.yaml")
