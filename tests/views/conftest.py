"""Two runs to look at: one that the simulator played, one written by hand that crashed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.cli import app as cli
from cosim.trace.manifest import write_manifest
from cosim.trace.reader import Run, read_run
from cosim.trace.schema import (
    Cause,
    EventKind,
    EventRow,
    PositionRow,
    RoundRow,
    TransferKind,
    TransferOutcome,
    TransferRow,
)
from cosim.trace.writer import TraceWriter

SCENARIO = """\
name: looked at
seed: 3
rounds: 5
learning: {model: none, payload_bits: 4000000, flop: 1.0e12}
method: {name: proposed_single_cluster, topology: {graph: random, degree: 3}}
area: {shape: disc, radius_m: 150}
devices:
  - {count: 3, profile: flagship_phone, mobility: {model: random_waypoint, speed_m_s: [5, 20]}}
  - {count: 4, profile: jetson_orin_nano, mobility: {model: static}}
radio: {bandwidth_hz: 10.0e6, deadline_s: 1.0, fading: {model: clarke, sinusoids: 16}}
trace: {positions_every_s: 2.5}
"""


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Seven devices, five rounds, transfers delivered and late; read-only."""
    folder = tmp_path_factory.mktemp("played")
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    run = cosim.run(path, out=folder / "run")
    assert {"delivered", "late"} <= set(run.transfers["outcome"]), "the tests need both"
    return run


def _transfer(
    src: int, dst: int, start_s: float, end_s: float, outcome: TransferOutcome, number: int = 0
) -> TransferRow:
    """A transfer of round 1 with Γ = 2 s."""
    numbers = dict.fromkeys(TransferRow._fields, 1)
    times = {"start_s": start_s, "end_s": end_s, "deadline_at_s": start_s + 2.0}
    words = {"kind": TransferKind.UPDATE, "outcome": outcome, "cause": Cause.BITS_DELIVERED}
    ids = {"number": number, "src": src, "dst": dst}
    return TransferRow(**{**numbers, **ids, **times, **words})  # type: ignore[arg-type]


def _round(device: int) -> RoundRow:
    """Round 1 of a device, from 0 to 4 s."""
    times = {"round": 1, "device": device, "start_s": 0.0, "end_s": 4.0}
    return RoundRow(**{**dict.fromkeys(RoundRow._fields, 0), **times})  # type: ignore[arg-type]


def happened(
    time_s: float,
    device: int,
    kind: EventKind,
    peer: int | None = None,
    transfer: int | None = None,
) -> EventRow:
    """An event of round 1, or of round 2 from 4 s on."""
    return EventRow(time_s, 2 if time_s >= 4 else 1, device, kind, peer, Cause.SCHEDULE, transfer)


def crashed_rows() -> list[Any]:
    """Round 1 of device 0 ended; 1 was cut off in it; 0 is in round 2 on its own clock."""
    return [
        *(PositionRow(float(t), d, 3.0 * d + t, -2.0 * d) for t in range(3) for d in range(3)),
        *(happened(0.0, device, EventKind.PLAN) for device in range(3)),
        *(happened(0.0, device, EventKind.COMPUTE_START) for device in (0, 1)),
        happened(1.0, 0, EventKind.COMPUTE_END),
        happened(1.0, 0, EventKind.SEND_START, 1, 0),
        happened(1.0, 0, EventKind.SEND_START, 2, 1),
        _transfer(0, 1, 1.0, 1.5, TransferOutcome.CANCELLED),
        happened(1.5, 1, EventKind.CUT_OFF),
        _transfer(0, 2, 1.0, 3.0, TransferOutcome.LATE, 1),
        happened(3.0, 2, EventKind.SEND_START, 0, 2),
        _transfer(2, 0, 3.0, 3.0, TransferOutcome.OUTAGE, 2),
        happened(3.5, 2, EventKind.SEND_START, 1, 3),  # in the air when the run crashed
        _round(0),
        happened(4.0, 0, EventKind.PLAN),
        happened(4.0, 0, EventKind.COMPUTE_START),
        happened(5.0, 0, EventKind.COMPUTE_END),
        happened(5.5, 2, EventKind.DEADLINE),
    ]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Run]:
    """Writes a run of the given rows by hand; its traces are still in parts."""

    def write(rows: list[Any], name: str = "by-hand", status: str = "failed") -> Run:
        directory = tmp_path / name
        trace = TraceWriter(directory)
        for row in rows:
            trace.add(row)
        trace.flush()
        write_manifest(directory, {"name": name, "method": "made", "status": status, "seed": 1})
        (directory / "scenario.yaml").write_text("area: {shape: square, side_m: 20}\n")
        return read_run(directory)

    return write


@pytest.fixture
def transfer() -> Callable[..., TransferRow]:
    """Makes a transfer of round 1."""
    return _transfer


@pytest.fixture
def ended_round() -> Callable[[int], RoundRow]:
    """Makes a device's round 1."""
    return _round


@pytest.fixture
def crashed(written: Callable[..., Run]) -> Run:
    """A run that a crash ended, with every outcome but `delivered`."""
    return written(crashed_rows())


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[str], str]]:
    """Calls `cosim` with arguments; returns its code, the lines it printed and its errors."""

    def called(*arguments: object) -> tuple[int, list[str], str]:
        monkeypatch.setattr("sys.argv", ["cosim", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out.splitlines(), err

    return called
