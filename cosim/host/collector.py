"""Python's search for unreachable cycles, put off where it costs much and finds next to nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made and not yet gone again before Python looks for cycles among them, by itself 700: at
# least so many, and more than all devices have at once for their transfers of a round.
_YOUNG = 50_000
_YOUNG_PER_DEVICE = 100


@contextmanager
def uncollected() -> Iterator[None]:
    """No cycles are searched for inside the block; what is unreachable by then is found later.

    The search looks at every object again each time their number has grown by a quarter: a third
    of the time that importing torch and transformers takes, and it finds next to nothing. Nor are
    the block's objects looked at as young ones behind it: they are made old without a search.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            # What is unfrozen comes into the oldest generation.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


@contextmanager
def seldom_collected(devices: int) -> Iterator[None]:
    """Cycles are searched for after 50,000 more objects inside the block instead of after 700, or
    after 100 a device where that is more.

    What an event loop makes lives as long as a transfer or a round, and is gone without a search
    when that ends. To look at all objects, modules included, again and again meanwhile is a fifth
    of a network's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(_YOUNG, _YOUNG_PER_DEVICE * devices), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
