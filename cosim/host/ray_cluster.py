"""Ray, as the extra `ray` brings it: a cluster that is joined, or one started on this machine."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from cosim.errors import RayError
from cosim.host.safe_path import safe_path

ADDRESS = "RAY_ADDRESS"
# Ray takes no less, and otherwise claims a third of the memory for it.
LEAST_STORE_BYTES = 128 * 2**20
# What Ray reads when it is imported or started.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # the death of a worker is told by whoever gave it work
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Ray's 15 would leave workers what nobody else on the machine wants.
    "RAY_worker_niceness": "0",
}


@dataclass(frozen=True)
class RayCluster:
    """A cluster is Ray with this process connected to it.

    ray: the module `ray`, imported.
    started: whether the cluster is this machine's, for this process alone.
    joined_before: whether somebody else's code has connected the process.
    """

    ray: Any
    started: bool = False
    joined_before: bool = False

    @property
    def cpus_by_node(self) -> list[int]:
        """Whole processor cores that each machine has given to Ray."""
        alive = [node for node in self.ray.nodes() if node["Alive"]]
        return [int(node["Resources"].get("CPU", 0)) for node in alive]

    @property
    def gpus(self) -> int:
        """Whole GPUs of all machines."""
        return int(self.ray.cluster_resources().get("GPU", 0))

    def close(self) -> None:
        """Ends what `connect` began: the workers, and the cluster if it was started."""
        if not self.joined_before:
            with _handlers_kept():
                self.ray.shutdown()


def refuse_without_ray(option: str) -> None:
    """Raises RayError where Ray is not installed; option: the one that needs it."""
    if find_spec("ray") is None:
        raise RayError(f"{option}: Ray is not installed; it comes with pip install 'cosim[ray]'")


def connect(option: str, cpus: int, store_bytes: int = LEAST_STORE_BYTES) -> RayCluster:
    """Joins the cluster at RAY_ADDRESS, or starts one of `cpus` on this machine.

    A process that is connected already stays connected, also after `close`. store_bytes: of
    shared memory for objects, in a cluster that is started. Raises RayError.
    """
    refuse_without_ray(option)
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return RayCluster(ray, joined_before=True)
    address = os.environ.get(ADDRESS)
    logging.getLogger("ray").setLevel(logging.ERROR)
    options: dict[str, Any] = {"address": address}
    if not address:
        options = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
        options["object_store_memory"] = max(store_bytes, LEAST_STORE_BYTES)
    try:
        with _handlers_kept(), safe_path(), _at_root():
            ray.init(configure_logging=False, log_to_driver=False, **options)
    except Exception as error:  # many unrelated kinds; each is one sentence
        lines = str(error).strip().splitlines() or [type(error).__name__]
        fault = f"Ray at {ADDRESS}={address} cannot be joined" if address else "Ray does not start"
        raise RayError(f"{option}: {fault}: {lines[0]}") from error
    return RayCluster(ray, started=not address)


def cpus_for(cpus_by_node: Sequence[int], workers: int) -> int:
    """The most cores that each of so many workers can have at once; 1 where not all fit."""
    fitting = range(max(cpus_by_node, default=1), 0, -1)
    return next((n for n in fitting if sum(cpus // n for cpus in cpus_by_node) >= workers), 1)


def environment(variables: Mapping[str, str]) -> dict[str, Any]:
    """Ray's option by which a worker process begins with these variables; none needs none."""
    return {"runtime_env": {"env_vars": dict(variables)}} if variables else {}


@contextmanager
def _at_root() -> Iterator[None]:
    """Ray has its workers import from the directory that it is started in, before all others."""
    directory = os.getcwd()
    os.chdir(os.path.abspath(os.sep))
    try:
        yield
    finally:
        os.chdir(directory)


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, which ends the process without a word."""
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
