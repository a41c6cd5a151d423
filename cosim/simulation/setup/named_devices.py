"""Devices by their numbers, as a sentence names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# So many are named, the others counted.
NAMED = 12


def named_devices(ids: Sequence[int], more_of: Callable[[int], str] = lambda _: "") -> str:
    """The numbers of devices, each with more_of it, the first of them where they are many."""
    named = ", ".join(f"{device}{more_of(device)}" for device in ids[:NAMED])
    rest = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return f"device{'s' if len(ids) > 1 else ''} {named}{rest}"
