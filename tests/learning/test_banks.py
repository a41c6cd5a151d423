"""Banks of experts: what comes in, what replaces what, what it costs, and who is asked."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cosim.learning.data.pool import TaskPool
from cosim.learning.diagnostics.overlap import overlaps
from cosim.learning.learner import ModelLearner
from cosim.methods import METHODS
from cosim.methods.aggregation.support_normalised import SupportNormalised
from cosim.methods.message import SEED_BITS, mask_bits
from tests.learning.small_learners import mixed, one_round, small_learner, small_pools, tuning


@pytest.fixture(scope="module")
def pools(tiny_llama: Path) -> dict[str, TaskPool]:
    return small_pools(tiny_llama)


@pytest.fixture
def make(tiny_llama: Path, pools: dict[str, TaskPool]) -> Callable[..., ModelLearner]:
    def build(
        name: str, devices: Sequence[str] = ("sums", "times", "sums", "times"), **changes: Any
    ) -> ModelLearner:
        adapter = {key: changes.pop(key) for key in ("bits_per_value",) if key in changes}
        return small_learner(tiny_llama, pools, METHODS[name].with_(**changes), devices, **adapter)

    return build


def clusters(src: int, dst: int) -> bool:
    """0 and 1 are one cluster, 2 and 3 the other."""
    return src // 2 == dst // 2


def test_a_bank_travels_whole_and_is_charged_by_what_is_new(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make("proposed")
    one_round(learner, 1, clusters)
    fleet = learner.fleet
    assert [sorted(bank) for bank in fleet.banks] == [[0, 1], [0, 1], [2, 3], [2, 3]]
    values = {d: fleet.adapters[d].values.numel() for d in range(4)}
    intro = {
        d: SEED_BITS
        + sum(mask_bits(m.parameters, m.active) for m in learner.fleet.layers(d))
        + 16 * 2 * 32  # h at both blocks
        for d in range(4)
    }
    wanted = sum(16 * values[d] + intro[d] for d in (2, 3))
    assert learner.post.bank_bits(learner.post.bank(2), 0) == wanted
    assert learner.post.bank_bits(learner.post.bank(2), 3) == 0, "the own cluster has them"
    learner.hear(0, learner.post.bank(2))
    assert sorted(fleet.banks[0]) == [0, 1, 2, 3]
    # The head spreads what it heard inside its cluster.
    assert learner.post.bank_bits(learner.post.bank(0), 1) == wanted
    learner.hear(1, learner.post.bank(0))
    assert (
        learner.post.bank_bits(learner.post.bank(0), 1)
        == learner.post.bank_bits(learner.post.bank(2), 0)
        == 0
    )
    # Later only values cross over, and a direct update needs no introduction either.
    updates = one_round(learner, 2, clusters)
    assert learner.post.bank_bits(learner.post.bank(2), 0) == sum(16 * values[d] for d in (2, 3))
    assert learner.post.payload_bits(updates[3], 1) == 16 * values[3]
    assert learner.post.bank_bits(learner.post.bank(3), 1) == learner.post.bank_bits(
        learner.post.bank(2), 0
    )


def test_an_older_round_replaces_nothing(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed")
    one_round(learner, 1)
    old = learner.post.bank(2)
    one_round(learner, 2)
    held = dict(learner.fleet.banks[0])
    learner.hear(0, old)
    assert learner.fleet.banks[0] == held
    assert all(expert.round == 2 for expert in held.values())


def test_an_older_expert_read_out_of_a_late_mixture_replaces_no_newer_one(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make("proposed_single_cluster")
    first = one_round(learner, 1)
    one_round(learner, 2)
    newer = learner.fleet.banks[0][1]
    mixed(learner, 0, {1: first[1]}, {1: 1})
    assert learner.fleet.banks[0][1] is newer
    assert learner.fleet.banks[0][0].round == 2


@pytest.mark.parametrize(("round_", "replaces"), [(1, False), (2, True), (3, True)])
def test_a_bank_holds_the_newest_of_an_owner(
    make: Callable[..., ModelLearner], round_: int, replaces: bool
) -> None:
    state = make("proposed").fleet.states[0]
    held, other = (replace(state.adapter, round=number) for number in (2, round_))
    first = state.hold({1: held})
    second = first.hold({1: other, 2: held})
    assert (second.bank[1] is other) == replaces
    assert (first.bank[1], second.bank[2], state.bank) == (held, held, {})


def test_equal_banks_of_two_clusters_are_scored_once(
    make: Callable[..., ModelLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = make("proposed")
    one_round(learner, 1, clusters)
    for device in range(4):
        learner.hear(device, learner.post.bank(3 if device < 2 else 0))
    asked: list[Any] = []
    score = learner.scoring.evaluator.marks_of

    def marks_of(every: Any) -> Any:
        asked.extend(every)
        return score(every)

    monkeypatch.setattr(learner.scoring.evaluator, "marks_of", marks_of)
    found = learner.evaluate(range(4)).measurements
    assert len(asked) == 2, "once a task, though the banks came by different ways"
    assert len({(m.task, m.score.metric, m.score.value) for m in found}) * 4 == len(found)


def test_stacked_experts_are_kept_as_they_arrive(make: Callable[..., ModelLearner]) -> None:
    learner = make("lori")
    updates = one_round(learner, 1, lambda src, dst: dst == 0)
    for update in updates[1:]:
        assert torch.equal(learner.fleet.banks[0][update.device].values, update.values)
    assert sorted(learner.fleet.banks[1]) == [1]
    before = [adapter.values.clone() for adapter in learner.fleet.adapters]
    mixed(learner, 1, {0: updates[0]}, {0: 3})
    assert torch.equal(learner.fleet.adapters[1].values, before[1])
    one_round(learner, 2, lambda src, dst: dst == 0)
    kept = learner.fleet.banks[0][1]
    mixed(learner, 0, {1: updates[1]}, {1: 1})
    assert learner.fleet.banks[0][1] is kept, "an update of the round before comes late"


def test_a_global_threshold_leaves_modules_of_different_density(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make("lori")
    tuning(learner, 0, 1).result()
    layers = learner.fleet.layers(0)
    total = sum(layer.parameters for layer in layers)
    assert sum(layer.active for layer in layers) == round(0.1 * total)
    assert np.std([layer.density for layer in layers]) > 0.01


def test_read_back_whole_every_projection_meets_the_average(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make(
        "proposed",
        composition="oracle",
        aggregation=SupportNormalised(readback="whole"),
        bits_per_value=32,
    )
    updates = one_round(learner)
    total = torch.zeros(learner.layout.expansion_size)
    count = torch.zeros_like(total)
    for update in updates:
        total[update.support] += update.values
        count[update.support] += 1
    average = total / count.clamp(min=1)
    for device, bank in enumerate(learner.fleet.banks):
        own = learner.fleet.adapters[device]
        torch.testing.assert_close(own.values, average[own.support])
        for owner, expert in bank.items():
            assert expert.support is None
            torch.testing.assert_close(expert.values, average)
            assert expert.projection is learner.fleet.adapters[owner].projection


def test_printed_weights_shrink_the_average(make: Callable[..., ModelLearner]) -> None:
    for name in ("lora", "proposed"):
        learner = make(name, weights="as_printed", bits_per_value=32)
        updates = one_round(learner)
        rows = torch.tensor([update.rows for update in updates])
        total = torch.zeros(learner.layout.expansion_size)
        for update, weight in zip(updates, rows / rows.sum() / len(updates), strict=True):
            if update.support is None:
                total += weight * update.values
            else:
                total[update.support] += weight * update.values
        own = learner.fleet.adapters[0]
        wanted = total if own.support is None else total[own.support]
        torch.testing.assert_close(own.values, wanted)


def test_the_gate_reports_its_routing(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed")
    assert all(m.score.metric != "routing" for m in learner.evaluate(range(4)).measurements)
    one_round(learner)
    scores = {
        m.task: m.score for m in learner.evaluate([0]).measurements if m.score.metric == "routing"
    }
    for task, score in scores.items():
        expert = learner.fleet.expert(0, task)
        assert expert is not None
        weights = learner.scoring.weights(expert, task)
        assert weights.shape == (len(learner.pools[task].test), 4)
        right = [learner.tasks[owner] == task for owner in weights.argmax(1).tolist()]
        assert score.value == np.mean(right)
        assert not score.headline
    assert set(scores) == {"sums", "times"}


@pytest.mark.parametrize("name", ["centralised", "hard_moe"])
def test_data_in_one_place_trains_one_adapter_on_everybodys_rows(
    make: Callable[..., ModelLearner], name: str
) -> None:
    learner = make(name)
    jobs = [tuning(learner, device, 1) for device in range(4)]
    losses = [job.result().loss for job in jobs]
    adapters = learner.fleet.adapters
    for device in range(4):
        same = 0 if name == "centralised" else device % 2  # whose data lies with the device's
        assert torch.equal(adapters[device].values, adapters[same].values)
    assert len(set(losses)) == (1 if name == "centralised" else 2)
    answers = {
        (m.device, m.task, m.score.metric): m.score.value
        for m in learner.evaluate(range(4)).measurements
    }
    for (_, task, metric), value in answers.items():
        assert value == answers[0, task, metric], "everybody answers alike"
    alone = make(name)
    tuning(alone, 2, 1).result()
    assert torch.equal(alone.fleet.adapters[2].values, adapters[2].values)


def test_a_pooled_step_is_the_mean_of_the_devices_gradients(
    make: Callable[..., ModelLearner],
) -> None:
    learner = make("centralised")
    lessons = [tuning(learner, device, 1).lesson for device in range(4)]
    start = lessons[0].adapter
    trainer: Any = learner.trainer

    def gradient(*parts: Any) -> tuple[Any, ...]:
        copies = trainer._copies([start])
        loss = trainer._gradients(copies, [list(parts)])
        return copies.projection.read_gradient(0), copies.expansion.read_gradient(0), float(loss)

    batches = [lesson.batches[0] for lesson in lessons]
    *union, loss = gradient(*batches)
    each = [gradient(batch) for batch in batches]
    assert loss == pytest.approx(np.mean([one[2] for one in each]), rel=1e-5)
    for number in range(2):
        mean = torch.stack([one[number] for one in each]).mean(0)
        torch.testing.assert_close(union[number], mean, rtol=1e-4, atol=1e-7)


def test_overlaps_of_projections_and_updates(make: Callable[..., ModelLearner]) -> None:
    learner = make("proposed", bits_per_value=32)
    one_round(learner, arrives=lambda src, dst: False)
    projections, updates = overlaps(learner.layout, learner.fleet.adapters)
    first, second = np.triu_indices(4, 1)
    features = np.array([module.in_features for module in learner.layout.modules])
    # Each pair of devices is about 1/√k alike, and a device is itself.
    means = projections[:, first, second].mean(1).numpy() * features**0.5
    assert (means > 0.3).all()
    assert (means < 3).all()
    found = updates[:, first, second].mean(1)
    assert (found >= 0).all()
    assert (found < 0.7).all()
    torch.testing.assert_close(updates.diagonal(dim1=1, dim2=2), torch.ones_like(updates[..., 0]))
