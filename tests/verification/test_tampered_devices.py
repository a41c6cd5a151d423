"""Rows of devices, and numbers and causes of transfers, that are not those of the run."""

from pathlib import Path
from typing import Any

import pytest

from tests.verification.tampering import Case, assert_refused, more, put, without

TAMPERED: dict[str, Case] = {
    "a device without a row": (
        "devices", without(device=3), "devices",
        r"devices\.parquet: device: expected a row for each of 8 devices, found none for 3",
    ),
    "a device of two rows": (
        "devices", put("device", 2, device=3), "devices",
        r"devices\.parquet row 3: device: expected one row a device, found 2 again",
    ),
    "a device of another group": (
        "devices", put("group", 0, device=5), "devices",
        r"devices\.parquet row 5: group: expected 1, found 0",
    ),
    "a device of no profile of its group's": (
        "devices", put("peak_flop_s", more, device=7), "devices",
        r"devices\.parquet row 7: peak_flop_s: expected \S+ or \S+, found",
    ),
    "a task where nothing is learnt": (
        "devices", lambda frame: frame.assign(task="arithmetic"), "devices",
        r"devices\.parquet row 0: task: expected null, found arithmetic",
    ),
    "a battery that was never as full": (
        "devices", put("battery_j", 1.0, device=4), "devices",
        r"devices\.parquet row 4: battery_j: expected 100, found 1",
    ),
    "two transfers of one number": (
        "transfers", lambda frame: frame.assign(number=frame["number"].clip(upper=50)), "transfers",
        r"transfers\.parquet row \d+: number: expected a number of its own in transfers\.parquet",
    ),
    "an event of another transfer": (
        "events", put("transfer", 1e6, kind="send_end"), "transfers",
        r"events\.parquet row \d+: send_end: expected a transfer with end_s .*none \(number 1",
    ),
    "a round that ends with a transfer's number": (
        "events", put("transfer", 0, kind="round_end"), "transfers",
        r"events\.parquet row \d+: transfer: expected null for round_end, found 0",
    ),
    "a cause that does not go with its outcome": (
        "transfers", put("cause", "deadline", outcome="delivered"), "transfers",
        r"transfers\.parquet row \d+: cause: expected one of bits_delivered for a transfer that is "
        "delivered, found deadline",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_row_is_refused(copy: Path, edit: Any, verify: Any, case: Case) -> None:
    assert_refused(copy, edit, verify, case)
