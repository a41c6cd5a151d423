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
    """Turns Python's cycle collector off inside the block.

    It scans all objects each time their number has grown by a quarter: a third of the time that
    importing torch and transformers takes, for next to nothing. On exit the objects made in the
    block move to the oldest generation, so that the next young collection does not scan them.
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
    """Searches for cycles after 50,000 new objects, not 700, or 100 a device where that is more.

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
