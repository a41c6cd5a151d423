"""The JSON schema for editors accepts what the loader accepts, shorthands included."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cosim.scenario.model import Scenario
from cosim.scenario.reading.document import read_document

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SCENARIO_FILES = [p for p in sorted(SCENARIOS.rglob("*.yaml")) if ".sweep" not in p.suffixes]
SCHEMA = Scenario.model_json_schema()


@pytest.mark.slow
@pytest.mark.parametrize("path", SCENARIO_FILES, ids=lambda path: path.stem)
def test_every_scenario_of_the_project_fits(path: Path) -> None:
    jsonschema.validate(read_document(path).data, SCHEMA)


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({"method": "lora"}, True),
        ({"method": {"name": "lora", "topology": "ring"}}, True),
        ({"method": {"name": "lora", "topology": {"graph": "random", "degree": 3}}}, True),
        ({"method": {"name": "tad_lora", "weights": {"absent": "keep_own"}}}, True),
        ({"method": {"name": "lora", "topology": {"graph": "ring", "degree": 3}}}, False),
        ({"learning": "none"}, True),
        ({"learning": {"model": "none", "payload_bits": 3}}, True),
        ({"method": "lor"}, False),
        ({"method": {"name": "lora", "topolgy": "ring"}}, False),
        ({"metod": "lora"}, False),
        ({"rounds": 0}, False),
    ],
)
def test_shorthands_and_mistakes(change: dict[str, Any], fits: bool) -> None:
    data = {**read_document(SCENARIOS / "quickstart.yaml").data, **change}
    assert jsonschema.Draft202012Validator(SCHEMA).is_valid(data) is fits
