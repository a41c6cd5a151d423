"""Tiny language models that the fixtures make, so that no test needs a network."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

from cosim.host.ray_cluster import RayCluster, connect

# The same examples at every run: a failure is a finding, never a dice roll.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

TEXT = [
    "Question: what is the sum of 12 and 30? Answer: 42",
    "Q: Name the planet that is closest to the sun. A: Mercury, said the teacher.",
    "Types of questions: abbreviation, entity, description, person, location, number.",
    "The quick brown fox jumps over the lazy dog while the rain falls on the plain.",
]
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 8192,
    "initializer_range": 0.2,
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # threads cost more than they save on models this small


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Any:
    """A byte-level BPE tokenizer of at most 400 tokens that begins every prompt with <s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXT * 4, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", model_max_length=10**6
    )


@pytest.fixture(scope="session")
def save_model(tiny_tokenizer: Any) -> Callable[..., Path]:
    """Saves a seeded model of a configuration, and the tokenizer, to a directory."""
    from transformers import AutoModelForCausalLM

    def save(config: Any, folder: Path) -> Path:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            model = AutoModelForCausalLM.from_config(config)
            for name, weight in model.named_parameters():
                if name.endswith("bias"):  # transformers starts biases at zero
                    torch.nn.init.normal_(weight, std=0.2)
        model.save_pretrained(folder)
        tiny_tokenizer.save_pretrained(folder)
        return folder

    return save


def _ids(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }


@pytest.fixture(scope="session")
def tiny_llama(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any, save_model: Callable[..., Path]
) -> Path:
    """The directory of a tiny Llama: grouped queries, no biases, an output head of its own."""
    from transformers import LlamaConfig

    config = LlamaConfig(**SHAPE, **_ids(tiny_tokenizer), tie_word_embeddings=False)
    return save_model(config, tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def llama_of(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any, save_model: Callable[..., Path]
) -> Callable[[int], Path]:
    """Gives the directory of a tiny Llama of so many blocks."""
    from transformers import LlamaConfig

    def save(blocks: int) -> Path:
        shape = {**SHAPE, "num_hidden_layers": blocks}
        config = LlamaConfig(**shape, **_ids(tiny_tokenizer), tie_word_embeddings=False)
        return save_model(config, tmp_path_factory.mktemp(f"llama-of-{blocks}"))

    return functools.cache(save)


@pytest.fixture(scope="session")
def tiny_qwen2(
    tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any, save_model: Callable[..., Path]
) -> Path:
    """The directory of a tiny Qwen2: biases on Q, K and V, and a head tied to the embeddings."""
    from transformers import Qwen2Config

    config = Qwen2Config(**SHAPE, **_ids(tiny_tokenizer), tie_word_embeddings=True)
    return save_model(config, tmp_path_factory.mktemp("tiny-qwen2"))


@pytest.fixture(scope="session")
def two_ray_workers() -> Iterator[RayCluster]:
    """A Ray cluster of two cores on this machine, which this process has joined."""
    pytest.importorskip("ray", reason="Ray is not installed; the extra 'ray' brings it")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        # Ray ends workers where the machine's memory is nearly all taken, by whomever.
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")
        cluster = connect("the tests", cpus=2)
        yield cluster
        cluster.close()
