"""However often a run is cut off, it ends with the traces that it would have had."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import KINDS, OpenJob
from cosim.learning.prepare import prepare
from cosim.learning.state_tree import unflatten
from cosim.lifecycle.checkpoints import newest
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.lifecycle.play import Interrupted, play, resume
from cosim.scenario.load import load
from cosim.simulation.null_learner import NullLearner
from cosim.trace.manifest import read_manifest
from cosim.trace.reader import read_run
from tests.lifecycle.runs_cut_off import everything, resumes_to
from tests.simulation.small_networks import scenario as network

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
    ("product_sum", "synchronous", {"availability": ON_OFF}),
    ("dec_lora", "synchronous", {"late": "stale", "moments": "reset"}),
    ("adf_lora", "synchronous", {"availability": ON_OFF}),
    ("proposed, codec: {name: rounded, bits: 4}", "synchronous", {}),
    (
        "lora, codec: {name: top_k, share: 0.3}",
        "asynchronous",
        {"availability": ON_OFF, "late": "stale", "diagnostics": "true"},
    ),
]


@pytest.mark.parametrize(
    ("method", "schedule", "changes"),
    [CASES[0], *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[1:])],
)
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
    assert (tmp_path / "whole" / "answers.parquet").exists(), "which the hash counts"
    assert len(snapshots) > 6
    resumes_to([snapshots[len(snapshots) // 2], snapshots[-2]], whole)


@pytest.mark.parametrize(("method", "factors"), [("lora", {"A", "B"}), ("full_finetune", {"B"})])
def test_moments_are_kept_or_not_as_the_scenario_says(
    chosen: Any, method: str, factors: set[str]
) -> None:
    for moments, held in (("kept", factors), ("reset", set())):
        learner = prepare(chosen(method, moments=moments))
        job = learner.submit(0, 1)
        assert job is not None
        job.result()
        assert set(learner.fleet.states[0].adapter.moments) == held
        learner.close()


@pytest.mark.slow
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
        if self.journal.replayed:
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


def open_jobs(run: Path) -> list[OpenJob]:
    """Those of a run's last checkpoint."""
    found = newest(run)
    assert found is not None
    first_projections = {f"given {device}": torch.zeros(0) for device in range(4)}
    tensors = {**found.tensors(), **first_projections}
    return list(unflatten(found.index["learner"], tensors, KINDS)["jobs"].values())


def raising(monkeypatch: pytest.MonkeyPatch, method: str, call: int, error: BaseException) -> None:
    calls = itertools.count(1)
    inner = getattr(ModelLearner, method)

    def called(self: ModelLearner, *said: Any) -> Any:
        if next(calls) == call:
            raise error
        return inner(self, *said)

    monkeypatch.setattr(ModelLearner, method, called)


@pytest.mark.slow
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
    resume(run)
    assert everything(run) == everything(tmp_path / "whole")
    ended = read_manifest(run)
    assert ended["resumed"] == 3
    assert ended["learner_wall_s"] > 0
    assert ended["wall_s"] >= ended["learner_wall_s"] + ended["checkpoints_wall_s"]


IN_ONE_INSTANT = """\
seed: 5
rounds: 2
method: {{name: local, schedule: asynchronous}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6}}
tasks: {{sums: {{source: "jsonl:{rows}"}}}}
training: {{steps: 1, batch_size: 2}}
evaluation: {{samples: 2}}
devices: [{{count: 3, profile: flagship_phone, mobility: static}}]
"""


@pytest.mark.parametrize("call", [3, 6])
def test_what_is_due_in_the_same_instant_does_not_happen_after_ctrl_c(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Devices of one speed, whose rows are equally long, are scored in one instant: none of the
    others goes on, into a checkpoint of what never was."""
    rows, path = tmp_path / "rows.jsonl", tmp_path / "s.yaml"
    lines = [json.dumps({"prompt": f"{n} + 1 =", "answer": f"{n + 1}"}) for n in range(10, 60)]
    rows.write_text("\n".join(lines), encoding="utf-8")
    path.write_text(IN_ONE_INSTANT.format(model=tiny_llama, rows=rows), encoding="utf-8")
    whole = play(load(path), out=tmp_path / "whole")
    ends_s = read_run(whole.directory).rounds.groupby("round")["end_s"].nunique()
    assert ends_s.tolist() == [1, 1]
    with monkeypatch.context() as patch:
        raising(patch, "evaluate", call, KeyboardInterrupt())
        with pytest.raises(Interrupted):
            play(load(path), out=tmp_path / "run", spacing=0)
    resume(tmp_path / "run")
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
