"""Where time and energy went, device by device, and which of them missed most deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cosim.reporting.costs import device_costs
from cosim.reporting.markup import Markup, table, tag
from cosim.reporting.quantity import exact, rounded, share
from cosim.reporting.svg import legend
from cosim.trace.reader import Run
from cosim.trace.schema import Cause, TransferKind, TransferOutcome

# More rows than this nobody reads.
MOST_ROWS = 40
_TIME = (
    ("compute", "compute_s", "computing"),
    ("send", "send_s", "sending"),
    ("wait", "wait_s", "waiting"),
    ("away", "off_s", "off"),
)
_ENERGY = (
    ("compute", "energy_compute_j", "computing"),
    ("send", "timely_tx_j", "sending in time"),
    ("late", "missed_tx_j", "sending what was not in time"),
    ("receive", "energy_rx_j", "receiving"),
    ("idle", "energy_idle_j", "idle"),
)
_OVERDUE = (TransferOutcome.LATE, TransferOutcome.OUTAGE)
_NOT_IN_TIME = (*_OVERDUE, TransferOutcome.CANCELLED)
# What each cause of a cancelled transmission says of its two ends.
_AWAY = {
    Cause.UNREACHABLE: "with the receiver away from the start",
    Cause.AVAILABILITY: "as an end went away",
    Cause.BATTERY_EMPTY: "as an end's battery ran out",
    Cause.SCHEDULE: "as an end had ended its last round",
}


def devices_section(run: Run) -> Markup | None:
    """The sentence on who missed most, and a row of bars a device; None before any round."""
    costs = device_costs(run)
    if costs.empty or run.rounds.empty:
        return None
    # A round that still goes on has transfers and no row.
    costs["timely_tx_j"] = (costs["energy_tx_j"] - costs["missed_tx_j"]).clip(lower=0.0)
    shown = costs.head(MOST_ROWS)
    words = _words(run)
    rows = [_row(row, words.get(int(row["device"]), "")) for row in shown.to_dict("records")]
    total: dict[str, Any] = dict(costs.drop(columns="device").sum())
    note = None
    if len(costs) > len(shown):
        note = (
            f"The {len(shown)} of {len(costs)} devices that missed most; all are in the first row."
        )
    return tag(
        "section",
        tag("h2", "Where time and energy went"),
        tag("p", most_missed(run, costs), class_="told"),
        _wasted(run, total),
        tag("p", mean_round(run)),
        _legend("time", _TIME),
        _legend("energy", _ENERGY),
        table(
            (
                *("device", "not in time", "J in vain, at both ends", "Mbit in vain"),
                *("seconds", "joules", "what it is"),
            ),
            [_row({"device": "all", **total}, "added up"), *rows],
            class_="bars",
        ),
        tag("p", note, class_="note") if note else None,
        class_="devices",
    )


def most_missed(run: Run, costs: pd.DataFrame) -> str:
    """Which device missed most deadlines, and what that cost, in sentences; what was cancelled, as
    an end was away, is told apart."""
    if not len(run.transfers):
        return "Nothing was sent."
    cancelled = _cancelled(run, costs)
    if not costs["overdue"].any():
        none = f"All {len(run.transfers)} transmissions were in time."
        return f"No deadline was missed. {cancelled}" if cancelled else none
    first = costs.iloc[0]
    device, count = int(first["device"]), int(first["overdue"])
    equal = [int(d) for d in costs.loc[costs["overdue"] == count, "device"]][1:]
    also = f" ({_listed(equal)} as many, for no more joules)" if equal else ""
    told = (
        f"Device {device} missed most deadlines{also}: {count} of its {int(first['sent'])} "
        f"transmissions did not arrive in time ({_ends(first, _OVERDUE)}). They took "
        f"{rounded(first['overdue_j'])} J from it and its receivers, and put "
        f"{rounded(first['overdue_mbit'])} Mbit on the air.{_links(run, device)}"
    )
    return f"{told} {cancelled}" if cancelled else told


def _cancelled(run: Run, costs: pd.DataFrame) -> str:
    """How many transmissions were cancelled, whose most, why, and what they cost; empty if none."""
    sent = run.transfers[run.transfers["kind"] != TransferKind.BEACON]
    cancelled = sent[sent["outcome"] == TransferOutcome.CANCELLED]
    if cancelled.empty:
        return ""
    most = costs.sort_values("cancelled", ascending=False, kind="stable").iloc[0]
    causes = cancelled["cause"].value_counts()
    why = ", ".join(
        f"{count} {words}" for cause, words in _AWAY.items() if (count := causes.get(cause, 0))
    )
    energy_j = float((cancelled["energy_tx_j"] + cancelled["energy_rx_j"]).sum())
    return (
        f"{len(cancelled)} of {len(sent)} transmissions were cancelled and missed no deadline "
        f"({why}), of device {int(most['device'])} the most: {int(most['cancelled'])} of its "
        f"{int(most['sent'])}; all of them took {rounded(energy_j)} J."
    )


def _links(run: Run, device: int) -> str:
    """How the links differ on which a device was late from those on which all were in time."""
    sent = run.transfers[run.transfers["kind"] != TransferKind.BEACON]
    timely = sent[sent["outcome"] == TransferOutcome.DELIVERED]
    overdue = sent[(sent["src"] == device) & sent["outcome"].isin(_OVERDUE)]
    if timely.empty or overdue.empty:
        return ""
    distances, strengths = [], []
    for rows in (overdue, timely):
        # What never was on the air was heard at −∞ dB, which says nothing of its link.
        heard = rows.loc[np.isfinite(rows["mean_snr_db"]), "mean_snr_db"]
        distances.append(f"{rounded(rows['distance_m'].median())} m")
        strengths.append(f" and {rounded(heard.median())} dB" if len(heard) else "")
    if not all(strengths):
        strengths = ["", ""]
    ends = ["".join(pair) for pair in zip(distances, strengths, strict=True)]
    return f" Their links had {ends[0]} (medians); those of all that arrived in time, {ends[1]}."


def mean_round(run: Run) -> str:
    """What a device does and spends in a mean round, in a sentence."""
    means = run.rounds.mean(numeric_only=True)
    parts = [f"{words} {rounded(means[name])} s" for _, name, words in _TIME if means[name] > 0]
    energy_j = float(means.filter(regex="^energy_").sum())
    return f"A mean round of a device: {', '.join(parts) or 'no time'}; {rounded(energy_j)} J."


def _wasted(run: Run, total: dict[str, Any]) -> Markup | None:
    if not total["missed"]:
        return None
    energy_j = float(run.rounds.filter(regex="^energy_").to_numpy().sum())
    stale = int(run.rounds["stale"].sum())
    kept = f" {stale} of them arrived later and were mixed then." if stale else ""
    return tag(
        "p",
        f"All devices together: {int(total['missed'])} of {int(total['sent'])} not in time, ",
        exact(float(total["missed_j"]), unit="J"),
        f" ({share(total['missed_j'], energy_j)} of all energy).{kept}",
    )


def _row(row: dict[str, Any], words: str) -> Sequence[str]:
    device = row["device"]
    count = str(int(row["missed"]))
    ends = f" ({_ends(row)})" if row["missed"] else ""
    return (
        str(device if device == "all" else int(device)),
        tag("span", exact(float(row["missed"]), count), f" of {int(row['sent'])}{ends}"),
        exact(float(row["missed_j"])),
        exact(float(row["missed_mbit"])),
        _bar(row, _TIME, "s"),
        _bar(row, _ENERGY, "J"),
        words,
    )


def _bar(row: dict[str, Any], parts: Sequence[tuple[str, str, str]], unit: str) -> Markup:
    """A bar of shares, each of which tells its amount, and their sum."""
    amounts = [(colour, words, float(row[name])) for colour, name, words in parts]
    whole = sum(amount for *_, amount in amounts)
    told = ", ".join(f"{words} {rounded(amount)} {unit}" for _, words, amount in amounts if amount)
    pieces = [
        tag("i", style=f"background:var(--{colour});width:{100 * amount / whole:.2f}%")
        for colour, _, amount in amounts
        if amount > 0
    ]
    return tag(
        "div",
        tag("div", pieces, class_="bar", title=told, role="img", aria_label=told),
        tag("small", exact(whole, unit=unit)),
        class_="measured",
    )


def _ends(row: Any, kinds: Sequence[TransferOutcome] = _NOT_IN_TIME) -> str:
    """How the transmissions ended that were not in time."""
    return ", ".join(f"{int(row[kind])} {kind}" for kind in kinds if row[kind])


def _legend(of: str, parts: Sequence[tuple[str, str, str]]) -> Markup:
    return tag(
        "div", tag("span", f"{of}:"), legend((colour, words) for colour, _, words in parts),
        class_="keys",
    )  # fmt: skip


def _words(run: Run) -> dict[int, str]:
    """A device's profile and task."""
    described = {}
    for row in run.devices.itertuples(index=False):
        task = f", {row.task}" if isinstance(row.task, str) else ""
        described[int(row.device)] = f"{row.profile}{task}"
    return described


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:6]))
    more = f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return f"{'device' if len(numbers) == 1 else 'devices'} {shown}{more}"
