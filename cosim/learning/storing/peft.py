"""An adapter in the files of PEFT, which vanilla `peft.PeftModel.from_pretrained` loads."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

from cosim.methods.adapter import Adapter
from cosim.methods.layout import Layout


def write_peft(
    folder: Path, layout: Layout, scale: float, adapter: Adapter, base_model: str | None
) -> None:
    """Writes `adapter_model.safetensors` (A and B, float32) and `adapter_config.json`.

    `fan_in_fan_out` is true where a layer's weight is kept transposed, as GPT-2's are.
    PEFT multiplies B·A by lora_alpha/r, which is our scale α/r. base_model: the name or folder
    that transformers loads, None where there is none. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    pairs = layout.pairs(adapter.projection, adapter.expansion(layout))
    for module, (A, B) in zip(layout.modules, pairs, strict=True):
        name = f"base_model.model.{module.name}"
        tensors[f"{name}.lora_A.weight"] = A[0].float().contiguous()
        tensors[f"{name}.lora_B.weight"] = B[0].float().contiguous()
    # Not save_file, whose files only their owner may read.
    content = save(tensors, metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").write_bytes(content)
    alpha = scale * layout.rank
    config = {
        "base_model_name_or_path": base_model,
        "bias": "none",
        "fan_in_fan_out": any(module.transposed for module in layout.modules),
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": int(alpha) if alpha.is_integer() else alpha,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": layout.rank,
        "target_modules": [module.name for module in layout.modules],
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": False,
    }
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (folder / "adapter_config.json").write_text(text + "\n", encoding="utf-8")
