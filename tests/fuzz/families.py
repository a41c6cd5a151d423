"""Every causal family of transformers, tiny: what `check` says without weights, `run` says too.

Run by hand, minutes: `python tests/fuzz/families.py [FAMILY …]`. Ends with 1 where they differ.
"""

import sys
from typing import Any

import torch
import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from cosim.errors import CosimError
from cosim.learning.base.target_modules import adapted_modules
from cosim.learning.base.trial import refuse_unfit

_NAMES = {
    400: "vocab_size vocab_size_per_layer_input",
    32: "hidden_size n_embd d_model dim emb_dim word_embed_proj_dim attention_hidden_size "
    "lru_width",
    64: "intermediate_size ffn_dim decoder_ffn_dim encoder_ffn_dim n_inner d_ff dff d_inner",
    2: "num_hidden_layers n_layer n_layers num_layers decoder_layers encoder_layers "
    "num_key_value_heads num_experts_per_tok num_experts_per_token moe_k attn_layer_period",
    4: "num_attention_heads n_head n_heads num_heads attention_heads encoder_attention_heads "
    "decoder_attention_heads num_experts num_local_experts n_routed_experts moe_num_experts "
    "rotary_dim mamba_n_heads",
    8: "head_dim d_kv attention_head_dim d_head state_size mamba_d_state qk_nope_head_dim "
    "v_head_dim",
    16: "moe_intermediate_size shared_expert_intermediate_size mamba_d_head",
    1: "n_group topk_group n_shared_experts attn_layer_offset",
    0: "use_mamba_kernels",
    256: "max_position_embeddings n_positions n_ctx max_seq_len",
}
SMALL = {name: size for size, names in _NAMES.items() for name in names.split()}
_LISTS = ("layer_types", "layers_block_type", "mlp_layer_types")


def small(kind: str) -> Any:
    """A configuration of two narrow blocks, of two kinds where the family mixes kinds."""
    made = CONFIG_MAPPING[kind]
    plain = made()
    said: dict[str, Any] = _narrow(plain)
    for part in getattr(made, "sub_configs", {}):
        if hasattr(getattr(plain, part, None), "to_dict"):
            said[part] = _narrow(getattr(plain, part))
    return made(**said)


def _narrow(config: Any) -> dict[str, Any]:
    has = {*config.to_dict(), *getattr(config, "attribute_map", {})}
    said: dict[str, Any] = {name: size for name, size in SMALL.items() if name in has}
    for name in _LISTS:
        if kinds := config.to_dict().get(name):
            said[name] = [kinds[0], next((k for k in kinds if k != kinds[0]), kinds[0])]
    return said


def verdict(kind: str, device: str) -> str:
    """'played', or the sentence that refuses the family; without weights on 'meta'."""
    how = {"attn_implementation": "eager", "experts_implementation": "batched_mm"}
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(small(kind), **how).eval()
    try:
        refuse_unfit(model, adapted_modules(model), reads_blocks=True)
    except CosimError as error:
        return str(error)
    return "played"


def main() -> int:
    """Prints a line a family."""
    differ = 0
    for kind in sys.argv[1:] or MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        try:
            without = verdict(kind, "meta")
        except Exception as error:  # a family that is not made so small
            print(f"{kind}: not made: {type(error).__name__}")
            continue
        found = verdict(kind, "cpu")
        differ += found != without
        print(f"{kind}: {found}" + ("" if found == without else f"; without weights: {without}"))
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
