"""Plays a scenario as `cosim run` does and ends at its first training step.

    python tests/benchmarks/first_step.py SCENARIO DIR

Prints when each stage ended, as one JSON line: the monotonic clock and the processor time used
until then, both in seconds. For `startup.py`, which knows when it started this: to ask the system
gives whole seconds of its own start plus ticks, up to a second off.
"""

import functools
import importlib.abc
import importlib.machinery
import json
import os
import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

MARKS: dict[str, tuple[float, float]] = {}
LAST = Lock()
WATCHED = ("training.trainer", "base.base_model", "base.loading", "learner")


def mark(stage: str) -> None:
    MARKS.setdefault(stage, (time.monotonic(), time.process_time()))


def marked(function: Callable[..., Any], stage: str, *, before: bool = False) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if before:
            LAST.acquire()  # never given back: of two that train side by side one tells
            mark(stage)
            print(json.dumps(MARKS), file=sys.stderr, flush=True)
            os._exit(0)
        out = function(*args, **kwargs)
        mark(stage)
        return out

    return wrapper


def watch(module: Any) -> None:
    if module.__name__ == "cosim.learning.training.trainer":
        trainer = module.GroupTrainer
        trainer._gradients = marked(trainer._gradients, "first training step", before=True)
    elif module.__name__ == "cosim.learning.base.base_model":
        mark("torch imported")
        module.load = marked(module.load, "base model loaded")
    elif module.__name__ == "cosim.learning.base.loading":
        module._read = marked(module._read, "base model loaded")
    else:
        module.Learner.__init__ = marked(module.Learner.__init__, "learner ready")
        module.Learner.evaluate = marked(module.Learner.evaluate, "base model evaluated")


class Watch(importlib.abc.MetaPathFinder):
    """Marks the stages in modules as they are imported, so that nothing is imported early."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in {f"cosim.learning.{part}" for part in WATCHED}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def watched(module: Any) -> None:
            execute(module)
            watch(module)

        loader.exec_module = watched
        return spec


if __name__ == "__main__":
    sys.meta_path.insert(0, Watch())
    from cosim.cli.app import main

    sys.argv = ["cosim", "run", sys.argv[1], "--out", sys.argv[2]]
    main()
