"""However often a run is cut off, it ends with the traces that it would have had."""

import errno
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from cosim.errors import RunDirectoryError, ScenarioError
from cosim.learning.learner import Learner
from cosim.learning.learner_state import KINDS, OpenJob
from cosim.learning.state_tree import unflatten
from cosim.lifecycle import checkpoints as checkpoints_module
from cosim.lifecycle import provenance
from cosim.lifecycle.checkpoints import Checkpoints, newest
from cosim.lifecycle.journal import Journal
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.null_learner import NullLearner
from cosim.simulation.setup.build import build_learner
from cosim.trace.manifest import read_manifest
from cosim.trace.reader import read_run
from tests.simulation.small_networks import scenario as network

SCENARIO = """\
name: cut off
seed: 5
rounds: {rounds}
method: {method}
base_model: {{source: "path:{model}", dtype: {dtype}}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{steps: 2, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 1, samples: 2}}
area: {{shape: disc, radius_m: 300}}
devices:
  - {{count: 2, profile: flagship_phone, mobility: {{model: random_waypoint}}}}
  - {{count: 2, profile: midrange_phone, availability: {availability}}}
radio: {{bandwidth_hz: 3.0e4, late: {late}, p_max_dbm: 10}}
trace: {{diagnostics: {diagnostics}}}
"""
ON_OFF = "{model: exponential, mean_on_s: 6, mean_off_s: 1}"
CASES = [
    ("proposed", "synchronous", {}),
    ("proposed", "synchronous", {"availability": ON_OFF, "diagnostics": "true"}),
    ("proposed_literal", "synchronous", {}),
    ("proposed_single_cluster", "asynchronous", {"late": "stale", "dtype": "bfloat16"}),
    ("lora", "asynchronous", {"late": "stale", "diagnostics": "true"}),
    ("hard_moe", "cluster", {"availability": ON_OFF}),
    ("centralised", "synchronous", {}),
    ("lori", "cluster", {"late": "stale", "dtype": "bfloat16"}),
    ("full_finetune", "synchronous", {}),
    ("local", "asynchronous", {"availability": ON_OFF}),
]


@pytest.fixture(autouse=True)
def _one_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may be editing while the tests run."""
    monkeypatch.setattr(provenance, "code", lambda: {"learning": "a digest"})


@pytest.fixture
def chosen(tiny_llama: Path, tmp_path: Path) -> Callable[..., Scenario]:
    def make(method: str = "lora", schedule: str = "synchronous", **changes: Any) -> Scenario:
        parts = {"late": "drop", "dtype": "float32", "diagnostics": "false", "rounds": 2}
        parts |= {"availability": "always", "model": tiny_llama, **changes}
        text = SCENARIO.format(method=f"{{name: {method}, schedule: {schedule}}}", **parts)
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path / "s.yaml")

    return make


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Copies of a run directory as each of its checkpoints left it: a kill at that moment."""
    found: list[Path] = []
    store = Checkpoints._store

    def stored(self: Checkpoints, *of: Any) -> None:
        store(self, *of)
        copy = tmp_path / f"snapshot-{len(found)}"
        shutil.copytree(self._folder.parent, copy, ignore=shutil.ignore_patterns(".lock"))
        found.append(copy)

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_store", stored)
        yield found


def everything(run: Path) -> dict[str, Any]:
    """What two runs must have in common."""
    manifest = read_manifest(run)
    assert not (run / "checkpoint").exists()
    assert not (run / ".lock").exists()
    folder = run / "adapters"
    adapters = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else 0
    names = ("status", "results_sha256", "simulated_s")
    return {**{name: manifest[name] for name in names}, "adapters": adapters}


def resumes_to(before: list[Path], whole: dict[str, Any]) -> None:
    for number, run in enumerate(before):
        resume(run, spacing=[0.0, 1e9][number % 2])
        assert everything(run) == whole, run.name
        assert read_manifest(run)["resumed"] == 1


@pytest.mark.parametrize(("method", "schedule", "changes"), CASES)
def test_a_run_killed_after_a_checkpoint_ends_as_if_it_had_not_been(
    chosen: Any, snapshots: list[Path], tmp_path: Path, method: str, schedule: str, changes: Any
) -> None:
    asked = chosen(method, schedule, **changes)
    without = asked.model_copy(
        update={"trace": asked.trace.model_copy(update={"checkpoints": False})}
    )
    play(without, out=tmp_path / "without")
    play(asked, out=tmp_path / "whole", spacing=0)
    whole = everything(tmp_path / "whole")
    assert whole == everything(tmp_path / "without")
    assert len(snapshots) > 6
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], whole)


