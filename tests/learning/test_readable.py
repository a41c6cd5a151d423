"""Rows that a base model has no embedding or no place for are refused, by `check` too."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from cosim.errors import BaseModelError, CosimError
from cosim.learning.base.readable import refuse_unreadable
from cosim.learning.data.encoding import Encoded
from cosim.learning.data.pool import Question, TaskPool
from cosim.learning.forecast import forecast
from cosim.learning.prepare import prepare
from cosim.scenario.load import load

IDS: dict[str, Any] = {"vocab_size": 400, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
GPT: dict[str, Any] = {"n_embd": 16, "n_layer": 1, "n_head": 2}


def pool(*tokens: int) -> TaskPool:
    row = Encoded(tokens, (7,))
    return TaskPool("q", (row,), (Question((row,), 0, (1,)),))


def scenario(folder: Path, at: Path, *overrides: str) -> Any:
    lines = [{"prompt": f"question {n}: the sun", "answer": str(n)} for n in range(12)]
    (at / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    file = at / "tiny.yaml"
    file.write_text(
        f"name: tiny\nrounds: 1\nmethod: lora\nbase_model: {{source: 'path:{folder}'}}\n"
        "tasks: {q: {source: 'jsonl:q.jsonl'}}\ndevices: [{count: 2}]\n"
        "training: {steps: 1, batch_size: 2}\nevaluation: {samples: 2}\n"
    )
    return load(file, overrides)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(CosimError) as refused:
        call()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_token_beyond_the_embedding_is_refused_by_check_and_run(
    tiny_llama: Path, tiny_tokenizer: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(60)
    model.save_pretrained(folder)
    for start in (forecast, prepare):
        said = refusal(partial(start, scenario(folder, tmp_path)))
        assert said.startswith("base_model.source: its tokenizer makes token ")
        assert "of task 'q' (jsonl:" in said
        assert "has 60 tokens" in said


def test_a_row_beyond_the_positions_is_refused_by_check_and_run(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = save_model(transformers.GPT2Config(**IDS, **GPT, n_positions=8), tmp_path / "m")
    for start in (forecast, prepare):
        said = refusal(partial(start, scenario(folder, tmp_path)))
        assert said.startswith("training.max_tokens: task 'q' (jsonl:")
        assert "has places for 8" in said


def test_a_larger_vocabulary_and_the_last_place_are_fine() -> None:
    config = transformers.GPT2Config(**{**IDS, "vocab_size": 500}, **GPT, n_positions=8)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    refuse_unreadable(model, None, pool(*range(8)), "jsonl:q.jsonl")
    refuse_unreadable(model, None, pool(499), "jsonl:q.jsonl")
    with pytest.raises(BaseModelError, match=r"token 500 \(unknown\) of task 'q'"):
        refuse_unreadable(model, None, pool(500), "jsonl:q.jsonl")
    with pytest.raises(CosimError, match="a row of 9 tokens"):
        refuse_unreadable(model, None, pool(*range(9)), "jsonl:q.jsonl")


def test_rotary_positions_have_no_end(tiny_llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "m" / "config.json"
    shutil.copytree(tiny_llama, tmp_path / "m")
    file.write_text(json.dumps({**json.loads(file.read_text()), "max_position_embeddings": 4}))
    assert forecast(scenario(tmp_path / "m", tmp_path)).trained > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that is not there")
def test_check_refuses_an_absent_gpu_as_run_does(tiny_llama: Path, tmp_path: Path) -> None:
    one = scenario(tiny_llama, tmp_path, "base_model.device=cuda")
    said = {refusal(partial(start, one)) for start in (forecast, prepare)}
    assert said == {"base_model.device: 'cuda' was asked for, but torch sees no GPU"}
    told = refusal(lambda: scenario(tiny_llama, tmp_path, "base_model.device=cuda:7"))
    assert "'cuda:7' is not one of cpu, cuda" in told


def test_quantised_weights_are_refused(tiny_llama: Path, tmp_path: Path) -> None:
    file = tmp_path / "m" / "config.json"
    shutil.copytree(tiny_llama, tmp_path / "m")
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    file.write_text(json.dumps({**json.loads(file.read_text()), "quantization_config": said}))
    for start in (forecast, prepare):
        told = refusal(partial(start, scenario(tmp_path / "m", tmp_path)))
        assert "quanti" in told or "could not be loaded" in told
