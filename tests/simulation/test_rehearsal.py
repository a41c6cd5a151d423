"""ρ of what devices really mix, seen before the run by the network alone, and the T from it."""

from pathlib import Path
from typing import Any

import pytest

import cosim
from cosim.errors import MethodError
from cosim.methods import METHODS
from cosim.methods.connectivity import expected_contraction
from cosim.methods.message import Turn
from cosim.methods.projection.alternating import Alternating
from cosim.methods.topology.ring import Ring
from cosim.methods.weights.by_rows import ByRows
from cosim.methods.weights.metropolis import Metropolis
from cosim.methods.workload import Workload
from cosim.preflight.explain import explain
from cosim.preflight.startable import Preflight
from cosim.scenario.load import load
from cosim.scenario.model import Scenario
from cosim.simulation.agreement import settled
from cosim.simulation.rehearsal import RehearsingLearner, rehearsed_contraction
from cosim.verification.verify import verify

REALISED = {"name": "alternating", "interval": "realised"}


def scenario(radio: Any = None, flop: float = 1e6, **method: Any) -> Scenario:
    """Ten devices on a disc of 300 m, 32 kbit to each neighbour; nothing fades."""
    return Scenario.model_validate(
        {
            "seed": 2,
            "rounds": 8,
            "learning": {"model": "none", "payload_bits": 32768, "flop": flop},
            "method": {"name": "tad_lora", "projection": REALISED, **method},
            "devices": [{"count": 10, "mobility": "static"}],
            "area": {"shape": "disc", "radius_m": 300},
            "adapter": {"bits_per_value": 32},
            "radio": {"bandwidth_hz": 1e6, "fading": "none", **(radio or {})},
        }
    )


def test_where_all_is_heard_it_is_that_of_the_law() -> None:
    by_law, _ = expected_contraction(Ring(), Metropolis(), range(10), seed=2)
    heard = scenario({"deadline_s": 5.0}, topology="ring")
    assert rehearsed_contraction(heard) == pytest.approx(by_law, rel=1e-12)
    told, words = settled(heard)
    assert told.method.projection == Alternating(interval=2)
    assert words is not None
    assert words.startswith(f"ρ = {by_law:.4g} of what 8 rounds of the network alone mix: ")
    facts = {fact.name: fact.value for fact in explain(heard).facts}
    assert facts["agreement"] == words


def test_what_is_late_is_missing_from_it() -> None:
    """All to all is agreement at once by law; links that Γ cuts off leave less than that."""
    loose, tight = (scenario({"deadline_s": s}, topology="complete") for s in (5.0, 0.08))
    assert rehearsed_contraction(loose) == pytest.approx(0.0, abs=1e-12)
    assert 0.1 < rehearsed_contraction(tight) < 1.0


def test_what_comes_late_and_is_mixed_weighs_by_its_age() -> None:
    """The same messages come as late; the older ones are by then worth less, or as much."""
    parts: Any = {"flop": 1e11, "topology": "ring"}
    late = {"deadline_s": 0.02, "late": "stale"}
    found = [
        rehearsed_contraction(scenario(late, staleness_exponent=exponent, **parts))
        for exponent in (0.0, 1.0, 8.0)
    ]
    dropped = rehearsed_contraction(scenario({"deadline_s": 0.02}, **parts))
    assert found[0] < found[1] < found[2] < dropped


def test_devices_that_hear_nobody_never_agree() -> None:
    deaf = scenario({"deadline_s": 1e-6}, topology="complete")
    with pytest.raises(
        MethodError, match="what 8 rounds of the network alone mix is 1: some devices never"
    ):
        settled(deaf)


def test_a_sweep_judges_each_seed_by_its_own_places(tmp_path: Path) -> None:
    """Of the same scenario one seed leaves a device that nobody hears, and the other none."""
    preflight = Preflight(tmp_path)
    deaf, heard = (
        scenario({"deadline_s": 0.05}, topology="complete").model_copy(update={"seed": seed})
        for seed in (1, 2)
    )
    with pytest.raises(MethodError, match="some devices never hear of others"):
        preflight.refuse_unstartable(deaf)
    preflight.refuse_unstartable(heard)


