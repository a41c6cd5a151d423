"""`cosim export`: what a device of a finished run answers with, as PEFT adapters."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from cosim.learning.base.base_model import load
from cosim.methods import METHODS
from cosim.trace.content_hash import results_sha256
from cosim.trace.reader import read_run
from tests.learning.every_method import QUICK


def logits_with_peft(tiny_llama: Path, folder: Path, tokens: torch.Tensor) -> torch.Tensor:
    from peft import PeftModel

    base = load(f"path:{tiny_llama}", "float32").model
    with torch.no_grad():
        found: torch.Tensor = PeftModel.from_pretrained(base, folder)(input_ids=tokens).logits
    return found


def logits_of(learner: Any, adapter: Any, tokens: torch.Tensor) -> torch.Tensor:
    pairs = learner.layout.pairs(adapter.projection, adapter.expansion(learner.layout))
    model = learner.trainer.model
    with torch.no_grad(), model.adapters(pairs, 3.0):  # α/r
        found: torch.Tensor = model.logits(model.hidden(tokens))
    return found


TOKENS = torch.randint(2, 300, (3, 8), generator=torch.Generator().manual_seed(5))


def test_each_expert_of_a_bank_gets_its_folder(cosim: Any, played: Any, tiny_llama: Path) -> None:
    directory, learner = played("proposed_single_cluster")
    ended = cosim("export", directory, "--device", 1, "--to", "out/one")
    folders = ["device-0-sums", "device-1-the-products", "device-2-sums"]
    assert ended.code == 0
    assert ended.out.splitlines() == [f"out/one/{name}" for name in folders]
    files = ["gate.json", "gate.safetensors", "route.py"]
    assert sorted(path.name for path in Path("out/one").iterdir()) == folders + files
    assert [path.name for path in Path("out").iterdir()] == ["one"]
    seen = []
    for owner, name in enumerate(folders):
        ours = logits_of(learner, learner.fleet.banks[1][owner], TOKENS)
        theirs = logits_with_peft(tiny_llama, Path("out/one") / name, TOKENS)
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)
        seen.append(theirs)
    assert (seen[0] - seen[2]).abs().max() > 1e-3


def test_a_single_adapter_goes_to_the_folder_itself(
    cosim: Any, played: Any, tiny_llama: Path
) -> None:
    directory, learner = played("lora")
    ended = cosim("export", directory, "--device", 2, "--to", "out")
    assert (ended.code, ended.out) == (0, "out\n")
    names = sorted(path.name for path in Path("out").iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    ours = logits_of(learner, learner.fleet.adapters[2], TOKENS)
    torch.testing.assert_close(
        logits_with_peft(tiny_llama, Path("out"), TOKENS), ours, rtol=0, atol=1e-5
    )


def test_adapters_are_no_part_of_the_results(cosim: Any, played: Any) -> None:
    directory, _ = played("local")
    assert (directory / "adapters" / "index.json").is_file()
    digest = read_run(directory).manifest["results_sha256"]
    bare = Path(shutil.copytree(directory, "bare"))
    shutil.rmtree(bare / "adapters")
    assert results_sha256(bare) == digest
    ended = cosim("export", "bare", "--device", 0, "--to", "out")
    assert (ended.code, ended.out) == (2, "")
    assert "bare has no adapters/" in ended.err


def test_adapters_can_be_left_out(cosim: Any, played: Any) -> None:
    directory, _ = played("local", "--set", "trace.adapters=false")
    assert not (directory / "adapters").exists()


def test_what_cannot_be_exported_is_told(cosim: Any, played: Any, scenario_file: Path) -> None:
    directory, _ = played("local")

    def refused(said: str, *arguments: object) -> None:
        ended = cosim("export", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert "Traceback" not in ended.err

    to = ("--to", "out")
    refused("run has the devices 0 to 2; the nearest is 2.", directory, "--device", 7, *to)
    refused("the nearest is 0.", directory, "--device=-1", *to)
    Path("full").mkdir()
    Path("full/letter").touch()
    refused("full already holds letter", directory, "--device", 0, "--to", "full")
    refused("letter is a file", directory, "--device", 0, "--to", "full/letter")
    refused("cannot be written", directory, "--device", 0, "--to", "full/letter/out")
    assert cosim("run", scenario_file, "--out", "network").code == 0
    refused("played the network alone", "network", "--device", 0, *to)
    refused("nowhere is not a run", "nowhere", "--device", 0, *to)
    manifest = directory / "manifest.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"completed"', '"interrupted"'), encoding="utf-8")
    refused("run is interrupted: adapters are written when", directory, "--device", 0, *to)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in METHODS
        if name != "full_finetune"
    ],
)
def test_every_method_with_adapters_can_be_exported(cosim: Any, played: Any, method: str) -> None:
    """As many adapters as the device can answer its two tasks with."""
    plain = ("--set", "training.optimizer=sgd") if METHODS[method].needs_sgd else ()
    directory, learner = played(method, *plain)
    ended = cosim("export", directory, "--device", 0, "--to", "out")
    assert ended.code == 0
    members = {
        member.digest
        for task in learner.pools
        for expert in [learner.fleet.expert(0, task)]
        if expert is not None
        for member in expert.members
    }
    assert len(ended.out.splitlines()) == len(members)
