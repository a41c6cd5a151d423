"""Conservation of energy: what devices drew is the integral of their power."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from cosim.scenario.profile import Profile
from cosim.trace.schema import EventKind
from cosim.verification.finding import Check, Finding, where, written
from cosim.verification.subject import Subject

_REL = 1e-9
_ROUNDS, _TRANSFERS = "rounds.parquet", "transfers.parquet"
_PARTS = ("energy_compute_j", "energy_tx_j", "energy_rx_j", "energy_idle_j")
# Where a profile's file is gone: no device of a scenario draws more.
_MOST_W = 1e5


def check_energy(run: Subject) -> Check:
    """Transfers' energies are their power over their time, and rounds' the sums of these; what is
    drawn besides is a profile's watts over the time; a battery loses what is spent."""
    if "rounds" not in run.tables or "transfers" not in run.tables:
        return Check("energy", skipped=f"{_ROUNDS} or {_TRANSFERS} cannot be used")
    rounds, transfers = run.tables["rounds"], run.tables["transfers"]
    total = written(float(rounds[list(_PARTS)].to_numpy().sum()))
    findings = list(_each(transfers))
    if run.completed:
        findings += _sums(run, rounds, transfers)
    for device, mine in rounds.groupby("device"):
        findings += _drawn(run, int(str(device)), mine)
    said = "the integral of the devices' power"
    if not run.completed:
        said = "in rounds; the run ended early, so transfers are not summed"
    return Check("energy", f"{total} J, {said}", findings)


def _each(transfers: pd.DataFrame) -> Iterator[Finding]:
    lasted = (transfers["end_s"] - transfers["start_s"]).to_numpy(float)
    spent = transfers["energy_tx_j"].to_numpy(float)
    wanted = transfers["consumed_w"].to_numpy(float) * lasted
    for row in where(~np.isclose(spent, wanted, rtol=_REL, atol=0.0)):
        expected = f"{written(wanted[row])}, consumed_w over its time"
        yield Finding(_TRANSFERS, "energy_tx_j", expected, written(spent[row]), row)
    radiated = transfers["power_w"].to_numpy(float) * lasted
    for row in where(~(spent >= radiated * (1.0 - _REL))):
        expected = f"at least the {written(radiated[row])} radiated"
        yield Finding(_TRANSFERS, "energy_tx_j", expected, written(spent[row]), row)


def _sums(run: Subject, rounds: pd.DataFrame, transfers: pd.DataFrame) -> Iterator[Finding]:
    for column, end, way in (("energy_tx_j", "src", "from"), ("energy_rx_j", "dst", "to")):
        counted = _sum_by_device(rounds, column)
        integrals = _sum_by_device(transfers, column, end)
        for device in sorted({*counted, *integrals}):
            found, wanted = counted.get(device, 0.0), integrals.get(device, 0.0)
            slack = _rounding_j(run, device)
            if not math.isclose(found, wanted, rel_tol=_REL, abs_tol=slack):
                expected = f"{written(wanted)}, of the transfers {way} it"
                what = f"sum of {column} of device {device}"
                yield Finding(_ROUNDS, what, expected, written(found))
    if "events" in run.tables:
        yield from _computed(run, rounds, run.tables["events"])


def _sum_by_device(frame: pd.DataFrame, column: str, device: str = "device") -> dict[int, float]:
    return {
        int(str(key)): float(total) for key, total in frame.groupby(device)[column].sum().items()
    }


