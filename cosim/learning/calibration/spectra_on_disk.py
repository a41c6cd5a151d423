"""Entropies that this machine has found before, kept beside the models."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cosim.errors import BaseModelError
from cosim.learning import base, calibration
from cosim.learning.base.cache import cache_directory, scratch_in
from cosim.learning.data.encoding import Encoded

_log = logging.getLogger(__name__)


class SpectraOnDisk:
    """Spectra on disk are the entropies of a base model's modules by the rows that it read.

    They depend on the weights, on the rows, and on who computes them; all that is in a file's name,
    the code of the forward pass and of the spectra too. Spectra are most of what a short run with
    them takes, and runs that differ in anything else have the same ones. A directory that cannot be
    used costs time alone.

    about: the model, as far as it is not its weights and rows.
    """

    def __init__(self, weights_sha256: str, about: Sequence[str]) -> None:
        capability = torch.backends.cpu.get_cpu_capability()
        self._about = [weights_sha256, *about, torch.__version__, capability, _code_sha256()]

    def entropies(self, rows: Sequence[Encoded]) -> NDArray[np.float64] | None:
        """What was found for these rows; None where nothing was, or what is there is damaged."""
        with suppress(OSError, ValueError, EOFError, BaseModelError):
            values: NDArray[np.float64] = np.load(self._file(rows), allow_pickle=False)
            if values.dtype == np.float64 and bool(np.isfinite(values).all()):
                return values
        return None

    def keep(self, rows: Sequence[Encoded], entropies: NDArray[np.float64]) -> None:
        """Stores what was found for these rows, whole or not at all."""
        try:
            file = self._file(rows)
            file.parent.mkdir(parents=True, exist_ok=True)
            with scratch_in(file.parent, "new") as scratch:
                np.save(scratch / file.name, entropies, allow_pickle=False)
                os.replace(scratch / file.name, file)
        except (OSError, BaseModelError) as error:
            _log.info("entropies are not kept for later runs: %s", error)

    def _file(self, rows: Sequence[Encoded]) -> Path:
        text = repr((self._about, [(row.prompt, row.answer) for row in rows]))
        name = hashlib.sha256(text.encode()).hexdigest()
        return cache_directory() / "spectra" / f"{name}.npy"


@cache
def _code_sha256() -> str:
    """Of all that the entropies are computed by."""
    digest = hashlib.sha256()
    for room in (base, calibration):
        for file in sorted(Path(room.__path__[0]).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
