"""Entropies that were found once are found on disk, and nothing but the same ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cosim.learning.base.base_model import load, weights_sha256
from cosim.learning.calibration import calibrator as module
from cosim.learning.data.encoding import Encoded
from cosim.methods.projection.frozen import Frozen
from tests.learning.test_calibrate import ROWS, calibrator


@pytest.fixture
def plain(tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_KEPT_FLOP", 0)
    return load(f"path:{tiny_llama}", "float32").model


def found(plain: Any, rows: Sequence[Encoded] = ROWS, **changes: Any) -> NDArray[np.float64]:
    entropies = calibrator(plain, **changes).calibrate_all([rows])[0].entropies
    assert entropies is not None
    return entropies


def files(cache: Path) -> list[Path]:
    return sorted((cache / "spectra").iterdir())


def test_what_was_found_is_not_computed_again(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = found(plain)
    with monkeypatch.context() as patch:
        patch.setattr(module, "singular_values", lambda _: pytest.fail("computed again"))
        assert np.array_equal(found(plain), first)
        # What else a pass over the rows finds is still read.
        refined = calibrator(plain, projection=Frozen(refined=True)).calibrate_all([ROWS])[0]
        assert refined.entropies is not None
        assert np.array_equal(refined.entropies, first)
        assert refined.inputs is not None
        for other in (ROWS[:2], [*ROWS, ROWS[0]]):
            with pytest.raises(pytest.fail.Exception):
                found(plain, other)
        sums = weights_sha256(plain)
        with torch.no_grad():
            next(iter(plain.parameters())).add_(1e-3)
        assert weights_sha256(plain) != sums
        with pytest.raises(pytest.fail.Exception):
            found(plain)
    assert len(files(tmp_path / "cache")) == 1


def test_a_damaged_file_is_computed_and_written_anew(plain: Any, tmp_path: Path) -> None:
    first = found(plain)
    (file,) = files(tmp_path / "cache")
    whole = file.read_bytes()
    for damaged in (b"", whole[:100], np.lib.format.magic(1, 0) + b"x" * 60):
        file.write_bytes(damaged)
        assert np.array_equal(found(plain), first)
        assert file.read_bytes() == whole


def test_a_place_that_cannot_be_used_costs_nothing_but_time(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = found(plain)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "file"))
    assert np.array_equal(found(plain), first)


def test_small_spectra_are_not_kept(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    found(plain)
    assert not (tmp_path / "cache").exists()
