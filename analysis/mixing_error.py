"""How far devices are from the mean of what all of them had before they mixed, from adapters.

x_i is what device i holds at the end of a run, [B; A] or one of them, and y_i what it held before
it mixed: what it holds after the same run of `local`, on the same seed, whose batches are the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from cosim.errors import SweepError
from cosim.trace.files import ADAPTERS
from cosim.trace.reader import Run

FloatArray = NDArray[np.float64]
FACTORS = {"B": "values", "A": "projection"}


@dataclass(frozen=True)
class MixingError:
    """A mixing error is a length over all values of the factors in question.

    whole: √(mean over i of ‖x_i − ȳ‖²).
    drift: ‖x̄ − ȳ‖, what of it all devices have in common.
    apart: √(mean over i of ‖y_i − ȳ‖²), the error of who mixes nothing.
    size: ‖ȳ‖.
    """

    whole: float
    drift: float
    apart: float
    size: float


def held(run: Run) -> dict[str, FloatArray]:
    """B and A of every device at the end of a run, (devices, values) each."""
    folder = run.directory / ADAPTERS
    try:
        index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise SweepError(f"{run.directory} has kept no adapters: {error.strerror}") from error
    rows: dict[str, list[FloatArray]] = {factor: [] for factor in FACTORS}
    for device in index["devices"]:
        for factor, part in FACTORS.items():
            name = device["adapter"][part]
            if not isinstance(name, str):
                raise SweepError(f"{run.directory}: its devices keep no {factor} of their own")
            with safe_open(folder / index["tensors"][name], framework="np") as file:
                rows[factor].append(file.get_tensor(name).astype(np.float64))
    return {factor: np.stack(own) for factor, own in rows.items()}


def mixing_error(
    after: Mapping[str, FloatArray], before: Mapping[str, FloatArray], factors: Sequence[str]
) -> MixingError:
    """Of these factors together; before: what devices had."""
    squares = np.zeros(4)
    for factor in factors:
        x, y = after[factor], before[factor]
        mean = y.mean(axis=0)
        squares += [
            np.square(x - mean).sum() / len(x),
            np.square(x.mean(axis=0) - mean).sum(),
            np.square(y - mean).sum() / len(y),
            np.square(mean).sum(),
        ]
    return MixingError(*np.sqrt(squares).tolist())
