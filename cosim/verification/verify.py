"""All checks of one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cosim.verification.adapters import check_adapters
from cosim.verification.answers import check_answers
from cosim.verification.bits import check_bits
from cosim.verification.clock import check_time
from cosim.verification.devices import check_devices
from cosim.verification.energy import check_energy
from cosim.verification.files import check_files, check_hash, check_schema
from cosim.verification.finding import Check
from cosim.verification.outside import check_outside
from cosim.verification.partners import check_rounds, check_transfers
from cosim.verification.subject import open_run
from cosim.verification.tiles import check_tiles

_CHECKS = (
    check_files,
    check_schema,
    check_time,
    check_devices,
    check_transfers,
    check_rounds,
    check_tiles,
    check_bits,
    check_energy,
    check_answers,
    check_hash,
    check_adapters,
    check_outside,
)


def verify(directory: Path) -> Iterator[Check]:
    """Makes each check in turn; nothing in the directory is changed.

    Raises RunDirectoryError where the directory is not a run.
    """
    run = open_run(directory)
    for check in _CHECKS:
        yield check(run)
