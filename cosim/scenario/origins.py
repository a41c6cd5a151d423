"""What of a scenario comes from outside, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from traceback import walk_tb
from types import CodeType
from typing import Any

from cosim.errors import CosimError, OutsideError
from cosim.scenario.model import Scenario
from cosim.scenario.outside.entry_points import Declared, named
from cosim.scenario.outside.observers import OWN, observer_entry
from cosim.scenario.outside.section import OutsideSection


@dataclass(frozen=True)
class PackageOrigin:
    """A package's origin says which installed package a thing from outside comes from.

    name: the word that the scenario writes.
    distribution: the installed distribution that declares it.
    version: the distribution's.
    module: that defines it.
    sha256: of the module's source.
    observes: whether it only looks on, so that no trace depends on it.
    """

    name: str
    distribution: str
    version: str
    module: str
    sha256: str
    observes: bool = False


def origins_of(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """The origin of everything that a scenario names from outside, by its path, as a manifest
    keeps it."""
    return {
        path: asdict(
            PackageOrigin(
                entry_point.name,
                entry_point.distribution,
                entry_point.version,
                entry_point.source(thing)[0],
                entry_point.digest(thing),
                observes=path.startswith("trace."),
            )
        )
        for path, entry_point, thing in _things(scenario)
    }


@contextmanager
def failures_told(scenario: Scenario) -> Iterator[None]:
    """Makes one sentence, with file and line, of whatever fails within code from outside.

    Raises OutsideError for such an error; all others pass.
    """
    try:
        yield
    except (CosimError, MemoryError):
        raise
    except Exception as error:
        things = list(_things(scenario))
        files = {str(point.source(thing)[1]): point for _, point, thing in things}
        frames = [(code, line) for code, line in _frames(error) if code.co_filename in files]
        if not frames:
            raise
        (code, line), cause = frames[0], f"{type(error).__name__}: {error}"
        culprit = files[code.co_filename].by
        for inner, _ in frames:
            users = [
                (path, point) for path, point, thing in things if _defines(thing, point, inner)
            ]
            if users:  # several groups may have one movement
                paths, points = zip(*users, strict=True)
                culprit = f"{', '.join(paths)}: {points[0]}"
                break
        raise OutsideError(f"{culprit} failed at {code.co_filename}:{line}: {cause}") from error


def _defines(thing: Any, point: Declared, code: CodeType) -> bool:
    """Whether code lies in the body of a class or function from outside."""
    file = str(point.source(thing)[1])
    return code.co_filename == file and code.co_qualname.startswith(f"{thing.__qualname__}.")


def _things(scenario: Scenario) -> Iterator[tuple[str, Declared, Any]]:
    """Path, entry point and class of everything from outside."""
    sections: dict[str, Any] = {
        "radio.path_loss": scenario.radio.path_loss,
        "radio.fading": scenario.radio.fading,
    }
    for number, group in enumerate(scenario.devices):
        sections[f"devices.{number}.mobility"] = group.mobility
    for path, section in sections.items():
        if isinstance(section, OutsideSection):
            entry_point = named(section.group, section.model)
            if entry_point is None:  # a worker's machine may not have what the scenario's had
                raise OutsideError(
                    f"{path}: no installed package declares '{section.model}' as an entry point "
                    f"{section.group}"
                )
            yield path, entry_point, type(section)
    for number, name in enumerate(scenario.trace.observers):
        if name in OWN:
            continue
        yield f"trace.observers.{number}", *observer_entry(name)


def _frames(error: BaseException | None) -> list[tuple[CodeType, int]]:
    """Code and line of all that an error, or what caused it, passed through, innermost first."""
    frames: list[tuple[CodeType, int]] = []
    while error is not None:
        steps = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
        frames += reversed(steps)
        error = error.__cause__ or error.__context__
    return frames
