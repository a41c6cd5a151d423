"""Run directories written by hand: chosen accuracies, times, energies and bits."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cosim.trace.content_hash import results_sha256
from cosim.trace.manifest import write_manifest
from cosim.trace.reader import Run, read_run
from cosim.trace.schema import (
    AnswerRow,
    Cause,
    EvaluationRow,
    RoundRow,
    TransferKind,
    TransferOutcome,
    TransferRow,
)
from cosim.trace.writer import TraceWriter

SCENARIO = """\
name: by hand
seed: {seed}
method: {{name: {method}, topology: {{graph: {graph}}}}}
radio: {{bandwidth_hz: {bandwidth_hz}}}
"""


def _round(number: int, device: int, joules: float) -> RoundRow:
    zero: dict[str, Any] = dict.fromkeys(RoundRow._fields, 0)
    times = {"start_s": 10.0 * (number - 1), "end_s": 10.0 * number}
    energy = {"energy_compute_j": 0.75 * joules, "energy_idle_j": 0.25 * joules}
    return RoundRow(**{**zero, "round": number, "device": device, **times, **energy})


def _transfer(
    number: int, bits: float, outcome: TransferOutcome, kind: TransferKind = TransferKind.UPDATE
) -> TransferRow:
    zero: dict[str, Any] = dict.fromkeys(TransferRow._fields, 0)
    words = {"kind": kind, "outcome": outcome, "cause": Cause.BITS_DELIVERED}
    fields = {"round": number, "dst": 1, **words}
    return TransferRow(**{**zero, **fields, "sent_bits": bits, "delivered_bits": bits})


def write_run(
    folder: Path,
    accuracies: Sequence[float],
    *,
    seed: int = 1,
    method: str = "lora",
    graph: str = "ring",
    bandwidth_hz: float = 5e6,
    joules: float = 100.0,
    status: str = "completed",
    name: str | None = None,
    answers: Iterable[AnswerRow] = (),
) -> Run:
    """Writes a run of two devices and two tasks whose average accuracy after round n is given.

    Every round takes 10 s and `joules`, and sends a delivered and a late transfer of 1 Mbit each,
    and delivers a beacon of 64 bit. Answers are written as they are given.
    """
    directory = folder / (name or f"{method}-{graph}-{bandwidth_hz:g}-{seed}")
    trace = TraceWriter(directory)
    for number, accuracy in enumerate(accuracies):
        for device, off in ((0, -0.02), (1, 0.02)):
            for task, easier in (("hard", -0.1), ("easy", 0.1)):
                told = ("exact_match", accuracy + off + easier)
                scored = (10.0 * number, number, device, task)
                trace.add(EvaluationRow(*scored, *told, n=50))
                trace.add(EvaluationRow(*scored, "acc_norm", 0.99, n=50))
            if number:
                trace.add(_round(number, device, joules / 2))
        if number:
            trace.add(_transfer(number, 1e6, TransferOutcome.DELIVERED))
            trace.add(_transfer(number, 1e6, TransferOutcome.LATE))
            trace.add(_transfer(number, 64, TransferOutcome.DELIVERED, TransferKind.BEACON))
    for answer in answers:
        trace.add(answer)
    trace.close()
    words = {"seed": seed, "method": method, "graph": graph, "bandwidth_hz": bandwidth_hz}
    (directory / "scenario.yaml").write_text(SCENARIO.format(**words), encoding="utf-8")
    manifest = {"name": "by hand", "method": method, "seed": seed, "status": status}
    write_manifest(directory, {**manifest, "results_sha256": results_sha256(directory)})
    return read_run(directory)
