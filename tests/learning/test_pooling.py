"""A fine-tuning that was cut off leaves no trace where data lies in one place either."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import ModelLearner
from cosim.learning.learner_state import put_back, take
from cosim.methods import METHODS
from tests.learning.small_learners import small_learner, small_pools, tuning

POOLED = ["hard_moe", "centralised"]


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    def build(name: str, devices: Sequence[str] = ("sums", "times")) -> ModelLearner:
        return small_learner(tiny_llama, pools, METHODS[name], devices)

    return build


def cut_off(learner: ModelLearner, when: str, cut: int = 1, other: int = 0) -> None:
    """Both begin round 1, and one of them is cut off before or after the other has ended."""
    jobs = {device: tuning(learner, device, 1) for device in (other, cut)}
    if when == "before":
        jobs[cut].discard()
    if when != "alone":
        jobs[other].result()
    if when in ("after", "alone"):
        jobs[cut].discard()


def trained(learner: ModelLearner, device: int, round_: int) -> tuple[float, Tensor, int]:
    """The loss, B and number of steps of a device's fine-tuning."""
    loss = tuning(learner, device, round_).result().loss
    assert loss is not None
    adapter = learner.fleet.adapters[device]
    steps = adapter.moments["B"].steps
    assert isinstance(steps, int)
    return loss, adapter.values, steps


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hard_moe", "local"])
def test_whoever_is_cut_off_goes_on_from_where_it_was_in_either_order(
    make: Callable[..., ModelLearner], name: str
) -> None:
    untouched = make(name)
    wanted = trained(untouched, 1, 2)
    for when in ("before", "after", "alone"):
        learner = make(name)
        cut_off(learner, when)
        loss, values, steps = trained(learner, 1, 2)
        assert steps == wanted[2], when
        # Who else trains in a pass decides how it is cut, and so how sums are rounded.
        assert loss == pytest.approx(wanted[0], rel=1e-5), when
        torch.testing.assert_close(values, wanted[1], rtol=0, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [("sums", "times"), ("sums", "sums")])
@pytest.mark.parametrize("name", POOLED)
def test_the_order_of_a_cut_and_an_end_changes_nothing_for_anybody(
    make: Callable[..., ModelLearner], name: str, devices: Sequence[str]
) -> None:
    found = []
    for when in ("before", "after"):
        learner = make(name, devices)
        cut_off(learner, when)
        jobs = [tuning(learner, device, 2) for device in range(2)]
        losses = [job.result().loss for job in jobs]
        found.append(
            (
                losses,
                [one.digest for one in learner.fleet.adapters],
                learner.evaluate([0]).measurements,
            )
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("name", POOLED)
def test_a_round_of_which_nobody_saw_the_end_was_not_trained(
    make: Callable[..., ModelLearner], name: str
) -> None:
    learner, untouched = make(name), make(name)
    for job in [tuning(learner, device, 1) for device in range(2)]:
        job.discard()
    assert learner.evaluate(range(2)).measurements == untouched.evaluate(range(2)).measurements
    again, first = trained(learner, 0, 1), trained(untouched, 0, 1)
    assert again[0] == first[0]
    assert torch.equal(again[1], first[1])


@pytest.mark.parametrize("name", POOLED)
def test_a_later_round_of_a_peer_is_not_made_older_by_an_earlier_one(
    make: Callable[..., ModelLearner], name: str
) -> None:
    """On clocks of their own: the slower device is given what the pool has become."""
    learner = make(name, ("sums", "sums"))
    slow = tuning(learner, 1, 1)
    for round_ in (1, 2):
        tuning(learner, 0, round_).result()
    newest = learner.fleet.shared["sums"]
    assert newest.round == 2
    slow.result()
    assert learner.fleet.shared["sums"].round == 2
    assert torch.equal(learner.fleet.adapters[1].values, newest.values)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["result", "discard"])
@pytest.mark.parametrize("name", POOLED)
def test_a_checkpoint_between_an_end_and_a_cut_holds_what_is_needed(
    make: Callable[..., ModelLearner], name: str, end: str
) -> None:
    whole, resumed = make(name), make(name)
    jobs = {device: tuning(whole, device, 1) for device in range(2)}
    jobs[0].result()
    taken, tensors = take(whole, {7: jobs[1]}, {})
    back, _ = put_back(resumed, json.loads(json.dumps(taken)), tensors)
    getattr(jobs[1], end)()
    getattr(back[7], end)()
    for device in (1, 0):
        loss, values, steps = trained(whole, device, 2)
        again = trained(resumed, device, 2)
        assert (loss, steps) == (again[0], again[2])
        assert torch.equal(values, again[1])
