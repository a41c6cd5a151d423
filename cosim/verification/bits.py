"""Conservation of bits: what the rounds counted is what the transfers came to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cosim.trace.schema import EventKind, TransferKind, TransferOutcome
from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

FloatArray = NDArray[np.float64]

_REL = 1e-9
_TRANSFERS, _ROUNDS = "transfers.parquet", "rounds.parquet"


def check_bits(run: Subject) -> Check:
    """Each transfer's bits on the air and through, and per device the bits sent, updates received,
    stale, missed and silent."""
    if "transfers" not in run.tables:
        return Check("bits", skipped=f"{_TRANSFERS} cannot be used")
    transfers = run.tables["transfers"]
    findings = list(_each(transfers))
    total = written(float(transfers["sent_bits"].sum()))
    if "rounds" not in run.tables:
        return Check("bits", findings=findings, skipped=f"{_ROUNDS} cannot be used")
    if run.completed:
        findings += _sums(transfers, run.tables["rounds"])
        findings += _missed(run, transfers, run.tables["rounds"])
        findings += _silent(run, transfers, run.tables["rounds"])
        findings += _edges(run, run.tables["rounds"])
        return Check("bits", f"{total} bit, the same in rounds and transfers", findings)
    summary = f"{total} bit in transfers; the run ended early, so the rounds count fewer"
    return Check("bits", summary, findings)


def _each(transfers: pd.DataFrame) -> Iterator[Finding]:
    bits, delivered = (transfers[name].to_numpy(float) for name in ("bits", "delivered_bits"))
    sent = transfers["sent_bits"].to_numpy(float)
    through = (transfers["outcome"] == TransferOutcome.DELIVERED).to_numpy()
    for row in where(~((delivered >= 0.0) & (delivered <= bits))):
        yield _one("delivered_bits", f"0 to the payload's {written(bits[row])}", delivered, row)
    for row in where(~((sent >= delivered) & (sent < np.inf))):
        yield _one("sent_bits", f"at least the {written(delivered[row])} delivered", sent, row)
    lost = transfers["packets_lost"].fillna(0).to_numpy(float)
    for row in where(through & (lost == 0.0) & (delivered < bits)):
        yield _one("delivered_bits", f"all {written(bits[row])} bits", delivered, row)
    for row in where((lost > 0.0) & (delivered >= bits)):
        yield _one("packets_lost", "0, as all bits are delivered", lost, row)
    analog = transfers["symbols"].notna().to_numpy()
    for row in where(analog & (bits > 0.0)):
        yield _one("bits", "0, as real values are sent", bits, row)
    error = transfers["estimate_error"].to_numpy(float)
    for row in where(~(analog & through) & ~np.isnan(error)):
        yield _one("estimate_error", "null, as nothing came of it in a sum", error, row)
    for row in where(analog & through & ~(error >= 0.0)):
        yield _one("estimate_error", "what noise adds to a sum", error, row)
    lasted = (transfers["end_s"] - transfers["start_s"]).to_numpy(float)
    rate = transfers["mean_rate_bit_s"].to_numpy(float)
    mean_bit_s = np.divide(delivered, lasted, out=np.zeros_like(lasted), where=lasted > 0.0)
    for row in where(~np.isclose(rate, mean_bit_s, rtol=_REL, atol=0.0)):
        yield _one("mean_rate_bit_s", f"{written(mean_bit_s[row])}, bits over time", rate, row)


def _one(column: str, expected: str, values: FloatArray, row: int) -> Finding:
    return Finding(_TRANSFERS, column, expected, written(values[row]), row)


def _sums(transfers: pd.DataFrame, rounds: pd.DataFrame) -> Iterator[Finding]:
    updates = transfers[transfers["kind"] == TransferKind.UPDATE]
    through = updates["outcome"] == TransferOutcome.DELIVERED
    whole = updates["delivered_bits"] >= updates["bits"]
    stale = (updates["outcome"] == TransferOutcome.LATE) & whole
    for column, in_transfers, what in (
        ("bits_sent", transfers.groupby("src")["sent_bits"].sum(), "bits of its transfers"),
        ("received", updates[through].groupby("dst").size(), "updates delivered to it"),
        ("stale", updates[stale].groupby("dst").size(), "updates that came late to it"),
    ):
        in_rounds = rounds.groupby("device")[column].sum()
        both = pd.concat([in_transfers, in_rounds], axis=1, keys=["wanted", "found"]).fillna(0.0)
        alike = np.isclose(both["found"], both["wanted"], rtol=_REL, atol=0.0)
        for device, pair in both[~alike].iterrows():
            expected = f"{written(float(pair['wanted']))}, the {what}"
            total = f"{written(float(pair['found']))}{_rows(rounds, device)}"
            yield Finding(_ROUNDS, f"sum of {column} of device {device}", expected, total)


def _missed(run: Subject, transfers: pd.DataFrame, rounds: pd.DataFrame) -> Iterator[Finding]:
    """At least the updates that were on the air and not in time; besides them, at most those that
    were never sent, because a sender was cut off or quarantined, in each of a round's mixings, or
    the receiver not there."""
    if "events" not in run.tables:
        return
    lost = (transfers["kind"] == TransferKind.UPDATE) & (
        transfers["outcome"] != TransferOutcome.DELIVERED
    )
    unsent = lost & (transfers["end_s"] <= transfers["start_s"])
    counted = rounds.groupby("device")["missed"].sum()
    events = run.tables["events"]
    quiet = events["kind"].isin([EventKind.CUT_OFF, EventKind.QUARANTINE])
    cut = events.loc[quiet, "round"].map(run.mixings).groupby(events["device"]).sum()
    most = transfers[lost].groupby("dst").size()
    least = transfers[lost & ~unsent].groupby("dst").size()
    for device, missed in counted.items():
        silent = int(cut.sum() - cut.get(device, 0))
        low, high = int(least.get(device, 0)), int(most.get(device, 0)) + silent
        if not low <= missed <= high:
            what = f"sum of missed of device {device}"
            expected = f"{low} to {high}, the updates to it that were not in time"
            yield Finding(_ROUNDS, what, expected, f"{missed}{_rows(rounds, device)}")


def _silent(run: Subject, transfers: pd.DataFrame, rounds: pd.DataFrame) -> Iterator[Finding]:
    """Where silence is told by a beacon, as many as beacons; fewer, where devices that kept silent
    may answer after all."""
    sending = None if run.scenario is None else run.scenario.method.sending
    if sending is None or not sending.bits_of_silence:
        return
    beacons = transfers[transfers["kind"] == TransferKind.BEACON].groupby("dst").size()
    for device, silent in rounds.groupby("device")["silent"].sum().items():
        count = int(beacons.get(device, 0))
        if silent > count or (silent < count and not sending.answers):
            expected = f"{count}{' at most' if sending.answers else ''}, the beacons to it"
            total = f"{silent}{_rows(rounds, device)}"
            yield Finding(_ROUNDS, f"sum of silent of device {device}", expected, total)


def _edges(run: Subject, rounds: pd.DataFrame) -> Iterator[Finding]:
    """A share of edges that were used is that of the row's counts, or less where an edge counts
    only if both of its directions arrived."""
    received = rounds["received"].to_numpy(float)
    expected = received + rounds["missed"].to_numpy(float) + rounds["silent"].to_numpy(float)
    share = np.divide(received, expected, out=np.full_like(received, np.nan), where=expected > 0)
    column = rounds["edges_used"].to_numpy(float)
    good = np.isclose(column, share, rtol=_REL, atol=0.0, equal_nan=True)
    mutual = run.scenario is not None and run.scenario.method.weighing.mutual
    if mutual:
        good |= (column >= 0.0) & (column < share)
    at_most = " at most" if mutual else ""
    for row in where(~good):
        what = f"{written(share[row])}{at_most}, received over received, missed and silent"
        yield Finding(_ROUNDS, "edges_used", what, written(column[row]), row)


def _rows(rounds: pd.DataFrame, device: object) -> str:
    rows = rounds.index[rounds["device"] == device].tolist()
    numbers = ", ".join(map(str, rows[:6])) + (", …" if len(rows) > 6 else "")
    return f" (rows {numbers})" if rows else " (no rows)"
