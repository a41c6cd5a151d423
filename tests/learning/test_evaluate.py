"""Scores against full logits of the plain model, and exact match against real generation."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.base.adapted_model import AdaptedModel
from cosim.learning.base.base_model import load
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import Question
from cosim.learning.evaluation.evaluator import Evaluator
from cosim.learning.evaluation.request import ScoringRequest, groups_of
from cosim.learning.records import Score
from cosim.methods.adapter import Adapter
from cosim.methods.expert import Expert
from cosim.methods.layout import Layout

SCALE = 1.5
RANK = 3
EOS = 1


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def plain(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32").model


@pytest.fixture
def evaluator(plain: Any) -> Evaluator:
    return evaluator_of(plain)


def evaluator_of(plain: Any, rows: int = 7) -> Evaluator:
    adapted = AdaptedModel(copy.deepcopy(plain))
    return Evaluator(adapted, Layout(adapted.modules, RANK), torch.float32, SCALE, rows)


def adapter(layout: Layout, seed: int, *, masked: bool = False) -> Adapter:
    random = torch.Generator().manual_seed(seed)
    projection = torch.randn(layout.projection_size, generator=random) / 32**0.5
    values = torch.randn(layout.expansion_size, generator=random) * 0.1
    if not masked:
        return Adapter(values, None, projection)
    support = (torch.rand(values.shape, generator=random) < 0.3).nonzero().flatten()
    return Adapter(values[support], support, projection)


def merged(plain: Any, layout: Layout, members: Sequence[Adapter]) -> Any:
    """The plain model with the mean of the members' updates added to its weights."""
    model = copy.deepcopy(plain)
    for one in members:
        pairs = layout.pairs(one.projection, one.expansion(layout))
        for module, (A, B) in zip(layout.modules, pairs, strict=True):
            model.get_submodule(module.name).weight += SCALE / len(members) * B[0] @ A[0]
    return model


