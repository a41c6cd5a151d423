"""What each device spent, and what of it went into transmissions that were not in time."""

from __future__ import annotations

import pandas as pd

from cosim.trace.reader import Run
from cosim.trace.schema import TransferKind, TransferOutcome

_SUMMED = (
    *("compute_s", "send_s", "wait_s", "off_s"),
    *("energy_compute_j", "energy_tx_j", "energy_rx_j", "energy_idle_j"),
)


def device_costs(run: Run) -> pd.DataFrame:
    """A row a device, those first that missed most deadlines: sums of `rounds` and of its messages.

    sent, missed: its transmissions but beacons, and those of them that were not in time.
    late, outage, cancelled: how these ended; the last because one of the two ends was away.
    missed_tx_j, missed_j: energy that they took from it, and from it and its receivers.
    missed_mbit: what they put on the air.
    overdue, overdue_j, overdue_mbit: the same of those alone that missed a deadline.
    """
    costs = run.rounds.groupby("device")[list(_SUMMED)].sum()
    known = {*costs.index, *run.transfers["src"], *run.devices["device"]}
    costs = costs.reindex(sorted(known), fill_value=0.0).rename_axis("device")
    # Who is silent misses nothing, and a beacon hardly ever fails.
    sent = run.transfers[run.transfers["kind"] != TransferKind.BEACON]
    missed = sent[sent["outcome"] != TransferOutcome.DELIVERED]
    by_sender = missed.groupby("src")
    overdue = missed[missed["outcome"] != TransferOutcome.CANCELLED].groupby("src")
    counted = {
        "sent": sent.groupby("src").size(),
        "missed": by_sender.size(),
        "missed_tx_j": by_sender["energy_tx_j"].sum(),
        "missed_j": by_sender["energy_tx_j"].sum() + by_sender["energy_rx_j"].sum(),
        "missed_mbit": by_sender["sent_bits"].sum() / 1e6,
        "overdue": overdue.size(),
        "overdue_j": overdue["energy_tx_j"].sum() + overdue["energy_rx_j"].sum(),
        "overdue_mbit": overdue["sent_bits"].sum() / 1e6,
    }
    for outcome in (TransferOutcome.LATE, TransferOutcome.OUTAGE, TransferOutcome.CANCELLED):
        counted[str(outcome)] = missed[missed["outcome"] == outcome].groupby("src").size()
    for name, column in counted.items():
        costs[name] = column.reindex(costs.index).fillna(0).astype(column.dtype)
    ordered = costs.reset_index()
    keys = {
        "overdue": False,
        "overdue_j": False,
        "missed": False,
        "missed_j": False,
        "device": True,
    }
    return ordered.sort_values(list(keys), ascending=list(keys.values()), ignore_index=True)