def _computed(run: Subject, rounds: pd.DataFrame, events: pd.DataFrame) -> Iterator[Finding]:
    """The time between a device's compute_start and what ended it."""
    since: dict[int, float] = {}
    spent: dict[int, float] = {}
    kinds = (EventKind.COMPUTE_START, EventKind.COMPUTE_END, EventKind.CUT_OFF)
    told = events[events["kind"].isin([str(kind) for kind in kinds])]
    for device, kind, time_s in zip(told["device"], told["kind"], told["time_s"], strict=True):
        if kind == EventKind.COMPUTE_START:
            since[device] = time_s
        elif device in since:
            spent[device] = spent.get(device, 0.0) + time_s - since.pop(device)
    slack = _rounding_s(run)
    for device, found in _sum_by_device(rounds, "compute_s").items():
        wanted = spent.get(device, 0.0)
        if not math.isclose(found, wanted, rel_tol=_REL, abs_tol=slack):
            expected = f"{written(wanted)}, between its compute_start and compute_end or cut_off"
            yield Finding(_ROUNDS, f"sum of compute_s of device {device}", expected, written(found))


def _drawn(run: Subject, device: int, mine: pd.DataFrame) -> list[Finding]:
    """What is wrong by the profile that fits a device's rows best."""
    known = run.profiles[device] if device < len(run.profiles) else []
    tried = [_by_profile(run, mine, profile) for profile in known]
    return min(tried, key=len, default=[])


def _by_profile(run: Subject, mine: pd.DataFrame, profile: Profile) -> list[Finding]:
    rows, lasted = mine.index.tolist(), (mine["end_s"] - mine["start_s"]).to_numpy()
    compute, off = mine["compute_s"].to_numpy(), mine["off_s"].to_numpy()
    findings = []
    for column, watts, seconds, which in (
        ("energy_compute_j", profile.compute_w, compute, "compute_w over compute_s"),
        ("energy_idle_j", profile.idle_w, lasted - compute - off, "idle_w over the rest"),
    ):
        found, wanted = mine[column].to_numpy(), watts * seconds
        slack = watts * _rounding_s(run)
        for at in where(~np.isclose(found, wanted, rtol=_REL, atol=slack)):
            expected = f"{written(wanted[at])}, {which}"
            findings.append(Finding(_ROUNDS, column, expected, written(found[at]), rows[at]))
    return findings + list(_battery(run, mine, profile))


def _battery(run: Subject, mine: pd.DataFrame, profile: Profile) -> Iterator[Finding]:
    rows, left = mine.index.tolist(), mine["battery_j"].to_numpy(float)
    if profile.battery_j is None:
        for at in where(~np.isnan(left)):
            found = written(left[at])
            yield Finding(_ROUNDS, "battery_j", "null, on the mains", found, rows[at])
        return
    before = np.concatenate([[profile.battery_j], left[:-1]])
    spent = mine[list(_PARTS)].to_numpy().sum(axis=1)
    wanted = np.maximum(before - spent, 0.0)
    slack = _rounding_s(run) * _most_w(run, [profile]) + _REL * profile.battery_j
    for at in where(~np.isclose(left, wanted, rtol=_REL, atol=slack)):
        expected = f"{written(wanted[at])}, what is left of {written(before[at])}"
        yield Finding(_ROUNDS, "battery_j", expected, written(left[at]), rows[at])


def _rounding_s(run: Subject) -> float:
    """Every event may round the time since the last one by an ulp of the clock."""
    events = len(run.tables["events"]) if "events" in run.tables else 0
    times = run.tables["rounds"]["end_s"].to_numpy() if "rounds" in run.tables else np.zeros(0)
    last_s = float(times[np.isfinite(times)].max(initial=0.0))
    return 4.0 * (events + 1) * math.ulp(last_s)


def _rounding_j(run: Subject, device: int) -> float:
    known = run.profiles[device] if 0 <= device < len(run.profiles) else []
    return _rounding_s(run) * _most_w(run, known)


def _most_w(run: Subject, known: list[Profile]) -> float:
    """What a device may draw at most: amplifier, chains and processor."""
    if run.scenario is None or not known:
        return _MOST_W
    radiated_w = 10.0 ** (run.scenario.radio.p_max_dbm / 10.0 - 3.0)
    watts = [
        radiated_w / one.pa_efficiency + one.transmit_circuit_w + one.receive_w + one.compute_w
        for one in known
    ]
    return float(max(watts))
