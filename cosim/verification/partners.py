"""Whatever begins ends: transfers with their events, rounds with theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from cosim.trace.schema import Cause, EventKind, TransferOutcome
from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.matching import unmatched
from cosim.verification.subject import Subject

_EVENTS, _TRANSFERS, _ROUNDS = "events.parquet", "transfers.parquet", "rounds.parquet"
_ABOUT_TRANSFERS = (
    EventKind.SEND_START,
    EventKind.SEND_END,
    EventKind.RECEIVE,
    EventKind.DEADLINE,
)
_GONE = {Cause.AVAILABILITY, Cause.BATTERY_EMPTY, Cause.SCHEDULE}
# Why a transfer of each outcome may have ended.
_CAUSES = {
    TransferOutcome.DELIVERED: {Cause.BITS_DELIVERED},
    TransferOutcome.LATE: {Cause.BITS_DELIVERED, Cause.DEADLINE, Cause.INTERRUPTED} | _GONE,
    TransferOutcome.OUTAGE: {Cause.OUTAGE, Cause.INFEASIBLE_POWER},
    TransferOutcome.CANCELLED: {Cause.UNREACHABLE} | _GONE,
}


def check_transfers(run: Subject) -> Check:
    """Every transfer has a number of its own, a cause that goes with its outcome, and its first
    and last bit, its arrival or its missed deadline among the events that carry its number; every
    such event has its transfer, and no other event a number."""
    if not {"events", "transfers"} <= set(run.tables):
        return Check("transfers", skipped="events.parquet or transfers.parquet cannot be used")
    events, transfers = run.tables["events"], run.tables["transfers"]
    outcome = transfers["outcome"]
    whole = transfers["delivered_bits"] >= transfers["bits"]
    arrived = (outcome == TransferOutcome.DELIVERED) | ((outcome == TransferOutcome.LATE) & whole)
    # What nobody could hear, or was cut in its first instant, was never on the air.
    aired = transfers["end_s"] > transfers["start_s"]
    every = aired | True
    findings = [*_numbers(events, transfers), *_causes(transfers), *_of_mixings(run, transfers)]
    forth, back = ["number", "round", "src", "dst"], ["number", "round", "dst", "src"]
    for kind, columns, time, among, must in (
        (EventKind.SEND_START, forth, ["start_s"], every, aired),
        (EventKind.SEND_END, forth, ["end_s"], every, aired),
        (EventKind.RECEIVE, back, ["end_s"], arrived, arrived),
        (EventKind.DEADLINE, back, [], outcome == TransferOutcome.LATE, every),
    ):
        of_events = events.loc[events["kind"] == kind, [*_LINK, *(["time_s"] if time else [])]]
        of_transfers = transfers.loc[among, [*columns, *time]]
        orphans, silent = unmatched(of_events.astype(float), of_transfers.astype(float))
        findings += [_orphan(run, row, kind, *time) for row in orphans if not _open(run, row)]
        findings += [_silent(transfers, row, kind) for row in silent if must[row]]
    if run.completed:
        begun, ended = (events[events["kind"] == kind] for kind in _ABOUT_TRANSFERS[:2])
        alone, _ = unmatched(begun[_LINK].astype(float), ended[_LINK].astype(float))
        findings += [_unended(events, row, "send_end") for row in alone]
    return Check("transfers", f"{len(transfers)} transfers and their events", findings)


_LINK = ["transfer", "round", "device", "peer"]


def _numbers(events: pd.DataFrame, transfers: pd.DataFrame) -> Iterator[Finding]:
    numbers = transfers["number"]
    for row in where(numbers.duplicated() | (numbers < 0)):
        what = f"a number of its own in {_TRANSFERS}"
        yield Finding(_TRANSFERS, "number", what, written(numbers[row]), row)
    about = events["kind"].isin([str(kind) for kind in _ABOUT_TRANSFERS])
    for row in where(events["transfer"].notna() & ~about):
        what = f"null for {events['kind'][row]}"
        yield Finding(_EVENTS, "transfer", what, f"{events['transfer'][row]:g}", row)


def _causes(transfers: pd.DataFrame) -> Iterator[Finding]:
    for outcome, causes in _CAUSES.items():
        wrong = (transfers["outcome"] == outcome) & ~transfers["cause"].isin(sorted(causes))
        for row in where(wrong):
            expected = f"one of {', '.join(sorted(causes))} for a transfer that is {outcome}"
            yield Finding(_TRANSFERS, "cause", expected, written(transfers["cause"][row]), row)


def _of_mixings(run: Subject, transfers: pd.DataFrame) -> Iterator[Finding]:
    most = transfers["round"].map(run.mixings)
    for row in where(~transfers["mixing"].between(0, most - 1)):
        expected = f"0 to {most[row] - 1}, the mixings of round {transfers['round'][row]}"
        yield Finding(_TRANSFERS, "mixing", expected, written(transfers["mixing"][row]), row)


def _open(run: Subject, row: int) -> bool:
    """Whether an event without its transfer may be: of a run that was cut short, a first bit, a
    deadline that a transfer outlived, or what happened in the last instant."""
    if run.completed:
        return False
    events = run.tables["events"]
    begins = events["kind"][row] in (EventKind.SEND_START, EventKind.DEADLINE)
    return begins or bool(events["time_s"][row] >= events["time_s"].max())


def _orphan(run: Subject, row: int, kind: EventKind, time: str | None = None) -> Finding:
    event = run.tables["events"].loc[row]
    link = f"number {event['transfer']:g}, round {event['round']}, device {event['device']}"
    when = "" if time is None else f" with {time} {written(event['time_s'])}"
    absence = f"none ({link}, peer {event['peer']:g})"
    return Finding(_EVENTS, kind, f"a transfer{when} in {_TRANSFERS}", absence, row)


def _silent(transfers: pd.DataFrame, row: int, kind: EventKind) -> Finding:
    transfer = transfers.loc[row]
    link = f"number {transfer['number']}, round {transfer['round']}"
    absence = f"none ({link}, {transfer['src']} to {transfer['dst']})"
    what = f"{transfer['outcome']} transfer"
    return Finding(_TRANSFERS, what, f"an event {kind} in {_EVENTS}", absence, row)


def _unended(events: pd.DataFrame, row: int, end: str) -> Finding:
    event = events.loc[row]
    who = f"round {event['round']}, device {event['device']}"
    return Finding(_EVENTS, str(event["kind"]), f"its {end} later", f"none ({who})", row)


def check_rounds(run: Subject) -> Check:
    """Computations and rounds that begin also end, once; every round's row has its event."""
    if not {"events", "rounds"} <= set(run.tables):
        return Check("rounds", skipped="events.parquet or rounds.parquet cannot be used")
    events, rounds = run.tables["events"], run.tables["rounds"]
    findings = list(_turns(run, events))
    ended = events[events["kind"] == EventKind.ROUND_END]
    keys = ["round", "device"]
    orphans, silent = unmatched(
        ended[[*keys, "time_s"]].astype(float), rounds[[*keys, "end_s"]].astype(float)
    )
    last_s = np.inf if run.completed else events["time_s"].max()
    for row in orphans:
        if events["time_s"][row] < last_s:
            end = written(events["time_s"][row])
            absence = f"none (round {events['round'][row]}, device {events['device'][row]})"
            expected = f"a row with end_s {end} in {_ROUNDS}"
            findings.append(Finding(_EVENTS, "round_end", expected, absence, row))
    for row in silent:
        absence = f"none (round {rounds['round'][row]}, device {rounds['device'][row]})"
        findings.append(Finding(_ROUNDS, "row", f"its round_end in {_EVENTS}", absence, row))
    if "evaluations" in run.tables:
        findings += _evaluated(events, run.tables["evaluations"])
    return Check("rounds", f"{len(rounds)} rounds and their events", findings)


