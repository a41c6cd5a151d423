"""A bare word in place of the mapping that it alone decides."""

import json
from pathlib import Path

import pytest

from cosim.errors import ScenarioError
from cosim.scenario.load import dump, load
from cosim.scenario.model import Scenario

TEXT = "rounds: 1\nlearning: none\nmethod: lora\ndevices: [{count: 2}]\n"
WORDS = [
    ("radio.fading", "model", ["none", "block", "clarke"]),
    ("radio.path_loss", "model", ["log_distance", "paper", "d2d_outdoor"]),
    ("radio.power", "policy", ["lemma1", "max_power"]),
    ("radio.packets", "model", ["fluid", "blocks", "codeword"]),
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


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("radio.fading=blok", "radio.fading.model: 'blok' is not one of none, block, clarke; did "),
        ("radio.power=lemma", "did you mean 'lemma1'?"),
        ("devices.0.mobility=trace", "devices.0.mobility: the key 'path' is missing"),
        ("devices.0.availability=exponential", "the key 'mean_on_s' is missing"),
        ("devices.0.compute=paper", "devices.0.compute: the key 'epsilon_s' is missing"),
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
