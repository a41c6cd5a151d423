"""A misspelt part is refused by its path and its nearest word, in every slot of a method."""

from pathlib import Path
from typing import Any

import pytest

from cosim.errors import MethodError, ScenarioError
from cosim.methods import METHODS
from cosim.methods.part import PARTS
from cosim.scenario.load import dump, load
from cosim.spelling import nearest

KEYS = {slot: "graph" if slot == "topology" else "name" for slot in PARTS}
# Each word without its last letter, or with one more where that would be another.
MISSPELT = [
    (slot, word, wrong)
    for slot, kinds in PARTS.items()
    for word in kinds
    for wrong in [f"{word}x" if len(word) < 6 else word[:-1]]
]


def refusal(folder: Path, method: str) -> str:
    path = folder / "a.yaml"
    path.write_text(
        f"rounds: 1\nmethod: {method}\ntasks:\n  sums: {{dataset: chain_sum}}\n"
        "devices:\n- count: 2\n",
        encoding="utf-8",
    )
    with pytest.raises(ScenarioError) as refused:
        load(path)
    return str(refused.value)


@pytest.mark.parametrize(("slot", "word", "wrong"), MISSPELT)
def test_a_misspelt_word_is_met_with_the_nearest(
    tmp_path: Path, slot: str, word: str, wrong: str
) -> None:
    assert nearest(wrong, PARTS[slot]) == word
    key = KEYS[slot]
    for said in (wrong, f"{{{key}: {wrong}}}"):
        told = refusal(tmp_path, f"{{name: lora, {slot}: {said}}}")
        assert told.startswith(f"{tmp_path / 'a.yaml'}:2: method.{slot}.{key}: ")
        assert f"'{wrong}'" in told
        assert told.endswith(f"; did you mean '{word}'?")
        assert all(known in told for known in PARTS[slot])
        assert "\n" not in told


@pytest.mark.parametrize("slot", PARTS)
@pytest.mark.parametrize("wrong", ["3", "[mean]", "true"])
def test_what_is_no_word_is_refused(tmp_path: Path, slot: str, wrong: str) -> None:
    told = refusal(tmp_path, f"{{name: lora, {slot}: {wrong}}}")
    assert f":2: method.{slot}: expected a mapping with the key" in told
    assert "\n" not in told


@pytest.mark.parametrize("slot", PARTS)
def test_an_unknown_setting_is_refused(tmp_path: Path, slot: str) -> None:
    word = next(iter(PARTS[slot]))
    told = refusal(tmp_path, f"{{name: lora, {slot}: {{{KEYS[slot]}: {word}, sttings: 1}}}}")
    assert f":2: method.{slot}.sttings: unknown key" in told
    assert f"expected one of: {KEYS[slot]}" in told


def test_settings_are_named_where_they_are_wrong(tmp_path: Path) -> None:
    for said, wanted in (
        ("{name: frozen, seed: won}", "seed: 'won' is not one of own, shared; did you mean 'own'?"),
        ("{name: frozen, sed: own}", "sed: unknown key; did you mean 'seed'?"),
        (
            "{seed: own}",
            "seed: is no setting of 'trained', which lora has, but of frozen: write {name: frozen, "
            "seed: …}",
        ),
        ("{sed: own}", "sed: unknown key"),
    ):
        told = refusal(tmp_path, f"{{name: lora, projection: {said}}}")
        assert f":2: method.projection.{wanted}" in told
    told = refusal(tmp_path, "{name: lora, projection: {nmae: frozen, seed: own}}")
    assert ":2: method.projection: the key 'name' is missing (one of trained, alternating," in told
    told = refusal(tmp_path, "{name: lora, topology: {name: ring}}")
    assert ":2: method.topology: the key 'graph' is missing (one of none, complete, ring," in told


@pytest.mark.parametrize(
    ("method", "override", "slot", "part"),
    [
        (
            "{name: tad_lora, projection: {interval: 3, factors: active}}",
            "rounds=1",
            "projection",
            {"name": "alternating", "interval": 3, "factors": "active", "starts_with": "expansion"},
        ),
        (
            "adf_lora",  # whose own interval is no default's
            "method.projection.starts_with=projection",
            "projection",
            {"name": "alternating", "interval": 5, "starts_with": "projection", "factors": "both"},
        ),
        (
            "adf_lora",  # another word is another part, with its own defaults
            "method.projection={name: alternating, starts_with: projection}",
            "projection",
            {"name": "alternating", "interval": 1, "starts_with": "projection", "factors": "both"},
        ),
        (
            "{name: adf_lora, projection: {}}",
            "rounds=1",
            "projection",
            {"name": "alternating", "interval": 5, "starts_with": "expansion", "factors": "both"},
        ),
        (
            "lora",  # weights that the aggregation has by itself
            "method.weights.absent=keep_own",
            "weights",
            {"name": "by_rows", "absent": "keep_own"},
        ),
        (
            "lora",
            "method.topology.range_m=50",
            "topology",
            {"graph": "random", "degree": 2, "range_m": 50.0, "limit_by_links": True},
        ),
    ],
)
def test_settings_without_a_word_are_of_the_methods_own_part(
    tmp_path: Path, method: str, override: str, slot: str, part: dict[str, Any]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"rounds: 1\nlearning: none\nmethod: {method}\ndevices:\n- count: 9\n")
    scenario = load(path, [override])
    assert getattr(scenario.method, slot).model_dump() == part
    path.write_text(dump(scenario), encoding="utf-8")
    assert load(path) == scenario


def test_settings_without_a_word_mean_the_same_in_python() -> None:
    adf = METHODS["adf_lora"].with_(projection={"starts_with": "projection"})
    assert adf.projection.model_dump()["interval"] == 5
    with pytest.raises(MethodError, match=r"projection.seed: is no setting of 'alternating', whi"):
        METHODS["adf_lora"].with_(projection={"seed": "own"})


def test_weights_of_another_aggregation_are_named_in_full(tmp_path: Path) -> None:
    told = refusal(tmp_path, "{name: lora, aggregation: snapshots, weights: {absent: keep_own}}")
    assert ":2: method.weights: the key 'name' is missing (one of by_rows, uniform," in told


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_a_method_written_down_is_read_as_it_was(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.yaml"
    optimizer = "sgd" if METHODS[name].needs_sgd else "adamw"
    path.write_text(
        f"rounds: 1\nmethod: {name}\ntasks:\n  sums: {{dataset: chain_sum}}\n"
        f"training: {{optimizer: {optimizer}}}\ndevices:\n- count: 2\n",
        encoding="utf-8",
    )
    scenario = load(path)
    written = tmp_path / "b.yaml"
    written.write_text(dump(scenario), encoding="utf-8")
    assert load(written).method == scenario.method == METHODS[name]
