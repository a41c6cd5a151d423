"""A tokenizer that transformers saved, read with the library that does its work."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What transformers itself makes of a saved tokenizer depends on nothing else where it is of the
# class that takes tokenizer.json as it is; `add_bos_token` would have it rewritten.
_CLASS = "TokenizersBackend"
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_OTHERS = {"backend", "is_local", "local_files_only", "model_max_length", "tokenizer_class"}


class FileTokenizer:
    """A file tokenizer gives the tokens of texts as transformers' tokenizer of the same file
    does."""

    def __init__(self, backend: Any, eos_token_id: int) -> None:
        self.backend, self.eos_token_id = backend, eos_token_id

    def __call__(
        self, texts: Sequence[str], *, add_special_tokens: bool = True
    ) -> dict[str, list[list[int]]]:
        """`input_ids` of every text, not padded."""
        encodings = self.backend.encode_batch(list(texts), add_special_tokens=add_special_tokens)
        return {"input_ids": [encoding.ids for encoding in encodings]}

    def decode(self, ids: Sequence[int]) -> str:
        """The text of tokens."""
        text: str = self.backend.decode(list(ids), skip_special_tokens=False)
        return text


def file_tokenizer(folder: Path) -> FileTokenizer | None:
    """The tokenizer that was saved in a folder; None where it takes transformers to read it."""
    try:
        config = json.loads((folder / "tokenizer_config.json").read_bytes())
        if config.get("tokenizer_class") != _CLASS or not set(config) <= {*_SPECIAL, *_OTHERS}:
            return None
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from tokenizers import Tokenizer

        backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokens = {token.content: token for token in backend.get_added_tokens_decoder().values()}
        for token in (tokens[config[kind]] for kind in _SPECIAL if config.get(kind) is not None):
            if not token.special or token.normalized:
                return None
        whole = backend.post_processor is not None
        if not whole or backend.truncation is not None or backend.padding is not None:
            return None
        end = backend.token_to_id(config["eos_token"])
        return None if end is None else FileTokenizer(backend, end)
    except Exception:  # tokenizers raises nothing more special; transformers says what is amiss
        return None
