"""Scenarios as Python writes them, and runs of them in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import cosim

NETWORK: dict[str, Any] = {
    "name": "still",
    "seed": 7,
    "rounds": 3,
    "learning": "none",
    "method": "proposed_single_cluster",
    "devices": [{"count": 3, "mobility": "static"}],
    "radio": {"fading": "block"},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def still(tmp_path_factory: pytest.TempPathFactory) -> cosim.Run:
    """Three devices at rest, three rounds; read-only."""
    return cosim.run(NETWORK, tmp_path_factory.mktemp("still") / "run")


@pytest.fixture(scope="session")
def learnt(tmp_path_factory: pytest.TempPathFactory, tiny_llama: Path) -> cosim.Run:
    """Two devices that learn two tasks for two rounds; read-only."""
    task = {"dataset": "chain_sum", "samples": 20, "parameters": {"max_terms": 2, "max_digits": 1}}
    return cosim.run(
        {
            **NETWORK,
            "rounds": 2,
            "learning": "language_model",
            "method": "lora",
            "base_model": {"source": f"path:{tiny_llama}", "dtype": "float32"},
            "adapter": {"rank": 2, "alpha": 4},
            "tasks": {"sums": task, "more": task},
            "training": {"steps": 1, "batch_size": 2, "max_tokens": 200},
            "evaluation": {"samples": 4},
            "devices": [{"count": 2, "mobility": "static"}],
        },
        tmp_path_factory.mktemp("learnt") / "run",
    )
