"""A base model tried on two short rows, so that what cosim cannot play is refused before it starts.

It is tried by what it does and not by its name: transformers has some two hundred families.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cosim.errors import BaseModelError
from cosim.learning.base.geometry import (
    Geometry,
    embedded_tokens,
    head_weight,
    multiplied,
    text_config,
    trunk,
)
from cosim.learning.base.weightless import Weightless
from cosim.methods.layout import AdaptedModule

# Output heads that do more than multiply: the answer-only head would skip the extra step.
_HEAD_EXTRAS = (
    "final_logit_softcapping",
    "logits_soft_cap",
    "output_logit_soft_cap",
    "logit_scale",
    "logits_scaling",
    "lm_head_multiplier",
)

_ROWS = [[3, 4, 5, 6, 7, 8], [3, 4, 5, 9, 10, 11]]
_ALIKE = 3
# Between two computations of the same states, relative to them: far above rounding.
_TOLERANCE = {torch.bfloat16: 0.05, torch.float16: 0.01}


def refuse_unfit(model: Any, modules: Sequence[AdaptedModule], *, reads_blocks: bool) -> None:
    """Raises `BaseModelError`, one sentence, for a model that cosim cannot play.

    model: not adapted yet; without weights (on the device 'meta') its values are not compared.
    modules: to be adapted. reads_blocks: the states between its blocks will be asked for.
    """
    refuse_by_configuration(model)
    head_weight(model)
    geometry, tokens = Geometry.of(model), embedded_tokens(model)
    multiplied(model)
    device = next(model.parameters()).device
    ids = torch.tensor(_ROWS, device=device) % tokens
    calls = {module.name: _Calls(module.out_features) for module in modules}
    with torch.no_grad(), Weightless() if device.type == "meta" else nullcontext():
        out = _passed(model, ids, calls, reads_blocks)
        if out is None:
            return
        _refuse_other_width(model, ids, out[0])
        _refuse_other_head(model, ids, out[0])
    if reads_blocks:
        _refuse_hidden_blocks(model, out.hidden_states, geometry)
    _refuse_uncalled(calls, ids.numel())


def refuse_by_configuration(model: Any) -> None:
    """Raises `BaseModelError` for what a configuration alone says: quantised weights, tokens that
    read what follows them, logits that are changed."""
    config = model.config
    if getattr(config, "quantization_config", None) is not None:
        raise BaseModelError(
            "base_model.source: its config.json says 'quantization_config', and cosim computes "
            "with plain float32 or bfloat16 weights: save the model dequantised"
        )
    # An encoder reads what follows, unless its configuration makes it a decoder.
    encodes = getattr(config, "is_decoder", None) is False and any(
        hasattr(module, "is_decoder") for module in model.modules()
    )
    if encodes or getattr(config, "causal", None) is False or config.model_type == "xlnet":
        raise BaseModelError(_not_causal(model))
    extras = [name for name in _HEAD_EXTRAS if _extra(model, name) not in (None, 1.0)]
    if extras:
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} changes its logits after the output head "
            f"({', '.join(extras)}), which cosim does not reproduce"
        )


def _extra(model: Any, name: str) -> Any:
    return getattr(text_config(model), name, None)


@dataclass
class _Calls:
    """How often a layer of so many features was called, and with how many tokens."""

    features: int
    count: int = 0
    tokens: set[int] = field(default_factory=set)

    def see(self, _: Any, inputs: tuple[Any, ...], out: Any) -> None:
        self.count += 1
        good = bool(inputs) and isinstance(inputs[0], Tensor) and isinstance(out, Tensor)
        good = good and out.shape[-1] == self.features and out.shape[:-1] == inputs[0].shape[:-1]
        self.tokens.add(out.shape[:-1].numel() if good else 0)


def _not_causal(model: Any) -> str:
    return (
        f"base_model.source: {type(model).__name__}, as its configuration has it, reads the tokens "
        "that follow the one it predicts from; cosim plays causal language models"
    )


def _passed(model: Any, ids: Tensor, calls: dict[str, _Calls], reads_blocks: bool) -> Any:
    """What the model makes of the rows; None where it cannot tell without weights."""
    handles = [model.get_submodule(name).register_forward_hook(c.see) for name, c in calls.items()]
    try:
        return _tried(
            model,
            ids,
            lambda: trunk(model)(input_ids=ids, use_cache=False, output_hidden_states=reads_blocks),
        )
    finally:
        for handle in handles:
            handle.remove()


def _tried(model: Any, ids: Tensor, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # whatever a model of whatever family may raise
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        lacking = isinstance(error, NotImplementedError) or "meta" in reason
        if ids.is_meta and lacking:
            return None
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} does not read rows of tokens alone, as "
            f"cosim gives them: {reason}"
        ) from error


def _refuse_other_width(model: Any, ids: Tensor, hidden: Any) -> None:
    width = head_weight(model).shape[1]
    if not isinstance(hidden, Tensor) or hidden.shape != (*ids.shape, width):
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} does not give one hidden state of width "
            f"{width}, its output head's, for each token, which cosim scores answers by"
        )


def _refuse_other_head(model: Any, ids: Tensor, hidden: Tensor) -> None:
    """Logits must be the head's product with the hidden states, and those not see what follows."""
    head: nn.Module = model.get_output_embeddings()
    if ids.is_meta:
        same = _untouched(model, ids, head)
    else:
        alone = _tried(
            model, ids, lambda: trunk(model)(input_ids=ids[:1, :_ALIKE], use_cache=False)
        )
        if not all(_alike(row[:_ALIKE], alone[0][0]) for row in hidden):
            raise BaseModelError(_not_causal(model))
        logits = _tried(model, ids, lambda: model(input_ids=ids, use_cache=False).logits)
        same = _alike(head(hidden), logits)
    if not same:
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} changes its hidden states before its "
            "output head or its logits after it, which cosim does not reproduce"
        )


