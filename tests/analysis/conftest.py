"""Sweeps written by hand: chosen accuracies, energies, bits, layers and collision rates."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from ruamel.yaml import YAML

from cosim.plotting.drawing import Drawing
from cosim.trace.manifest import write_manifest
from cosim.trace.schema import (
    Cause,
    EvaluationRow,
    EventKind,
    EventRow,
    LayerRow,
    RoundRow,
    TopologyRow,
    TransferKind,
    TransferOutcome,
    TransferRow,
)
from cosim.trace.writer import TraceWriter

# A run of an earlier version says `trainable`.
PROJECTION = {"lora": "trained", "local": "trainable"}
A_VALUES = 60
B_VALUES = (40, 60)  # of the two modules of each of the two blocks
TASKS = ("one", "two")


def _row(table: Any, /, **fields: Any) -> Any:
    return table(**{**dict.fromkeys(table._fields, 0), **fields})


def write_run(
    directory: Path,
    *,
    method: str = "lora",
    seed: int = 1,
    accuracy: Sequence[float] = (0.0, 0.5),
    joules: float = 10.0,
    devices: int = 2,
    density: float = 0.1,
    entropy: float | None = None,
    collision: Sequence[tuple[float, float]] = (),
    relabelled: int = 0,
    bandwidth_hz: float = 4e6,
    parts: Mapping[str, Any] | None = None,
    compute_deadline_s: float | None = None,
    stopped: int = 0,
    silent: int = 0,
) -> None:
    """One run: `accuracy` by checkpoint, a round each, the first task 0.1 above the second.

    A device is 0.04 better on its own task than on the other. A round takes 2 s and `joules`, and
    every device sends one update to the next: half of them late, unless the method is `local`.
    parts: of the method. stopped: devices that the compute deadline stops in every round. silent:
    devices that send a beacon instead.
    """
    trace = TraceWriter(directory)
    trainable = method in PROJECTION
    kept = 1.0 if trainable else density
    active = [2 * round(kept * size) for size in B_VALUES]
    bits = 16 * (sum(active) + (A_VALUES if trainable else 0))
    for device in range(devices):
        for layer in range(2):
            for module, size in enumerate(B_VALUES):
                held = round(kept * size)
                h = None if entropy is None else entropy + layer + module
                trace.add(LayerRow(device, layer, f"m{module}", h, kept, size, held))
    for number, value in enumerate(accuracy):
        for device in range(devices):
            for at, task in enumerate(TASKS):
                own = 0.02 if device % 2 == at else -0.02
                score = value + own + (0.05 if at == 0 else -0.05)
                trace.add(EvaluationRow(2.0 * number, number, device, task, "acc", score, 20))
                trace.add(EvaluationRow(2.0 * number, number, device, task, "acc_norm", 0.9, 20))
            if number:
                fields = {"round": number, "device": device}
                trace.add(_row(RoundRow, **fields, energy_tx_j=joules / devices))
        for src in range(devices if number and method != "local" else 0):
            late = src % 2
            ends = Cause.DEADLINE if src < stopped else Cause.COMPUTE_FINISHED
            # A step, which begins by schedule, and mixing, which nothing stops.
            for kind, cause in (
                (EventKind.COMPUTE_START, Cause.SCHEDULE),
                (EventKind.COMPUTE_END, ends),
                (EventKind.COMPUTE_START, Cause.NEIGHBOURS_SETTLED),
                (EventKind.COMPUTE_END, Cause.COMPUTE_FINISHED),
            ):
                of_event = {"round": number, "device": src, "kind": kind, "cause": cause}
                trace.add(_row(EventRow, **of_event))
            fields = {"round": number, "src": src, "dst": (src + 1) % devices, "bits": bits}
            outcome = TransferOutcome.LATE if late else TransferOutcome.DELIVERED
            part = bits / (1 + late)
            sent = {"sent_bits": part, "delivered_bits": part, "outcome": outcome}
            of_transfer = TransferKind.BEACON if src < silent else TransferKind.UPDATE
            words = {"kind": of_transfer, "cause": Cause.BITS_DELIVERED}
            trace.add(_row(TransferRow, **fields, **sent, **words))
    for number, (predicted, measured) in enumerate(collision, start=1):
        for device in range(devices):
            trace.add(TopologyRow(number, device, 0, devices, predicted, measured))
    trace.close()
    scenario = {
        "method": {
            "name": method,
            "projection": PROJECTION.get(method, "frozen_own_seed"),
            **(parts or {}),
        },
        "training": {"compute_deadline_s": compute_deadline_s},
        "adapter": {"bits_per_value": 16},
        "tasks": {
            task: {"relabel": 1 if at < relabelled else None} for at, task in enumerate(TASKS)
        },
        "devices": [{"count": devices, "tasks": "round_robin"}],
        "radio": {"bandwidth_hz": bandwidth_hz, "deadline_s": 2.0},
    }
    with (directory / "scenario.yaml").open("w") as file:
        YAML(typ="safe").dump(scenario, file)
    write_manifest(directory, {"method": method, "seed": seed, "status": "completed"})


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[..., Path]:
    """Writes a sweep: a row a run, its grid values, and what `write_run` takes beside them.

    A row with a `status` is not completed, and has no directory.
    """

    def write(rows: Sequence[dict[str, Any]], grid: Sequence[str] = ("method",)) -> Path:
        directory = tmp_path / "sweep"
        directory.mkdir()
        index = []
        for number, given in enumerate(rows):
            fields = dict(given)
            status = fields.pop("status", "completed")
            points = {path: fields.get(path) for path in grid}
            kept = {key: value for key, value in fields.items() if "." not in key}
            if status == "completed":
                write_run(directory / f"run-{number}", **kept)
            told = {"seed": given["seed"], "directory": f"run-{number}", "status": status}
            index.append({**points, **told, "seconds": 1.0, "error": None})
        pd.DataFrame(index).to_parquet(directory / "runs.parquet")
        return directory

    return write


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Figure]:
    """Returns the last figure that a script has written, when asked."""
    written: list[Figure] = []
    write = Drawing.write

    def remember(drawing: Drawing, path: Path) -> Path:
        written.append(drawing.figure)
        return write(drawing, path)

    monkeypatch.setattr(Drawing, "write", remember)
    return lambda: written[-1]


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Runs a script's `main` and reads its CSV, indexed by the given columns."""

    def play(script: Any, directory: Path, *arguments: str, by: Any = "method") -> pd.DataFrame:
        out = tmp_path / "results" / "figure"
        script.main([str(directory), *arguments, "--out", str(out)])
        picture = out.with_suffix(".png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5000
        return pd.read_csv(out.with_suffix(".csv")).set_index(by)

    return play
