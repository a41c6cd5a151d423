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
    for device, of_device in rounds.groupby("device"):
        findings += _drawn(run, int(str(device)), of_device)
    summary = "the integral of the devices' power"
    if not run.completed:
        summary = "in rounds; the run ended early, so transfers are not summed"
    return Check("energy", f"{total} J, {summary}", findings)


def _each(transfers: pd.DataFrame) -> Iterator[Finding]:
    lasted = (transfers["end_s"] - transfers["start_s"]).to_numpy(float)
    energy_j = transfers["energy_tx_j"].to_numpy(float)
    drawn_j = transfers["consumed_w"].to_numpy(float) * lasted
    for row in where(~np.isclose(energy_j, drawn_j, rtol=_REL, atol=0.0)):
        expected = f"{written(drawn_j[row])}, consumed_w over its time"
        yield Finding(_TRANSFERS, "energy_tx_j", expected, written(energy_j[row]), row)
    radiated = transfers["power_w"].to_numpy(float) * lasted
    for row in where(~(energy_j >= radiated * (1.0 - _REL))):
        expected = f"at least the {written(radiated[row])} radiated"
        yield Finding(_TRANSFERS, "energy_tx_j", expected, written(energy_j[row]), row)


def _sums(run: Subject, rounds: pd.DataFrame, transfers: pd.DataFrame) -> Iterator[Finding]:
    for column, end, way in (("energy_tx_j", "src", "from"), ("energy_rx_j", "dst", "to")):
        counted = _sum_by_device(rounds, column)
        integrals = _sum_by_device(transfers, column, end)
        for device in sorted({*counted, *integrals}):
            in_rounds, in_transfers = counted.get(device, 0.0), integrals.get(device, 0.0)
            slack = _rounding_j(run, device)
            if not math.isclose(in_rounds, in_transfers, rel_tol=_REL, abs_tol=slack):
                expected = f"{written(in_transfers)}, of the transfers {way} it"
                what = f"sum of {column} of device {device}"
                yield Finding(_ROUNDS, what, expected, written(in_rounds))
    if "events" in run.tables:
        yield from _computed(run, rounds, run.tables["events"])


def _sum_by_device(frame: pd.DataFrame, column: str, device: str = "device") -> dict[int, float]:
    return {
        int(str(key)): float(total) for key, total in frame.groupby(device)[column].sum().items()
    }


def _computed(run: Subject, rounds: pd.DataFrame, events: pd.DataFrame) -> Iterator[Finding]:
    """Checks the time between a device's compute_start and what ended it."""
    since: dict[int, float] = {}
    spent: dict[int, float] = {}
    kinds = (EventKind.COMPUTE_START, EventKind.COMPUTE_END, EventKind.CUT_OFF)
    computing = events[events["kind"].isin([str(kind) for kind in kinds])]
    for device, kind, time_s in zip(
        computing["device"], computing["kind"], computing["time_s"], strict=True
    ):
        if kind == EventKind.COMPUTE_START:
            since[device] = time_s
        elif device in since:
            spent[device] = spent.get(device, 0.0) + time_s - since.pop(device)
    slack = _rounding_s(run)
    for device, in_rounds in _sum_by_device(rounds, "compute_s").items():
        in_events = spent.get(device, 0.0)
        if not math.isclose(in_rounds, in_events, rel_tol=_REL, abs_tol=slack):
            expected = f"{written(in_events)}, between its compute_start and compute_end or cut_off"
            yield Finding(
                _ROUNDS, f"sum of compute_s of device {device}", expected, written(in_rounds)
            )


def _drawn(run: Subject, device: int, rounds: pd.DataFrame) -> list[Finding]:
    """The findings by the profile that fits a device's rows best."""
    candidates = run.profiles[device] if device < len(run.profiles) else []
    findings = [_by_profile(run, rounds, profile) for profile in candidates]
    return min(findings, key=len, default=[])


def _by_profile(run: Subject, rounds: pd.DataFrame, profile: Profile) -> list[Finding]:
    rows, lasted = rounds.index.tolist(), (rounds["end_s"] - rounds["start_s"]).to_numpy()
    compute, off = rounds["compute_s"].to_numpy(), rounds["off_s"].to_numpy()
    findings = []
    for column, watts, seconds, which in (
        ("energy_compute_j", profile.compute_w, compute, "compute_w over compute_s"),
        ("energy_idle_j", profile.idle_w, lasted - compute - off, "idle_w over the rest"),
    ):
        energy_j, integral_j = rounds[column].to_numpy(), watts * seconds
        slack = watts * _rounding_s(run)
        for at in where(~np.isclose(energy_j, integral_j, rtol=_REL, atol=slack)):
            expected = f"{written(integral_j[at])}, {which}"
            findings.append(Finding(_ROUNDS, column, expected, written(energy_j[at]), rows[at]))
    return findings + list(_battery(run, rounds, profile))


def _battery(run: Subject, rounds: pd.DataFrame, profile: Profile) -> Iterator[Finding]:
    rows, charge_j = rounds.index.tolist(), rounds["battery_j"].to_numpy(float)
    if profile.battery_j is None:
        for at in where(~np.isnan(charge_j)):
            charge = written(charge_j[at])
            yield Finding(_ROUNDS, "battery_j", "null, on the mains", charge, rows[at])
        return
    before = np.concatenate([[profile.battery_j], charge_j[:-1]])
    spent = rounds[list(_PARTS)].to_numpy().sum(axis=1)
    remaining_j = np.maximum(before - spent, 0.0)
    slack = _rounding_s(run) * _most_w(run, [profile]) + _REL * profile.battery_j
    for at in where(~np.isclose(charge_j, remaining_j, rtol=_REL, atol=slack)):
        expected = f"{written(remaining_j[at])}, what is left of {written(before[at])}"
        yield Finding(_ROUNDS, "battery_j", expected, written(charge_j[at]), rows[at])


def _rounding_s(run: Subject) -> float:
    """Every event may round the time since the last one by an ulp of the clock."""
    events = len(run.tables["events"]) if "events" in run.tables else 0
    times = run.tables["rounds"]["end_s"].to_numpy() if "rounds" in run.tables else np.zeros(0)
    last_s = float(times[np.isfinite(times)].max(initial=0.0))
    return 4.0 * (events + 1) * math.ulp(last_s)


def _rounding_j(run: Subject, device: int) -> float:
    candidates = run.profiles[device] if 0 <= device < len(run.profiles) else []
    return _rounding_s(run) * _most_w(run, candidates)


def _most_w(run: Subject, candidates: list[Profile]) -> float:
    """The most that a device may draw: amplifier, chains and processor."""
    if run.scenario is None or not candidates:
        return _MOST_W
    radiated_w = 10.0 ** (run.scenario.radio.p_max_dbm / 10.0 - 3.0)
    watts = [
        radiated_w / profile.pa_efficiency
        + profile.transmit_circuit_w
        + profile.receive_w
        + profile.compute_w
        for profile in candidates
    ]
    return float(max(watts))
