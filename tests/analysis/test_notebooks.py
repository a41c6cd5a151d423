"""The notebooks of `analysis/notebooks/` run from their first cell to their last."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "analysis" / "notebooks").glob("*.ipynb"))
# What a cell's last line shows, by notebook: words of its outputs.
SHOWN = {
    "first_run": ["Lemma 1", "completed, 5 rounds", "deadline_s=0.5", "report.html", "cosim-run"],
    "your_own_method": ["resumed    ok", "trimmed", "accuracy", "sums"],
    "traces_with_duckdb": ["delivered", "wasted_j", "bit/s", "hash       ok"],
}


def cells(path: Path) -> list[dict[str, Any]]:
    """The cells of code."""
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_each_is_run() -> None:
    assert [path.stem for path in NOTEBOOKS] == sorted(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_its_outputs_are_stripped(path: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of Jupyter's own packages
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("nbformat", "nbclient", "ipykernel", "duckdb"):
        if package != "duckdb" or "duckdb" in path.stem:
            pytest.importorskip(package, reason=f"{package} is not installed; 'test' brings it")
    import nbformat
    from nbclient import NotebookClient

    folder = tmp_path / "analysis" / "notebooks"
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    text = json.dumps(outputs, ensure_ascii=False)
    for words in SHOWN[path.stem]:
        assert words.replace('"', '\\"') in text, words
