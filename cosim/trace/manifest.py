"""What is known about a run as a whole: a small JSON file, replaced at once, never half-written."""

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from cosim.errors import RunDirectoryError
from cosim.trace.files import replacing

MANIFEST_FILE = "manifest.json"


class Status(StrEnum):
    """A status is how far a run has come, or how it ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


def write_manifest(directory: Path, mapping: Mapping[str, Any]) -> None:
    """Replace the run's manifest; infinities and NaN, which JSON does not know, become null.

    Raises TypeError for a value that has no JSON form, and leaves the previous manifest then.
    """
    text = json.dumps(_plain(mapping), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(directory / MANIFEST_FILE) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, Any]:
    """The run's manifest; raises RunDirectoryError if it is missing or is not a JSON object."""
    path = directory / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise RunDirectoryError(f"{path} is not valid JSON: {error}.") from error
    if not isinstance(manifest, dict):
        raise RunDirectoryError(f"{path} holds a {type(manifest).__name__}, not a JSON object.")
    return manifest


def _plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
