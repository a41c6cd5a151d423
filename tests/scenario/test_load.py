"""From a file and `--set` arguments to the scenario: refusals, paths, names, and back to YAML."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cosim
from cosim.errors import ScenarioError
from cosim.methods import METHODS
from cosim.scenario.catalogue import catalogue
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario

TEXT = """\
rounds: 3
method: lora
tasks:
  sums: {dataset: chain_sum}
  rows: {source: "jsonl:data/rows.jsonl", test: ../held_out.jsonl}
devices:
- count: 2
- {count: 3, tasks: rows, profile: raspberry_pi_5}
"""
PROFILE = (
    "{peak_flop_s: 1e12, utilisation: 0.3, compute_w: 5, idle_w: 1, pa_efficiency: 0.3, "
    "transmit_circuit_w: 0.5, receive_w: 0.5, battery_j: 100}"
)


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(TEXT, encoding="utf-8")


def write(text: str, path: str = "a.yaml") -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def refusal(*overrides: str) -> str:
    with pytest.raises(ScenarioError) as refused:
        load(Path("a.yaml"), overrides)
    return str(refused.value)


def test_a_scenario_with_its_overrides() -> None:
    scenario = load(Path("a.yaml"), ["radio.deadline_s=0.5", "devices.0.count=7"])
    assert isinstance(scenario, Scenario)
    assert (scenario.rounds, scenario.radio.deadline_s, scenario.device_count) == (3, 0.5, 10)
    assert scenario.method == METHODS["lora"]
    assert cosim.load_scenario("a.yaml").device_count == 5


LINES = TEXT.splitlines()
METHOD_NAMES = ", ".join(METHODS)
MISTAKES = [
    (
        1,
        "round: 3",
        "a.yaml:1: round: unknown key; did you mean 'rounds'? (expected one of: "
        f"{', '.join(Scenario.model_fields)})",
    ),
    (1, "rounds: 0", "a.yaml:1: rounds: expected an integer ≥ 1 and ≤ 1e6, got 0"),
    (
        2,
        "method: lorra",
        f"a.yaml:2: method: 'lorra' is not a method; did you mean 'lora'? (one of {METHOD_NAMES})",
    ),
    (
        2,
        "method: {topology: ring}",
        f"a.yaml:2: method: a method mapping needs 'name', one of {METHOD_NAMES}",
    ),
    (
        2,
        "method: {name: lora, topolgy: ring}",
        "a.yaml:2: method.topolgy: unknown key; did you mean 'topology'? (expected one of: name, "
        "reference, projection, expansion, topology, schedule, sending, codec, weights, "
        "aggregation, composition, data, calibration_samples, staleness_exponent, origin)",
    ),
    (
        2,
        "method: {name: lora, topology: rnig}",
        "a.yaml:2: method.topology.graph: 'rnig' is not one of none, complete, ring, line, "
        "random, erdos_renyi, pairs, nearest, clusters; did you mean 'ring'?",
    ),
    (
        2,
        "method: {name: lora, projection: trainabel}",
        "a.yaml:2: method.projection.name: 'trainabel' is not one of trained, alternating, "
        "frozen, none; did you mean 'trained'?",
    ),
    (
        2,
        "method: {name: lora, topology: none}",
        "a.yaml:2: method: topology 'none' and aggregation 'mean' do not fit: what is exchanged "
        "must be aggregated, and nothing else can be",
    ),
    (
        4,
        "  sums: {dataset: chain_sum, samples: 0}",
        "a.yaml:4: tasks.sums.samples: expected an integer ≥ 1 and ≤ 1e6, got 0",
    ),
    (
        4,
        "  sums: {}",
        "a.yaml:4: tasks.sums: a reasoning_gym task needs 'dataset', for example chain_sum",
    ),
    (7, "- count: 0", "a.yaml:7: devices.0.count: expected an integer ≥ 1 and ≤ 100000, got 0"),
    (
        7,
        "- {count: 1, profile: rasberry_pi_5}",
        "a.yaml:7: devices.0.profile: 'rasberry_pi_5' is not a profile; did you mean "
        f"'raspberry_pi_5'? (one of {', '.join(catalogue())})",
    ),
    (
        7,
        f"- {{count: 1, profile: {PROFILE.replace('1e12', '-1')}}}",
        "a.yaml:7: devices.0.profile.peak_flop_s: expected a number ≥ 1 and ≤ 1e18, got -1",
    ),
    (
        8,
        "- {count: 3, tasks: row}",
        "a.yaml:8: devices.1.tasks: 'row' is neither 'round_robin' nor one of the tasks sums, "
        "rows; did you mean 'rows'?",
    ),
    (
        8,
        "- {count: 3, mobility: {model: random_waypoint, speed_m_s: [2, 1]}}",
        "a.yaml:8: devices.1.mobility: speed_m_s needs 0 < least ≤ greatest ≤ 1000, got [2.0, 1.0]",
    ),
]


@pytest.mark.parametrize(("number", "line", "expected"), MISTAKES, ids=[m[1] for m in MISTAKES])
def test_a_mistake_is_named_where_it_is(number: int, line: str, expected: str) -> None:
    write("\n".join([*LINES[: number - 1], line, *LINES[number:]]))
    assert refusal() == expected


def test_a_scenario_that_learns_needs_a_task() -> None:
    assert refusal("tasks={}") == (
        "--set tasks={}: tasks: a scenario that learns needs at least one task"
    )
    assert load(Path("a.yaml"), ["tasks={}", "learning=none"]).learning.model == "none"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("rounds", "has no '='; write path.to.key=value"),
        ("devices.2.count=1", "'2' is not in the list 'devices' (indices 0 to 1)"),
        ("rounds.x=ring", "'rounds' is 3 and has no keys of its own"),
        (
            "tasks.rows.source.x=1",
            "'tasks.rows.source' is 'jsonl:data/rows.jsonl' and has no keys of its own",
        ),
        ("rounds=0", "rounds: expected an integer ≥ 1 and ≤ 1e6, got 0"),
        (
            "bandwidth_hz=5e6",
            "bandwidth_hz: unknown key; did you mean 'radio.bandwidth_hz'? (expected one of: name, "
            "seed, rounds, learning, method, base_model, adapter, tasks, training, area, devices, "
            "radio, evaluation, trace)",
        ),
        (
            "devices.0.mobility={model: static, mean_on_s: 2}",
            "devices.0.mobility.mean_on_s: unknown key; did you mean "
            "'devices.0.availability.mean_on_s'? (expected one of: model, placement, positions_m)",
        ),
        (
            "devices.0.mobility={model: static, speed_m_s: 2}",
            "devices.0.mobility.speed_m_s: unknown key (expected one of: model, placement, "
            "positions_m)",
        ),
        (
            "radio.bandwidth_hz=1e14",
            "radio.bandwidth_hz: expected a number ≥ 0.001 and ≤ 1e11, got 100000000000000.0",
        ),
        (
            "radio.power={model: lemma1}",
            "radio.power: the key 'policy' is missing (one of lemma1, max_power; write policy: "
            "lemma1 instead of 'model')",
        ),
        (
            "area.radius=5",
            "area.radius: unknown key; did you mean 'radius_m'? "
            "(expected one of: shape, radius_m, side_m)",
        ),
        (
            "devices.1.tasks=row",
            "devices.1.tasks: 'row' is neither 'round_robin' nor one of the tasks sums, rows; "
            "did you mean 'rows'?",
        ),
    ],
)
def test_a_mistake_in_an_override_is_named_by_it(argument: str, expected: str) -> None:
    assert refusal(argument) == f"--set {argument}: {expected}"


def test_paths_start_where_they_were_written(tmp_path: Path) -> None:
    path = write(TEXT + "base_model: {source: path:models/tiny}\n", "deep/a.yaml")
    scenario = load(path)
    assert scenario.tasks["rows"].source == f"jsonl:{tmp_path}/deep/data/rows.jsonl"
    assert scenario.tasks["rows"].test == f"{tmp_path}/deep/../held_out.jsonl"
    assert scenario.base_model.source == f"path:{tmp_path}/deep/models/tiny"
    typed = load(path, ["tasks.rows.source=jsonl:x.jsonl", "base_model={source: path:tiny}"])
    assert typed.tasks["rows"].source == f"jsonl:{tmp_path}/x.jsonl"
    assert typed.tasks["rows"].test == f"{tmp_path}/deep/../held_out.jsonl"
    assert typed.base_model.source == f"path:{tmp_path}/tiny"


@pytest.mark.parametrize("source", ["jsonl:/data/rows.jsonl", "jsonl:~/rows.jsonl", "hf:a/b"])
def test_other_sources_stay_as_they_are(source: str) -> None:
    path = write("rounds: 1\nmethod: local\ndevices: [{count: 1}]\ntasks: {rows: {source: X}}\n")
    scenario = load(path, [f"tasks.rows.source={source}"])
    assert scenario.tasks["rows"].source == source
    assert scenario.base_model.source.startswith("pypi:")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("tasks=3", "tasks: expected a mapping, got 3"),
        ("tasks.rows=3", "tasks.rows: expected a mapping with the keys source"),
        ("tasks.rows.source=3", "tasks.rows.source: expected text"),
        ("tasks.rows.source='jsonl:'", "tasks.rows.source: 'jsonl:' does not say where the"),
        ("base_model=[1]", "base_model: expected a mapping with the keys source"),
    ],
)
def test_sections_of_the_wrong_kind_are_refused(override: str, expected: str) -> None:
    assert refusal(override).startswith(f"--set {override}: {expected}")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("paper.yaml", "paper"),
        ("two clusters v1.2.yaml", "two clusters v1.2"),
        ("_übung (1).yaml", "bung -1-"),
        ("é.yaml", "scenario"),
        ("x" * 90 + ".yaml", "x" * 80),
    ],
)
def test_a_scenario_without_a_name_is_called_after_its_file(file: str, name: str) -> None:
    assert load(write(TEXT, file)).name == name
    assert load(write("name: other\n" + TEXT, file)).name == "other"


VARIANTS = [
    "method=local",
    "method=proposed_single_cluster",
    "method={name: lora, topology: ring}",
    "method={name: lora, topology: {graph: random, degree: 3}, reference: 'ours: 1e3'}",
    "learning=none",
    "learning={model: none, payload_bits: 1000, flop: 1e24}",
    "area={shape: square, side_m: 50.5}",
    "devices.0.mobility={model: static}",
    "devices.0.mobility={model: random_waypoint, speed_m_s: [1e-7, 1], pause_s: [0, 1e6]}",
    f"devices.0.profile={PROFILE}",
    "radio.path_loss={model: paper, exponent: 2}",
    "radio.path_loss={model: log_distance, reference_m: 2e1}",
    "radio.path_loss={model: d2d_outdoor}",
    "radio.shadowing={sigma_db: 7, decorrelation_m: 0.5}",
    "radio.power={policy: lemma1, fallback: drop_weakest}",
    "radio.fading={model: none}",
    "radio.fading={model: block}",
    "radio.fading={model: clarke, sinusoids: 8}",
    "radio.power={policy: max_power}",
    "radio.power={policy: lemma1, channel_knowledge: mean}",
    "adapter.target_modules=[q_proj, 'null']",
    "adapter.target_modules='.*\\.(q|v)_proj: #'",
    "tasks.rows.fields={choices: [\"yes\", '1e3', ''], labels: '~'}",
    "tasks.rows.fields={choices: null, answer_pattern: '#### (.+)'}",
    "tasks.sums.parameters={z: 1, a: [1.5, true, null, {b: '1_000'}]}",
    "tasks.rows={source: hf:a/b, configuration: main}",
    "base_model={source: path:models/tiny, device: cuda}",
    "seed=9223372036854775807",
]


@pytest.mark.slow
@pytest.mark.parametrize("override", VARIANTS)
def test_the_dump_loads_to_an_equal_scenario(override: str) -> None:
    scenario = load(write(TEXT, "deep/b.yaml"), [override])
    text = dump(scenario)
    again = load(write(text, "elsewhere/c.yaml"))
    assert again == scenario
    assert list(again.tasks) == list(scenario.tasks)
    assert dump(again) == text


def test_the_dump_holds_every_default() -> None:
    text = dump(load(Path("a.yaml")))
    for line in ("name: a", "    exponent: 3.0", "  learning_rate: 0.002", "    graph: random"):
        assert line in text.splitlines()


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["<<", "=", "yes", "012", "0x1f", "1_0", "1e3", ".inf", "2020-01-01", "a: b", " x ", "- ", "\n"]
)
VALUES = st.recursive(
    WORDS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(task=WORDS, prompt=WORDS, parameters=st.dictionaries(WORDS, VALUES, max_size=4))
def test_any_text_survives_the_dump(
    tmp_path_factory: pytest.TempPathFactory, task: str, prompt: str, parameters: dict[str, object]
) -> None:
    row = {"dataset": "chain_sum", "parameters": parameters, "fields": {"prompt": prompt}}
    written = {"rounds": 1, "method": "lora", "devices": [{"count": 1}], "tasks": {task: row}}
    scenario = Scenario.model_validate(written)
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(dump(scenario).encode())
    assert load(path) == scenario
