"""Models of the families that the lean passes know."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosim.learning.base.base_model import load


@pytest.fixture(scope="module")
def untied_qwen2(
    tmp_path_factory: pytest.TempPathFactory, tiny_qwen2: Path, save_model: Callable[..., Path]
) -> Path:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(tiny_qwen2)
    config.tie_word_embeddings = False
    return save_model(config, tmp_path_factory.mktemp("untied-qwen2"))


@pytest.fixture(scope="module", params=["tiny_llama", "tiny_qwen2", "untied_qwen2"])
def known(request: pytest.FixtureRequest) -> Any:
    return load(f"path:{request.getfixturevalue(request.param)}", "float32").model
