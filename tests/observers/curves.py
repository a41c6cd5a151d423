"""What the curves of a run must be, from its traces alone."""

from __future__ import annotations

from typing import Any

from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind, TransferOutcome
from tests.calls.conftest import NETWORK

# So weak that some of what is sent is dropped at its deadline.
RADIO = {"p_max_dbm": 5, "power": "max_power", "fading": "block"}
LATE: dict[str, Any] = {**NETWORK, "radio": RADIO}


def curves(run: Run) -> dict[str, list[float]]:
    """Values by curve, a point a round; `simulated_s` is where."""
    rounds, transfers = run.rounds, run.transfers
    joules = rounds.filter(regex="^energy_").sum(axis=1).groupby(rounds["round"]).sum().cumsum()
    ends_s = rounds.groupby("round")["end_s"].max()
    sent = transfers[transfers["kind"] != TransferKind.BEACON]
    late = (sent["outcome"] != TransferOutcome.DELIVERED).groupby(sent["round"]).sum().cumsum()
    return {
        "simulated_s": ends_s.tolist(),
        "cost/energy_j": joules.tolist(),
        "cost/sent_mbit": (transfers.groupby("round")["sent_bits"].sum().cumsum() / 1e6).tolist(),
        "network/missed_share": (late / sent.groupby("round").size().cumsum()).tolist(),
    }