@pytest.mark.parametrize(("method", "schedule"), [("lora", "asynchronous"), ("proposed", "")])
def test_any_call_of_the_learner_can_be_the_last(
    chosen: Any,
    snapshots: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    schedule: str,
) -> None:
    """Checkpoints before every call: jobs are open, settled or not, and updates are in the air."""
    answer = JournaledLearner._answer

    def stored_before(self: JournaledLearner, *call: Any) -> Any:
        if self.journal.told_all:
            self.at_rest()
        return answer(self, *call)

    with monkeypatch.context() as patch:
        patch.setattr(JournaledLearner, "_answer", stored_before)
        asked = chosen(method, schedule or "synchronous", late="stale", dtype="bfloat16")
        play(asked, out=tmp_path / "whole", spacing=0)
    settled = [[job.outcome is not None for job in open_jobs(run)] for run in snapshots]
    mixed = [number for number, own in enumerate(settled) if any(own) and not all(own)]
    some = [mixed[0], mixed[-1]] if schedule else []
    some += [number for number, own in enumerate(settled) if len(own) > 2][:: len(settled) // 4]
    resumes_to([snapshots[number] for number in some[:5]], everything(tmp_path / "whole"))


def index_of(run: Path) -> Path:
    return max((run / "checkpoint").glob("0*.json"))


def open_jobs(run: Path) -> list[OpenJob]:
    """Those of a run's last checkpoint."""
    found = newest(run)
    assert found is not None
    first_projections = {f"given {device}": torch.zeros(0) for device in range(4)}
    tensors = {**found.tensors(), **first_projections}
    return list(unflatten(found.index["learner"], tensors, KINDS)["jobs"].values())


def test_a_checkpoint_of_another_format_is_refused(cut: Any) -> None:
    run, _ = cut
    last = index_of(run)
    index = json.loads(last.read_bytes())
    assert index["format"] == 2
    last.write_text(json.dumps(index | {"format": 1}), encoding="utf-8")
    refused(run, "its checkpoint has format 1, and this version of cosim reads format 2")


def raising(monkeypatch: pytest.MonkeyPatch, method: str, call: int, error: BaseException) -> None:
    calls = itertools.count(1)
    inner = getattr(Learner, method)

    def called(self: Learner, *said: Any) -> Any:
        if next(calls) == call:
            raise error
        return inner(self, *said)

    monkeypatch.setattr(Learner, method, called)


@pytest.mark.parametrize("error", [RuntimeError("the learner broke"), KeyboardInterrupt()])
def test_a_run_cut_off_again_and_again(
    chosen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    asked = chosen("proposed", rounds=3)
    play(asked, out=tmp_path / "whole")
    run = tmp_path / "run"
    cut = Interrupted if isinstance(error, KeyboardInterrupt) else RuntimeError
    for times, call in enumerate((3, 2, 4)):
        with monkeypatch.context() as patch:
            raising(patch, "accept" if times else "evaluate", call, error)
            with pytest.raises(cut):
                resume(run, spacing=0) if times else play(asked, out=run, spacing=0)
        manifest = read_manifest(run)
        assert manifest["status"] == ("failed" if cut is RuntimeError else "interrupted")
        assert manifest["resumed"] == times
        held = sorted(path.name for path in (run / "checkpoint").iterdir())
        assert {Path(name).suffix for name in held} <= {".json", ".jsonl", ".safetensors"}
        assert len(held) == 5
        assert "journal.jsonl" in held
    spent = read_manifest(run)
    resume(run)
    assert everything(run) == everything(tmp_path / "whole")
    ended = read_manifest(run)
    assert ended["resumed"] == 3
    assert ended["learner_wall_s"] > spent["learner_wall_s"] / 2
    assert ended["wall_s"] >= ended["learner_wall_s"] + ended["checkpoints_wall_s"]


@pytest.fixture
def cut(chosen: Any, snapshots: list[Path], tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A run that was killed in the middle, and what it should end with."""
    play(chosen("lora"), out=tmp_path / "whole", spacing=0)
    return snapshots[4], everything(tmp_path / "whole")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [shorten, spoil, Path.unlink])
@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_where_the_last_checkpoint_is_damaged_the_one_before_is_used(
    cut: Any, caplog: pytest.LogCaptureFixture, damage: Any, suffix: str
) -> None:
    run, whole = cut
    if (damage, suffix) == (spoil, ".json"):
        damage = shorten
    last = index_of(run)
    damage(last.with_suffix(suffix))
    with caplog.at_level("INFO", "cosim"):
        resume(run, spacing=0)
    assert f"resuming {run} from checkpoint {int(last.stem) - 1}" in caplog.text
    assert everything(run) == whole


def test_a_torn_end_of_the_journal_is_cut_off(cut: Any) -> None:
    run, whole = cut
    with (run / "checkpoint" / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('[[3.2,"submit",1')
    resume(run, spacing=0)
    assert everything(run) == whole


def test_without_a_whole_checkpoint_a_run_begins_anew(cut: Any) -> None:
    run, whole = cut
    spoil(run / "checkpoint" / "journal.jsonl")
    resume(run, spacing=0)
    assert everything(run) == whole


def listing(run: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def refused(run: Path, match: str, error: type[Exception] = RunDirectoryError) -> None:
    """And it is as it was."""
    before = listing(run)
    with pytest.raises(error, match=match):
        resume(run)
    assert listing(run) == before


def test_what_has_changed_is_refused_by_name(cut: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, whole = cut
    path = run / "scenario.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("learning_rate: 0.02", "learning_rate: 0.03"), encoding="utf-8")
    refused(run, r"training\.learning_rate is 0\.02 there and 0\.03 here")
    path.write_text("rounds: none", encoding="utf-8")
    refused(run, "rounds", ScenarioError)
    path.write_text(text, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "code", lambda: {"learning": "another digest"})
        refused(run, r"the code of cosim\.learning has changed")
    with monkeypatch.context() as patch:
        real = provenance.version
        patch.setattr(provenance, "version", lambda of: "9.9" if of == "numpy" else real(of))
        refused(run, rf"numpy was {real('numpy')} and is 9\.9")
    resume(run)
    assert everything(run) == whole
    refused(run, "is completed: there is nothing to resume")


def test_rows_that_have_changed_are_refused(cut: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = cut
    from cosim.learning import prepare

    pools = prepare.read_tasks

    def other(*said: Any) -> Any:
        found = pools(*said)
        first = found["sums"]
        object.__setattr__(first, "train", first.train[::-1])
        return found

    monkeypatch.setattr(prepare, "read_tasks", other)
    refused(run, "the tasks' rows have changed")


def test_a_run_that_goes_another_way_is_refused() -> None:
    told = Journal(iter(()), 0)
    told.answer([0.5, "submit", 1, 2], lambda: [1, 2.5])
    line = "".join(told.fresh)
    again = Journal(iter([line]), 1)
    with pytest.raises(RunDirectoryError, match=r'asks its learner \[0\.5,"submit",1,3\], and bef'):
        again.answer([0.5, "submit", 1, 3], lambda: 0)
    with pytest.raises(RunDirectoryError, match="it ends, and before, 1 calls"):
        Journal(iter([line]), 1).refuse_early_end()
    assert Journal(iter([line]), 1).answer([0.5, "submit", 1, 2], lambda: 0) == [1, 2.5]


def test_a_disk_that_refuses_stops_nothing(
    chosen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    play(chosen("lora"), out=tmp_path / "whole")
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    # Full once the run has begun: what is looked at before sees the room that there is.
    full = SimpleNamespace(**{**vars(shutil), "disk_usage": lambda _: usage})
    monkeypatch.setattr(checkpoints_module, "shutil", full)
    play(chosen("lora"), out=tmp_path / "run", spacing=0)
    assert "no checkpoint in" in caplog.text
    assert "No space left" in caplog.text
    assert everything(tmp_path / "run") == everything(tmp_path / "whole")


def test_a_network_alone_stores_nothing_and_is_played_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(network(rounds=5), out=tmp_path / "whole")
    submit = NullLearner.submit

    def press(self: NullLearner, device: int, round_: int) -> Any:
        if round_ == 3:
            raise KeyboardInterrupt
        return submit(self, device, round_)

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(NullLearner, "submit", press)
        with pytest.raises(Interrupted, match="go on with: cosim resume"):
            play(network(rounds=5), out=run, spacing=0)
    assert not (run / "checkpoint").exists()
    resume(run)
    assert everything(run) == everything(tmp_path / "whole")


def test_checkpoints_take_three_percent_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock by hand: a round of 10 s, a checkpoint of 1.5 s that grows to 3 s."""
    time_s, stored = 0.0, []

    def store(self: Checkpoints, *_: Any) -> None:
        nonlocal time_s
        stored.append(time_s)
        time_s += min(1.5 + 0.1 * len(stored), 3.0)

    tensors = {"0": torch.zeros(25_000_000)}  # 100 MB
    monkeypatch.setattr(Checkpoints, "_store", store)
    monkeypatch.setattr(JournaledLearner, "take", lambda _: ({}, tensors))
    learner = JournaledLearner(build_learner(network()))
    kept = Checkpoints(tmp_path, learner, {}, dict, clock=lambda: time_s)
    for _ in range(500):
        time_s += 10.0
        kept.consider()
    assert len(stored) > 40
    assert kept.wall_s <= 0.031 * time_s
    assert stored[0] == pytest.approx(40.0), "33 times what 100 MB take a slow disk"


def test_a_full_disk_is_one_sentence_and_no_loss(
    chosen: Callable[..., Scenario], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = play(chosen(rounds=3), out=tmp_path / "whole", spacing=0)
    write = pq.write_table
    left = itertools.count(9, -1)

    def full(*given: Any, **named: Any) -> None:
        if next(left) <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*given, **named)

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(RunDirectoryError, match=r"no room is left .* cosim resume .*short"):
        play(chosen(rounds=3), out=tmp_path / "short", spacing=0)
    found = read_run(tmp_path / "short")
    assert found.manifest["status"] != "completed"
    assert len(found.events), "what was flushed before can be read"
    monkeypatch.setattr(pq, "write_table", write)
    resumed = resume(tmp_path / "short", spacing=0)
    assert resumed.manifest["results_sha256"] == whole.manifest["results_sha256"]
