"""How long a run is foreseen to take here."""

from pathlib import Path

import pytest

from cosim.learning.forecast import forecast
from cosim.learning.prepare import prepare
from cosim.profiling.bench import Bench
from cosim.profiling.machine import machine_name
from cosim.profiling.wall_time import (
    Speeds,
    _shares,
    _Stopwatch,
    foreseen_by_profile,
    foreseen_by_timing,
)
from cosim.scenario.catalogue import named_profile
from cosim.scenario.load import to_yaml
from cosim.scenario.model import Scenario
from cosim.simulation.compute_time import compute_time_s


def test_a_question_is_its_prompt_once_and_what_each_answer_adds(chosen: Scenario) -> None:
    from cosim.learning.base.base_model import skeleton
    from cosim.learning.costs.flop import Work
    from cosim.learning.prepare import read_tasks
    from cosim.learning.training.full import layout_of

    model, tokenizer = skeleton(chosen.base_model.source)
    layout = layout_of(chosen.method, model, chosen.adapter.target_modules, chosen.adapter.rank)
    work = Work.of(model, layout, trainable_projection=False)
    asked = read_tasks(chosen, tokenizer)["sums"].test
    by_hand = sum(
        work.forward_flop(len(question.candidates[0].prompt), 0)
        + sum(work.forward_flop(len(row.answer), len(row.answer)) for row in question.candidates)
        for question in asked
    )
    assert forecast(chosen).scoring_flop == by_hand > 0


def test_by_speeds_that_are_timed(chosen: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are as their FLOP: 5 rounds of 3 devices, which are scored after 2, 4 and 5."""
    longer = {"rounds": 5, "devices": [{"count": 3}], "evaluation": {"samples": 8, "every": 2}}
    scenario = Scenario.model_validate({**chosen.model_dump(mode="json"), **longer})
    expected = forecast(scenario)
    monkeypatch.setattr("cosim.profiling.wall_time._speeds", lambda *_: Speeds(4e6, 1e6))
    foreseen = foreseen_by_timing(scenario, expected.work, expected.scoring_flop)
    training_flop = 5 * sum(work.flop for work in expected.work)
    scores_flop = (3 * 3 + 1) * expected.scoring_flop
    assert foreseen.training_s == pytest.approx(training_flop / 4e6)
    assert foreseen.evaluation_s == pytest.approx(scores_flop / 1e6)


def test_processor_time_is_divided_among_the_shares_of_a_round(
    chosen: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {"devices": [{"count": 40}], "learning": {"devices_per_pass": 16}}
    scenario = Scenario.model_validate({**chosen.model_dump(mode="json"), **many})
    learner = prepare(scenario)
    learner.scoring.evaluator.threads = 16
    # Three passes, of which one of 16 devices × 300 tokens has four parts of 1,200.
    assert _shares(learner, scenario, 300.0) == 12
    assert _shares(learner, scenario, 10.0) == 6
    learner.scoring.evaluator.threads = 2
    assert _shares(learner, scenario, 300.0) == 2
    now_s = iter([5.0, 8.0])
    monkeypatch.setattr("cosim.profiling.wall_time.process_time", lambda: next(now_s))
    assert _Stopwatch(learner).flop_s(6e9, at_once=2) == 4e9


@pytest.mark.parametrize(
    "method",
    [
        "lora",
        pytest.param("proposed", marks=pytest.mark.slow),
        pytest.param("full_finetune", marks=pytest.mark.slow),
        pytest.param("centralised", marks=pytest.mark.slow),
    ],
)
def test_a_few_steps_and_questions_are_timed(chosen: Scenario, method: str) -> None:
    """Whatever the method calibrates is not waited for."""
    other = {"method": method, "devices": [{"count": 2}]}
    scenario = Scenario.model_validate({**chosen.model_dump(mode="json"), **other})
    expected = forecast(scenario)
    foreseen = foreseen_by_timing(scenario, expected.work, expected.scoring_flop)
    assert foreseen.training_s > 0
    assert foreseen.evaluation_s > 0
    assert foreseen.source == "by a few steps and questions that were timed now"


def test_by_a_profile_that_was_measured_here(
    chosen: Scenario, tmp_path: Path, bench: Bench
) -> None:
    profile = named_profile("laptop")
    source = (
        f"measured: {machine_name('cpu', bench.base.dtype)}, {chosen.base_model.source}, all-linear"
    )
    here = profile.model_copy(update={"source": source})
    path = tmp_path / "here.yaml"
    path.write_text(to_yaml(here.model_dump(mode="json")), encoding="utf-8")
    measured = {"rounds": 4, "devices": [{"count": 2, "profile": f"path:{path}"}]}
    scenario = Scenario.model_validate({**chosen.model_dump(mode="json"), **measured})
    expected = forecast(scenario)
    foreseen = foreseen_by_profile(scenario, expected.work, expected.scoring_flop)
    a_round_s = sum(compute_time_s(here, work) for work in expected.work)
    assert foreseen is not None
    assert foreseen.training_s == pytest.approx(4 * a_round_s)
    assert foreseen.source == "by the profile here"
    elsewhere = chosen.model_copy(update={"rounds": 4})
    assert foreseen_by_profile(elsewhere, expected.work, expected.scoring_flop) is None
