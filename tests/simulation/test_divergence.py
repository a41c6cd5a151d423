"""A loss that is no number ends a run with one sentence, or its update stays where it is."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.errors import DivergenceError
from cosim.learning.jobs import train_together
from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import KINDS
from cosim.learning.state_tree import unflatten
from cosim.learning.training.trainer import GroupTrainer
from cosim.lifecycle.checkpoints import newest
from cosim.lifecycle.journaled_learner import JournaledLearner
from cosim.lifecycle.play import play, resume
from cosim.methods.calibration import Calibration
from cosim.scenario.load import load
from cosim.trace.reader import Run, read_run
from cosim.verification.verify import verify

SCENARIO = """\
seed: 5
rounds: 2
method: {method}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6, density: 0.3}}
tasks:
  sums: {{dataset: chain_sum, samples: 20, parameters: {{max_terms: 2, max_digits: 1}}}}
  products: {{dataset: products, samples: 20, parameters: {{max_digits: 1}}}}
training: {{{training}, divergence: {divergence}}}
evaluation: {{every: 1, samples: 2}}
area: {{shape: disc, radius_m: 50}}
devices: [{{count: 4, profile: flagship_phone}}]
radio: {{bandwidth_hz: 3.0e+6, deadline_s: 1.0}}
"""
TRAINING = "steps: 2, batch_size: 2, learning_rate: 0.02"
Play = Callable[..., Run]


@pytest.fixture
def played(tiny_llama: Path, tmp_path: Path) -> Play:
    def make(method: str, divergence: str, training: str = TRAINING) -> Run:
        chosen = {"method": method, "divergence": divergence, "training": training}
        text = SCENARIO.format(model=tiny_llama, **chosen)
        (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
        return read_run(play(load(tmp_path / "s.yaml"), out=tmp_path / "run").directory)

    return make


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Device 1's first fine-tuning came to something that is no number."""
    accept = ModelLearner.accept

    def poison(self: ModelLearner, job: Any) -> Any:
        if job.outcome is None:
            self._settle()
        if (job.device, job.round) == (1, 1):
            job.outcome = replace(job.outcome, loss=float("nan"), fault="the loss of step 2 is nan")
        return accept(self, job)

    monkeypatch.setattr(ModelLearner, "accept", poison)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        "lora",
        "proposed",
        "proposed_literal",
        "lori",
        "hard_moe",
        "local",
        "{name: proposed_single_cluster, schedule: asynchronous}",
        "{name: lora, schedule: cluster}",
    ],
)
@pytest.mark.usefixtures("poisoned")
def test_a_quarantined_update_is_sent_to_nobody(played: Play, method: str) -> None:
    run = played(method, "quarantine")
    events = run.events[run.events["kind"] == "quarantine"]
    assert events[["device", "round", "cause"]].to_numpy().tolist() == [[1, 1, "divergence"]]
    sent = run.transfers[run.transfers["kind"] == "update"]
    assert not len(sent[(sent["src"] == 1) & (sent["round"] == 1)])
    if method not in ("hard_moe", "local"):
        assert len(sent[(sent["src"] == 1) & (sent["round"] == 2)]), "it is back a round later"
    rounds = run.rounds.set_index(["device", "round"])
    assert rounds["loss"].notna().drop((1, 1)).all()
    found = [finding for check in verify(run.directory) for finding in check.findings]
    assert not found


