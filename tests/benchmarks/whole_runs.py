"""What benchmarks of whole runs share: a run in a process of its own, played by any checkout."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

# With `-m` the current directory, which may be one checkout's root, would come before the other's.
PYTHON = (sys.executable, "-P")
OWN = Path(__file__).resolve().parents[2]
# A process that computes and nothing else, until whoever started it has gone.
_SPIN = {
    "python": "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n"
    "    for _ in range(10**6): pass",
    "numpy": "import os\nimport numpy as np\nparent, m = os.getppid(), np.ones((512, 512))\n"
    "while os.getppid() == parent:\n    m @ m",
}
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Spent:
    """Seconds of a whole process: of the clock, of the processor, and by phase as it tells them.

    phases: wall and processor seconds; empty where the checkout does not know them. sha256: of
    its results.
    """

    wall_s: float
    cpu_s: float
    phases: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    sha256: str = ""


def checkouts(against: Path | None) -> dict[str, Path]:
    """This checkout, and another one to compare it with; ends where one's code is not imported."""
    found = {"this": OWN}
    if against is not None:
        found["other"] = against.resolve()
    for path in found.values():
        command = [*PYTHON, "-c", "import cosim; print(cosim.__file__)"]
        where = subprocess.run(
            command, env=environment_of(path), capture_output=True, text=True, check=True
        )
        if Path(where.stdout.strip()).resolve().parents[1] != path:
            sys.exit(f"{path}: 'import cosim' there gives {where.stdout.strip()}")
    return found


def played(
    checkout: Path,
    scenario: Path,
    out: Path,
    settings: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Spent:
    """Plays a scenario with `cosim run` of a checkout and tells what it took; ends where it
    fails."""
    command = [*PYTHON, "-m", "cosim", "run", str(scenario), "--quiet", "--out", str(out)]
    command += [part for setting in settings for part in ("--set", setting)]
    told = out.with_suffix(".err")
    start = time.perf_counter()
    with told.open("wb") as errors:
        process = subprocess.Popen(
            command,
            env=environment_of(checkout) | dict(environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = told.read_text("utf-8", "replace")[-2000:]
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{end}")
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text("utf-8"))
    phases = dict(manifest.get("phases", {}))
    inside = [sum(taken[clock] for taken in phases.values()) for clock in ("wall_s", "cpu_s")]
    cpu_s = used.ru_utime + used.ru_stime
    if phases:
        # What lies before the first event and after the last: imports, the model, the tasks.
        phases["set-up"] = {"wall_s": wall_s - inside[0], "cpu_s": cpu_s - inside[1]}
    return Spent(wall_s, cpu_s, phases, manifest["results_sha256"])


@contextlib.contextmanager
def busy(processes: int, work: str = "python") -> Iterator[None]:
    """So many processes beside the block, each of which keeps one core as busy as it gets it."""
    command = [sys.executable, "-c", _SPIN[work]]
    spinning = [
        subprocess.Popen(command, env={**os.environ, **_ONE_THREAD}) for _ in range(processes)
    ]
    try:
        if spinning:
            time.sleep(0.5)  # to start takes another kind of work
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def middle(values: Sequence[float]) -> str:
    """A median with its spread, as a share of it."""
    if len(values) < 2:
        return f"{median(values):.1f}"
    return f"{median(values):.1f} ±{(max(values) - min(values)) / 2 / median(values):.0%}"


def environment_of(checkout: Path) -> dict[str, str]:
    """This process' environment, in which a checkout's code is imported."""
    return {**os.environ, "PYTHONPATH": str(checkout)}
