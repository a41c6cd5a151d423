"""Routes a text among the adapters beside this file, and answers it, as cosim's gate does.

    python route.py "a text"

It needs torch, transformers, peft and safetensors, and nothing of cosim. gate.json names the
adapters' folders, the base model and the gate's numbers. gate.safetensors has `features` (J, L, k):
what the base model made of each expert's task, the mean over its rows, at the L blocks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


def prompt_features(model: Any, tokens: Sequence[int], gate: Mapping[str, Any]) -> Tensor:
    """x̄ (L, k) of a prompt: what the gate's blocks of the model read, without any adapter; each
    token at root mean square 1, and of the tokens their mean or the last one."""
    with torch.no_grad():
        every = model(input_ids=torch.tensor([list(tokens)]), output_hidden_states=True)
    states = torch.stack([every.hidden_states[block][0].float() for block in gate["blocks"]])
    units = states * torch.rsqrt(states.square().mean(-1, keepdim=True) + 1e-6)
    return units[:, -1] if gate["reads"] == "last" else units.mean(1)


def expert_weights(prompt: Tensor, experts: Tensor, gate: Mapping[str, Any]) -> Tensor:
    """The experts' shares (J,) of the answer: x̄ (L, k) and h (J, L, k) give a cosine an expert, the
    mean over blocks, each about the mean of the experts; the `top_k` largest weigh by
    relu(cosine)^(1/temperature), and equally where none is positive."""
    x, h = prompt.double(), experts.double()
    centre = h.mean(0)

    def unit(points: Tensor) -> Tensor:
        offset = points - centre
        length = offset.norm(dim=-1, keepdim=True)
        rounding = 1e-12 * (points.norm(dim=-1, keepdim=True) + centre.norm(dim=-1, keepdim=True))
        return torch.where(length > rounding, offset / length, 0.0)

    cosines = (unit(x) * unit(h)).sum(-1).mean(-1)
    best = cosines.sort(descending=True, stable=True).indices[: gate["top_k"]]
    chosen = torch.zeros_like(cosines).index_fill_(0, best, 1.0)
    similar = cosines.clamp(min=0) * chosen
    highest = similar.max()
    weights = (similar / highest).pow(1 / gate["temperature"]) if highest > 0 else chosen
    return weights / weights.sum()


def answer(folder: Path, text: str, most: int = 64) -> str:
    """What the routed experts write after a text, greedily."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gate = json.loads((folder / "gate.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(gate["base_model"])
    base = AutoModelForCausalLM.from_pretrained(gate["base_model"], dtype=gate["dtype"])
    names = [entry["folder"] for entry in gate["experts"]]
    # PEFT's names may hold no dots, which folders' may.
    model: Any = PeftModel.from_pretrained(base, folder / names[0], adapter_name="expert_0")
    for number, name in enumerate(names[1:], start=1):
        model.load_adapter(folder / name, adapter_name=f"expert_{number}")
    prompt = tokenizer(text.rstrip(), return_tensors="pt")
    with model.disable_adapter():
        x = prompt_features(model, prompt["input_ids"][0].tolist(), gate)
    weights = expert_weights(x, load_file(folder / "gate.safetensors")["features"], gate)
    experts = weights.nonzero().flatten().tolist()
    model.add_weighted_adapter(
        [f"expert_{number}" for number in experts],
        [float(weights[number]) for number in experts],
        "routed",
        combination_type="cat",
    )
    model.set_adapter("routed")
    written = model.generate(**prompt, max_new_tokens=most, do_sample=False)[0]
    return str(tokenizer.decode(written[prompt["input_ids"].shape[1] :], skip_special_tokens=True))


if __name__ == "__main__":
    print(answer(Path(__file__).parent, sys.argv[1]).strip())
