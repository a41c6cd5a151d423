"""Memory that did not suffice is remembered: in what is told of a run, and where it is resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.learning.data.packing import TOKENS_PER_PASS
from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import put_back, take
from cosim.learning.training.pass_room import PassRoom, least
from cosim.learning.training.trainer import GroupTrainer
from cosim.methods import METHODS
from tests.learning.small_learners import small_learner, small_pools, tuning


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    return lambda name="proposed": small_learner(tiny_llama, pools, METHODS[name])


def short_of_memory(monkeypatch: pytest.MonkeyPatch, tokens: int) -> None:
    """No pass holds more than so many tokens."""
    enough = GroupTrainer._of_all

    def of_all(self: GroupTrainer, copies: Any, lessons: Any) -> Any:
        if self.room.tokens > tokens:
            raise RuntimeError("not enough memory: you tried to allocate 1 byte")
        return enough(self, copies, lessons)

    monkeypatch.setattr(GroupTrainer, "_of_all", of_all)


def round_of(learner: ModelLearner, number: int) -> tuple[list[float], list[str]]:
    jobs = [tuning(learner, device, number) for device in range(len(learner.tasks))]
    losses = []
    for job in jobs:
        loss = job.result().loss
        assert loss is not None
        losses.append(loss)
    return losses, [adapter.digest for adapter in learner.fleet.adapters]


@pytest.mark.slow
def test_a_run_that_halved_and_was_resumed_goes_on_in_halves(
    make: Callable[..., ModelLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, resumed, roomy = make(), make(), make()
    with monkeypatch.context() as patch:
        short_of_memory(patch, 64)
        round_of(whole, 1)
    assert whole.trainer.room.tokens == 64
    taken, tensors = take(whole, {}, {})
    put_back(resumed, json.loads(json.dumps(taken)), tensors)
    assert resumed.trainer.room == whole.trainer.room
    assert resumed.warnings == whole.warnings
    assert round_of(resumed, 2) == round_of(whole, 2)
    # By rounding alone, and that is why it is remembered.
    round_of(roomy, 1)
    for ours, theirs in zip(whole.fleet.adapters, roomy.fleet.adapters, strict=True):
        assert torch.equal(ours.projection, theirs.projection)


def test_what_was_lessened_is_told_and_nothing_where_it_was_not(
    make: Callable[..., ModelLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make()
    round_of(learner, 1)
    assert learner.warnings == []
    short_of_memory(monkeypatch, TOKENS_PER_PASS // 4)
    round_of(learner, 2)
    (told,) = learner.warnings
    assert f"at most {TOKENS_PER_PASS // 4} tokens" in told
    # Two shares side by side are given up first, and then all is halved.
    assert learner.trainer.room == PassRoom(TOKENS_PER_PASS // 4, side_by_side=False)
    assert "no two shares" in told
    assert "tokens" not in PassRoom(side_by_side=False).warnings[0]
    assert "shares" not in PassRoom(64).warnings[0].split(":")[1]


def test_workers_share_the_least_room() -> None:
    rooms = [PassRoom(), PassRoom(512), PassRoom(4096, side_by_side=False)]
    assert least(rooms) == PassRoom(512, side_by_side=False)
    assert least([PassRoom()]) == PassRoom()


def test_all_parameters_are_never_taken_apart(make: Callable[..., ModelLearner]) -> None:
    assert make("full_finetune").trainer.room == PassRoom()
