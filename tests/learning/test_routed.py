"""One pass with experts weighed by row equals experts asked one after the other."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import Question
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ScoringRequest
from cosim.methods.adapter import Adapter
from cosim.methods.composition.gate import Gate
from cosim.methods.composition.ranks import Ranks, select_ranks
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout

SCALE, RANK, EXPERTS = 1.5, 3, 4


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    plain = load(f"path:{request.getfixturevalue(request.param)}", "float32").model
    adapted = AdaptedModel(copy.deepcopy(plain))
    return Evaluator(adapted, Layout(adapted.modules, RANK), torch.float32, SCALE, rows=4)


def experts(layout: Layout) -> tuple[Adapter, ...]:
    random = torch.Generator().manual_seed(3)
    out = []
    for number in range(EXPERTS):
        A = torch.randn(layout.projection_size, generator=random) / 32**0.5
        B = torch.randn(layout.expansion_size, generator=random) * 0.1
        support = (torch.rand(B.shape, generator=random) < 0.4).nonzero().flatten()
        out.append(Adapter(B, None, A) if number % 2 else Adapter(B[support], support, A))
    return tuple(out)


def rows(count: int) -> list[Encoded]:
    random = np.random.default_rng(4)
    return [
        Encoded(
            (0, *random.integers(2, 300, random.integers(1, 15)).tolist()),
            tuple(random.integers(2, 300, random.integers(1, 4)).tolist()),
        )
        for _ in range(count)
    ]


def likelihoods(evaluator: Evaluator, expert: Expert, them: list[Encoded], weights: Any) -> Any:
    asked = ScoringRequest(expert, [Question((row,), 0, (1,)) for row in them], weights)
    (answers,) = evaluator.answers([asked], ranks=True)
    return [candidate.log_likelihood for (candidate,) in answers]


def test_rows_weigh_their_own_experts(evaluator: Evaluator) -> None:
    members, them = experts(evaluator.layout), rows(10)
    weights = torch.rand(10, EXPERTS, generator=torch.Generator().manual_seed(1))
    weights[:, 2] = 0.0  # nobody asks it
    weights[:5, 0] = 0.0
    weights /= weights.sum(1, keepdim=True)
    found = likelihoods(
        evaluator, Expert(members, "gate", (0, 1, 2, 3), weigh=Gate().weigh), them, weights
    )
    for number, row in enumerate(them):
        # One expert with B scaled by its weight, several of them averaged: J·(1/J) is 1.
        alone = Expert(
            tuple(
                Adapter(one.values * float(weight) * EXPERTS, one.support, one.projection)
                for one, weight in zip(members, weights[number], strict=True)
            )
        )
        (wanted,) = likelihoods(evaluator, alone, [row], None)
        assert found[number] == pytest.approx(wanted, abs=2e-4)
    even = torch.full((10, EXPERTS), 1 / EXPERTS)
    gated = likelihoods(
        evaluator, Expert(members, "gate", (0, 1, 2, 3), weigh=Gate().weigh), them, even
    )
    np.testing.assert_allclose(
        gated, likelihoods(evaluator, Expert(members), them, None), atol=2e-4
    )
    assert np.abs(np.array(gated) - found).max() > 0.01


def test_an_expert_that_everybody_asks_answers_as_alone(evaluator: Evaluator) -> None:
    members = experts(evaluator.layout)
    them = [Encoded((*range(20, 40), *row.prompt), row.answer) for row in rows(10)]
    weights = torch.zeros(10, EXPERTS)
    weights[:, 2] = 1.0
    found = likelihoods(
        evaluator, Expert(members, "gate", (0, 1, 2, 3), weigh=Gate().weigh), them, weights
    )
    assert found == likelihoods(evaluator, Expert((members[2],)), them, None)
    apart = [likelihoods(evaluator, Expert((members[2],)), [row], None)[0] for row in them]
    assert found == pytest.approx(apart, abs=2e-4)


def test_candidates_of_one_question_share_their_weights(evaluator: Evaluator) -> None:
    members = experts(evaluator.layout)
    expert = Expert(members, "gate", (0, 1, 2, 3), weigh=Gate().weigh)
    first, second = rows(2)
    questions = [
        Question((first, Encoded(first.prompt, (9, 8))), 0, (1, 1)),
        Question(
            (second, Encoded(second.prompt, (7,)), Encoded(second.prompt, (5, 6))), 1, (1,) * 3
        ),
    ]
    weights = torch.eye(EXPERTS)[[0, 3]]
    together = evaluator.scores(expert, questions, weights)
    apart = [
        evaluator.scores(Expert((members[owner],)), [question])
        for owner, question in zip((0, 3), questions, strict=True)
    ]
    for number, score in enumerate(together):
        assert score.value == np.mean([scores[number].value for scores in apart])


def test_the_literal_route_keeps_the_largest_ranks_of_all(evaluator: Evaluator) -> None:
    layout, them = evaluator.layout, rows(6)
    members = experts(layout)
    found = likelihoods(
        evaluator, Expert(members, "ranks", share=1.0, select=Ranks().select), them, None
    )
    model = copy.deepcopy(evaluator.model)
    model._lean = None  # the hooks below sit in the transformers model
    pairs = [layout.pairs(one.projection, one.expansion(layout)) for one in members]
    for module, of_experts in zip(layout.modules, zip(*pairs, strict=True), strict=True):
        A = torch.cat([a for a, _ in of_experts])
        B = torch.cat([b for _, b in of_experts])
        layer = model.model.get_submodule(module.name)
        layer.register_forward_hook(_printed(A, B))
    plain = Evaluator(model, layout, torch.float32, SCALE, rows=4)
    asked = ScoringRequest(None, [Question((row,), 0, (1,)) for row in them])
    (answers,) = plain.answers([asked], ranks=True)
    wanted = [candidate.log_likelihood for (candidate,) in answers]
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    mean = likelihoods(evaluator, Expert(members), them, None)
    assert np.abs(np.array(found) - mean).max() > 0.01


def _printed(A: Tensor, B: Tensor) -> Any:
    """y + (α/r)·Σ_j B_j·z_j with z the r largest of all |A_j·x| (eq. 29)."""

    def hook(_: Any, inputs: tuple[Tensor, ...], y: Tensor) -> Tensor:
        z = select_ranks(torch.einsum("...k,jrk->...jr", inputs[0], A), RANK)
        return y + SCALE * torch.einsum("...jr,jdr->...d", z, B)

    return hook