def naive(model: Any, row: Encoded) -> float:
    """Σ log P(answer token | everything before it) from the full logits of one row."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([row.prompt + row.answer])).logits[0].double()
    likelihood = torch.log_softmax(logits, -1)
    first = len(row.prompt)
    return sum(
        float(likelihood[first + number - 1, token]) for number, token in enumerate(row.answer)
    )


def likelihoods_of(evaluator: Evaluator, expert: Expert | None, rows: list[Encoded]) -> Any:
    asked = ScoringRequest(expert, [Question((row,), 0, (1,)) for row in rows])
    (answers,) = evaluator.answers([asked], ranks=True)
    return np.array([candidate.log_likelihood for (candidate,) in answers])


def random_row(random: np.random.Generator, prompt: tuple[int, ...] = ()) -> Encoded:
    prompt = prompt or (0, *random.integers(2, 400, random.integers(1, 20)).tolist())
    return Encoded(prompt, tuple(random.integers(2, 400, random.integers(1, 4)).tolist()))


def random_questions(count: int) -> list[Question]:
    random = np.random.default_rng(8)
    questions = []
    for _ in range(count):
        first = random_row(random)
        rows = (first, *(random_row(random, first.prompt) for _ in range(random.integers(1, 4))))
        lengths = tuple(random.integers(1, 12, len(rows)).tolist())
        questions.append(Question(rows, int(random.integers(len(rows))), lengths))
    return questions


def values(scores: Sequence[Score]) -> dict[str, float]:
    return {score.metric: score.value for score in scores}


@pytest.mark.slow
@pytest.mark.parametrize("members", [0, 1, 2])
def test_acc_and_acc_norm_are_those_of_full_logits(
    plain: Any, evaluator: Evaluator, members: int
) -> None:
    questions = random_questions(40)
    layout = evaluator.layout
    own = [adapter(layout, seed, masked=seed == 1) for seed in range(members)]
    expert = Expert(tuple(own)) if own else None
    model = merged(plain, layout, own)
    right, normalised = [], []
    for question in questions:
        likelihood = np.array([naive(model, row) for row in question.candidates])
        right.append(likelihood.argmax() == question.right)
        normalised.append((likelihood / question.lengths).argmax() == question.right)
        got = values(evaluator.scores(expert, [question]))
        assert got == {"acc": right[-1], "acc_norm": normalised[-1]}
    assert right != normalised
    assert 0 < sum(right) < len(right)
    assert evaluator.scores(expert, questions) == [
        Score("acc", float(np.mean(right)), 40, True),
        Score("acc_norm", float(np.mean(normalised)), 40, False),
    ]


def test_marks_name_the_choice_and_its_margin_over_the_others(
    plain: Any, evaluator: Evaluator
) -> None:
    free = Question((random_row(np.random.default_rng(5)),), 0, (1,))
    ranked = [question for question in random_questions(12) if not question.free]
    (marks,) = evaluator.marks_of([ScoringRequest(None, [free, *ranked])])
    exact = evaluator.scores(None, [free])[0].value
    assert marks[0] == (exact, None, None, None)
    for question, mark in zip(ranked, marks[1:], strict=True):
        likelihood = [naive(plain, row) for row in question.candidates]
        best_wrong = max(x for number, x in enumerate(likelihood) if number != question.right)
        assert mark.chosen == int(np.argmax(likelihood))
        assert mark.right == (mark.chosen == question.right)
        assert mark.margin == pytest.approx(likelihood[question.right] - best_wrong, abs=1e-4)


def test_a_question_is_named_by_its_tokens() -> None:
    one, other = random_questions(2)
    assert one.content == replace(one).content
    assert 0 <= one.content < 2**63
    variants = [one, other, replace(one, candidates=one.candidates[::-1])]
    variants.append(replace(one, right=one.right + 1))
    assert len({question.content for question in variants}) == 4


def test_an_expert_of_two_answers_with_the_mean_of_both_updates(
    plain: Any, evaluator: Evaluator
) -> None:
    random = np.random.default_rng(3)
    rows = [random_row(random) for _ in range(10)]
    one, other = adapter(evaluator.layout, 1), adapter(evaluator.layout, 2, masked=True)
    likelihoods: dict[int, Any] = {}
    for members in [(), (one,), (other,), (one, other), (one, one)]:
        got = likelihoods_of(evaluator, Expert(members) if members else None, rows)
        model = merged(plain, evaluator.layout, members)
        np.testing.assert_allclose(got, [naive(model, row) for row in rows], atol=1e-3)
        likelihoods[len(likelihoods)] = got
    base, first, second, both, twice = likelihoods.values()
    np.testing.assert_allclose(twice, first, atol=1e-3)
    for different in (base, second, both):
        assert np.abs(different - first).max() > 0.1
    silent = Expert((Adapter(torch.zeros(evaluator.layout.expansion_size), None, one.projection),))
    assert silent.silent
    assert not Expert((one, other)).silent
    zero = likelihoods_of(evaluator, silent, rows)
    np.testing.assert_allclose(zero, base, atol=1e-5)


def test_exact_match_is_greedy_generation(plain: Any) -> None:
    talkative = copy.deepcopy(plain)
    if talkative.config.tie_word_embeddings:
        talkative.lm_head.weight = torch.nn.Parameter(
            talkative.lm_head.weight.clone(), requires_grad=False
        )
    talkative.lm_head.weight[EOS] *= 2.5  # so that generation ends by itself now and then
    evaluator = evaluator_of(talkative)
    own = adapter(evaluator.layout, 5)
    model = merged(talkative, evaluator.layout, [own])
    random = np.random.default_rng(6)
    questions, wanted = [], []
    for number in range(60):
        prompt = random_row(random).prompt
        ids = torch.tensor([prompt])
        told = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=5,
            do_sample=False,
            eos_token_id=EOS,
            pad_token_id=EOS,
        )
        generated = tuple(told[0, len(prompt) :].tolist())
        answer = list(generated)
        if number % 3 == 1:
            answer[random.integers(len(answer))] = int(random.integers(2, 400))
        if number % 3 == 2:  # stops one token early
            answer = [*answer[:-1], EOS]
        questions.append(Question((Encoded(prompt, tuple(answer)),), 0, (1,)))
        wanted.append(tuple(answer) == generated)
    got = [values(evaluator.scores(Expert((own,)), [question])) for question in questions]
    assert got == [{"exact_match": float(exact)} for exact in wanted]
    ended = [question.candidates[0].answer[-1] == EOS for question in questions]
    assert sum(exact and end for exact, end in zip(wanted, ended, strict=True)) > 5
    assert 20 < sum(wanted) < 50
    assert evaluator.scores(Expert((own,)), questions) == [
        Score("exact_match", float(np.mean(wanted)), 60, True)
    ]


def test_where_nothing_is_ranked_the_matches_are_the_same(evaluator: Evaluator) -> None:
    rows = [(Encoded((0, 5, 9), (7, 8)),), (Encoded((0, 41), (9,)),), (Encoded((0, 5), (5,)),)]
    with torch.no_grad():
        best = evaluator.model.logits(evaluator.model.hidden(torch.tensor([[0, 41]])))[0, -1]
        rows.append((Encoded((0, 41), (int(best.argmax()),)),))
    asked = ScoringRequest(None, [Question(row, 0, (1,)) for row in rows])
    (ranked,), (matched,) = (evaluator.answers([asked], ranks=ranks) for ranks in (True, False))
    assert [one.exact for (one,) in matched] == [one.exact for (one,) in ranked]
    assert [one.exact for (one,) in matched][1:] != [False] * 3
    assert all(np.isnan(one.log_likelihood) for (one,) in matched)


def test_the_rows_of_one_pass_change_no_score(plain: Any) -> None:
    rows = [row for question in random_questions(12) for row in question.candidates]
    found = [likelihoods_of(evaluator_of(plain, size), None, rows) for size in (1, 5, 64)]
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, atol=1e-4)


def test_free_answers_are_the_headline_of_a_mixed_task(evaluator: Evaluator) -> None:
    free = Question((Encoded((0, 5), (9, EOS)),), 0, (1,))
    scores = evaluator.scores(None, [free, *random_questions(3), free])
    assert [(s.metric, s.n, s.headline) for s in scores] == [
        ("exact_match", 2, True),
        ("acc", 3, False),
        ("acc_norm", 3, False),
    ]


@pytest.mark.slow
def test_requests_are_answered_together_as_each_alone(evaluator: Evaluator) -> None:
    layout, questions = evaluator.layout, random_questions(90)
    own = [adapter(layout, seed, masked=seed == 1) for seed in range(4)]
    tasks = [questions[:20], questions[20:55], questions[55:60], questions]
    experts = [None, *(Expert((one,)) for one in own), Expert(tuple(own[:2]))]
    requests = [ScoringRequest(expert, task) for task in tasks for expert in experts]
    groups = groups_of(requests)
    assert sorted(number for group in groups for number in group) == list(range(len(requests)))
    assert any(len(group) > 1 for group in groups)
    together = evaluator.answers(requests)
    for request, answers in zip(requests, together, strict=True):
        (alone,) = evaluator.answers([request])
        np.testing.assert_allclose(
            [candidate.log_likelihood for question in answers for candidate in question],
            [candidate.log_likelihood for question in alone for candidate in question],
            atol=2e-4,
        )


@pytest.mark.slow
def test_answers_do_not_depend_on_the_number_of_threads(evaluator: Evaluator) -> None:
    own = [adapter(evaluator.layout, seed) for seed in range(3)]
    questions = random_questions(40)
    requests = [ScoringRequest(Expert((one,)), questions[:30]) for one in own]
    requests += [ScoringRequest(None, questions), ScoringRequest(Expert(tuple(own)), questions)]
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found.append(evaluator.answers(requests))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]
