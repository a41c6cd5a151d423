"""A word that nobody plays ends a learner's question with an error that names the part."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.errors import UnplayedPartError
from cosim.learning.data.pool import TaskPool
from cosim.learning.learner import Learner
from cosim.methods import METHODS
from tests.learning.small_learners import one_round, small_learner, small_pools

NEW = "trimmed_mean"


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def learner(tiny_llama: Path, pools: dict[str, TaskPool]) -> Learner:
    return small_learner(tiny_llama, pools, METHODS["proposed"])


def other(learner: Learner, **parts: Any) -> None:
    """The same learner with a recipe that no validation has seen."""
    recipe = learner.recipe.model_copy(update=parts)
    learner.recipe = learner.fleet.recipe = learner.exchange.recipe = recipe


def named(part: str) -> AbstractContextManager[object]:
    return pytest.raises(UnplayedPartError, match=f"{part} 'trimmed_mean'")


@pytest.mark.parametrize("part", ["projection", "expansion", "composition", "data"])
def test_no_learner_is_made_of_it(tiny_llama: Path, pools: dict[str, TaskPool], part: str) -> None:
    recipe = METHODS["proposed"].model_copy(update={part: NEW})
    with named(part):
        small_learner(tiny_llama, pools, recipe)


def test_an_aggregation_mixes_nothing(learner: Learner) -> None:
    updates = one_round(learner, arrives=lambda src, dst: False)
    other(learner, aggregation=NEW)
    with named("aggregation"):
        learner.aggregate(0, {1: updates[1]}, {1: 0})
    with named("aggregation"):
        learner.exchange._combined(updates)


def test_a_composition_answers_nothing(learner: Learner) -> None:
    one_round(learner)
    other(learner, composition=NEW)
    with named("composition"):
        learner.evaluate([0])
    with named("composition"):
        learner.submit(0, 2).result()


def test_data_in_no_known_place_trains_nothing(learner: Learner) -> None:
    job = learner.submit(0, 1)
    other(learner, data=NEW)
    with named("data"):
        job.result()


def test_a_mask_is_not_chosen_by_another_rule(learner: Learner) -> None:
    job = learner.submit(0, 1)
    object.__setattr__(learner.trainer.settings, "mask", NEW)
    with named("mask"):
        job.result()


@pytest.mark.parametrize("mask", ["gradient", "printed"])
def test_an_optimiser_takes_no_other_ones_steps(learner: Learner, mask: str) -> None:
    job = learner.submit(0, 1)
    object.__setattr__(learner.trainer.settings, "mask", mask)
    object.__setattr__(learner.trainer.settings, "optimizer", "lion")
    with pytest.raises(Exception, match=r"training\.optimizer: .*'lion'"):
        job.result()


def test_lori_adds_up_what_its_weights_say(tiny_llama: Path, pools: dict[str, TaskPool]) -> None:
    learner = small_learner(tiny_llama, pools, METHODS["lori"])
    one_round(learner)
    expert = learner.fleet.expert(0, "sums")
    assert (len(expert.members), expert.share) == (3, pytest.approx(0.4))
    evaluator = learner.scoring.evaluator
    pairs = evaluator._pairs(expert)
    wanted = sum(
        B[0] @ A[0] * 0.4
        for member in expert.members
        for A, B in learner.layout.pairs(member.projection, member.expansion(learner.layout))[:1]
    )
    A, B = pairs[0]
    torch.testing.assert_close(B[0] @ A[0], wanted, rtol=1e-4, atol=1e-7)


def test_a_scenario_may_weigh_them_otherwise(tiny_llama: Path, pools: dict[str, TaskPool]) -> None:
    from cosim.scenario.method import recipe_of

    recipe = METHODS["lori"].model_validate(recipe_of({"name": "lori", "merge": {"weight": 0.5}}))
    learner = small_learner(tiny_llama, pools, recipe)
    one_round(learner)
    assert learner.fleet.expert(0, "times").share == 0.5
    # Experts of the question's own task are averaged, whatever the merge.
    other(learner, composition="oracle")
    assert learner.fleet.expert(0, "sums").share is None
