"""How long a thread of OpenMP spins at a barrier before it sleeps."""

from __future__ import annotations

import os

# As many turns take some microseconds; by default they are so many that a thread on a busy machine
# burns the core which the one that it waits for needs.
_SPINS = "1000"


def bound_spinning() -> None:
    """Bounds how long this process' threads, and its children's, spin at OpenMP's barriers.

    It must be called before torch is imported, whose OpenMP reads the bound once. What the user has
    chosen in the environment stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