def _turns(run: Subject, events: pd.DataFrame) -> Iterator[Finding]:
    """What a device begins it ends before it begins it again; in a round it computes, and it mixes
    as often as its schedule says."""
    compute: dict[int, int] = {}
    plan: dict[int, int] = {}
    computed: set[int] = set()
    mixed: Counter[int] = Counter()
    turns = events[events["kind"].isin([str(kind) for kind in (*_BEGINS, *_ENDS)])]
    columns = [turns[name] for name in ("device", "kind", "round", "cause")]
    for row, device, kind, round_, cause in zip(turns.index, *columns, strict=True):
        lacking = None
        if kind in _BEGINS:
            going = compute if kind == EventKind.COMPUTE_START else plan
            if device in going:
                yield _unended(events, going[device], _ENDED_BY[events["kind"][going[device]]])
            going[device] = int(row)
            # What clusters calibrate before a round is no part of one.
            if kind == EventKind.COMPUTE_START and cause != Cause.TRIGGERED:
                computed.add(device)
                lacking = None if device in plan else "plan"
        else:
            ended = compute.pop(device, None) if kind in _ENDS_COMPUTE else None
            planned = plan.get(device) if kind in _ENDS_PLAN else None
            mixed[device] += kind == EventKind.AGGREGATE
            if kind == EventKind.CUT_OFF or mixed[device] == run.mixings(round_):
                plan.pop(device, None)
                mixed[device] = 0
            if planned is not None:
                lacking = None if device in computed else "compute_start"
                if device not in plan:
                    computed.discard(device)
            elif ended is None:
                lacking = "compute_start" if kind == EventKind.COMPUTE_END else "plan"
        if lacking is not None:
            who = f"none (round {round_}, device {device})"
            yield Finding(_EVENTS, str(kind), f"its {lacking} before", who, int(row))
    if run.completed:
        for row in sorted([*compute.values(), *plan.values()]):
            yield _unended(events, row, _ENDED_BY[events["kind"][row]])


_BEGINS = (EventKind.COMPUTE_START, EventKind.PLAN)
_ENDS_COMPUTE = (EventKind.COMPUTE_END, EventKind.CUT_OFF)
_ENDS_PLAN = (EventKind.AGGREGATE, EventKind.CUT_OFF)
_ENDS = (*_ENDS_COMPUTE, *_ENDS_PLAN)
_ENDED_BY = {
    EventKind.COMPUTE_START: "compute_end or cut_off",
    EventKind.PLAN: "aggregate or cut_off",
}


def _evaluated(events: pd.DataFrame, evaluations: pd.DataFrame) -> Iterator[Finding]:
    """Scores have the event of their device and moment, and the other way round."""
    evaluated = events[events["kind"] == EventKind.EVALUATE]
    keys = ["time_s", "round", "device"]
    first = evaluations.drop_duplicates(keys)
    orphans, silent = unmatched(evaluated[keys].astype(float), first[keys].astype(float))
    for row in orphans:
        absence = f"none (round {events['round'][row]}, device {events['device'][row]})"
        yield Finding(_EVENTS, "evaluate", "scores in evaluations.parquet", absence, row)
    for row in silent:
        absence = f"none (round {first['round'][row]}, device {first['device'][row]})"
        yield Finding("evaluations.parquet", "row", f"its evaluate in {_EVENTS}", absence, row)
