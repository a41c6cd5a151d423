"""Python's search for unreachable cycles, put off while much is loaded and nothing thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No cycles are searched for inside the block; what is unreachable by then is found later.

    The search looks at every object again each time their number has grown by a quarter: a third
    of the time that importing torch and transformers takes, and it finds next to nothing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
