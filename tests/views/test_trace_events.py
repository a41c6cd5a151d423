"""The JSON against the rules of the Trace Event Format and against the traces themselves."""

import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cosim.trace.reader import Run
from cosim.views.trace_events import microseconds, trace_events, write_trace_events

ALL = [1, 2, 3, 4, 5]

NUMBER = {"type": "integer", "minimum": 0}
EVENT = {
    "type": "object",
    "required": ["ph", "ts", "pid", "tid", "name"],
    "properties": {
        "ph": {"enum": ["M", "X", "s", "f", "i"]},
        "ts": NUMBER,
        "pid": NUMBER,
        "tid": NUMBER,
        "name": {"type": "string", "minLength": 1},
        "args": {"type": "object"},
    },
    "allOf": [
        {
            "if": {"properties": {"ph": {"const": phase}}},
            "then": {"required": needed},
        }
        for phase, needed in {
            "X": ["dur", "cat", "args"],
            "s": ["id", "cat"],
            "f": ["id", "cat", "bp"],
            "i": ["s", "cat"],
            "M": ["args"],
        }.items()
    ],
}
FILE = {
    "type": "object",
    "required": ["traceEvents", "displayTimeUnit", "otherData"],
    "properties": {"traceEvents": {"type": "array", "items": EVENT, "minItems": 1}},
}

Events = list[dict[str, Any]]


def of(events: Events, *phases: str) -> Events:
    return [event for event in events if event["ph"] in phases]


@pytest.fixture(params=["played", "crashed"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture
def events(run: Run) -> Events:
    return trace_events(run, ALL)


def test_the_file_is_json_as_the_format_has_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    write_trace_events(run, ALL, path)

    def refused(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found = json.loads(path.read_text(encoding="utf-8"), parse_constant=refused)
    jsonschema.validate(found, FILE)
    assert found["traceEvents"] == json.loads(json.dumps(trace_events(run, ALL)))
    assert found["otherData"]["seed"] == run.manifest["seed"]


def test_slices_of_a_track_are_nested_or_apart(events: Events) -> None:
    by_track = defaultdict(list)
    for event in of(events, "X"):
        assert event["dur"] > 0
        by_track[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for spans in by_track.values():
        open_: list[int] = []
        for start, end in spans:  # in the order of the file, as a viewer reads it
            while open_ and open_[-1] <= start:
                open_.pop()
            assert not open_ or end <= open_[-1]
            open_.append(end)


def test_events_come_in_the_order_of_time(events: Events) -> None:
    times = [event["ts"] for event in events]
    assert times == sorted(times)
    assert [event["ph"] for event in events].index("X") == len(of(events, "M"))


def test_every_track_has_one_name_and_a_place(events: Events) -> None:
    names = Counter((e["name"], e["tid"]) for e in of(events, "M"))
    assert set(names.values()) == {1}
    used = {event["tid"] for event in of(events, "X", "i", "s", "f")}
    for kind in ("thread_name", "thread_sort_index"):
        assert used <= {tid for name, tid in names if name == kind}
    assert {event["pid"] for event in events} == {1}


def test_arrows_come_in_pairs_and_lie_inside_slices(run: Run, events: Events) -> None:
    starts, ends = ({e["id"]: e for e in of(events, ph)} for ph in "sf")
    assert len(starts) == len(of(events, "s"))
    assert set(starts) == set(ends)
    named = [event for event in of(events, "M") if event["name"] == "thread_name"]
    tracks = {event["tid"]: event["args"]["name"] for event in named}
    for number, start in starts.items():
        end = ends[number]
        assert (start["name"], start["cat"]) == (end["name"], end["cat"])
        assert end["bp"] == "e"
        assert start["ts"] <= end["ts"]
        for flow in (start, end):
            assert any(
                event["ts"] <= flow["ts"] < event["ts"] + event["dur"]
                for event in of(events, "X")
                if event["tid"] == flow["tid"]
            )
        (row,) = run.transfers[run.transfers["number"] == number].to_dict("records")
        assert start["ts"] == microseconds(row["start_s"])
        assert end["ts"] == microseconds(row["end_s"]) - 1
        assert tracks[start["tid"]].startswith(f"device {row['src']} transfers")
        assert tracks[end["tid"]] == f"device {row['dst']}"


def test_every_transfer_of_the_simulator_has_a_slice_and_an_arrow(played: Run) -> None:
    events = trace_events(played, ALL)
    slices = [event for event in of(events, "X") if event["cat"] == "transfer"]
    assert len(slices) == len(played.transfers) == len(of(events, "s"))
    exact = sorted(tuple(event["args"].items()) for event in slices)
    rows = played.table("transfers").to_pylist()
    assert exact == sorted(tuple(row.items()) for row in rows)
    for event in slices:
        assert event["ts"] == microseconds(event["args"]["start_s"])
        assert event["ts"] + event["dur"] == microseconds(event["args"]["end_s"])


def test_rounds_and_their_times_are_those_of_the_round_table(played: Run) -> None:
    found = [e for e in of(trace_events(played, ALL), "X") if e["cat"] == "round"]
    rows = {(r["device"], r["round"]): r for r in played.table("rounds").to_pylist()}
    assert len(found) == len(rows)
    for event in found:
        assert event["args"] == rows[event["args"]["device"], event["args"]["round"]]
        assert event["ts"] == microseconds(event["args"]["start_s"])
        assert event["ts"] + event["dur"] == microseconds(event["args"]["end_s"])


def test_every_missed_deadline_is_an_instant_at_the_deadline(played: Run) -> None:
    found = sorted((e["ts"], e["name"]) for e in of(trace_events(played, ALL), "i"))
    late = played.transfers[played.transfers["outcome"] == "late"]
    assert found == sorted(
        (microseconds(row.deadline_at_s), f"deadline missed (from {row.src})")
        for row in late.itertuples()
    )
    deadlines = played.events[played.events["kind"] == "deadline"]
    assert sorted(ts for ts, _ in found) == sorted(map(microseconds, deadlines["time_s"]))


def test_what_never_was_in_the_air_is_an_instant_and_no_slice(crashed: Run) -> None:
    events = trace_events(crashed, ALL)
    assert [event["name"] for event in of(events, "i")] == [
        "cancelled (from 0)",
        "deadline missed (from 0)",
        "outage (from 2)",
    ]
    transfers = [event["name"] for event in of(events, "X") if event["cat"] == "transfer"]
    assert transfers == ["update 0 → 2", "update 0 → 1"]


def test_a_choice_of_rounds_leaves_the_others_out(played: Run) -> None:
    events = trace_events(played, [2])
    assert {event["args"]["round"] for event in of(events, "X")} == {2}
    assert len(of(events, "s")) == (played.transfers["round"] == 2).sum()


def test_numbers_that_json_lacks_become_null(played: Run) -> None:
    rows = of(trace_events(played, ALL), "X")
    losses = [event["args"]["loss"] for event in rows if event["cat"] == "round"]
    assert set(losses) == {None}  # a network alone has no loss
    floats = [v for event in rows for v in event["args"].values() if isinstance(v, float)]
    assert all(map(math.isfinite, floats))