@pytest.mark.usefixtures("poisoned")
def test_otherwise_the_run_ends_with_device_round_and_reason(played: Play) -> None:
    with pytest.raises(
        DivergenceError, match=r"device 1 \(products\) diverged in round 1: the loss of step 2"
    ):
        played("lora", "stop")


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What device 1 reads before its first round comes to no finite number."""
    calibration = ModelLearner._calibration

    def spoil(self: ModelLearner, device: int) -> Calibration:
        found = calibration(self, device)
        fault = "the inputs of model.layers.0.self_attn.q_proj are not finite"
        return Calibration(fault=fault) if device == 1 else found

    monkeypatch.setattr(ModelLearner, "_calibration", spoil)


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize(
    ("method", "when"),
    [("proposed_single_cluster", "in round 1"), ("proposed", "before its first round")],
)
def test_a_device_that_cannot_be_calibrated_ends_the_run(
    played: Play, method: str, when: str
) -> None:
    with pytest.raises(
        DivergenceError,
        match=rf"device 1 \(products\) cannot be calibrated {when}: the inputs of model\.layers",
    ):
        played(method, "stop")


@pytest.mark.slow
@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("method", ["proposed_single_cluster", "proposed", "proposed_literal"])
def test_or_is_quarantined_in_every_round(played: Play, method: str) -> None:
    run = played(method, "quarantine")
    events = run.events[run.events["kind"] == "quarantine"]
    assert events[["device", "round"]].to_numpy().tolist() == [[1, 1], [1, 2]]
    sent = run.transfers[run.transfers["kind"] == "update"]
    assert set(sent["src"]) == {0, 2, 3}
    assert set(run.layers["device"]) == {0, 2, 3}
    assert not [finding for check in verify(run.directory) for finding in check.findings]


def test_one_adapter_of_a_task_keeps_what_it_was(
    played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data in one place: all devices of the task are told, and go on from before."""
    train = GroupTrainer.train
    calls: list[Any] = []

    def break_second(self: GroupTrainer, lessons: Any) -> Any:
        calls.append(lessons[0].adapter)
        (outcome,) = train(self, lessons)
        broken = len(calls) == 1
        return [replace(outcome, fault="the loss of step 1 is nan") if broken else outcome]

    monkeypatch.setattr(GroupTrainer, "train", break_second)
    run = played("hard_moe", "quarantine")
    events = run.events[run.events["kind"] == "quarantine"]
    assert events[["device", "round"]].to_numpy().tolist() == [[0, 1], [2, 1]]
    assert len(calls) == 4
    assert calls[2].unmasked == calls[0].unmasked
    assert calls[2].values.equal(calls[0].values), "the second round begins as the first did"


@pytest.mark.slow
def test_a_fault_that_was_found_before_a_kill_is_one_after_it(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settled with the others' jobs, stored, and told only when its own device wakes."""
    text = SCENARIO.format(
        model=tiny_llama,
        method="{name: lora, schedule: asynchronous}",
        divergence="quarantine",
        training=TRAINING,
    )
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    cut = tmp_path / "cut"
    answer, train, accept = JournaledLearner._answer, train_together, ModelLearner.accept

    def stored_before(self: JournaledLearner, *call: Any) -> Any:
        self.at_rest()
        return answer(self, *call)

    def poison(settled: Any, *how: Any) -> None:
        train(settled, *how)
        for job in settled:
            if (job.device, job.round) == (1, 1):
                job.outcome = replace(job.outcome, fault="the loss of step 2 is nan")

    def killed(self: ModelLearner, job: Any) -> Any:
        if (job.device, job.round) == (1, 1):
            shutil.copytree(tmp_path / "run", cut, ignore=shutil.ignore_patterns(".lock"))
        return accept(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(JournaledLearner, "_answer", stored_before)
        patch.setattr("cosim.learning.learner.train_together", poison)
        patch.setattr(ModelLearner, "accept", killed)
        play(load(tmp_path / "s.yaml"), out=tmp_path / "run", spacing=0)
    stored = newest(cut)
    assert stored is not None
    tensors = {**stored.tensors(), **{f"given {device}": torch.zeros(0) for device in range(4)}}
    jobs = unflatten(stored.index["learner"], tensors, KINDS)["jobs"].values()
    assert [job.outcome is None for job in jobs if job.device == 1] == [False]
    run = read_run(resume(cut).directory)
    events = run.events[run.events["kind"] == "quarantine"]
    assert events[["device", "round"]].to_numpy().tolist() == [[1, 1]]


def test_the_module_whose_gradient_is_none_is_named(
    played: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = GroupTrainer._gradients

    def broken(self: GroupTrainer, copies: Any, lessons: Any) -> Any:
        losses = gradients(self, copies, lessons)
        with torch.no_grad():
            copies.expansion.blocks[4].grad[2, 0, 0] = float("inf")
        losses[2] = float("nan")
        return losses

    # With all of them in one share, row 2 is device 1's.
    monkeypatch.setattr(
        "cosim.learning.training.trainer.shares", lambda tokens, _: [list(range(len(tokens)))]
    )
    monkeypatch.setattr(GroupTrainer, "_gradients", broken)
    with pytest.raises(
        DivergenceError,
        match=r"device 1 .* step 1 is nan, and so is the gradient of B in .*mlp\.gate_proj",
    ):
        played("local", "stop")


@pytest.mark.slow
def test_values_that_explode_are_noticed(played: Play) -> None:
    """Nothing is patched: η = 10 with weight decay 1 multiplies B by -9 a step."""
    training = "steps: 60, batch_size: 2, learning_rate: 10, optimizer: sgd, weight_decay: 1"
    with pytest.raises(DivergenceError, match=r"device 0 .* diverged in round 1: "):
        played("local", "stop", training)
