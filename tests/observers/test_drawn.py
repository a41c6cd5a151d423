"""The curves as TensorBoard, W&B and MLflow read them back, each by the real package."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cosim
from tests.calls.conftest import folder as folder
from tests.observers.curves import LATE, curves

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
ABSENT = "{0} is not installed; the extra '{0}' brings it"


def unseen_alike(run: cosim.Run) -> bool:
    """Whether the traces are those of a run on which nobody looked, and nothing is wrong."""
    alone = cosim.run(LATE, "alone").manifest["results_sha256"]
    return run.manifest["results_sha256"] == alone and cosim.verify(run).ok


def test_tensorboard_reads_them(folder: Path) -> None:
    pytest.importorskip("tensorboard", reason=ABSENT.format("tensorboard"))
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    run = cosim.run(LATE, "run", set={"trace.observers": ["tensorboard"]})
    named = cosim.run(LATE, "other", observers=[cosim.TensorBoard("logs")])
    expected = curves(run)
    seconds = expected.pop("simulated_s")
    for written in (run.directory / "tensorboard", Path("logs") / named.directory):
        events = EventAccumulator(str(written)).Reload()
        assert sorted(events.Tags()["tensors"]) == sorted(expected)
        for name, values in expected.items():
            points = events.Tensors(name)
            assert [point.step for point in points] == [1, 2, 3]
            assert [point.wall_time for point in points] == pytest.approx(seconds)
            drawn = [float(make_ndarray(point.tensor_proto)) for point in points]
            assert drawn == pytest.approx(values, rel=1e-6)
    assert unseen_alike(run)


def test_a_resumed_run_replaces_what_tensorboard_has_of_it(folder: Path) -> None:
    pytest.importorskip("tensorboard", reason=ABSENT.format("tensorboard"))

    class Broken(cosim.Observer):
        """Fails in the second round."""

        def closed(self, round_: int, time_s: float) -> None:
            """Divides by what is left until the second."""
            print(1 / (2 - round_))

    with pytest.raises(cosim.CosimError):
        cosim.run(LATE, "run", set={"trace.observers": ["tensorboard"]}, observers=[Broken()])
    cosim.resume("run")
    assert len(list(Path("run/tensorboard").iterdir())) == 1


def test_mlflow_reads_them(folder: Path) -> None:
    pytest.importorskip("mlflow", reason=ABSENT.format("mlflow"))
    pytest.importorskip("sqlalchemy", reason=ABSENT.format("mlflow"))
    from mlflow.tracking import MlflowClient

    store = f"sqlite:///{folder}/mlflow.db"
    run = cosim.run(LATE, "run", observers=[cosim.MLflow("tests", store)])
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("tests").experiment_id
    (found,) = client.search_runs([experiment])
    assert (found.info.status, found.info.run_name) == ("FINISHED", "run")
    assert found.data.params["radio.p_max_dbm"] == "5.0"
    expected = curves(run)
    for name, values in expected.items():
        points = client.get_metric_history(found.info.run_id, name)
        assert [point.step for point in points] == [1, 2, 3]
        assert [point.value for point in points] == pytest.approx(values)
        milliseconds = [round(1e3 * time_s) for time_s in expected["simulated_s"]]
        assert [point.timestamp for point in points] == milliseconds
    assert unseen_alike(run)


def test_wandb_reads_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason=ABSENT.format("wandb"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = cosim.run(LATE, "run", observers=[cosim.WandB("tests", mode="offline")])
    (file,) = (run.directory / "wandb").glob("offline-run-*/*.wandb")
    found = list(records(file.read_bytes()))
    history = [
        {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in one.item}
        for kind, one in found
        if kind == "history"
    ]
    assert [row["round"] for row in history] == [1, 2, 3]
    for name, values in curves(run).items():
        assert [row[name] for row in history] == pytest.approx(values)
    axes = {one.glob_name or one.name: one.step_metric for kind, one in found if kind == "metric"}
    assert "simulated_s" in axes.values()
    (started,) = (one for kind, one in found if kind == "run")
    assert (started.project, started.display_name) == ("tests", "run")
    assert unseen_alike(run)


def records(content: bytes) -> Iterator[tuple[str, Any]]:
    """Kind and content of each record of W&B's file: LevelDB's log format after seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    block, header, at, parts = 32768, 7, 7, b""
    while at + header <= len(content):
        if block - at % block < header:
            at += block - at % block
            continue
        length, kind = struct.unpack("<HB", content[at + 4 : at + header])
        parts += content[at + header : at + header + length]
        at += header + length
        if kind in (1, 4):  # whole, or the last of its parts
            record = Record.FromString(parts)
            name = record.WhichOneof("record_type")
            yield name, getattr(record, name)
            parts = b""
