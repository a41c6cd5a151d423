"""Full fine-tuning against plain torch, and the base model as it was afterwards."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import Optimizer

from cosim.errors import CosimError
from cosim.learning.base.base_model import load
from cosim.learning.data.pool import TaskPool
from cosim.learning.forecast import forecast
from cosim.learning.training.full import layout_of
from cosim.methods import METHODS
from cosim.scenario.model import Scenario
from tests.learning.small_learners import mixed, one_round, small_learner, small_pools, tuning

RECIPE = METHODS["full_finetune"]


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2"])
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def pools(folder: Path) -> dict[str, TaskPool]:
    return small_pools(folder)


def plain_step(model: Any, optimiser: Optimizer, batch: Any) -> float:
    """One step of plain transformers, row by row: the mean over all answer tokens."""
    optimiser.zero_grad()
    tokens = sum(len(row.answer) for row in batch)
    total = 0.0
    for row in batch:
        ids = torch.tensor([row.prompt + row.answer])
        labels = ids.clone()
        labels[0, : len(row.prompt)] = -100
        loss = model(input_ids=ids, labels=labels).loss * len(row.answer) / tokens
        loss.backward()
        total += loss.item()
    optimiser.step()
    return total


def test_two_rounds_train_as_plain_torch_does(folder: Path, pools: dict[str, TaskPool]) -> None:
    learner = small_learner(folder, pools, RECIPE, devices=["sums"], bits_per_value=32)
    model = load(f"path:{folder}", "float32").model.requires_grad_()
    start = torch.cat([value.detach().flatten().clone() for value in model.parameters()])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for number in (1, 2):
        batches = learner.batches(0, number)
        losses = [plain_step(model, optimiser, batch) for batch in batches]
        loss = tuning(learner, 0, number).result().loss
        assert loss == pytest.approx(sum(losses) / len(losses), rel=1e-4)
        mixed(learner, 0, {}, {})
    wanted = torch.cat([value.detach().flatten() for value in model.parameters()]) - start
    moved = learner.fleet.adapters[0].values
    assert torch.linalg.vector_norm(moved - wanted) < 1e-2 * torch.linalg.vector_norm(wanted)


def test_the_base_model_comes_back_and_every_parameter_is_sent(
    folder: Path, pools: dict[str, TaskPool]
) -> None:
    learner = small_learner(folder, pools, RECIPE)
    before = copy.deepcopy(learner.base.model.state_dict())
    (update, *_) = one_round(learner)
    scores = {(m.device, m.task): m.score.value for m in learner.evaluate(range(3)).measurements}
    assert len(scores) == 6
    after = learner.base.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(value.requires_grad for value in learner.base.model.parameters())
    parameters = sum(value.numel() for value in learner.base.model.parameters())
    assert update.values.numel() == parameters
    assert learner.post.payload_bits(update, 1) == 16 * parameters
    assert tuning(learner, 0, 2).work.trained == parameters
    names = [layer.module for layer in learner.fleet.layers(0)]
    assert "model.embed_tokens.weight" in names
    plain = load(f"path:{folder}", "float32").model
    assert [m.name for m in layout_of(RECIPE, plain, "all-linear", 4).modules] == names


def test_devices_beyond_memory_are_refused_before_the_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = {
        "rounds": 1,
        "method": "full_finetune",
        "base_model": {"source": f"path:{folder}", "dtype": "float32"},
        "tasks": {"sums": {"dataset": "chain_sum", "samples": 60}},
        "devices": [{"count": 12}],
        "evaluation": {"samples": 8},
    }
    parameters = load(f"path:{folder}", "float32").parameters
    expected = forecast(Scenario.model_validate(scenario))
    assert expected.trained == parameters
    assert expected.first_bits == expected.later_bits == 16 * parameters
    monkeypatch.setattr("cosim.learning.costs.memory.available_bytes", lambda: 0.8 * 2**30)
    with pytest.raises(CosimError, match=r"12 devices need about \d\.\d GiB"):
        forecast(Scenario.model_validate(scenario))
