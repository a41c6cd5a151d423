"""A run in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

Times are whole microseconds of simulated time: both viewers read integers exactly, so that slices
which touch never overlap by a rounding. The exact seconds are in the arguments.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cosim.trace.reader import Run
from cosim.trace.schema import TransferOutcome
from cosim.views.spans import DeviceRound, device_rounds, lanes, phases

Event = dict[str, Any]

PID = 1
# Chrome's own names for colours.
_COLOURS = {"compute": "thread_state_running", "send": "thread_state_iowait", "wait": "grey"}
_MISSED = {
    TransferOutcome.LATE: "deadline missed",
    TransferOutcome.OUTAGE: "outage",
    TransferOutcome.CANCELLED: "cancelled",
}


def microseconds(time_s: float) -> int:
    """Seconds in whole µs, rounded to the nearest."""
    return round(time_s * 1e6)


def write_trace_events(run: Run, rounds: Sequence[int], path: Path) -> None:
    """Writes the chosen rounds, an event a line."""
    manifest = run.manifest
    about = {key: manifest.get(key) for key in ("name", "method", "seed", "status")}
    with path.open("w", encoding="utf-8") as file:
        head = {"displayTimeUnit": "ms", "otherData": about}
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "traceEvents": [\n')
        lines = (
            json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            for event in trace_events(run, rounds)
        )
        file.write(",\n".join(lines) + "\n]}\n")


def trace_events(run: Run, rounds: Sequence[int]) -> list[Event]:
    """The events: names of tracks first, then by time, what contains before what is contained.

    A device is a track with its rounds and, inside them, compute, send and wait; its outgoing
    transfers lie on tracks of their own below it, as many as are in the air at once.
    """
    spans = device_rounds(run, rounds)
    transfers: Any = run.transfers[run.transfers["round"].isin(rounds)]
    lane_of = lanes(transfers)
    # Room for the lanes behind each device's number: device 3 is 40, its lanes 41, 42, …
    stride = 10 ** len(str(max(lane_of, default=0) + 1))

    timed = [_round_slice(span, stride) for span in spans]
    cover = _Cover(timed)
    for phase in phases(run, spans):
        args = {"round": phase.round, "start_s": phase.start_s, "end_s": phase.end_s}
        tid = _tid(phase.device, stride)
        event = _slice(phase.kind, "phase", tid, phase.start_s, phase.end_s, args)
        timed.append(event | {"cname": _COLOURS[phase.kind]})
    timed = [event for event in timed if event["dur"] > 0]
    used: set[tuple[int, int]] = {(span.device, 0) for span in spans}
    for row, lane in zip(transfers.itertuples(index=False), lane_of, strict=True):
        timed += _transfer(row, lane + 1, stride, cover)
        used |= {(row.src, 0), (row.src, lane + 1), (row.dst, 0)}
    timed.sort(key=lambda event: (event["ts"], -event.get("dur", 0), event["ph"] != "X"))
    return [*_names(run, sorted(used), stride), *timed]


class _Cover:
    """The stretches of a device's own track that have a round, in which an arrow may end."""

    def __init__(self, rounds: Sequence[Event]) -> None:
        self._spans: dict[int, list[tuple[int, int]]] = {}
        for event in rounds:
            span = (event["ts"], event["ts"] + event["dur"])
            self._spans.setdefault(event["tid"], []).append(span)

    def holds(self, tid: int, ts: int) -> bool:
        spans = self._spans.get(tid, [])
        begun = bisect_right(spans, (ts, math.inf))
        return begun > 0 and ts < spans[begun - 1][1]


def _tid(device: int, stride: int, lane: int = 0) -> int:
    return (device + 1) * stride + lane


def _slice(
    name: str, category: str, tid: int, start_s: float, end_s: float, args: dict[str, Any]
) -> Event:
    ts = microseconds(start_s)
    return {
        "ph": "X",
        "name": name,
        "cat": category,
        "pid": PID,
        "tid": tid,
        "ts": ts,
        "dur": microseconds(end_s) - ts,
        "args": args,
    }


def _round_slice(span: DeviceRound, stride: int) -> Event:
    args: dict[str, Any] = {"ended": False, "start_s": span.start_s}
    if span.row is not None:
        args = _plain(span.row)
    tid = _tid(span.device, stride)
    return _slice(f"round {span.round}", "round", tid, span.start_s, span.end_s, args)


def _transfer(row: Any, lane: int, stride: int, cover: _Cover) -> Iterator[Event]:
    """The slice on the sender's lane, the arrow to the receiver, and the miss on its track.

    An arrow leaves at the first microsecond of the slice and arrives in the last one, which is
    still inside the receiver's slice when both end together.
    """
    args = _plain(row)
    name = f"{row.kind} {row.src} → {row.dst}"
    sent = _slice(name, "transfer", _tid(row.src, stride, lane), row.start_s, row.end_s, args)
    receiver = _tid(row.dst, stride)
    if sent["dur"] > 0:
        yield sent
        arrives = sent["ts"] + sent["dur"] - 1
        if cover.holds(receiver, arrives):
            arrow = {
                "name": f"{row.kind} {row.outcome}",
                "cat": "flow",
                "id": row.number,
                "pid": PID,
            }
            yield arrow | {"ph": "s", "ts": sent["ts"], "tid": sent["tid"]}
            yield arrow | {"ph": "f", "bp": "e", "ts": arrives, "tid": receiver}
    if row.outcome in _MISSED:
        time_s = row.deadline_at_s if row.outcome == TransferOutcome.LATE else row.end_s
        yield {
            "ph": "i",
            "s": "t",
            "name": f"{_MISSED[TransferOutcome(row.outcome)]} (from {row.src})",
            "cat": "missed",
            "pid": PID,
            "tid": receiver,
            "ts": microseconds(time_s),
            "args": args,
        }


def _names(run: Run, used: Sequence[tuple[int, int]], stride: int) -> Iterator[Event]:
    title = f"{run.manifest.get('name')}: {run.manifest.get('method')}"
    yield _metadata("process_name", 0, {"name": title})
    for device, lane in used:
        tid = _tid(device, stride, lane)
        name = f"device {device} transfers {lane}" if lane else f"device {device}"
        yield _metadata("thread_name", tid, {"name": name})
        yield _metadata("thread_sort_index", tid, {"sort_index": tid})


def _metadata(name: str, tid: int, args: dict[str, Any]) -> Event:
    return {"ph": "M", "name": name, "pid": PID, "tid": tid, "ts": 0, "args": args}


def _plain(row: Any) -> dict[str, Any]:
    """A row's columns; JSON has no NaN, no infinity and no missing integer, which become null."""
    return {name: _plain_value(value) for name, value in row._asdict().items()}


def _plain_value(value: Any) -> Any:
    if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value.item() if hasattr(value, "item") else value