def test_shares_are_those_of_the_weights() -> None:
    """One of 10 rows hears one of 30: a quarter and three quarters, in the first turn of two."""
    work = [Workload.none()] * 2
    learner = RehearsingLearner([8, 16], work, [10.0, 30.0], ByRows(), 1.0)
    learner.mix(0, {1: None}, {1: 0}, Turn(1), {})
    learner.mix(1, {}, {}, Turn(1), {})
    assert learner.mixing.matrix.tolist() == [[0.25, 0.75], [0.0, 1.0]]
    # A message of age 2 counts a third.
    learner.mix(0, {1: None}, {1: 2}, Turn(2), {})
    learner.mix(1, {}, {}, Turn(2), {})
    assert learner.mixing.matrix.tolist() == [[0.5, 0.5], [0.0, 1.0]]
    out = learner.messages(1, Turn(1), [0])
    assert out is not None
    assert out.bits == {0: 16}


def test_devices_of_unequal_rows_that_all_hear_agree_at_once() -> None:
    """All have the same mean, whoever counts most in it."""
    rows = [100.0, 10.0, 10.0]
    learner = RehearsingLearner([8] * 3, [Workload.none()] * 3, rows, ByRows(), 1.0)
    for device in range(3):
        others = [other for other in range(3) if other != device]
        learner.mix(device, dict.fromkeys(others), dict.fromkeys(others, 0), Turn(1), {})
    assert learner.mixing.contraction(1) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("method", "parts", "words"),
    [
        ("event_gossip", {}, "who speaks hangs on what is learnt"),
        ("lora", {"aggregation": "snapshots", "sending": "every_turn"}, "mixes other shares"),
        ("tad_lora", {"schedule": "asynchronous"}, "devices mix what has come by then"),
    ],
)
def test_what_hangs_on_learning_is_refused(method: str, parts: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        METHODS[method].with_(projection=Alternating(interval="realised"), **parts)


@pytest.mark.parametrize(
    ("section", "value", "method"),
    [
        ("packets", {"model": "one_shot"}, {"weights": "uniform"}),
        ("access", {"model": "air"}, {"weights": "uniform", "aggregation": "superposed_mean"}),
    ],
)
def test_messages_that_do_not_arrive_whole_are_refused(
    section: str, value: Any, method: Any
) -> None:
    broken = scenario({section: value}, topology="complete", **method)
    with pytest.raises(MethodError, match=f"radio.{section} '{value['model']}' they do not"):
        settled(broken)


def test_blocks_of_whom_a_deadline_stops_are_unknown() -> None:
    """Layers of who is late are mixed, and hang on how far each has come."""
    values = {
        "rounds": 3,
        "learning": "none",
        "method": {"name": "salf", "projection": {**REALISED, "factors": "both"}},
        "devices": [{"count": 3}],
        "training": {"compute_deadline_s": 1.0},
    }
    late = Scenario.model_validate(values)
    with pytest.raises(MethodError, match="mixes the blocks that were trained"):
        settled(late)


RUN = """\
seed: 2
rounds: 8
method: {{name: tad_lora, topology: complete, projection: {{name: alternating, interval: {T}}}}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 6}}
tasks: {{sums: {{dataset: chain_sum, samples: 60, parameters: {{max_terms: 2, max_digits: 1}}}}}}
training: {{steps: 1, batch_size: 2, learning_rate: 0.02}}
evaluation: {{every: 8, samples: 3}}
devices: [{{count: 10, mobility: {{model: static}}}}]
area: {{shape: disc, radius_m: 300}}
radio: {{bandwidth_hz: 1.0e6, deadline_s: 0.06, fading: {{model: none}}}}
trace: {{adapters: false, diagnostics: true}}
"""


@pytest.mark.slow
def test_it_is_the_rho_that_the_run_then_has(tiny_llama: Path, tmp_path: Path) -> None:
    """Half of the messages are late. What both sum up differs by rounding alone."""
    runs = {}
    for T in ("realised", 2):
        path = tmp_path / f"{T}.yaml"
        path.write_text(RUN.format(model=tiny_llama, T=T), encoding="utf-8")
        runs[T] = cosim.run(path, out=tmp_path / str(T))
    asked = runs["realised"]
    assert asked.manifest["results_sha256"] == runs[2].manifest["results_sha256"]
    assert asked.manifest["told"] == {"projection": {"interval": 2}}
    late = (asked.transfers["cause"] == "deadline").mean()
    assert 0.2 < late < 0.8
    found = asked.diagnostics.query("quantity == 'contraction'")["value"].iloc[-1]
    again = load(tmp_path / "2.yaml")
    assert rehearsed_contraction(again) == pytest.approx(found, rel=1e-12)
    checks = verify(tmp_path / "realised")
    assert [line for check in checks if not check.ok for line in check.lines()] == []
