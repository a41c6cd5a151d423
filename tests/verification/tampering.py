"""Ways to tamper with a table: for each law one that breaks it, and what must be said of it."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from cosim.trace.schema import SCHEMAS


def rows(frame: pd.DataFrame, **wanted: Any) -> pd.Index:
    """The rows that have these values."""
    mask = pd.Series(True, index=frame.index)
    for column, value in wanted.items():
        mask &= frame[column] == value
    return frame.index[mask]


def first(frame: pd.DataFrame, **wanted: Any) -> int:
    return int(rows(frame, **wanted)[0])


def put(column: str, value: Any, **wanted: Any) -> Callable[[pd.DataFrame], None]:
    """Writes a value into the first row that is as wanted; a function is given the old one."""

    def change(frame: pd.DataFrame) -> None:
        row = first(frame, **wanted)
        old = frame.loc[row, column]
        frame.loc[row, column] = value(old) if callable(value) else value

    return change


def without(**wanted: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Drops the first row that is as wanted."""
    return lambda frame: frame.drop(index=first(frame, **wanted))


def on_air(frame: pd.DataFrame, outcome: str) -> int:
    aired = frame[(frame["end_s"] > frame["start_s"]) & (frame["outcome"] == outcome)]
    return int(aired.index[0])


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Two rows of different times the other way round."""
    order = frame.index.tolist()
    order[10], order[-1] = order[-1], order[10]
    return frame.loc[order]


def at_air(column: str, value: Any, outcome: str) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        row = on_air(frame, outcome)
        frame.loc[row, column] = value(frame.loc[row, column])

    return change


def between_rounds(frame: pd.DataFrame) -> None:
    """The second row of device 7 begins late."""
    frame.loc[rows(frame, device=7)[1], "start_s"] += 0.5


def more(old: Any) -> Any:
    return old * 2 + 1


# what is broken → table, how, which check tells, and in which words
TAMPERED: dict[str, tuple[str, Any, str, str]] = {
    "an event before the one before it": (
        "events", swapped, "time", r"events\.parquet row 11: time_s: expected at least",
    ),
    "a transfer after the end": (
        "transfers", put("end_s", 1e9), "time",
        r"transfers\.parquet row 0: end_s: expected 0 to the run's end",
    ),
    "a time that is no number": (
        "rounds", put("end_s", float("nan")), "time", r"rounds\.parquet row 0: end_s: .*found nan",
    ),
    "a transfer that ends before it begins": (
        "transfers", put("start_s", lambda old: old + 100), "time",
        r"transfers\.parquet row 0: start_s: expected 0 to end_s",
    ),
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
    "a rank where nothing is learnt": (
        "devices", lambda frame: frame.assign(rank=4), "devices",
        r"devices\.parquet row 0: rank: expected null, found 4",
    ),
    "a battery that was never as full": (
        "devices", put("battery_j", 1.0, device=4), "devices",
        r"devices\.parquet row 4: battery_j: expected 100, found 1",
    ),
    "a device that there is not": (
        "rounds", put("device", 8), "devices",
        r"rounds\.parquet row 0: device: expected one of 0 to 7, found 8",
    ),
    "a peer that there is not": (
        "events", put("peer", -1, kind="send_start"), "devices",
        r"events\.parquet row \d+: peer: expected one of 0 to 7, found -1",
    ),
    "a device that sends to itself": (
        "transfers", lambda frame: frame.assign(dst=frame["src"]), "devices",
        r"transfers\.parquet row 0: dst: expected another device than src \d",
    ),
    "a round beyond the last": (
        "topology", put("round", 99), "devices",
        r"topology\.parquet row 0: round: expected one of 0 to 8, found 99",
    ),
    "a transfer without a row": (
        "transfers", without(outcome="delivered"), "transfers",
        r"events\.parquet row \d+: send_start: expected a transfer with start_s .*"
        r"in transfers\.parquet, found none \(number \d+, round \d, device \d, peer \d\)",
    ),
    "a transfer without a first bit": (
        "events", without(kind="send_start"), "transfers",
        r"transfers\.parquet row \d+: \w+ transfer: expected an event send_start",
    ),
    "a transfer without a last bit": (
        "events", without(kind="send_end"), "transfers",
        r"transfers\.parquet row \d+: \w+ transfer: expected an event send_end",
    ),
    "an arrival that is not told": (
        "events", without(kind="receive"), "transfers",
        r"transfers\.parquet row \d+: \w+ transfer: expected an event receive",
    ),
    "a missed deadline that is not told": (
        "events", without(kind="deadline"), "transfers",
        r"transfers\.parquet row \d+: late transfer: expected an event deadline",
    ),
    "an arrival of nothing": (
        "events", put("kind", "receive", kind="send_start"), "transfers",
        r"events\.parquet row \d+: receive: expected a transfer with end_s",
    ),
    "a late transfer that is called cancelled": (
        "transfers", put("outcome", "cancelled", outcome="late"), "transfers",
        r"events\.parquet row \d+: deadline: expected a transfer in transfers\.parquet",
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
    "a computation without an end": (
        "events", without(kind="compute_end"), "rounds",
        r"events\.parquet row \d+: compute_start: expected its compute_end or cut_off later",
    ),
    "a computation without a start": (
        "events", without(kind="compute_start"), "rounds",
        r"events\.parquet row \d+: \w+: expected its compute_start before, found none",
    ),
    "a round without an end": (
        "events", without(kind="aggregate"), "rounds",
        r"events\.parquet row \d+: plan: expected its aggregate or cut_off later",
    ),
    "a round without a start": (
        "events", without(kind="plan"), "rounds",
        r"events\.parquet row \d+: compute_start: expected its plan before, found none",
    ),
    "a row without its event": (
        "events", without(kind="round_end"), "rounds",
        r"rounds\.parquet row \d+: row: expected its round_end in events\.parquet, found none",
    ),
    "an event without its row": (
        "rounds", without(device=1), "rounds",
        r"events\.parquet row \d+: round_end: expected a row with end_s .* in rounds\.parquet",
    ),
    "scores without their event": (
        "evaluations",
        lambda frame: pd.DataFrame(
            [(1.0, 1, 0, "t", "acc", 0.5, 8)], columns=SCHEMAS["evaluations"].names
        ),
        "rounds", r"evaluations\.parquet row 0: row: expected its evaluate in events\.parquet",
    ),
    "an event without its scores": (
        "events", put("kind", "evaluate", kind="plan"), "rounds",
        r"events\.parquet row \d+: evaluate: expected scores in evaluations\.parquet",
    ),
    "a gap between two rows": (
        "rounds", between_rounds, "tiles",
        r"rounds\.parquet row \d+: start_s: expected .*, where the device's row before ends",
    ),
    "a round that comes again": (
        "rounds", lambda frame: frame.assign(round=1), "tiles",
        r"rounds\.parquet row \d+: round: expected at least 1, and more than",
    ),
    "time that nothing fills": (
        "rounds", lambda frame: frame.assign(wait_s=0.0, send_s=0.0), "tiles",
        r"rounds\.parquet row \d+: compute_s \+ wait_s \+ off_s, with send_s at least: expected",
    ),
    "more sending than time": (
        "rounds", put("send_s", 1e4), "tiles",
        r"rounds\.parquet row 0: send_s: expected 0 to the row's .* s, found 1e4",
    ),
    "more bits than the payload": (
        "transfers", put("delivered_bits", 2e9), "bits",
        r"transfers\.parquet row 0: delivered_bits: expected 0 to the payload's 2e7",
    ),
    "a delivery that is not whole": (
        "transfers", put("delivered_bits", 5.0, outcome="delivered"), "bits",
        r"transfers\.parquet row \d+: delivered_bits: expected all 2e7 bits, found 5",
    ),
    "a packet lost of all that arrived": (
        "transfers", put("packets_lost", 1, outcome="delivered"), "bits",
        r"transfers\.parquet row \d+: packets_lost: expected 0, as all bits are delivered, found 1",
    ),
    "symbols of what was sent in bits": (
        "transfers", put("symbols", 7), "bits",
        r"transfers\.parquet row 0: bits: expected 0, as real values are sent, found 2e7",
    ),
    "an error of what is no part of a sum": (
        "transfers", put("estimate_error", 0.5), "bits",
        r"transfers\.parquet row 0: estimate_error: expected null, .*, found 0.5",
    ),
    "a mixing that the round has not": (
        "transfers", put("mixing", 1), "transfers",
        r"transfers\.parquet row 0: mixing: expected 0 to 0, the mixings of round 1, found 1",
    ),
    "fewer bits on the air than through": (
        "transfers", put("sent_bits", 5.0, outcome="delivered"), "bits",
        r"transfers\.parquet row \d+: sent_bits: expected at least the 2e7 delivered, found 5",
    ),
    "another rate": (
        "transfers", put("mean_rate_bit_s", more), "bits",
        r"transfers\.parquet row 0: mean_rate_bit_s: expected .*, bits over time",
    ),
    "bits sent that nobody carried": (
        "rounds", put("bits_sent", more, device=2), "bits",
        r"rounds\.parquet: sum of bits_sent of device 2: expected .*, the bits of its transfers, "
        r"found .* \(rows \d+",
    ),
    "an update received that nobody sent": (
        "rounds", put("received", more, device=2), "bits",
        r"sum of received of device 2: expected \d+, the updates delivered to it, found",
    ),
    "a late update that nobody sent": (
        "rounds", put("stale", more, device=2), "bits",
        r"sum of stale of device 2: expected \d+, the updates that came late to it, found",
    ),
    "too many missed": (
        "rounds", put("missed", 10_000, device=2), "bits",
        r"sum of missed of device 2: expected \d+ to \d+, the updates to it that were not in",
    ),
    "too few missed": (
        "rounds", lambda frame: frame.assign(missed=0), "bits",
        r"sum of missed of device \d: expected [1-9]\d* to \d+",
    ),
    "silence of which no count is": (
        "rounds", put("silent", 3, device=2), "bits",
        r"edges_used: expected .*, received over received, missed and silent, found",
    ),
    "more edges used than there were": (
        "rounds", put("edges_used", 2.0, device=2), "bits",
        r"edges_used: expected .*, received over received, missed and silent, found 2",
    ),
    "a transfer of another energy": (
        "transfers", at_air("energy_tx_j", more, "delivered"), "energy",
        r"transfers\.parquet row \d+: energy_tx_j: expected .*, consumed_w over its time",
    ),
    "a transfer that draws less than it radiates": (
        "transfers", at_air("power_w", lambda old: old + 1e3, "delivered"), "energy",
        r"transfers\.parquet row \d+: energy_tx_j: expected at least the .* radiated",
    ),
    "a row that sends for nothing": (
        "rounds", lambda frame: frame.assign(energy_tx_j=0.0), "energy",
        r"rounds\.parquet: sum of energy_tx_j of device 0: expected .*, of the transfers from it",
    ),
    "a row that hears for more": (
        "rounds", put("energy_rx_j", more, device=3), "energy",
        r"sum of energy_rx_j of device 3: expected .*, of the transfers to it",
    ),
    "a computation for nothing": (
        "rounds", put("energy_compute_j", 0.0, device=0), "energy",
        r"rounds\.parquet row \d+: energy_compute_j: expected .*, compute_w over compute_s, "
        "found 0",
    ),
    "idling of another power, of a mix": (
        "rounds", put("energy_idle_j", more, device=7), "energy",
        r"rounds\.parquet row \d+: energy_idle_j: expected .*, idle_w over the rest",
    ),
    "time computed that no event tells": (
        "rounds", put("compute_s", lambda old: old * 0.5, device=0), "energy",
        r"sum of compute_s of device 0: expected .*, between its compute_start and",
    ),
    "a battery that is charged": (
        "rounds", put("battery_j", 90.0, device=4, round=2), "energy",
        r"rounds\.parquet row \d+: battery_j: expected .*, what is left of \d.*, found 90",
    ),
    "a battery on the mains": (
        "rounds", put("battery_j", 90.0, device=0), "energy",
        r"rounds\.parquet row \d+: battery_j: expected null, on the mains, found 90",
    ),
    "a place by one ulp": (
        "positions", put("x_m", lambda old: old * (1 + 2**-52), device=1), "hash",
        r"manifest\.json: results_sha256: expected [0-9a-f]{64}, found [0-9a-f]{64}$",
    ),
}  # fmt: skip
