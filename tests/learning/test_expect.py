"""What `cosim check` foresees of the learning is near what the jobs then count."""

from pathlib import Path

import pytest

from cosim.errors import CosimError
from cosim.learning.forecast import forecast
from cosim.learning.prepare import prepare
from cosim.scenario.model import Scenario
from tests.learning.small_learners import tuning


@pytest.fixture
def chosen(tiny_llama: Path) -> Scenario:
    """Two tasks of different lengths, one device each."""
    return Scenario.model_validate(
        {
            "rounds": 1,
            "method": "lora",
            "base_model": {"source": f"path:{tiny_llama}", "dtype": "float32"},
            "adapter": {"rank": 4},
            "tasks": {
                "sums": {"dataset": "chain_sum", "samples": 60},
                "words": {"dataset": "word_sequence_reversal", "samples": 60},
            },
            "training": {"batch_size": 4, "steps": 30},
            "devices": [{"count": 2}],
            "evaluation": {"samples": 8},
        }
    )


def test_a_mean_rounds_work_is_near_a_real_ones(chosen: Scenario) -> None:
    expected = forecast(chosen)
    learner = prepare(chosen)
    for device, work in enumerate(expected.work):
        job = tuning(learner, device, 1)
        assert work.flop == pytest.approx(job.work.flop, rel=0.1)
        assert (work.passes, work.steps, work.samples) == (30, 30, 120)
        assert (work.trained, work.ranked) == (expected.trained, 0)
    assert expected.work[0].flop != expected.work[1].flop


def test_factors_by_turns_are_foreseen_as_the_mean_of_rounds_and_the_largest_message(
    chosen: Scenario,
) -> None:
    parts = chosen.model_dump(mode="json") | {"method": "rolora", "rounds": 3}
    parts["adapter"] |= {"target_modules": ["up_proj"]}
    by_turns = Scenario.model_validate(parts)
    expected = forecast(by_turns)
    learner = prepare(by_turns)
    A, B = learner.layout.projection_size, learner.layout.expansion_size
    assert expected.first_bits == expected.later_bits == 16 * max(A, B) == 16 * B
    jobs = [tuning(learner, 0, number) for number in (1, 2, 3)]
    assert [job.work.trained for job in jobs] == [B, A, B]
    assert expected.work[0].trained == round((2 * B + A) / 3)
    mean = sum(job.work.flop for job in jobs) / 3
    assert expected.work[0].flop == pytest.approx(mean, rel=0.1)
    of = {}
    for first in ("expansion", "projection"):
        projection = {"name": "alternating", "factors": "active", "starts_with": first}
        for interval in (1, 3):
            method = {"name": "rolora", "projection": projection | {"interval": interval}}
            of[first, interval] = forecast(Scenario.model_validate(parts | {"method": method}))
    turned = of["projection", 1]
    assert (turned.first_bits, turned.later_bits) == (16 * A, 16 * B)
    of_B, of_A = (of[first, 3].work[0].flop for first in ("expansion", "projection"))
    assert of_B > of_A
    assert expected.work[0].flop == pytest.approx((2 * of_B + of_A) / 3, rel=1e-12)


def test_a_gpus_memory_is_not_taken_for_this_machines(
    chosen: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosim.learning.costs.memory.available_bytes", lambda: 1.0)
    with pytest.raises(CosimError, match="GiB of memory"):
        forecast(chosen)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    gpu = chosen.base_model.model_copy(update={"device": "cuda"})
    words = forecast(chosen.model_copy(update={"base_model": gpu})).memory
    assert words.endswith("GiB needed, most of it on the GPU, whose memory is not looked at")
