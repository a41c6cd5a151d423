"""Experts that answer together weigh what the scenario says; an unknown optimiser takes no step."""

from pathlib import Path

import pytest
import torch

from cosim.learning.data.pool import TaskPool
from cosim.learning.evaluation.side_by_side import expert_pairs
from cosim.methods import METHODS
from cosim.methods.expansion.entropy_mask import EntropyMask
from cosim.methods.method import Method
from cosim.scenario.method import method_of
from tests.learning.small_learners import one_round, small_learner, small_pools, tuning


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.mark.parametrize("ranked_by", ["gradient", "first_step"])
def test_an_optimiser_takes_no_other_ones_steps(
    tiny_llama: Path, pools: dict[str, TaskPool], ranked_by: str
) -> None:
    method = METHODS["proposed"].with_(expansion=EntropyMask(ranked_by=ranked_by))
    learner = small_learner(tiny_llama, pools, method)
    job = tuning(learner, 0, 1)
    object.__setattr__(learner.trainer.settings, "optimizer", "lion")
    with pytest.raises(Exception, match=r"training\.optimizer: .*'lion'"):
        job.result()


def test_lori_adds_up_what_its_weights_say(tiny_llama: Path, pools: dict[str, TaskPool]) -> None:
    learner = small_learner(tiny_llama, pools, METHODS["lori"])
    one_round(learner)
    expert = learner.fleet.expert(0, "sums")
    assert expert is not None
    assert len(expert.members) == 3
    assert expert.share == pytest.approx(0.4)
    pairs = expert_pairs(expert, learner.layout, torch.device("cpu"), torch.float32)
    wanted = sum(
        B[0] @ A[0] * 0.4
        for member in expert.members
        for A, B in learner.layout.pairs(member.projection, member.expansion(learner.layout))[:1]
    )
    A, B = pairs[0]
    torch.testing.assert_close(B[0] @ A[0], wanted, rtol=1e-4, atol=1e-7)


def test_a_scenario_may_weigh_them_otherwise(tiny_llama: Path, pools: dict[str, TaskPool]) -> None:
    said = {"name": "lori", "composition": {"name": "uniform", "weight": 0.5}}
    learner = small_learner(tiny_llama, pools, Method.model_validate(method_of(said)))
    one_round(learner)
    weighed = learner.fleet.expert(0, "times")
    assert weighed is not None
    assert weighed.share == 0.5
    # Experts of the question's own task are averaged, whatever the merge.
    learner.fleet.method = learner.method.with_(composition="oracle")
    averaged = learner.fleet.expert(0, "sums")
    assert averaged is not None
    assert averaged.share is None
