"""What a tokenizer puts around a text, between a prompt and its answer."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import Tokenizer, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

LLAMA: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "intermediate_size": 32, "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
SIGN = "\u2581"
WORDS = ("sun", "rain", "fog")


def tokens_of(out: str) -> int:
    """How many tokens `check` says a mean row has."""
    found = re.search(r"([0-9]+) tokens", out)
    assert found, out
    return int(found[1])


@pytest.mark.parametrize("single", ["<s> $A </s>", "$A </s>"])
def test_an_end_that_the_tokenizer_adds_is_not_read_before_the_answer(
    called: Any,
    learning: Callable[..., Path],
    save_model: Callable[..., Path],
    tiny_tokenizer: Any,
    tmp_path: Path,
    single: str,
) -> None:
    rows = [{"prompt": f"the sum of 12 and {n}", "answer": f"{12 + n}"} for n in range(16)]
    counted = []
    for name, template in (("plain", single.removesuffix(" </s>")), ("ended", single)):
        folder = save_model(transformers.LlamaConfig(vocab_size=400, **LLAMA), tmp_path / name)
        backend = Tokenizer.from_str(tiny_tokenizer.backend_tokenizer.to_str())
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[("<s>", 0), ("</s>", 1)]
        )
        PreTrainedTokenizerFast(
            tokenizer_object=backend, bos_token="<s>", eos_token="</s>"
        ).save_pretrained(folder)
        checked = called("check", learning(folder, rows))
        assert (checked.code, checked.err) == (0, "")
        counted.append(tokens_of(checked.out))
    assert counted[0] == counted[1]


def test_prompt_and_answer_are_one_text(
    called: Any, learning: Callable[..., Path], save_model: Callable[..., Path], tmp_path: Path
) -> None:
    """A sign is put before each text and for each blank, as Llama 2's tokenizer does."""
    vocabulary = {"<s>": 0, "</s>": 1, "<unk>": 2, SIGN: 3}
    merges = []
    for word in WORDS:
        left = SIGN
        for letter in word:
            vocabulary.setdefault(letter, len(vocabulary))
            vocabulary.setdefault(left + letter, len(vocabulary))
            merges.append((left, letter))
            left += letter
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SIGN), normalizers.Replace(" ", SIGN)]
    )
    config = transformers.LlamaConfig(vocab_size=len(vocabulary), **LLAMA)
    folder = save_model(config, tmp_path / "m")
    PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(folder)
    texts = map(" ".join, itertools.product(WORDS, repeat=3))
    rows = [{"prompt": text, "choices": ["rain", "fog"], "answer": "fog"} for text in texts]
    checked = called("check", learning(folder, rows))
    assert (checked.code, checked.err) == (0, "")
    # The last of four tokens is predicted only.
    assert tokens_of(checked.out) == 3