def _untouched(model: Any, ids: Tensor, head: nn.Module) -> bool:
    """Whether what the head reads and gives is what the trunk gives and the model returns."""
    outputs: list[tuple[nn.Module, Tensor]] = []
    seam: list[Any] = []

    def note(module: nn.Module, inputs: Any, out: Any) -> None:
        state = out if isinstance(out, Tensor) else out[0] if len(out or ()) else None
        if module is head:
            seam.extend([inputs[0], out])
        elif isinstance(state, Tensor):
            outputs.append((module, state))

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        hidden = _tried(model, ids, lambda: trunk(model)(input_ids=ids, use_cache=False)[0])
        # The trunk itself and its last layers: some models call no more than these.
        last = {module for module, state in outputs if hidden is not None and _one(state, hidden)}
        outputs.clear()
        out = _tried(model, ids, lambda: model(input_ids=ids, use_cache=False))
    finally:
        for handle in handles:
            handle.remove()
    if out is None or any(_extra(model, name) is not None for name in _HEAD_EXTRAS):
        return True  # a neutral factor makes a new tensor of the same values
    return (
        len(seam) == 2
        and any(module in last and _one(state, seam[0]) for module, state in outputs)
        and _one(seam[1], out.logits)
    )


def _one(a: Tensor, b: Tensor) -> bool:
    # Without values, tensors are the same where their storage is.
    return a.numel() == b.numel() and a.untyped_storage()._cdata == b.untyped_storage()._cdata


def _alike(actual: Tensor, expected: Tensor) -> bool:
    if actual.shape != expected.shape:
        return False
    if not bool(expected.isfinite().all()):
        return True  # training tells of what is not finite, with its device
    tolerance = _TOLERANCE.get(actual.dtype, 1e-4)
    apart = float((actual.float() - expected.float()).norm())
    return apart <= tolerance * float(expected.float().norm())


def _refuse_hidden_blocks(model: Any, states: Any, geometry: Geometry) -> None:
    widths = [] if states is None else [state.shape[-1] for state in states[: geometry.blocks]]
    if widths != [geometry.hidden] * geometry.blocks:
        raise BaseModelError(
            f"base_model.source: {type(model).__name__} does not give states of width "
            f"{geometry.hidden} between its {geometry.blocks} blocks, which the method's gate "
            "reads; choose a method without a gate"
        )


def _refuse_uncalled(calls: dict[str, _Calls], tokens: int) -> None:
    good = [name for name, c in calls.items() if c.count == 1 and c.tokens == {tokens}]
    bad = [name for name in calls if name not in good]
    if not bad:
        return
    count = calls[bad[0]].count
    why = "does not take each token once and give a vector for it"
    if count != 1:
        why = f"is passed {count} times" if count else "is not called as a layer"
        why += " when the model reads a row of text"
    raise BaseModelError(
        f"adapter.target_modules: '{bad[0]}' {why}, so that it cannot be adapted ({len(bad)} of "
        f"{len(calls)} layers); {_remedy(good, bad)}"
    )


def _remedy(good: Sequence[str], bad: Sequence[str]) -> str:
    """Words on target modules that take in the good ones alone."""
    for steps in (1, 2, 3):
        ends = list(dict.fromkeys(".".join(name.split(".")[-steps:]) for name in good))
        if ends and not any(f".{name}".endswith(f".{end}") for name in bad for end in ends):
            return f"name others, such as [{', '.join(ends)}]"
    common: list[str] = []
    for steps_ in zip(*(name.split(".") for name in good), strict=False):
        if len(set(steps_)) > 1:
            break
        common.append(steps_[0])
    begin = ".".join(common) + "."
    if common and not any(name.startswith(begin) for name in bad):
        return "name others, such as '{}.*'".format(begin.replace(".", r"\."))
    return "name others" if good else "it has no layer that could be adapted"
