"""The adapters of a run that learnt: verified as they are, and refused when a file of them is not
what the index says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

import cosim

SCENARIO = """\
rounds: 1
method: {{name: lora, topology: ring}}
base_model: {{source: "path:{model}", dtype: float32}}
adapter: {{rank: 2, alpha: 4}}
tasks:
  sums: {{dataset: chain_sum, parameters: {{max_terms: 2, max_digits: 1}}, samples: 40}}
training: {{steps: 1, batch_size: 2}}
devices:
  - {{count: 2, mobility: {{model: static}}}}
evaluation: {{samples: 2}}
trace: {{diagnostics: true}}
"""


@pytest.fixture(scope="module")
def learnt(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two devices and one round of real learning; read-only."""
    folder = tmp_path_factory.mktemp("learnt")
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO.format(model=tiny_llama), encoding="utf-8")
    cosim.run(path, out=folder / "run")
    return folder / "run"


@pytest.mark.slow
def test_a_run_that_learnt_is_verified(verify: Any, learnt: Path) -> None:
    code, told, err = verify(learnt)
    assert (code, err) == (0, ""), told
    assert told["adapters"].startswith("ok: 2 devices, ")
    assert told["files"].startswith("ok: 10 tables")


def test_devices_say_what_they_learn_from(learnt: Path) -> None:
    devices = cosim.read_run(learnt).devices
    assert devices["task"].tolist() == ["sums", "sums"]
    assert devices["training_rows"].tolist() == [20, 20]
    assert devices["density"].isna().all()


def index(folder: Path, change: Callable[[Any], None]) -> None:
    path = folder / "index.json"
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held), encoding="utf-8")


def one_number_else(folder: Path) -> None:
    path = folder / "device-0000.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name] = tensors[name].copy()
    tensors[name].flat[0] += 1
    save_file(tensors, path)


def one_tensor_less(folder: Path) -> None:
    path = folder / "device-0000.safetensors"
    tensors = load_file(path)
    del tensors[next(iter(tensors))]
    save_file(tensors, path)


def elsewhere(held: Any) -> None:
    held["tensors"] = dict.fromkeys(held["tensors"], "../../somewhere/else.safetensors")


CASES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no adapters": (shutil.rmtree, "adapters/index.json: content: expected a readable index"),
    "no index": (lambda folder: (folder / "index.json").unlink(), "FileNotFoundError"),
    "an index that is a list": (
        lambda folder: (folder / "index.json").write_text("[1]"),
        "adapters/index.json: content: expected a readable index, found none (TypeError",
    ),
    "an index nested without end": (
        lambda folder: (folder / "index.json").write_text("[" * 100_000),
        "expected a readable index, found none (RecursionError",
    ),
    "a device less": (
        lambda folder: index(folder, lambda held: held["devices"].pop()),
        "adapters/index.json: devices: expected 0 to 1, one after the other, found [0]",
    ),
    "a tensor that no file holds": (
        lambda folder: index(folder, lambda held: held["tensors"].popitem()),
        "adapters/index.json: tensors: expected the file of ",
    ),
    "a file outside": (
        lambda folder: index(folder, elsewhere),
        "expected the name of a file in adapters/, found '../../somewhere/else.safetensors'",
    ),
    "a file is missing": (
        lambda folder: (folder / "device-0001.safetensors").unlink(),
        "adapters/device-0001.safetensors: content: expected a readable safetensors file, found ",
    ),
    "a file is cut short": (
        lambda folder: (folder / "device-0000.safetensors").write_bytes(
            (folder / "device-0000.safetensors").read_bytes()[:-8]
        ),
        "adapters/device-0000.safetensors: content: expected a readable safetensors file, found ",
    ),
    "another number": (one_number_else, "expected content of that hash, found "),
    "a tensor less": (one_tensor_less, "expected one of that name, found none"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_broken_adapters_are_told(
    verify: Any, learnt: Path, tmp_path: Path, case: tuple[Callable[[Path], Any], str]
) -> None:
    change, said = case
    copy = Path(shutil.copytree(learnt, tmp_path / "run"))
    change(copy / "adapters")
    code, told, err = verify(copy)
    assert (code, err) == (1, "")
    assert told["adapters"].startswith("WRONG: ")
    assert said in told["adapters"]
    assert all(not text.startswith("WRONG: ") for name, text in told.items() if name != "adapters")
