"""What a run's numbers come from, besides its scenario: code, packages, machine, model, rows."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cosim.errors import ResumeError, RunDirectoryError
from cosim.methods.outside import METHOD_FILE, source_of
from cosim.scenario.model import Scenario
from cosim.scenario.origins import origins_of
from cosim.simulation.agreement import answers_of
from cosim.simulation.learner import Learner
from cosim.trace.manifest import MANIFEST_FILE

_PACKAGES = ("torch", "transformers", "simpy", "numpy", "pyarrow", "reasoning-gym")
# The parts of cosim that a trace depends on.
_ROOMS = (
    "host",
    "learning",
    "lifecycle",
    "methods",
    "mobility",
    "physics",
    "scenario",
    "simulation",
    "topology",
)
_FILES = ("randomness.py", "trace/schema.py")


def _installed(package: str) -> str | None:
    """A package's version; None where a network is simulated without those that learn."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def opening_manifest(
    scenario: Scenario, learner: Learner, final: Scenario | None = None
) -> dict[str, Any]:
    """The manifest as far as it is known before the first event.

    final: the scenario with what parts have been told of how fast devices agree.
    """
    manifest: dict[str, Any] = {
        "cosim": version("cosim"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: _installed(name) for name in _PACKAGES},
        "name": scenario.name,
        "method": scenario.method.name,
        "method_sha256": None if scenario.method.origin is None else scenario.method.origin.sha256,
        "seed": scenario.seed,
        "rounds": scenario.rounds,
        "graph": scenario.method.topology.word(),
        "joins_devices": not scenario.method.topology.silent,
        "negotiates_clusters": scenario.method.topology.negotiated,
        "noise": scenario.radio.noise,
        "dtype": None,
        "threads": None,
        "base_model": None,
        "base_model_sha256": None,
        "outside": origins_of(scenario),
    }
    if learner.base is not None:
        import torch

        manifest |= {
            "dtype": str(learner.base.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "base_model": learner.base.source,
            "base_model_sha256": learner.base.sha256,
        }
    if final is not None and (answers := answers_of(scenario, final)):
        manifest["told"] = answers
    return manifest


def origins(manifest: Mapping[str, Any], learner: Learner) -> dict[str, Any]:
    """Everything that must be the same for a run to go on as it began, by what to call it.

    manifest: as it opens. learner: one that learns.
    """
    import torch

    assert learner.base is not None, "nothing is learnt"
    place = learner.base.device
    processor = torch.backends.cpu.get_cpu_capability()
    rows = hashlib.blake2b(digest_size=16)
    for name, pool in learner.pools.items():
        rows.update(name.encode())
        for row in (*pool.train, *pool.test):
            rows.update(repr(row).encode())
    return {
        **{name: manifest[name] for name in ("cosim", "python", "machine", "dtype", "threads")},
        **manifest["packages"],
        **outside_origins(manifest["outside"]),
        "base_model_sha256": manifest["base_model_sha256"],
        "processor": torch.cuda.get_device_name(place) if place.type == "cuda" else processor,
        "the tasks' rows": rows.hexdigest(),
        **{f"the code of cosim.{room}": digest for room, digest in code().items()},
    }


def outside_origins(outside: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Of the things from outside that a manifest names, that on which traces depend, by what to
    call it.

    Raises RunDirectoryError where a manifest has been damaged.
    """
    found: dict[str, Any] = {}
    try:
        for origin in (outside or {}).values():
            if not origin["observes"]:
                found[origin["distribution"]] = origin["version"]
                found[f"the code of {origin['module']}"] = origin["sha256"]
    except (AttributeError, KeyError, TypeError) as error:
        raise RunDirectoryError(
            f"{MANIFEST_FILE}: 'outside' is not what cosim writes there: {outside!r}."
        ) from error
    return found


@cache
def code() -> Mapping[str, str]:
    """A digest of the sources of each room that a trace depends on, and of the single files; as
    they are when this is first asked, since what has been imported stays as it was."""
    root = Path(__file__).parent.parent
    sources = {room: sorted((root / room).rglob("*.py")) for room in _ROOMS}
    sources |= {name.removesuffix(".py").replace("/", "."): [root / name] for name in _FILES}
    return {room: _digest(root, paths) for room, paths in sources.items()}


def _digest(root: Path, paths: list[Path]) -> str:
    content = hashlib.blake2b(digest_size=16)
    for path in paths:
        content.update(f"{path.relative_to(root).as_posix()}\n".encode())
        content.update(path.read_bytes())
    return content.hexdigest()


def method_source(scenario: Scenario) -> bytes | None:
    """The file that the method comes from; raises MethodError where it has been edited since."""
    origin = scenario.method.origin
    if origin is None or origin.path is None:
        return None
    return source_of(Path(origin.path), origin.sha256)


def kept(scenario: Scenario) -> Scenario:
    """The scenario as a run directory keeps it, which holds its method's file, if there is one."""
    origin = scenario.method.origin
    if origin is None or origin.path is None:
        return scenario
    method = scenario.method.model_copy(
        update={"origin": origin.model_copy(update={"path": METHOD_FILE})}
    )
    return scenario.model_copy(update={"method": method})


def refuse_other_origins(
    directory: Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Raises ResumeError where a run would go on otherwise than it began."""
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if names:
        words = "; ".join(_differs(name, before.get(name), now.get(name)) for name in names)
        raise ResumeError(
            f"{directory} cannot be resumed, because its traces would not be those of one run: "
            f"{words}."
        )


def _differs(name: str, before: Any, now: Any) -> str:
    if name.startswith("the "):  # a digest, which tells nobody anything
        return f"{name} {'have' if name.endswith('s') else 'has'} changed"
    return f"{name} was {before} and is {now}"
