"""The entry points by which installed packages declare what scenarios may name."""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from cosim.errors import OutsideError

PATH_LOSS, FADING = "cosim.path_loss", "cosim.fading"
MOBILITY, OBSERVERS = "cosim.mobility", "cosim.observers"

# Of modules by when they were first asked for, since what has been imported stays as it was.
_digests: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()


class Declared:
    """An entry point is a name by which an installed distribution declares an object."""

    def __init__(self, entry_point: EntryPoint) -> None:
        assert entry_point.dist is not None, "it was found in a distribution"
        self._entry_point = entry_point
        self.group, self.name = entry_point.group, entry_point.name
        self.distribution, self.version = entry_point.dist.name, entry_point.dist.version

    def __str__(self) -> str:
        """As an error calls it: `two_ray of my-air 1.0`."""
        return f"{self.name} of {self.by}"

    @property
    def by(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}"

    def load(self) -> Any:
        """The object that it names; raises OutsideError where it cannot be imported."""
        try:
            target = self._entry_point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            place = _own_place(error)
            raise self.error(
                f"cannot be imported{place}: {type(error).__name__}: {error}"
            ) from error
        self.digest(target)
        return target

    def error(self, fault: str) -> OutsideError:
        """An error in one sentence, which names the distribution and the entry point."""
        return OutsideError(f"{self} (entry point {self.group}, {self._entry_point.value}) {fault}")

    def source(self, target: Any) -> tuple[str, Path]:
        """The module that defines the object, and its file."""
        name = getattr(target, "__module__", None) or self._entry_point.module
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is None:
            raise self.error(f"comes from {name}, which has no source file")
        return name, Path(file)

    def digest(self, target: Any) -> str:
        """SHA-256 of that file as it was when the object was first loaded."""
        name, file = self.source(target)
        module = sys.modules[name]
        if module not in _digests:
            _digests[module] = hashlib.sha256(file.read_bytes()).hexdigest()
        return _digests[module]


def declared(group: str) -> Mapping[str, tuple[Declared, ...]]:
    """What installed distributions declare in a group, by name."""
    return _declared(group, tuple(sys.path))


@lru_cache(maxsize=16)
def _declared(group: str, _: tuple[str, ...]) -> Mapping[str, tuple[Declared, ...]]:
    """By name, as the distributions on this path say."""
    by_name: dict[str, tuple[Declared, ...]] = {}
    for entry_point in entry_points(group=group):
        by_name[entry_point.name] = (*by_name.get(entry_point.name, ()), Declared(entry_point))
    return by_name


def named(group: str, name: str, built_in: Collection[str] = ()) -> Declared | None:
    """The entry point of a name; None where no package declares it.

    Raises OutsideError for a name that two distributions declare, or cosim itself has.
    """
    candidates = declared(group).get(name, ())
    if candidates and name in built_in:
        raise candidates[0].error(f"takes a name that is cosim's own: {', '.join(built_in)}")
    if len(candidates) > 1:
        packages = " and by ".join(candidate.by for candidate in candidates)
        raise OutsideError(f"{name} (entry point {group}) is declared by {packages}; uninstall one")
    return candidates[0] if candidates else None


def _own_place(error: BaseException) -> str:
    """The file and line at which an import failed; empty where no file was reached."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f" at {error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and "importlib" not in Path(frame.filename).parts
    ]
    outside = [frame for frame in frames if frame.filename != __file__]
    return f" at {outside[-1].filename}:{outside[-1].lineno}" if outside else ""
