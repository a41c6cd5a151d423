"""Large runs of the network alone, made of random numbers: nobody waits until one was played."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cosim.trace.manifest import write_manifest
from cosim.trace.reader import Run, read_run
from cosim.trace.schema import SCHEMAS

ROUND_S = 10.0


def many_devices(folder: Path, *, devices: int, rounds: int, peers: int) -> Run:
    """A run in which every device computes, sends to `peers` others, and walks."""
    draw = np.random.Generator(np.random.PCG64(7))
    directory = folder / f"{devices}-{rounds}-{peers}"
    directory.mkdir()
    number, device = (axis.ravel() for axis in np.mgrid[1 : rounds + 1, 0:devices])
    begin = (number - 1) * ROUND_S
    computed = begin + draw.uniform(1, 5, number.size)
    _write(directory, "rounds", number.size, round=number, device=device, start_s=begin,
           end_s=begin + ROUND_S, compute_s=computed - begin, energy_compute_j=computed,
           battery_j=1e4 - begin)  # fmt: skip
    kinds = np.repeat(["compute_start", "compute_end"], number.size)
    _write(directory, "events", 2 * number.size, time_s=np.concatenate([begin, computed]),
           round=np.tile(number, 2), device=np.tile(device, 2), kind=kinds,
           cause=np.full(2 * number.size, "schedule"))  # fmt: skip
    of = np.repeat(np.arange(number.size), peers)
    took = draw.exponential(1.0, of.size)
    ended = computed[of] + np.minimum(took, 2.0)
    bits = draw.uniform(1e6, 2e6, of.size)
    _write(directory, "transfers", of.size, number=np.arange(of.size), round=number[of],
           src=device[of], dst=(device[of] + draw.integers(1, devices, of.size)) % devices,
           kind=np.full(of.size, "update"), bits=np.full(of.size, 2_000_000), sent_bits=bits,
           start_s=computed[of], end_s=ended, deadline_at_s=computed[of] + 2.0,
           distance_m=draw.uniform(5, 900, of.size), mean_snr_db=draw.normal(10, 8, of.size),
           outcome=np.where(took < 2.0, "delivered", "late"),
           cause=np.where(took < 2.0, "bits_delivered", "deadline"))  # fmt: skip
    times = np.arange(0, rounds * ROUND_S, 2.0)
    walked = draw.normal(0, 3, (2, devices, times.size)).cumsum(axis=2)
    places = walked + draw.uniform(-500, 500, (2, devices, 1))
    _write(directory, "positions", devices * times.size, time_s=np.tile(times, devices),
           device=np.repeat(np.arange(devices), times.size),
           x_m=places[0].ravel(), y_m=places[1].ravel())  # fmt: skip
    _write(directory, "devices", devices, device=np.arange(devices),
           battery_j=np.full(devices, 1e4), profile=np.full(devices, "phone"))  # fmt: skip
    for table in ("topology", "layers", "evaluations"):
        _write(directory, table, 0)
    (directory / "scenario.yaml").write_text("area: {shape: square, side_m: 1000}\n")
    known = {"name": "many", "method": "lora", "seed": 1, "status": "completed"}
    write_manifest(directory, known)
    return read_run(directory)


def _write(directory: Path, table: str, count: int, **columns: object) -> None:
    """A table with these columns; the others are zero, or null where they may be."""
    schema = SCHEMAS[table]
    for field in schema:
        empty = None if field.nullable else "" if pa.types.is_string(field.type) else 0
        columns.setdefault(field.name, [empty] * count)
    frame = pd.DataFrame(columns)[schema.names]
    rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    pq.write_table(rows, directory / f"{table}.parquet")
