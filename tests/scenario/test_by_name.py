"""A bare word in place of the mapping that it alone decides."""

import json
from itertools import product
from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario
from cosim.sweeping.definition import read_sweep

TEXT = "rounds: 1\nlearning: none\nmethod: lora\ndevices: [{count: 2}]\n"
WORDS = [
    ("radio.fading", "model", ["none", "block", "clarke"]),
    ("radio.path_loss", "model", ["log_distance", "paper", "d2d_outdoor"]),
    ("radio.power", "policy", ["lemma1", "max_power"]),
    ("radio.packets", "model", ["fluid", "blocks", "codeword", "one_shot"]),
    ("devices.0.mobility", "model", ["static", "random_waypoint", "gauss_markov"]),
    ("devices.0.availability", "model", ["always"]),
    ("devices.0.compute", "model", ["flop"]),
    ("learning", "model", ["none"]),
    ("method.topology", "graph", ["complete", "ring", "random", "nearest"]),
]
EACH = [(path, key, word) for path, key, words in WORDS for word in words]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "s.yaml"
    file.write_text(TEXT.replace("lora", "{name: lora}"), encoding="utf-8")
    return file


@pytest.mark.parametrize(("where", "key", "word"), EACH)
def test_a_word_is_the_mapping_that_it_decides(
    path: Path, tmp_path: Path, where: str, key: str, word: str
) -> None:
    bare = load(path, [f"{where}={word}"])
    assert bare == load(path, [f"{where}={{{key}: {word}}}"])
    again = tmp_path / "again.yaml"
    again.write_text(dump(bare), encoding="utf-8")
    assert load(again) == bare


@pytest.mark.parametrize(("where", "key", "word"), EACH)
def test_a_key_beside_a_word_is_set_in_the_mapping_that_the_word_is(
    path: Path, where: str, key: str, word: str
) -> None:
    for other in next(words for at, _, words in WORDS if at == where):
        after = load(path, [f"{where}={word}", f"{where}.{key}={other}"])
        assert after == load(path, [f"{where}={other}"])


@pytest.mark.parametrize(
    ("apart", "together"),
    [
        (["method=lora", "method.topology.graph=ring"], "method={name: lora, topology: ring}"),
        (
            ["method=lora", "method.topology=random", "method.topology.degree=3"],
            "method={name: lora, topology: {graph: random, degree: 3}}",
        ),
        (["learning.payload_bits=1000"], "learning={model: none, payload_bits: 1000}"),
        (
            ["radio.fading=clarke", "radio.fading.sinusoids=32"],
            "radio.fading={model: clarke, sinusoids: 32}",
        ),
        (
            ["devices.0.mobility=trace", "devices.0.mobility.path=/a.csv"],
            "devices.0.mobility={model: trace, path: /a.csv}",
        ),
    ],
)
def test_what_a_word_leaves_open_is_set_by_its_path(
    path: Path, apart: list[str], together: str
) -> None:
    assert load(path, apart) == load(path, [together])


def test_a_grid_goes_into_what_the_scenario_has_as_a_word(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"{TEXT}radio: {{fading: block}}\n", encoding="utf-8")
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "scenario: s.yaml\nseeds: [1]\ngrid:\n  method.topology.graph: [ring, complete]\n"
        "  learning.payload_bits: [1000, 2000]\n  radio.fading.model: [none, clarke]\n",
        encoding="utf-8",
    )
    told = {
        (
            point.scenario.method.topology.word(),
            getattr(point.scenario.learning, "payload_bits", None),
            point.scenario.radio.fading.model,
        )
        for point in read_sweep(sweep).points
    }
    assert told == set(product(["ring", "complete"], [1000, 2000], ["none", "clarke"]))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("radio.fading=blok", "radio.fading.model: 'blok' is not one of none, block, clarke; did "),
        ("radio.power=lemma", "did you mean 'lemma1'?"),
        ("devices.0.mobility=trace", "devices.0.mobility: the key 'path' is missing"),
        ("devices.0.availability=exponential", "the key 'mean_on_s' is missing"),
        ("devices.0.compute=paper", "devices.0.compute: the key 'epsilon_s' is missing"),
        (
            "learning.payload_bitz=1",
            "learning.payload_bitz: unknown key; did you mean 'payload_bits'",
        ),
        ("method.topolgy=ring", "method.topolgy: unknown key; did you mean 'topology'?"),
        ("radio.fading=3", "radio.fading: expected a mapping with the key 'model'"),
    ],
)
def test_what_a_word_lacks_is_told(path: Path, argument: str, said: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(path, [argument])
    assert said in str(refused.value)


def test_editors_offer_the_words_that_need_nothing_more() -> None:
    schema = json.dumps(Scenario.model_json_schema())
    for _, _, words in WORDS[:6]:
        offered = {"const": words[0]} if len(words) == 1 else {"enum": words}
        assert json.dumps(offered)[1:-1] in schema, words
