"""What the map and the timeline show: places, spells of computing, transmissions, rounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from cosim.errors import ViewError
from cosim.reporting.deadlines import thinned
from cosim.reporting.packing import Pack
from cosim.trace.reader import Run
from cosim.trace.schema import EVERY_SCHEMA, VOCABULARIES, EventKind, TransferOutcome
from cosim.views.places import area_of, paths_of
from cosim.views.selection import rounds_of
from cosim.views.spans import (
    DeviceRound,
    computing_spells,
    device_rounds,
    horizon_s,
    off_spells,
)

# Up to so many transmissions and rounds of devices, their rows are there with every digit.
WHOLE_TRANSFERS, WHOLE_ROUNDS = 5_000, 5_000
# Beyond these a page would be too heavy to open, and holds a part that it tells of.
MOST_TRANSFERS, MOST_ROUNDS, MOST_PLACES = 120_000, 40_000, 150_000
# What is drawn of a transmission, and told to four digits in a long run.
_DRAWN = ("mean_snr_db", "distance_m", "sent_bits")
_TICK_S = 1e-5


def motion(run: Run) -> tuple[dict[str, Any], str] | None:
    """What is drawn, as facts and packed columns; None before any time has passed."""
    try:
        rounds = rounds_of(run)
    except ViewError:
        return None
    notes: list[str] = []
    pack = Pack()
    spans = _spans(run, rounds, notes)
    end_s = max((span.end_s for span in spans), default=0.0) if notes else horizon_s(run)
    if not end_s > 0:
        return None
    if flying := _flying(run):
        notes.append(
            f"Transmissions on the air when the traces end, which are not drawn: {flying}."
        )
    transfers = _transfers(run, end_s, notes)
    whole = len(transfers) <= WHOLE_TRANSFERS and len(spans) <= WHOLE_ROUNDS
    if not whole:
        notes.append("Times are to 10 µs, other values to four digits.")
    tick_s = max(_TICK_S, end_s / 2**30)
    _pack_spans(pack, run, spans, whole, tick_s)
    _pack_transfers(pack, transfers, whole, tick_s)
    drawn = {(span.device, span.round) for span in spans}
    _pack_spells(pack, run, spans, end_s, tick_s)
    _pack_places(pack, run, end_s, tick_s, notes)
    area = area_of(run)
    columns = [
        name for name in EVERY_SCHEMA["transfers"].names if f"transfers.{name}" in _names(pack)
    ]
    facts = {
        "index": pack.index,
        "end_s": end_s,
        "rounds": sorted({number for _, number in drawn}),
        "devices": sorted({*run.devices["device"].tolist(), *(device for device, _ in drawn)}),
        "area": None if area is None else area.model_dump(),
        "words": {
            name: [str(word) for word in words] for name, words in VOCABULARIES["transfers"].items()
        },
        "units": {"transfers": _units("transfers"), "rounds": _units("rounds")},
        "columns": {"transfers": columns, "rounds": [
            name for name in EVERY_SCHEMA["rounds"].names if f"rounds.{name}" in _names(pack)
        ]},
        "notes": notes,
    }  # fmt: skip
    return facts, pack.text()


def _flying(run: Run) -> int:
    """How many transmissions began and have no row yet."""
    begun = run.events.loc[run.events["kind"] == EventKind.SEND_START, "transfer"].dropna()
    return int((~begun.isin(run.transfers["number"])).sum())


def _names(pack: Pack) -> set[str]:
    return {entry["name"] for entry in pack.index}


def _units(table: str) -> dict[str, str]:
    fields = EVERY_SCHEMA[table]
    units = {one.name: one.metadata[b"unit"].decode() for one in fields}
    return {name: "" if unit == "1" else unit for name, unit in units.items()}


def _spans(run: Run, rounds: Sequence[int], notes: list[str]) -> list[DeviceRound]:
    """The rounds of devices; of a run that has too many, those of its first rounds."""
    a_round = max(len(run.devices), run.rounds["device"].nunique(), 1)
    first = rounds[: max(1, MOST_ROUNDS // a_round)]
    if len(first) < len(rounds):
        notes.append(f"Drawn: the first {len(first)} of {len(rounds)} rounds.")
    return device_rounds(run, first)


def _transfers(run: Run, end_s: float, notes: list[str]) -> pd.DataFrame:
    """The transmissions; of too many, those that were not in time and some of the others."""
    there = run.transfers[run.transfers["start_s"] <= end_s]
    there = there.assign(row=there.index)
    if len(there) <= MOST_TRANSFERS:
        return there
    missed = there[there["outcome"] != TransferOutcome.DELIVERED]
    timely = there[there["outcome"] == TransferOutcome.DELIVERED]
    kept = thinned(missed, MOST_TRANSFERS // 2)
    others = thinned(timely, MOST_TRANSFERS - len(kept))
    notes.append(
        f"Drawn: {len(others)} of {len(timely)} transmissions that were in time, evenly over the "
        f"run, and {len(kept)} of {len(missed)} that were not."
    )
    return pd.concat([kept, others]).sort_values("row")


def _pack_spans(
    pack: Pack, run: Run, spans: Sequence[DeviceRound], whole: bool, tick_s: float
) -> None:
    pack.whole("rounds.device", [span.device for span in spans])
    pack.whole("rounds.round", [span.round for span in spans])
    if whole:
        rows = {
            pair: n
            for n, pair in enumerate(zip(run.rounds["device"], run.rounds["round"], strict=True))
        }
        pack.whole("rounds.row", [rows.get((s.device, s.round), -1) for s in spans])
        at = [rows.get((span.device, span.round)) for span in spans]
        for name in EVERY_SCHEMA["rounds"].names:
            if name in ("device", "round"):
                continue
            column = run.rounds[name].to_numpy(dtype=float, na_value=np.nan)
            known = [np.nan if n is None else column[n] for n in at]
            if name in ("start_s", "end_s"):  # of a round that has not ended, too
                known = [getattr(span, name) for span in spans]
            pack.exact(f"rounds.{name}", known)
        return
    for name in ("start_s", "end_s"):
        times = [getattr(span, name) for span in spans]
        pack.whole(f"rounds.{name}", times, unit=tick_s, rising=True)


def _pack_transfers(pack: Pack, rows: pd.DataFrame, whole: bool, tick_s: float) -> None:
    pack.whole("transfers.row", rows["row"], rising=True)
    for name in ("src", "dst", "round"):
        pack.whole(f"transfers.{name}", rows[name])
    for name, words in VOCABULARIES["transfers"].items():
        codes = {str(word): code for code, word in enumerate(words)}
        pack.whole(f"transfers.{name}", rows[name].map(codes))
    pack.whole("transfers.number", rows["number"], rising=True)
    if whole:
        packed = _names(pack)
        for name in EVERY_SCHEMA["transfers"].names:
            if f"transfers.{name}" not in packed:
                pack.exact(f"transfers.{name}", rows[name])
        return
    for name in ("start_s", "end_s", "deadline_at_s"):
        pack.whole(f"transfers.{name}", rows[name], unit=tick_s, rising=True)
    for name in _DRAWN:
        pack.coarse(f"transfers.{name}", rows[name])


def _pack_spells(
    pack: Pack, run: Run, spans: Sequence[DeviceRound], end_s: float, tick_s: float
) -> None:
    """Computing and being off, each by device and time."""
    devices = {span.device for span in spans}
    for name, spells in (("computing", computing_spells(run)), ("off", off_spells(run))):
        rows = [
            (device, start, min(end, end_s))
            for device in sorted(spells)
            for start, end in spells[device]
            if start < end_s and (device in devices or name == "off")
        ]
        pack.whole(f"{name}.device", [device for device, *_ in rows])
        pack.whole(f"{name}.start_s", [start for _, start, _ in rows], unit=tick_s, rising=True)
        pack.whole(f"{name}.end_s", [end for *_, end in rows], unit=tick_s, rising=True)


def _pack_places(pack: Pack, run: Run, end_s: float, tick_s: float, notes: list[str]) -> None:
    """Where devices were, to a thousandth of the frame's width at worst, by device and time."""
    paths = paths_of(run)
    count = sum(len(path.times_s) for path in paths.values())
    every = max(1, -(-count // MOST_PLACES))
    if every > 1:
        notes.append(f"Places: one sample in {every}.")
    kept = [
        (device, path.times_s[::every], path.points_m[::every]) for device, path in paths.items()
    ]
    kept = [(d, times[times <= end_s], points[times <= end_s]) for d, times, points in kept]
    pack.whole("places.device", np.repeat([d for d, *_ in kept], [len(t) for _, t, _ in kept]))
    times_s = np.concatenate([t for _, t, _ in kept]) if kept else np.empty(0)
    points = np.concatenate([p for *_, p in kept]) if kept else np.empty((0, 2))
    span_m = float(np.ptp(points, axis=0).max()) if len(points) else 0.0
    unit_m = max(0.01, span_m / 2**14)
    pack.whole("places.time_s", times_s, unit=tick_s, rising=True)
    for name, axis in (("x_m", 0), ("y_m", 1)):
        pack.whole(f"places.{name}", points[:, axis], unit=unit_m, rising=True)
